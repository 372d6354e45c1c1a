// Out-of-line destructors: they pin vtables and type info of the plain interfaces to
// libmortise_sdk.
#include "mortise/component.hpp"

#include "mortise/error.hpp"
#include "mortise/guard.hpp"
#include "mortise/host.hpp"
#include "mortise/state.hpp"
#include "mortise/tokenizer.hpp"
#include "mortise/tracker.hpp"
#include "mortise/transform.hpp"
#include "mortise/weight_format.hpp"

namespace mortise {

Component::~Component() = default;
Host::~Host() = default;
RecordSink::~RecordSink() = default;
WeightReader::~WeightReader() = default;
WeightWriter::~WeightWriter() = default;
StateIo::~StateIo() = default;
ext::TrainableTokenizer::~TrainableTokenizer() = default;
ext::Rewind::~Rewind() = default;

GuardAction guard_action(std::string_view name) {
  if (name == "warn") return GuardAction::Warn;
  if (name == "skip") return GuardAction::Skip;
  if (name == "rollback") return GuardAction::Rollback;
  if (name == "stop") return GuardAction::Stop;
  throw Error(Code::Usage,
              fmt::format("a guard warns, skips, rolls back or stops; got \"{}\"", name),
              "action = \"warn\", \"skip\", \"rollback\" or \"stop\"");
}

namespace {

template <class T, class Read>
void transfer(StateIo& io, std::string_view name, T& target, Read read) {
  Value stored = io.loading() ? Value() : Value(target);
  io.value(name, stored);
  if (io.loading()) target = read(stored);
}

}  // namespace

void StateIo::integer(std::string_view name, int64_t& target) {
  transfer(*this, name, target, [](const Value& v) { return v.as_int(); });
}

void StateIo::real(std::string_view name, double& target) {
  transfer(*this, name, target, [](const Value& v) { return v.as_float(); });
}

void StateIo::flag(std::string_view name, bool& target) {
  transfer(*this, name, target, [](const Value& v) { return v.as_bool(); });
}

void StateIo::text(std::string_view name, std::string& target) {
  transfer(*this, name, target, [](const Value& v) { return v.as_string(); });
}

}  // namespace mortise
