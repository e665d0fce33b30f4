// Receives the kernel's notifications of configuration changes by all programs: links, rules, routes, settings,
// nftables.
//
// Changes that cannot concern a chassis are ignored, so a routing daemon with a million routes costs no more than the
// parsing of its messages. When the kernel had to drop notifications (the socket buffer was full), everything counts as
// changed.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/base/result.h"

struct nl_sock;

namespace icr::node {

/// Kinds of kernel state, as bits.
using KernelKinds = std::uint32_t;
inline constexpr KernelKinds kKernelLinks = 1;
inline constexpr KernelKinds kKernelRules = 2;
inline constexpr KernelKinds kKernelRoutes = 4;
inline constexpr KernelKinds kKernelSettings = 8;  ///< per-interface forwarding and source checks
inline constexpr KernelKinds kKernelFilters = 16;  ///< nftables
inline constexpr KernelKinds kKernelEverything = 31;

struct KernelNews {
  KernelKinds changed = 0;
  std::string who;  ///< the program that made the last change, if it is known
};

class Notifications {
 public:
  /// Starts to listen. If the kernel has no nftables, no changes of nftables are reported.
  [[nodiscard]] static Result<std::unique_ptr<Notifications>> open();
  ~Notifications();
  Notifications(const Notifications&) = delete;
  Notifications& operator=(const Notifications&) = delete;

  /// Returns descriptors of which one becomes readable when a notification arrives.
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }
  /// Returns the changes of all notifications that have arrived. Never blocks.
  [[nodiscard]] KernelNews take();
  /// Returns how many times the kernel dropped notifications.
  [[nodiscard]] std::uint64_t overruns() const { return overruns_; }

 private:
  Notifications() = default;
  void receive(int descriptor, bool nftables, KernelNews& news);

  std::vector<int> descriptors_;  ///< of rtnetlink, then of nftables if the kernel has it
  std::vector<std::uint8_t> buffer_;
  std::uint64_t overruns_ = 0;
};

}  // namespace icr::node
