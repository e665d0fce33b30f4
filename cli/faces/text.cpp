#include "cli/faces/text.h"

#include <algorithm>

namespace icr::cli {
namespace {

class TextFace final : public Face {
 public:
  TextFace(Writer write, const Layout& layout) : Face(std::move(write)), layout_(layout) { open({}); }

 private:
  /// A group that has begun.
  struct Open {
    const GroupLayout* group = nullptr;  ///< null: an element that is in no table
    std::unique_ptr<Element> leaves;     ///< leaves of the group, which are printed together
    bool headed = false;                 ///< its heading was printed
  };

  void on_begin(std::string_view name, Attributes attributes) override {
    if (row_depth_ != 0 || is_row(name)) {
      if (row_depth_++ == 0) row_.clear();
      row_.begin(name, attributes);
      return;
    }
    open(name);
  }

  void on_leaf(std::string_view name, std::string_view value, Attributes attributes) override {
    if (row_depth_ != 0) return row_.leaf(name, value, attributes);
    if (auto* open = innermost()) open->leaves->leaf(name, value, attributes);
  }

  void on_empty(std::string_view name) override {
    if (row_depth_ != 0) row_.empty(name);
  }

  void on_end() override {
    if (row_depth_ != 0) {
      row_.end();
      if (--row_depth_ == 0) print_row();
      return;
    }
    Open& open = open_.back();
    if (open.group != nullptr && open.group->heading_without_rows) head(open);
    open_.pop_back();
  }

  void on_finish() override {}

  void open(std::string_view name) {
    Open open;
    const auto group = std::find_if(layout_.groups.begin(), layout_.groups.end(),
                                    [&](const GroupLayout& each) { return each.element == name; });
    if (group != layout_.groups.end()) {
      open.group = &*group;
      open.leaves = std::make_unique<Element>();
    }
    open_.push_back(std::move(open));
  }

  /// Returns the innermost group, or null.
  Open* innermost() {
    const auto found =
        std::find_if(open_.rbegin(), open_.rend(), [](const Open& each) { return each.group != nullptr; });
    return found == open_.rend() ? nullptr : &*found;
  }

  bool is_row(std::string_view name) {
    const Open* open = innermost();
    return open != nullptr && std::any_of(open->group->rows.begin(), open->group->rows.end(),
                                          [&](const RowLayout& each) { return each.element == name; });
  }

  void head(Open& open) {
    if (open.headed) return;
    open.headed = true;
    if (printed_) out() += open.group->between;
    const std::size_t before = out().size();
    open.group->heading.append({open.leaves.get(), 0, open.leaves->size()}, out());
    printed_ = printed_ || out().size() != before;
  }

  /// Returns true if the row has an item with that name at any depth.
  [[nodiscard]] bool has(std::string_view name) const {
    for (std::uint32_t i = 1; i < row_.size(); ++i) {
      if (row_.name(i) == name) return true;
    }
    return false;
  }

  void print_row() {
    const ElementRange row{&row_, 1, row_.size()};
    const GroupLayout& group = *innermost()->group;
    const auto layout = std::find_if(group.rows.begin(), group.rows.end(), [&](const RowLayout& each) {
      return each.element == row_.name(0) && (each.only_with.empty() || has(each.only_with));
    });
    if (layout == group.rows.end()) return;
    for (Open& open : open_) {
      if (open.group != nullptr) head(open);
    }
    std::string heading;
    layout->heading.append(row, heading);
    if (!heading.empty() && heading != heading_) {
      if (!heading_.empty()) out() += layout_.between_headings;
      out() += heading;
      heading_ = std::move(heading);
    } else if (printed_) {
      out() += layout->between;
    }
    if (layout->render) {
      layout->render(row, out());
    } else {
      layout->text.append(row, out());
    }
    printed_ = true;
    flush_if_large();
  }

  const Layout& layout_;
  std::vector<Open> open_;
  Element row_;
  unsigned row_depth_ = 0;
  bool printed_ = false;
  std::string heading_;  ///< of the last row that had one
};

}  // namespace

std::unique_ptr<Face> make_text_face(Writer write, const Layout& layout) {
  return std::make_unique<TextFace>(std::move(write), layout);
}

}  // namespace icr::cli
