// Steering: bringing the neighbours' traffic to the chassis that is master, by its virtual addresses.
//
// The master holds the addresses as leases: each is added with a lifetime of kLease and renewed every kRenewInterval,
// so the kernel itself withdraws them when the process was killed or hangs (a dead man's switch). They are announced by
// gratuitous ARP and unsolicited neighbour advertisements, at once and again for ten seconds, as single frames get
// lost.
//
// Contract: one thread (the card's worker). Nothing blocks beyond the kernel's answer to a netlink request
// (microseconds). State comes before traffic: call acquire() only when the engine is ready to forward.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "model/config/cluster.h"

namespace icr::node {

class Steering {
 public:
  /// Whole seconds: the kernel counts lifetimes so. Longer than any pause that a healthy worker makes.
  static constexpr Duration kLease = 3s;
  static constexpr Duration kRenewInterval = 500ms;
  /// After a pause that outlived the lease, addresses are not taken again before the role machine had this long to hear
  /// that the peer is master now.
  static constexpr Duration kGraceAfterPause = 300ms;

  virtual ~Steering() = default;

  /// Draws the traffic here; when it is drawn already, announces it once more. On failure what could be taken is held,
  /// and tick() goes on trying for the rest until release().
  [[nodiscard]] virtual Result<void> acquire(TimePoint now) = 0;
  /// Lets go of the traffic.
  virtual void release(TimePoint now) = 0;
  /// Renews leases, repeats announcements, looks after the interfaces. Call it at next_deadline() at the latest.
  virtual void tick(TimePoint now) = 0;
  /// nullopt: there is never anything to do.
  [[nodiscard]] virtual std::optional<TimePoint> next_deadline() const = 0;
  /// Why this chassis could not draw the traffic now ("interface inside0 is down"); empty: it could.
  [[nodiscard]] virtual const std::string& warning() const = 0;
  virtual void append_to(CounterList& out) const = 0;
};

/// Steering for these addresses; for none, one that does nothing. Addresses that a previous process left behind are
/// removed. Fails where the privileges are missing; an interface that does not exist is a warning(), as it may come.
/// `closed` returns why traffic to an address could not get into the card, or an empty text if it can. An address with
/// a reason is not added. `addresses` must outlive the result.
using ClosedWay = std::function<std::string(const VirtualAddress&)>;
[[nodiscard]] Result<std::unique_ptr<Steering>> open_steering(std::span<const VirtualAddress> addresses, TimePoint now,
                                                              ClosedWay closed = {});

}  // namespace icr::node
