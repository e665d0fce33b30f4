// Keeps the kernel state that a chassis needs: watches the facts of node/kernel/facts.h, restores what another program
// removed, and tells the redundancy sets what cannot be restored.
//
// The guard has its own thread of ordinary priority, so packets never wait for it. Notifications of the kernel wake the
// thread, and it also reads everything back every kReadBack. No packet bypasses the card if the thread is slow, because
// the rules of node/kernel/forward_guard.h do not depend on it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "node/kernel/facts.h"
#include "node/kernel/forward_guard.h"
#include "node/kernel/kernel_watch.h"
#include "node/kernel/netlink.h"
#include "node/kernel/notifications.h"

namespace icr::node {

/// Returns why an interface cannot carry packets; empty if it can.
[[nodiscard]] std::string trouble_of_interface(nl_sock* socket, const std::string& name);

class KernelGuard {
 public:
  /// Interfaces are also checked this often, because a notification of a lost carrier may be late by a second.
  static constexpr Duration kLook = 100ms;
  static constexpr Duration kReadBack = 2s;
  /// If a fact was restored kFight times within kFightWindow, two programs fight over it: it is then restored only once
  /// every kFightPause, and counts as missing.
  static constexpr std::uint32_t kFight = 20;
  static constexpr Duration kFightWindow = 10s;
  static constexpr Duration kFightPause = 1s;

  /// Installs the nftables rules, and nothing else yet. Returns null if the chassis has no ports that involve the
  /// kernel. REQUIRES: no port is open yet; `cluster` outlives the result.
  [[nodiscard]] static Result<std::unique_ptr<KernelGuard>> open(const Cluster& cluster, std::uint16_t chassis);
  ~KernelGuard();  ///< stops the thread
  KernelGuard(const KernelGuard&) = delete;
  KernelGuard& operator=(const KernelGuard&) = delete;

  /// Checks everything once, then starts the thread. REQUIRES: the ports are open.
  void start();
  void stop();
  /// Returns the object through which the guard and the worker of a set communicate; the guard owns it.
  [[nodiscard]] KernelWatch& watch(std::uint16_t set) { return *watches_[set]; }
  /// Thread: any.
  void append_to(CounterList& out) const;

 private:
  struct Kept {
    std::unique_ptr<Fact> fact;
    std::string missing;       ///< as it was logged last
    TimePoint not_before;      ///< earliest time of the next attempt
    TimePoint window_begin;    ///< begin of the window in which `recent` counts
    std::uint32_t recent = 0;  ///< times that the fact was restored since window_begin
    bool fought_over = false;
    TimePoint said;  ///< when a restoration was last logged
  };
  struct Looked {
    WatchedInterface interface;
    std::string trouble;
  };

  KernelGuard(const Cluster& cluster, std::uint16_t chassis) : cluster_(cluster), chassis_(chassis) {}
  void run();
  /// Returns true if the state of an interface has changed.
  bool look_at_interfaces();
  void look_at(Kept& kept, TimePoint now, const std::string& who);
  void look_at_facts(KernelKinds kinds, TimePoint now, const std::string& who);
  void look_at_addresses();
  void tell();

  const Cluster& cluster_;
  const std::uint16_t chassis_;
  std::unique_ptr<ForwardGuard> forward_guard_;
  std::vector<std::unique_ptr<KernelWatch>> watches_;
  std::vector<KernelReport> told_;
  std::vector<std::vector<IpAddress>> addresses_;  ///< of each set, as they were read last
  netlink::RouteSocket socket_;
  std::unique_ptr<Notifications> notifications_;
  std::vector<Kept> kept_;
  std::vector<Looked> interfaces_;
  std::thread thread_;
  int wake_ = -1;  ///< eventfd: stop() was called
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> restored_{0}, failed_{0}, fights_{0}, overruns_{0}, dropped_{0};
};

}  // namespace icr::node
