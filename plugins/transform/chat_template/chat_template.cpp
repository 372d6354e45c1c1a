// Templates are cut at {content} once, in the constructor; apply() only writes.  The formats are
// those of the models that brought them: ChatML (OpenAI, Qwen), Llama 3 (Meta's model card).
#include "chat_template.hpp"

#include <algorithm>
#include <utility>

#include "mortise/plugin.hpp"
#include "mortise/pytext.hpp"

namespace mortise::transform::chat_template {

namespace {

constexpr std::string_view kContent = "{content}", kRole = "{role}";

std::map<std::string, std::string> format_roles(const std::string& format) {
  std::map<std::string, std::string> roles;
  if (format == "plain")
    return {{"system", "{content}\n\n"},
            {"user", "User: {content}\n"},
            {"assistant", "Assistant: {content}\n"}};
  if (format == "none") return roles;
  for (const char* role : {"system", "user", "assistant", "tool"})
    roles[role] = format == "llama3"
                      ? "<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>"
                      : "<|im_start|>{role}\n{content}<|im_end|>\n";
  return roles;
}

Value message(const char* role, const Value& content) {
  return Value::Table{{"role", role}, {"content", content}};
}

/// `prompt` and `response` as a conversation; null when the record has none.
Value single_turn(const Record& record) {
  const Value *prompt = record.fields.find("prompt"), *response = record.fields.find("response");
  if (prompt == nullptr || response == nullptr) return {};
  Value messages = Value::array();
  if (const Value* system = record.fields.find("system"); system != nullptr && system->is_string())
    messages.as_array().push_back(message("system", *system));
  messages.as_array().push_back(message("user", *prompt));
  messages.as_array().push_back(message("assistant", *response));
  return messages;
}

void add(Value& list, std::string text, bool train, bool special) {
  if (text.empty()) return;
  list.as_array().push_back(
      Value::Table{{"text", std::move(text)}, {"train", train}, {"special", special}});
}

}  // namespace

ChatTemplate::ChatTemplate(Config config) : config_(std::move(config)) {
  for (const auto& [role, text] : format_roles(config_.format)) add_role(role, text);
  for (const auto& [role, text] : config_.roles) add_role(role, text);
  for (const std::string& role : config_.train) {
    const auto found = turns_.find(role);
    MORTISE_CHECK(found != turns_.end(),
                  "train names the role `{}`, which has no template; add it to roles",
                  role);
    found->second.train = true;
  }
}

void ChatTemplate::add_role(const std::string& role, std::string text) {
  for (size_t at = text.find(kRole); at != std::string::npos; at = text.find(kRole, at))
    text.replace(at, kRole.size(), role);
  const size_t at = text.find(kContent);
  MORTISE_CHECK(at != std::string::npos && text.find(kContent, at + 1) == std::string::npos,
                "roles.{}: a template holds {{content}} exactly once, got `{}`",
                role,
                text);
  turns_[role] = {text.substr(0, at), text.substr(at + kContent.size()), false};
}

const ChatTemplate::Turn& ChatTemplate::turn_of(const Record& record,
                                                const std::string& role,
                                                size_t index) const {
  const auto found = turns_.find(role);
  if (found != turns_.end()) return found->second;
  std::string known;
  for (const auto& [name, turn] : turns_) known += (known.empty() ? "" : ", ") + name;
  throw DataError(fmt::format("{}: chat_template: message {} has the role `{}`; known are: {}",
                              record.id,
                              index,
                              role,
                              known),
                  fmt::format("correct the record, or add roles.{} = \"…{{content}}…\"", role));
}

Value ChatTemplate::segments(const Record& record, const Value& messages, bool& any_trained) const {
  Value list = Value::array();
  const auto write = [&](const std::string& role, const Value& content, size_t index) {
    const Turn& turn = turn_of(record, role, index);
    add(list, turn.before, false, true);
    std::string text = content.as_string();
    if (config_.format == "llama3") text = std::string(pytext::strip(text));
    any_trained = any_trained || (turn.train && !text.empty());
    add(list, std::move(text), turn.train, false);
    add(list, turn.after, turn.train, true);
  };
  const Value::Array& all = messages.as_array();
  if (!config_.system.empty() && (all.empty() || all[0].get("role", "") != "system"))
    write("system", config_.system, 0);
  for (size_t i = 0; i < all.size(); ++i) {
    const Value* role = all[i].is_table() ? all[i].find("role") : nullptr;
    const Value* content = all[i].is_table() ? all[i].find("content") : nullptr;
    if (role == nullptr || !role->is_string() || content == nullptr || !content->is_string())
      throw DataError(
          fmt::format(
              "{}: chat_template: message {} is no {{role, content}} of texts", record.id, i + 1),
          "correct the record");
    write(role->as_string(), *content, i + 1);
  }
  return list;
}

void ChatTemplate::apply(Record record, RecordSink& sink) {
  bool any_trained = false, found = false;
  for (const char* side : {"chosen", "rejected"}) {
    const Value* messages = record.fields.find(side);
    if (messages == nullptr || !messages->is_array()) continue;
    record.fields[side] = segments(record, *messages, any_trained);
    found = true;
  }
  const Value* given = record.fields.find(config_.field);
  const Value messages = given != nullptr ? *given : single_turn(record);
  if (messages.is_array()) {
    record.fields["segments"] = segments(record, messages, any_trained);
    found = true;
  }
  if (!found)
    throw DataError(fmt::format("{}: chat_template: there is no list of messages in `{}`, and no "
                                "`prompt` with `response`",
                                record.id,
                                config_.field),
                    "set field to the one that holds the conversation");
  if (!any_trained) return sink.drop(record, "nothing_trained");
  sink.keep(std::move(record));
}

void ChatTemplate::Config::describe(Schema<Config>& schema) {
  schema.field("format", &Config::format, "how turns are written")
      .one_of({"chatml", "llama3", "plain", "none"});
  schema.field("roles",
               &Config::roles,
               "role = template with {content} and {role}; replaces or adds to the format's");
  schema.field(
      "train", &Config::train, "roles that are trained: what they say and the end of their turn");
  schema.field(
      "system", &Config::system, "a first message where a conversation has none; empty: nothing");
  schema.field("field", &Config::field, "where the list of {role, content} stands");
}

}  // namespace mortise::transform::chat_template

MORTISE_PLUGIN("org.mortise.transform.chat_template",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::transform::chat_template::ChatTemplate>(
                   "chat_template", "conversations as segments, trained by role"));
