#include "model/base/text.h"

#include <algorithm>
#include <cstdint>

namespace icr {
namespace {

/// A character at the beginning of a text.
struct Character {
  std::uint32_t code = 0;
  std::size_t octets = 1;
  bool sound = true;  ///< false: it is one octet that is not UTF-8
};

/// Returns the first character. REQUIRES: `text` is not empty.
Character first_of(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = octet(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {first, 1, false};
  std::uint32_t code = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0U) != 0x80U) return {first, 1, false};
    code = code << 6U | (octet(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return {first, 1, false};
  return {code, length, true};
}

bool is_shown(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  // What separates lines, and what changes the direction of writing.
  const bool steers = code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
                      (code >= 0x2066 && code <= 0x2069);
  return !control && !steers;
}

}  // namespace

std::string printable_text(std::string_view text, bool keep_newlines) {
  // Almost every text is of this kind, and an answer has hundreds of them.
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_of(text);
    if (next.code == '\n' && keep_newlines) {
      out += '\n';
    } else if (next.code == '\t' || next.code == '\n' || next.code == '\r') {
      out += ' ';
    } else if (next.sound && is_shown(next.code)) {
      out += text.substr(0, next.octets);
    } else {
      out += '?';
    }
    text.remove_prefix(next.octets);
  }
  return out;
}

std::size_t columns_of(std::string_view line) {
  std::size_t columns = 0;
  while (!line.empty()) {
    const Character next = first_of(line);
    columns += next.code == '\t' ? 8 - columns % 8 : 1;
    line.remove_prefix(next.octets);
  }
  return columns;
}

}  // namespace icr
