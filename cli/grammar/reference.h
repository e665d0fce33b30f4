// What is written about the commands, made from the tree of the grammar: docs/commands.md and the manual page.
#pragma once

#include <string>
#include <string_view>

namespace icr::cli {

/// Returns the class of clients that a command needs, which its first word decides, but for the log; empty for commands
/// that ask no chassis.
[[nodiscard]] std::string_view privilege_of(std::string_view words);
/// Returns the reference of all commands in Markdown.
[[nodiscard]] std::string reference_in_markdown();
/// Returns the manual page icr(1) in the language of man(7).
[[nodiscard]] std::string manual_page();

}  // namespace icr::cli
