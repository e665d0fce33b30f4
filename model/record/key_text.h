// Keys of CURVE, public and secret ones, as text.
#pragma once

#include <cstddef>
#include <string_view>

namespace icr {

/// Characters of a key.
inline constexpr std::size_t kKeyTextLength = 40;

/// Returns true if the text is a key of CURVE: 32 octets in Z85 (ZeroMQ RFC 32). The key of nothing but zeros, with
/// which nobody can speak, is none.
[[nodiscard]] bool is_key_text(std::string_view text);

}  // namespace icr
