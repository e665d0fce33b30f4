// One element of a tree, kept in memory: what the text face needs of a row before it can print the row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/result/tree.h"

namespace icr::cli {

/// Keeps the events of one element, without attributes. It is used again and again, so that no row allocates memory.
class Element final : public Tree {
 public:
  /// A place in the element: a leaf, or an element with what it contains.
  struct Item {
    std::uint32_t name = 0;  ///< where the name begins in `octets_`
    std::uint32_t name_size = 0;
    std::uint32_t value = 0;
    std::uint32_t value_size = 0;
    std::uint32_t after = 0;  ///< index of the item that follows this one and what it contains
    bool is_leaf = false;
  };

  void clear();
  /// Returns true if nothing was begun, or everything that was begun has ended.
  [[nodiscard]] bool closed() const { return open_.empty(); }
  /// Returns the number of items. The items in an element follow it directly.
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(items_.size()); }
  [[nodiscard]] const Item& item(std::uint32_t index) const { return items_[index]; }
  [[nodiscard]] std::string_view name(std::uint32_t index) const {
    return std::string_view(octets_).substr(items_[index].name, items_[index].name_size);
  }
  /// Returns the value of a leaf.
  [[nodiscard]] std::string_view value(std::uint32_t index) const {
    return std::string_view(octets_).substr(items_[index].value, items_[index].value_size);
  }

 private:
  void on_begin(std::string_view name, Attributes attributes) override;
  void on_leaf(std::string_view name, std::string_view value, Attributes attributes) override;
  void on_empty(std::string_view name) override;
  void on_end() override;

  std::string octets_;  ///< names and values
  std::vector<Item> items_;
  std::vector<std::uint32_t> open_;  ///< indices of the items that have not ended
};

/// A part of an Element: the items from `first` up to `last`, which is not included.
struct ElementRange {
  const Element* element = nullptr;
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  /// Returns the index of the first item with that name, not looking into elements; `last` if there is none. The search
  /// begins at `from` and goes round: a caller that asks in the order of the items finds each at once.
  [[nodiscard]] std::uint32_t find(std::string_view name, std::uint32_t from) const;
  [[nodiscard]] std::uint32_t find(std::string_view name) const { return find(name, first); }
  /// Returns the value of the first leaf with that name, or an empty text.
  [[nodiscard]] std::string_view value(std::string_view name) const;
  /// Returns what the item contains; nothing for a leaf.
  [[nodiscard]] ElementRange inside(std::uint32_t index) const {
    return {element, index + 1, element->item(index).after};
  }
};

}  // namespace icr::cli
