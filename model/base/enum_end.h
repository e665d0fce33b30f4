// Finds out at compile time how many values an enumeration has, so that no constant has to be kept in step by hand.
#pragma once

#include <string_view>
#include <type_traits>

namespace icr {

/// Returns true if the enumeration of `value` has a name for it. In __PRETTY_FUNCTION__, compilers write the name of an
/// enumerator ("icr::Role::master"), and a cast for a value that has no name ("(icr::Role)9").
template <auto value>
[[nodiscard]] constexpr bool has_enumerator() {
  const std::string_view text = __PRETTY_FUNCTION__;
  const auto cast = text.rfind(')');
  return text[cast + 1] < '0' || text[cast + 1] > '9';
}

/// Returns the value after the last enumerator of `E`, as its underlying type. If the enumerators begin at zero, this
/// is their number. REQUIRES: The enumerators have consecutive values, and `first` is one of them.
template <class E, E first = E{}>
[[nodiscard]] constexpr auto enum_end() {
  using Number = std::underlying_type_t<E>;
  constexpr auto next = static_cast<Number>(static_cast<Number>(first) + 1);
  if constexpr (has_enumerator<static_cast<E>(next)>()) {
    return enum_end<E, static_cast<E>(next)>();
  } else {
    return next;
  }
}

}  // namespace icr
