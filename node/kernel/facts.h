// Everything that a chassis needs of its kernel while it runs, as one list of facts. Each can be read back, and be made
// true again where another program changed it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/cluster.h"
#include "node/kernel/forward_guard.h"
#include "node/kernel/kernel_watch.h"
#include "node/kernel/notifications.h"

struct nl_sock;

namespace icr::node {

class Fact {
 public:
  /// `name` in words for people: "IPv4 rules and routes into ms000.1". `kinds`: what of the kernel it is about.
  Fact(std::string name, KernelKinds kinds, std::vector<std::uint16_t> sets)
      : name_(std::move(name)), kinds_(kinds), sets_(std::move(sets)) {}
  virtual ~Fact() = default;
  Fact(const Fact&) = delete;
  Fact& operator=(const Fact&) = delete;

  struct Outcome {
    int restored = 0;     ///< how many things were missing and are back
    std::string missing;  ///< what cannot be had, and what would mend it; empty: all is as it must be
  };
  [[nodiscard]] virtual Outcome ensure(nl_sock* socket) = 0;
  /// Adds what it knows beyond that to the report of a set.
  virtual void report(KernelReport& /*out*/) const {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] KernelKinds kinds() const { return kinds_; }
  /// The redundancy sets that depend on it.
  [[nodiscard]] const std::vector<std::uint16_t>& sets() const { return sets_; }

 private:
  std::string name_;
  KernelKinds kinds_;
  std::vector<std::uint16_t> sets_;
};

/// An interface that a set depends on. Nothing of it can be put back: it is looked at.
struct WatchedInterface {
  std::string name;
  std::vector<std::uint16_t> sets;
};

struct KernelNeeds {
  std::vector<std::unique_ptr<Fact>> facts;
  std::vector<WatchedInterface> interfaces;
};

/// What a chassis needs. `watches` has one entry for each set of the cluster; `forward_guard` may be null. Both, and
/// the cluster, must outlive the result.
[[nodiscard]] KernelNeeds kernel_needs(const Cluster& cluster, std::uint16_t chassis, ForwardGuard* forward_guard,
                                       const std::vector<std::unique_ptr<KernelWatch>>& watches);

}  // namespace icr::node
