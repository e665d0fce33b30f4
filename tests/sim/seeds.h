// Lives of whole worlds, one for each seed. ICR_SIM_SEED replays one seed, ICR_SIM_SEEDS says how many are run (300;
// some tests take a part of them), ICR_SIM_FIRST which is the first (1).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/sim/world.h"

namespace icr::sim {

/// The seeds first, first + 1, and so on.
struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t count = 0;
};

/// Returns true if ICR_SIM_SEED asks for one seed.
[[nodiscard]] bool replays();
/// Returns the first seed.
[[nodiscard]] std::uint64_t first_seed();
/// Returns how many seeds are run.
[[nodiscard]] std::uint64_t all_seeds();
/// Returns the seed that ICR_SIM_SEED asks for, or `otherwise` if it asks for none.
[[nodiscard]] Seeds wanted_seeds(const Seeds& otherwise);

/// Returns the violations, and what happened before; empty if there are none.
[[nodiscard]] std::string story(const World& world);

/// Calls `live` for each seed until five have failed, and prints what happened. `live` returns the story of its world,
/// which is a failure unless it is empty.
Totals live_through(const Seeds& seeds, const std::function<std::string(std::uint64_t, Totals&)>& live);

}  // namespace icr::sim
