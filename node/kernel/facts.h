// Lists everything that a chassis needs of its kernel while it runs. Each such *fact* can be read back, and can be
// restored after another program changed it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/config/cluster.h"
#include "node/kernel/forward_guard.h"
#include "node/kernel/kernel_watch.h"
#include "node/kernel/notifications.h"

struct nl_sock;

namespace icr::node {

class Fact {
 public:
  /// `name` is for display, like "IPv4 rules and routes of ms000.1". `kinds` are the kinds of kernel state that it
  /// depends on. `sets` are the redundancy sets that need it.
  Fact(std::string name, KernelKinds kinds, std::vector<std::uint16_t> sets)
      : name_(std::move(name)), kinds_(kinds), sets_(std::move(sets)) {}
  virtual ~Fact() = default;
  Fact(const Fact&) = delete;
  Fact& operator=(const Fact&) = delete;

  struct Outcome {
    int restored = 0;     ///< number of things that were missing and have been restored
    std::string missing;  ///< what cannot be restored, and what would solve that; empty if nothing is missing
  };
  /// Reads the state back, and restores what is missing.
  [[nodiscard]] virtual Outcome ensure(nl_sock* socket) = 0;
  /// Adds to the report of a set what ensure() found besides.
  virtual void report(KernelReport& /*out*/) const {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] KernelKinds kinds() const { return kinds_; }
  /// Returns the redundancy sets that need this fact.
  [[nodiscard]] const std::vector<std::uint16_t>& sets() const { return sets_; }

 private:
  std::string name_;
  KernelKinds kinds_;
  std::vector<std::uint16_t> sets_;
};

/// An interface that sets depend on. It is only observed, because icrd cannot restore it.
struct WatchedInterface {
  std::string name;
  std::vector<std::uint16_t> sets;
};

struct KernelNeeds {
  std::vector<std::unique_ptr<Fact>> facts;
  std::vector<WatchedInterface> interfaces;
};

/// Returns what a chassis needs. `watches` has one entry for each set of the cluster; `forward_guard` may be null.
/// REQUIRES: `cluster`, `forward_guard` and `watches` outlive the result.
[[nodiscard]] KernelNeeds kernel_needs(const Cluster& cluster, std::uint16_t chassis, ForwardGuard* forward_guard,
                                       const std::vector<std::unique_ptr<KernelWatch>>& watches);

}  // namespace icr::node
