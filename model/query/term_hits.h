// How often the terms of a service set were matched, as values.
#pragma once

#include <cstdint>
#include <string>

#include "model/record/stable_id.h"

namespace icr {

enum class TermKind : std::uint8_t { firewall, nat };

/// A term of a firewall or NAT rule as a service set of a card uses it. It counts since the card was started.
struct TermHitsRow {
  StableId service_set = 0;
  TermKind kind = TermKind::firewall;
  std::string rule;
  std::string term;
  bool input = false;  ///< it is for packets that come in on the inside port
  bool output = false;
  std::uint64_t hits = 0;      ///< first packets that it matched
  std::uint64_t failures = 0;  ///< of those: packets that could not be translated
  friend bool operator==(const TermHitsRow&, const TermHitsRow&) = default;
};

}  // namespace icr
