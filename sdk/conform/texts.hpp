// Texts that break naive code, and a small corpus; shared by the suites.
#pragma once

#include <string>
#include <vector>

namespace mortise::conform {

/// Valid UTF-8: empty, blank, combining marks, emoji with joiners, right-to-left, CJK, a byte order
/// mark, NUL, long.
inline std::vector<std::string> valid_texts() {
  return {"",
          " ",
          "\n\n",
          "Hello, world!  Two  spaces.",
          "na\xc3\xafve caf\xc3\xa9 e\xcc\x81",
          "\xe4\xb8\xad\xe6\x96\x87\xe5\xa5\xbd\xe3\x80\x82",
          "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 ok",
          "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
          "\xef\xbb\xbf"
          "bom",
          std::string("a\0b", 3),
          "1234567890 3.14159 -7e10",
          "tab\tand\r\nCRLF",
          std::string(5000, 'x')};
}

/// Not UTF-8: truncated, overlong, a surrogate, stray continuation bytes.
inline std::vector<std::string> broken_texts() {
  return {"\xc3",
          "a\xff"
          "b",
          "\xe4\xb8",
          "\xed\xa0\x80",
          "\xc0\xaf",
          "\x80\x80\x80",
          "\xf8\x88\x80\x80\x80"};
}

/// A few hundred words of plain English, the same on every machine.
inline std::vector<std::string> corpus() {
  static constexpr const char* kWords[] = {"the",
                                           "joiner",
                                           "cuts",
                                           "a",
                                           "mortise",
                                           "so",
                                           "that",
                                           "tenon",
                                           "fits",
                                           "without",
                                           "glue",
                                           "and",
                                           "wood",
                                           "holds",
                                           "for",
                                           "years"};
  std::vector<std::string> lines;
  for (size_t line = 0; line < 60; ++line) {
    std::string text;
    for (size_t word = 0; word < 9; ++word)
      text +=
          (text.empty() ? "" : " ") + std::string(kWords[(line * 7 + word * (line % 5 + 1)) % 16]);
    lines.push_back(text + ".");
  }
  return lines;
}

}  // namespace mortise::conform
