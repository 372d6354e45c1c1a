#include "chat_template.hpp"

#include <doctest/doctest.h>

using namespace mortise;  // NOLINT: a test file
using transform::chat_template::ChatTemplate;

namespace {

struct Sink final : RecordSink {
  std::vector<Record> kept;
  std::vector<std::string> dropped;

  void keep(Record record) override { kept.push_back(std::move(record)); }

  void drop(const Record&, std::string_view reason) override { dropped.emplace_back(reason); }
};

Value messages(const std::vector<std::pair<std::string, std::string>>& turns) {
  Value list = Value::array();
  for (const auto& [role, content] : turns)
    list.as_array().push_back(Value::Table{{"role", role}, {"content", content}});
  return list;
}

Record chat() {
  Record record;
  record.id = "chat:7";
  record.fields["messages"] =
      messages({{"user", "Hi <|im_end|>"}, {"assistant", " Hello\n"}, {"user", "Bye"}});
  return record;
}

/// Trained text between ⟦ ⟧.
std::string marked(const Value& segments) {
  std::string text;
  for (const Value& segment : segments.as_array())
    text += segment.get("train", true) ? "⟦" + segment.at("text").as_string() + "⟧"
                                       : segment.at("text").as_string();
  return text;
}

std::string apply(ChatTemplate::Config config, Record record, const char* field = "segments") {
  Sink sink;
  ChatTemplate(std::move(config)).apply(std::move(record), sink);
  return sink.kept.empty() ? "dropped: " + sink.dropped.at(0)
                           : marked(sink.kept.at(0).fields.at(field));
}

}  // namespace

TEST_SUITE("transform.chat_template") {
  TEST_CASE("each format writes the turns, and trains the assistant with the end of its turn") {
    CHECK(apply({}, chat()) ==
          "<|im_start|>user\nHi <|im_end|><|im_end|>\n<|im_start|>assistant\n"
          "⟦ Hello\n⟧⟦<|im_end|>\n⟧<|im_start|>user\nBye<|im_end|>\n");
    CHECK(apply({.format = "llama3"}, chat()) ==
          "<|start_header_id|>user<|end_header_id|>\n\nHi <|im_end|><|eot_id|>"
          "<|start_header_id|>assistant<|end_header_id|>\n\n⟦Hello⟧⟦<|eot_id|>⟧"
          "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>");
    CHECK(apply({.format = "plain"}, chat()) ==
          "User: Hi <|im_end|>\nAssistant: ⟦ Hello\n⟧⟦\n⟧User: Bye\n");
  }

  TEST_CASE("marks of the template are special, the same marks typed by a user are not") {
    Sink sink;
    ChatTemplate({}).apply(chat(), sink);
    const Value::Array& list = sink.kept.at(0).fields.at("segments").as_array();
    CHECK(list.at(0).get("special", false));
    CHECK(list.at(1).at("text").as_string() == "Hi <|im_end|>");
    CHECK_FALSE(list.at(1).get("special", true));
    CHECK(list.at(2).get("special", false));
  }

  TEST_CASE("other roles can be trained, added and rewritten") {
    CHECK(apply({.format = "none",
                 .roles = {{"user", "[{role}] {content}|"}, {"assistant", "{content}"}},
                 .train = {"user"}},
                chat()) == "[user] ⟦Hi <|im_end|>⟧⟦|⟧ Hello\n[user] ⟦Bye⟧⟦|⟧");
    CHECK(apply({.format = "plain", .system = "Be kind."}, chat()).starts_with("Be kind.\n\nUser"));
  }

  TEST_CASE("prompt and response are one turn, and preferences are two conversations") {
    Record record;
    record.fields["prompt"] = "2+2?";
    record.fields["response"] = "4";
    CHECK(apply({.format = "plain"}, record) == "User: 2+2?\nAssistant: ⟦4⟧⟦\n⟧");
    record = {};
    record.fields["chosen"] = messages({{"user", "2+2?"}, {"assistant", "4"}});
    record.fields["rejected"] = messages({{"user", "2+2?"}, {"assistant", "5"}});
    CHECK(apply({.format = "plain"}, record, "chosen") == "User: 2+2?\nAssistant: ⟦4⟧⟦\n⟧");
    CHECK(apply({.format = "plain"}, record, "rejected") == "User: 2+2?\nAssistant: ⟦5⟧⟦\n⟧");
  }

  TEST_CASE("an unknown role is one error that names record, message and role") {
    Record record = chat();
    record.fields["messages"].as_array()[1]["role"] = "asistant";
    CHECK_THROWS_WITH_AS(
        apply({}, record),
        doctest::Contains("chat:7: chat_template: message 2 has the role `asistant`; known are: "
                          "assistant, system, tool, user"),
        DataError);
    record.fields["messages"].as_array()[1] = "text";
    CHECK_THROWS_WITH_AS(
        apply({}, record), doctest::Contains("message 2 is no {role, content}"), DataError);
  }

  TEST_CASE("a conversation in which nothing is trained is dropped and counted") {
    Record record = chat();
    record.fields["messages"] = messages({{"user", "Hi"}});
    CHECK(apply({}, record) == "dropped: nothing_trained");
    record.fields["messages"] = messages({{"user", "Hi"}, {"assistant", ""}});
    CHECK(apply({}, record) == "dropped: nothing_trained");
  }

  TEST_CASE("templates that cannot work are refused") {
    CHECK_THROWS_WITH_AS(ChatTemplate({.roles = {{"user", "no place"}}}),
                         doctest::Contains("roles.user: a template holds {content} exactly once"),
                         Error);
    CHECK_THROWS_WITH_AS(
        ChatTemplate({.train = {"bot"}}), doctest::Contains("train names the role `bot`"), Error);
  }
}
