// Small files that are read and replaced as a whole: whatever moment the machine dies in, such a file has its former
// text or its new one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "model/base/result.h"

namespace icr {

/// While replace_file() writes a file, the name of that file ends with this. A file with such a name that is there when
/// a program opens the folder was left by a crash, and the program removes it.
inline constexpr std::string_view kUnfinished = ".new";

/// Replaces `file`, or makes it; then only its owner may read it. The text is written to a file beside it, whose name
/// has kUnfinished at the end, and which takes the place of `file` when all of it is on the disk. After an error,
/// `file` is as it was, and the file beside it is removed. Links are not followed.
[[nodiscard]] Result<void> replace_file(const std::filesystem::path& file, std::string_view text);

/// Waits until the names in a folder are on the disk.
[[nodiscard]] Result<void> sync_folder(const std::filesystem::path& folder);

/// Returns the text of `file`. The error says what is wrong, without the name of the file: it is a link or no regular
/// file, or has more than `limit` octets, or cannot be read. Never reads more than `limit` octets and one.
[[nodiscard]] Result<std::string> read_whole_file(const std::filesystem::path& file, std::size_t limit);

}  // namespace icr
