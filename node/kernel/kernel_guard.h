// Keeps the kernel as a chassis needs it: watches what is declared in node/kernel/facts.h, puts back what another
// program took away, and tells the redundancy sets what cannot be had.
//
// A thread of its own at ordinary priority, so that packets never wait for it. It is woken by the kernel's
// notifications, and reads everything back now and then besides. What fails closed (node/kernel/forward_guard.h) does
// not depend on its speed.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/cluster.h"
#include "model/counters.h"
#include "model/result.h"
#include "model/time.h"
#include "node/kernel/facts.h"
#include "node/kernel/forward_guard.h"
#include "node/kernel/kernel_watch.h"
#include "node/kernel/notifications.h"
#include "node/ports/netlink.h"

namespace icr::node {

/// Whether an interface can carry packets; empty: it can, otherwise why not.
[[nodiscard]] std::string trouble_of_interface(nl_sock* socket, const std::string& name);

class KernelGuard {
 public:
  /// Interfaces are looked at this often besides the notifications: those of a lost carrier may be late by a second.
  static constexpr Duration kLook = 100ms;
  static constexpr Duration kReadBack = 2s;
  /// A fact that was put back this many times within kFightWindow is fought over: then it is put back every
  /// kFightPause only, and counts as missing.
  static constexpr std::uint32_t kFight = 20;
  static constexpr Duration kFightWindow = 10s;
  static constexpr Duration kFightPause = 1s;

  /// Puts the nftables rules in place, nothing else yet: to be called before ports are opened. Null: the chassis has
  /// no ports that the kernel has to do with. `cluster` must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<KernelGuard>> open(const Cluster& cluster, std::uint16_t chassis);
  ~KernelGuard();  ///< stops
  KernelGuard(const KernelGuard&) = delete;
  KernelGuard& operator=(const KernelGuard&) = delete;

  /// Looks at everything once, then begins to watch. After the ports were opened.
  void start();
  void stop();
  /// What a set's worker talks to; lives as long as the guard.
  [[nodiscard]] KernelWatch& watch(std::uint16_t set) { return *watches_[set]; }
  /// Any thread.
  void append_to(CounterList& out) const;

 private:
  struct Kept {
    std::unique_ptr<Fact> fact;
    std::string missing;       ///< as it was said last
    TimePoint not_before;      ///< when it may be tried again
    TimePoint window_begin;    ///< of the count below
    std::uint32_t recent = 0;  ///< times that it was put back since
    bool fought_over = false;
    TimePoint said;  ///< when it was last logged that it was put back
  };
  struct Looked {
    WatchedInterface interface;
    std::string trouble;
  };

  KernelGuard(const Cluster& cluster, std::uint16_t chassis) : cluster_(cluster), chassis_(chassis) {}
  void run();
  /// True: something about an interface is different.
  bool look_at_interfaces();
  void look_at(Kept& kept, TimePoint now, const std::string& who);
  void look_at_facts(KernelKinds kinds, TimePoint now, const std::string& who);
  void tell();

  const Cluster& cluster_;
  const std::uint16_t chassis_;
  std::unique_ptr<ForwardGuard> forward_guard_;
  std::vector<std::unique_ptr<KernelWatch>> watches_;
  std::vector<KernelReport> told_;
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
