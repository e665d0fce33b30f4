#include "cli/result/element.h"

namespace icr::cli {

void Element::clear() {
  octets_.clear();
  items_.clear();
  open_.clear();
}

void Element::on_begin(std::string_view name, Attributes /*none*/) {
  open_.push_back(size());
  on_empty(name);
  items_.back().is_leaf = false;
}

void Element::on_leaf(std::string_view name, std::string_view value, Attributes /*none*/) {
  on_empty(name);
  items_.back().value = static_cast<std::uint32_t>(octets_.size());
  items_.back().value_size = static_cast<std::uint32_t>(value.size());
  octets_ += value;
}

void Element::on_empty(std::string_view name) {
  Item item;
  item.name = static_cast<std::uint32_t>(octets_.size());
  item.name_size = static_cast<std::uint32_t>(name.size());
  item.after = size() + 1;
  item.is_leaf = true;
  octets_ += name;
  items_.push_back(item);
}

void Element::on_end() {
  items_[open_.back()].after = size();
  open_.pop_back();
}

std::uint32_t ElementRange::find(std::string_view name, std::uint32_t from) const {
  for (std::uint32_t i = from; i < last; i = element->item(i).after) {
    if (element->name(i) == name) return i;
  }
  for (std::uint32_t i = first; i < from; i = element->item(i).after) {
    if (element->name(i) == name) return i;
  }
  return last;
}

std::string_view ElementRange::value(std::string_view name) const {
  const std::uint32_t found = find(name);
  return found == last ? std::string_view() : element->value(found);
}

}  // namespace icr::cli
