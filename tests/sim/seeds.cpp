#include "tests/sim/seeds.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "model/base/log.h"

namespace icr::sim {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

bool replays() { return std::getenv("ICR_SIM_SEED") != nullptr; }

std::uint64_t first_seed() { return from_environment("ICR_SIM_FIRST", 1); }

std::uint64_t all_seeds() { return from_environment("ICR_SIM_SEEDS", 300); }

Seeds wanted_seeds(const Seeds& otherwise) {
  return replays() ? Seeds{from_environment("ICR_SIM_SEED", 1), 1} : otherwise;
}

std::string story(const World& world) {
  std::string out;
  for (const auto& violation : world.violations()) out += violation + "\n";
  if (out.empty()) return out;
  out += "What happened before:\n";
  for (const auto& event : world.events()) out += "  " + event + "\n";
  return out;
}

Totals live_through(const Seeds& seeds, const std::function<std::string(std::uint64_t, Totals&)>& live) {
  log::set_level(log::Level::error);
  Totals totals;
  int failed = 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count && failed < 5; ++seed) {
    const std::string violations = live(seed, totals);
    if (violations.empty()) continue;
    ++failed;
    ADD_FAILURE() << "ICR_SIM_SEED=" << seed << " replays this:\n" << violations;
  }
  std::cout << "seeds " << seeds.first << " to " << seeds.first + seeds.count - 1 << ": " << totals.to_string() << "\n";
  return totals;
}

}  // namespace icr::sim
