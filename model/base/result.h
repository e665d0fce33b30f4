// Errors as values. Exceptions of third-party libraries are caught where the library is called and become an Error.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace icr {

/// What went wrong, in words for the person who can mend it. Built on the failure path only.
struct Error {
  std::string message;

  /// The same error with the place where it happened in front: "context: message".
  [[nodiscard]] Error in(std::string_view context) const { return Error{fmt::format("{}: {}", context, message)}; }
};

template <class T>
using Result = tl::expected<T, Error>;

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...)});
}

/// Returns the system's words for an error number (`errno`): "Permission denied".
[[nodiscard]] inline std::string error_text(int error_number) { return std::generic_category().message(error_number); }

}  // namespace icr
