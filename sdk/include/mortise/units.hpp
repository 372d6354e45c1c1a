// Quantities as text: "4GiB", "1h30min", "10M", "20%" are read (the field's unit decides how), and
// bytes, durations and counts are written for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mortise/api.hpp"

namespace mortise {

/// Reads a quantity in the field's own unit: "2KiB" for "bytes" is 2048, "2min" for "seconds" is
/// 120, "2min" for "ms" is 120000, "3M" for any count ("tokens", "steps", …) is 3e6, "20%" for
/// "fraction" is 0.2. Returns nothing when it does not read.   Thread: [any-thread].
MORTISE_API std::optional<double> parse_quantity(std::string_view text, std::string_view unit);
/// What to write for this unit: `"4GiB"`.
MORTISE_API std::string quantity_example(std::string_view unit);

/// For people: "412 MiB", "1:02:03", "12,345,678".  Thread: [any-thread].
MORTISE_API std::string bytes_text(int64_t bytes);
MORTISE_API std::string duration_text(double seconds);
MORTISE_API std::string grouped(int64_t number);

}  // namespace mortise
