// For tests that look at a role machine, and not at what its owner does for it.
#pragma once

#include "node/redundancy/role.h"

namespace icr::node {

/// Does nothing that a role machine decides. A test that derives from it says how claims are answered.
class IgnoredDecisions : public RoleOutput {
 public:
  void on_claiming(std::uint64_t /*term*/) override {}
  void withdraw_claim() override {}
  void persist_term(std::uint64_t /*term*/) override {}
  void on_master(std::uint64_t /*term*/) override {}
  void on_standby(std::uint64_t /*term*/) override {}
  void on_reassert(std::uint64_t /*term*/) override {}
  void on_handing_over(bool /*active*/) override {}
};

}  // namespace icr::node
