// A template of text with fields that are leaves of an element: the language of the tables in cli/render/layouts.
//
//   {interface-name}       the value of a leaf; nothing if there is no such leaf
//   {pkt-cnt:>16}          in a column: `<` and `>` say at which side the value stands
//   {source-port:<6|:}     a value that is there has a colon in front of it, and both stand in the column
//   {.}                    the value of the leaf that a section is about
//   {#flow} ... {/flow}    what is between is printed for each element or leaf `flow`, and fields are looked up in it
//                          first, then around it
//   {^flow} ... {/flow}    what is between is printed once if there is no `flow`
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/result/element.h"

namespace icr::cli {

class Template {
 public:
  Template() = default;
  /// REQUIRES: `text` is a template, and outlives it: layouts are constants.
  explicit Template(std::string_view text);

  /// Appends the text with the values of `element`.
  void append(const ElementRange& element, std::string& out) const;

 private:
  enum class Kind : std::uint8_t { text, field, self, each, none, close };
  struct Part {
    Kind kind = Kind::text;
    std::string_view text;  ///< the text, or the name of a leaf
    std::string_view prefix;
    std::size_t width = 0;
    bool right = false;
    std::size_t close = 0;  ///< of a section: index of the part that closes it
  };
  struct Level;

  static Part field_of(std::string_view words);
  void append(std::size_t from, std::size_t to, Level& level, std::string& out) const;
  void append_section(std::size_t at, Level& level, std::string& out) const;

  std::vector<Part> parts_;
};

}  // namespace icr::cli
