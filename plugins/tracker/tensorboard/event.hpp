// The few messages of TensorBoard's event.proto and summary.proto that a tracker writes, as bytes.
//
// Hand-written, because it is forty lines against a protobuf dependency for five fields; a golden
// made by the tensorboard package holds every byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mortise::tracker::tensorboard {

/// Event{wall_time, file_version: "brain.Event:2"}: the first record of a file.
std::string version_event(double wall_time);
/// Event{wall_time, step, session_log: START}: what an earlier file holds from this step on is
/// hidden.
std::string restart_event(double wall_time, int64_t step);
/// One value of a summary; several are joined by writing them one after another.
std::string scalar_value(std::string_view tag, float value);
/// A Markdown text, as the plugin "text" shows it.
std::string text_value(std::string_view tag, std::string_view text);
/// Event{wall_time, step, summary: values}.
std::string summary_event(double wall_time, int64_t step, std::string_view values);

/// A TFRecord: length, masked CRC-32C of the length, data, masked CRC-32C of the data.
std::string record(std::string_view data);

}  // namespace mortise::tracker::tensorboard
