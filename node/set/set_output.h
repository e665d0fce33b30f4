// What a redundancy set does to the world: the only way out of SetCore.
#pragma once

#include <cstdint>
#include <string>

#include "model/base/time.h"
#include "model/query/failover.h"
#include "node/nat/nat_types.h"
#include "node/redundancy/detector.h"
#include "node/redundancy/role.h"
#include "replication/protocol.h"

namespace icr::node {

/// Carries out what a set decides. SetCore calls it from inside its functions, in the order in which things must
/// happen: state first, traffic second. No function may block or call back into the core.
///
/// send() (from Outlet) hands one message to a connection to the peer. A heartbeat that could not be sent is not
/// repeated; everything else is. probe() (from ProbeOutput) sends an echo request with its nonce to an address of the
/// peer's machine (RFC 792, RFC 4443 section 4.1); the answer goes to SetCore::on_probe_answer(), and a request that
/// cannot be sent is lost.
class SetOutput : public replication::Outlet, public ProbeOutput {
 public:
  /// Returns the time. It goes on while a round works, and is not earlier than the time that the round was given.
  [[nodiscard]] virtual TimePoint time() = 0;
  /// Has the traffic drawn to this chassis. The table is active. Also called for a master that goes on in a new term.
  /// Returns true if that takes a while; SetCore::on_steered() then tells when it is done.
  virtual bool acquire_traffic() = 0;
  /// Has the traffic released. Packets may still come while the kernel carries that out and until the neighbours have
  /// heard of the new master; the shard forwards those of its sessions for kForwardingGrace. The table is deactivated
  /// only after this.
  virtual void release_traffic() = 0;
  /// Announces the virtual addresses once more: the other member was master too, or may have been while it was out of
  /// sight, and is not any more.
  virtual void announce_again(std::uint64_t term) = 0;

  /// Takes a packet that came to the standby, and which the owner gives to Engine::process_relayed() after the messages
  /// that have arrived, as one that came in by `unit`. Returns false if there is no room for it. `packet` is not kept.
  virtual bool take_packet(std::uint32_t unit, const replication::RelayedPacket& packet) = 0;

  /// Reports that the member has become master or standby in `term`, or goes on so in a new one.
  virtual void report_role(Role role, std::uint64_t term) = 0;
  /// Reports that the member, which is not master, claims `term` and waits for the answer; or with 0 that it has
  /// withdrawn its claim and is back in its former role, as the newest entry of SetCore::history() says.
  virtual void report_claim(std::uint64_t term) = 0;
  /// Reports that a switchover has begun (`active`), or that it is over.
  virtual void report_handover(bool active) = 0;
  /// Reports what a takeover cost: when the report begins, and whenever it has something to add. `settled` is true once
  /// for each report: when it says how long the traffic was interrupted, or when there is no more hope for that.
  virtual void report_failover(const FailoverReport& report, bool settled) = 0;
  /// Reports that a block of NAT ports was allocated or released.
  virtual void report_block(const BlockEvent& event) = 0;
};

}  // namespace icr::node
