// Installs nftables rules that let the kernel forward packets from or to the interfaces of a chassis only through the
// card. They fail closed: they protect even when icrd does not run.
//
// Policy routing (node/kernel/tun_routing.h) brings packets into the card. Another program can take its rules away
// ("ip rule flush", a restart of systemd-networkd), and then the kernel would forward packets past the card. The rules
// of this guard are in a table of their own, which such a flush does not touch. They are in place before anything else
// is configured, and stay when the process ends, however it ends. docs/steering.md says how to remove them.
//
// The rules name the interfaces, and also their numbers (ifindex), because another program may rename an interface
// while it carries traffic. A renamed interface forwards nothing until it has its name back or icrd is started again.
//
// Since Linux 5.12 there is also a second table with the same rules, which belongs to this process: "nft flush ruleset"
// by another program removes the first table but cannot remove the second one.
//
// Thread: one at a time, but none that forwards packets, because a call takes about a millisecond.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/base/result.h"
#include "model/config/cluster.h"

struct nft_ctx;

namespace icr::node {

/// What may be forwarded on a chassis.
struct ForwardRules {
  std::string table;                                      ///< name of the nftables table, of family inet
  std::vector<std::string> interfaces;                    ///< nothing is forwarded from or to these, except ...
  std::vector<std::pair<std::string, std::string>> ways;  ///< ... from the first to the second one
  /// TUN devices, and the mark of the packets that come out of them. The kernel's ICMP errors about such a packet have
  /// the same mark (fwmark_reflect), by which they are routed back into the device (node/kernel/tun_routing.h) and
  /// translated like those of any router. The guard drops all other errors about packets of a card.
  std::vector<std::pair<std::string, std::uint32_t>> marks;
};

/// Returns the rules of a chassis. An interface whose packets are steered into a TUN device exchanges packets with that
/// device, and with TUN devices that no interface is steered into (those are routed to by hand). An interface with a
/// port of type af-packet exchanges none: its packets pass the card, not the kernel.
[[nodiscard]] ForwardRules forward_rules_of(const ChassisConfig& chassis);

class ForwardGuard {
 public:
  /// Installs the rules in one transaction. The error says what is missing.
  [[nodiscard]] static Result<std::unique_ptr<ForwardGuard>> install(ForwardRules rules);
  ~ForwardGuard();
  ForwardGuard(const ForwardGuard&) = delete;
  ForwardGuard& operator=(const ForwardGuard&) = delete;

  /// Reads the rules back, and installs them again if they differ. Returns true if they differed. Adds interfaces that
  /// have appeared. To be called when rules or interfaces have changed.
  [[nodiscard]] Result<bool> restore();
  /// Returns how many packets the guard dropped since install(), as of the last restore().
  [[nodiscard]] std::uint64_t dropped() const { return dropped_before_ + dropped_now_; }
  [[nodiscard]] const std::string& table() const { return rules_.table; }
  [[nodiscard]] bool marks_errors() const { return !rules_.marks.empty(); }

 private:
  struct FreeContext {
    void operator()(nft_ctx* context) const;
  };
  using Context = std::unique_ptr<nft_ctx, FreeContext>;

  explicit ForwardGuard(ForwardRules rules) : rules_(std::move(rules)) {}
  /// Executes all commands or none. Returns their output.
  [[nodiscard]] static Result<std::string> run(nft_ctx* context, const std::string& commands);
  [[nodiscard]] static Result<Context> make_context();
  [[nodiscard]] Result<void> put();
  void put_owned();
  /// Looks which interfaces there are. Returns true if that has changed.
  bool look_at_interfaces();
  [[nodiscard]] std::string numbers() const;
  [[nodiscard]] std::uint64_t read_dropped();

  ForwardRules rules_;
  Context context_;
  Context owner_;  ///< keeps the second table alive; null if the kernel has no tables with an owner
  /// The interfaces of the rules that there are, by their number, with their present name. One that was renamed stays.
  std::map<unsigned, std::string> present_;
  std::string in_place_;  ///< the table as the kernel listed it just after it was installed
  std::uint64_t dropped_before_ = 0, dropped_now_ = 0;
};

}  // namespace icr::node
