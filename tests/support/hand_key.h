// A key at the witness that a test gives and takes.
#pragma once

#include <cstdint>
#include <string>

#include "node/redundancy/witness_key.h"

namespace icr::node {

class HandKey final : public WitnessKey {
 public:
  void want(std::uint64_t term) override { wanted = term; }
  void give_back() override {
    wanted = 0;
    ends = TimePoint::min();
  }
  [[nodiscard]] TimePoint until() const override { return ends; }
  [[nodiscard]] std::string state() const override { return "played"; }
  [[nodiscard]] bool fails() const override { return silent; }
  void append_to(CounterList&) const override {}

  bool silent = false;  ///< the witness does not answer
  std::uint64_t wanted = 0;
  TimePoint ends = TimePoint::min();
};

}  // namespace icr::node
