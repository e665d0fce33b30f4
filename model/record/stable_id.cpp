#include "model/record/stable_id.h"

#include <fmt/format.h>

namespace icr {

StableId stable_id(Named kind, std::string_view name, std::string_view within) {
  // FNV-1a of 64 bits, folded into 32. Names hold no zero octet, so it separates them.
  std::uint64_t state = 0xcbf29ce484222325ULL;
  const auto take = [&state](std::uint8_t octet) { state = (state ^ octet) * 0x100000001b3ULL; };
  take(static_cast<std::uint8_t>(kind));
  for (const char c : within) take(static_cast<std::uint8_t>(c));
  take(0);
  for (const char c : name) take(static_cast<std::uint8_t>(c));
  state ^= state >> 30U;
  state *= 0xbf58476d1ce4e5b9ULL;
  const auto folded = static_cast<StableId>(state >> 32U);
  return folded == 0 ? 1 : folded;
}

std::string text_of_id(StableId id) { return fmt::format("0x{:08x}", id); }

}  // namespace icr
