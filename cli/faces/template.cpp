#include "cli/faces/template.h"

#include <charconv>

#include "model/base/text.h"

namespace icr::cli {
/// A part of an element in which fields are looked up, and the one around it.
struct Template::Level {
  ElementRange range;
  std::uint32_t at = 0;    ///< the item behind the one that was found last
  std::string_view value;  ///< of a section about a leaf
  Level* around = nullptr;
};

Template::Template(std::string_view text) {
  std::vector<std::size_t> open;
  while (!text.empty()) {
    const std::size_t brace = std::min(text.find('{'), text.size());
    if (brace != 0) parts_.push_back({Kind::text, text.substr(0, brace), {}, 0, false, 0});
    text.remove_prefix(brace);
    if (text.empty()) break;
    const std::size_t end = text.find('}');
    const std::string_view words = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (words[0] == '#' || words[0] == '^') {
      open.push_back(parts_.size());
      parts_.push_back({words[0] == '#' ? Kind::each : Kind::none, words.substr(1), {}, 0, false, 0});
    } else if (words[0] == '/') {
      parts_[open.back()].close = parts_.size();
      open.pop_back();
      parts_.push_back({Kind::close, words.substr(1), {}, 0, false, 0});
    } else {
      parts_.push_back(field_of(words));
    }
  }
}

Template::Part Template::field_of(std::string_view words) {
  Part part;
  part.kind = Kind::field;
  const std::size_t colon = words.find(':');
  part.text = words.substr(0, colon);
  if (part.text == ".") part.kind = Kind::self;
  if (colon == std::string_view::npos) return part;
  std::string_view column = words.substr(colon + 1);
  const std::size_t bar = column.find('|');
  if (bar != std::string_view::npos) {
    part.prefix = column.substr(bar + 1);
    column = column.substr(0, bar);
  }
  part.right = column[0] == '>';
  std::from_chars(column.data() + 1, column.data() + column.size(), part.width);
  return part;
}

void Template::append(const ElementRange& element, std::string& out) const {
  Level level{element, element.first, {}, nullptr};
  append(0, parts_.size(), level, out);
}

void Template::append(std::size_t from, std::size_t to, Level& level, std::string& out) const {
  for (std::size_t i = from; i < to; ++i) {
    const Part& part = parts_[i];
    if (part.kind == Kind::text) {
      out += part.text;
      continue;
    }
    if (part.kind == Kind::each || part.kind == Kind::none) {
      append_section(i, level, out);
      i = part.close;
      continue;
    }
    std::string_view value = level.value;
    std::string_view prefix;
    if (part.kind == Kind::field) {
      value = {};
      for (Level* each = &level; each != nullptr; each = each->around) {
        const std::uint32_t found = each->range.find(part.text, each->at);
        if (found == each->range.last) continue;
        each->at = each->range.element->item(found).after;
        value = each->range.element->value(found);
        prefix = part.prefix;
        break;
      }
    }
    const std::size_t columns = columns_of(value) + prefix.size();
    const std::size_t blanks = part.width > columns ? part.width - columns : 0;
    if (part.right) out.append(blanks, ' ');
    out += prefix;
    out += value;
    if (!part.right) out.append(blanks, ' ');
  }
}

void Template::append_section(std::size_t at, Level& level, std::string& out) const {
  const Part& part = parts_[at];
  const ElementRange& range = level.range;
  bool any = false;
  for (std::uint32_t i = range.first; i < range.last; i = range.element->item(i).after) {
    if (range.element->name(i) != part.text) continue;
    any = true;
    if (part.kind == Kind::none) return;
    const ElementRange inside = range.inside(i);
    Level inner{inside, inside.first, range.element->value(i), &level};
    append(at + 1, part.close, inner, out);
  }
  if (!any && part.kind == Kind::none) append(at + 1, part.close, level, out);
}

}  // namespace icr::cli
