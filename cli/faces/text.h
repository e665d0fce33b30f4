// The text of an answer: a table of layout over its tree.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cli/faces/face.h"
#include "cli/faces/template.h"

namespace icr::cli {

/// How one kind of element is printed when it has ended.
struct RowLayout {
  std::string_view element;
  Template text;
  /// Text that a template cannot describe; used instead of one if it is set.
  std::function<void(const ElementRange& row, std::string& out)> render;
  /// A leaf without which this layout does not apply, at any depth; empty: it always does. So rows of one name can
  /// differ.
  std::string_view only_with;
  /// Printed before the first row, and where the row before had another heading.
  Template heading;
  std::string_view between;  ///< printed in front of the row if anything was printed before
};

/// An element that contains rows. It is printed as its rows come.
struct GroupLayout {
  std::string_view element;  ///< empty: the whole answer
  Template heading;          ///< of the leaves that precede the first row
  std::string_view between;  ///< printed in front of the heading if anything was printed before
  bool heading_without_rows = false;
  std::vector<RowLayout> rows;
};

/// The layout of a command. Elements that are in no table are not printed, but groups and rows in them are.
struct Layout {
  std::vector<GroupLayout> groups;
  /// Printed in front of a heading of rows, unless it comes first.
  std::string_view between_headings;
};

/// REQUIRES: `layout` outlives the face.
[[nodiscard]] std::unique_ptr<Face> make_text_face(Writer write, const Layout& layout);

}  // namespace icr::cli
