#include "cli/faces/escape.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace icr::cli {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Returns the length of the UTF-8 character at the beginning of `text`, which must not be empty; 0 if there is none:
/// too long a form, a surrogate, more than U+10FFFF, or octets that are missing.
std::size_t utf8_length(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = octet(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xC0U) != 0x80) return 0;
  }
  const std::uint8_t second = octet(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

/// Returns true for U+FFFE and U+FFFF, which XML does not allow.
bool is_no_xml_character(std::string_view character) {
  return character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF";
}

bool is_plain(char c, std::string_view special) {
  return c >= ' ' && c != '\x7F' && special.find(c) == std::string_view::npos;
}

/// Appends `value`; `append_special` appends each ASCII character that is a control character or in `special`.
template <class Special>
void append_escaped(std::string_view value, std::string_view special, bool xml, Special append_special,
                    std::string& out) {
  while (!value.empty()) {
    std::size_t plain = 0;
    while (plain < value.size() && is_plain(value[plain], special)) ++plain;
    out += value.substr(0, plain);
    value.remove_prefix(plain);
    if (value.empty()) return;
    const std::size_t length = utf8_length(value);
    if (length == 1) {
      append_special(value[0]);
    } else if (length == 0 || (xml && is_no_xml_character(value.substr(0, length)))) {
      out += kReplacement;
    } else {
      out += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
}

bool begins_a_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_in_a_name(char c) { return begins_a_name(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

}  // namespace

void append_xml_text(std::string_view value, std::string& out) {
  append_escaped(
      value, "&<>\"", true,
      [&](char c) {
        switch (c) {
          case '&':
            out += "&amp;";
            break;
          case '<':
            out += "&lt;";
            break;
          case '>':
            out += "&gt;";
            break;
          case '"':
            out += "&quot;";
            break;
          case '\t':
          case '\n':
          case '\x7F':
            out += c;
            break;
          case '\r':
            out += "&#13;";  // as it is, a reader would take it for the end of a line
            break;
          default:
            out += kReplacement;
        }
      },
      out);
}

void append_json_text(std::string_view value, std::string& out) {
  out += '"';
  append_escaped(
      value, "\"\\", false,
      [&](char c) {
        if (c == '"' || c == '\\') {
          out += '\\';
          out += c;
        } else if (c == '\n') {
          out += "\\n";
        } else if (c == '\t') {
          out += "\\t";
        } else {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(static_cast<std::uint8_t>(c)));
        }
      },
      out);
  out += '"';
}

void append_name(std::string_view name, std::string& out) {
  if (name.empty() || !begins_a_name(name[0])) out += '_';
  // A prefix is part of the few names that have one (junos:style); it is never at an end.
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool prefix = name[i] == ':' && i != 0 && i + 1 < name.size() && begins_a_name(name[i + 1]) &&
                        (name.substr(0, i) == "junos" || name.substr(0, i) == "xmlns");
    out += is_in_a_name(name[i]) || prefix ? name[i] : '_';
  }
}

}  // namespace icr::cli
