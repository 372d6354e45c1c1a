// @NAME@: drops records whose text is shorter than a number of bytes.
#include <mortise/plugin.hpp>
#include <mortise/transform.hpp>

struct @CLASS@ final : mortise::Transform {
  struct Config {
    int64_t min_bytes = 1;
    static void describe(mortise::Schema<Config>& s) { s.field("min_bytes", &Config::min_bytes, "shortest text that is kept").min(0).unit("bytes"); }
  };
  explicit @CLASS@(Config config) : config_(config) {}
  void apply(mortise::Record record, mortise::RecordSink& sink) override {
    const mortise::Value* text = record.fields.find("text");
    if (text == nullptr || !text->is_string()) throw mortise::DataError(fmt::format("record {} has no text", record.id));
    if (static_cast<int64_t>(text->as_string().size()) < config_.min_bytes) sink.drop(record, "short");
    else sink.keep(std::move(record));
  }
  Config config_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "drops short texts"));
