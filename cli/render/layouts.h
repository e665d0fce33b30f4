// The text of the commands whose text is a layout over their tree.
#pragma once

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/faces/text.h"
#include "cli/grammar/command.h"

namespace icr::cli {

/// Returns the layout of a command at a level, or null if its text is not made of its tree.
[[nodiscard]] const Layout* layout_of(Verb verb, Level level);

// The parts of the table of layouts, by subject. Only layouts.cpp uses them.
/// A layout with Level::none is that of all levels that have none of their own.
using Layouts = std::map<std::pair<Verb, Level>, Layout>;
void add_chassis_layouts(Layouts& layouts);
void add_interface_layouts(Layouts& layouts);
void add_nat_layouts(Layouts& layouts);
void add_policy_layouts(Layouts& layouts);
void add_session_layouts(Layouts& layouts);
void add_statistics_layouts(Layouts& layouts);
void add_table_layouts(Layouts& layouts);

/// Returns the layout of the part of one chassis: its name as the nodes of a cluster of SRX devices have it, and rows.
[[nodiscard]] GroupLayout each_chassis_layout(std::vector<RowLayout> rows);
/// Returns the layout of one kind of row.
[[nodiscard]] RowLayout row_layout(std::string_view element, std::string_view text, std::string_view heading = {},
                                   std::string_view only_with = {});
/// Returns the layout of a table of one kind of row under a heading that is printed even if there are no rows.
[[nodiscard]] Layout table_layout(std::string_view group, std::string_view heading, std::string_view element,
                                  std::string_view text);

}  // namespace icr::cli
