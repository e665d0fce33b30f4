// What the kernel tells of changes of its configuration, whoever made them: links, rules, routes, settings, nftables.
//
// Only what may concern a chassis is taken for news, so a routing daemon with a million routes costs a look at a
// message, no more. When the kernel had to leave some out (its buffer for us was full), that is news of everything.
//
// One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/result.h"

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
  std::string who;  ///< the program that made the last of the changes, where that can be found out
};

class Notifications {
 public:
  /// Listens from now on. Where the kernel has no nftables, of nftables there is no news.
  [[nodiscard]] static Result<std::unique_ptr<Notifications>> open();
  ~Notifications();
  Notifications(const Notifications&) = delete;
  Notifications& operator=(const Notifications&) = delete;

  /// Poll readable when there is news.
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }
  /// All that has arrived. Never waits.
  [[nodiscard]] KernelNews take();
  /// Times that the kernel left notifications out.
  [[nodiscard]] std::uint64_t overruns() const { return overruns_; }

 private:
  Notifications() = default;
  void receive(int descriptor, bool nftables, KernelNews& news);

  std::vector<int> descriptors_;  ///< of rtnetlink, then of nftables, if there is that
  std::vector<std::uint8_t> buffer_;
  std::uint64_t overruns_ = 0;
};

}  // namespace icr::node
