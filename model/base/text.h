// Text for a terminal, in UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace icr {

/// Returns `text` as a terminal can show it without being steered by it: a character that is not printed (control
/// characters of ASCII and of Latin-1, those that change the direction of writing), and each octet that is not UTF-8,
/// becomes one '?'. A blank of another kind (tab, newline, carriage return) becomes ' '; with `keep_newlines` a newline
/// stays.
[[nodiscard]] std::string printable_text(std::string_view text, bool keep_newlines = false);

/// Returns the number of columns of a line: one for each character, and one for each octet that is not UTF-8. A tab
/// reaches to the next multiple of eight.
[[nodiscard]] std::size_t columns_of(std::string_view line);

}  // namespace icr
