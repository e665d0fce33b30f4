// Brings the traffic of neighbours to the chassis that is master, by its virtual addresses.
//
// The master holds the addresses as leases: each is added with a lifetime of kLease and renewed every kRenewInterval
// as long as the worker that forwards gives signs of life. So the kernel itself withdraws them when the process was
// killed or the worker hangs (a dead man's switch). They are announced by gratuitous ARP and unsolicited neighbour
// advertisements, at once and again for ten seconds, as single frames get lost.
//
// Every change of an address waits for the kernel's configuration lock (RTNL), which is one for all network namespaces
// and is held for hundreds of milliseconds, for instance while a namespace is deleted. So no worker may call this: see
// steering_thread.h. Announcements do not need that lock. They go out first, and neighbours that know the address
// already send their packets here while the kernel has yet to add it.
//
// Thread: one, except where a function says otherwise. State comes before traffic, so acquire() is called only when the
// engine is ready to forward.
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

/// The signs of life of the worker that forwards the traffic.
struct WorkerSigns {
  TimePoint alive;  ///< when it gave the last one
  /// When the worker gave the first sign after its last pause of Steering::kRenewInterval or more; min() if it never
  /// paused.
  TimePoint resumed = TimePoint::min();
};

class Steering {
 public:
  /// Whole seconds: the kernel counts lifetimes so. Longer than any pause that a healthy worker makes.
  static constexpr Duration kLease = 3s;
  static constexpr Duration kRenewInterval = 500ms;
  /// Leases are renewed, and announcements repeated, only if the last sign of life of the worker is not older than
  /// this. A worker gives one in each of its rounds, and even an idle one makes a round every 50 ms.
  static constexpr Duration kSignOfLife = 100ms;
  /// After a pause of the worker that outlived the lease, addresses are not taken again before the role machine had
  /// this long to hear that the peer is master now. Announcements wait for this long after every pause.
  static constexpr Duration kGraceAfterPause = 300ms;

  virtual ~Steering() = default;

  /// Draws the traffic to this chassis: announces the addresses, then adds them. If it is drawn already, it is
  /// announced once more. After a failure the addresses that could be added are held, and tick() goes on trying for the
  /// rest until release().
  [[nodiscard]] virtual Result<void> acquire(TimePoint now) = 0;
  /// Lets go of the traffic.
  virtual void release(TimePoint now) = 0;
  /// Renews leases, repeats announcements, looks at the interfaces. Call it at next_deadline() at the latest.
  virtual void tick(TimePoint now, const WorkerSigns& worker) = 0;
  /// Returns when tick() must be called; nullopt if there is never anything to do.
  [[nodiscard]] virtual std::optional<TimePoint> next_deadline() const = 0;
  /// Returns why this chassis could not draw the traffic now ("interface inside0 is down"), or an empty text if it
  /// could.
  [[nodiscard]] virtual const std::string& warning() const = 0;
  /// Thread: any.
  virtual void append_to(CounterList& out) const = 0;
};

/// Returns the steering of these addresses, which does nothing if there are none. Removes addresses that a previous
/// process left behind. Fails if privileges are missing. An interface that does not exist is only a warning(), because
/// it may come. `closed` returns why traffic to an address could not get into the card, or an empty text if it can; an
/// address with a reason is not added. `addresses` must outlive the result.
using ClosedWay = std::function<std::string(const VirtualAddress&)>;
[[nodiscard]] Result<std::unique_ptr<Steering>> open_steering(std::span<const VirtualAddress> addresses, TimePoint now,
                                                              ClosedWay closed = {});

}  // namespace icr::node
