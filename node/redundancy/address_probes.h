// Judges whether the addresses answer that a redundancy set probes (`probes` in the cluster file): when each of them is
// asked, which answers count, and which address counts as dead.
//
// A request is judged when the next one is due, and only after everything that has arrived was handed in. So a thread
// that could not run for a while does not take its own pause for the silence of an address.
//
// Sans-I/O. Thread: one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/base/time.h"
#include "model/config/cluster.h"

namespace icr::node {

/// An address that does not answer.
struct ProbeTrouble {
  std::uint32_t weight = 0;  ///< in the health of the member
  std::string reason;        ///< "address 198.19.0.10 does not answer"
  friend bool operator==(const ProbeTrouble&, const ProbeTrouble&) = default;
};

class AddressProbes {
 public:
  /// `seed` makes answers hard to guess.
  explicit AddressProbes(std::uint64_t seed) : seed_(seed) {}

  /// Probes these addresses from now on. Of an address that stays, also if its interval, count or weight changes, it is
  /// still known whether it answers. A new one counts as one that answers until its first `count` requests are judged.
  void take(TimePoint now, const std::vector<AddressProbe>& wanted);

  struct Request {
    IpAddress address;
    std::string interface;  ///< by which the request must leave; empty: by any
    std::uint64_t nonce = 0;
  };
  /// Returns a request that is due now, or nothing. Call it until it returns nothing, after on_answer() of everything
  /// that has arrived.
  [[nodiscard]] std::optional<Request> next(TimePoint now);
  /// Takes the nonce of an answer. One to none of the last `count` requests of an address has no effect.
  void on_answer(std::uint64_t nonce);
  /// Returns when next() has something to return.
  [[nodiscard]] TimePoint next_deadline() const;

  /// Returns the addresses that do not answer, in the order of the file.
  [[nodiscard]] std::vector<ProbeTrouble> troubles() const;
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }

 private:
  struct Probed {
    AddressProbe config;
    TimePoint next;
    std::uint32_t missed = 0;  ///< requests in a row, each of them judged
    bool waits = false;        ///< the last request has no answer yet
    bool dead = false;
    std::uint32_t place = 0;  ///< of the next request in `nonces`
    std::array<std::uint64_t, kMostProbeCount> nonces{};
  };

  std::uint64_t seed_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::vector<Probed> probed_;
};

}  // namespace icr::node
