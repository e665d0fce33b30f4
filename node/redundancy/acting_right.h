// With a witness: decides whether this member has the right to act as master, so that never two members act at once
// (docs/witness.md; tests/model/roles.pml proves the rules).
//
// A master acts while it has the *promise* of its peer not to act, or the *key* at the witness. Heartbeats carry three
// words. `relies`: the sender, which is master or claims mastership, will act by promises that answer this heartbeat.
// `answers` and `promise`: the sender will not act for so long after it heard heartbeat `answers`. So
//   - a member that relies promises nothing, and one that has promised does not act before that time is over;
//   - each side counts by its own clock: the one that promises from when it heard the heartbeat, and the one that
//     relies from when it sent it, which was earlier;
//   - a heartbeat without `relies` frees the receiver of what it has promised to that process.
//
// Sans-I/O. Thread: the one that owns the member.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "model/base/counters.h"
#include "model/base/time.h"
#include "node/redundancy/claimant.h"
#include "node/redundancy/witness_key.h"
#include "replication/protocol.h"

namespace icr::node {

/// A claimant that grants a term when the member has the right to act. It never refuses.
class ActingRight final : public Claimant {
 public:
  /// `key` must outlive the right. `longest_promise` is the longest time that members of this set promise. What a
  /// former life of this member promised is not known, so it does not act before that time is over.
  ActingRight(WitnessKey& key, Duration longest_promise, TimePoint now);

  /// Sets the longest promise, which concerns promises that are made and taken from now on.
  void set_longest_promise(Duration longest) { longest_promise_ = longest; }

  // Heartbeats.
  /// Completes a heartbeat that is sent now. `patience`: how long this member tolerates the silence of its peer, which
  /// is what it promises.
  void on_send(TimePoint now, Duration patience, replication::Heartbeat& beat);
  /// Takes a heartbeat of the peer's process `boot`, which no later one has overtaken. `hears_this_process`: its sender
  /// hears this process.
  void on_heard(TimePoint now, std::uint64_t boot, bool hears_this_process, const replication::Heartbeat& beat);

  /// Says whether the member relies on the right: it is master, and has not offered mastership to its peer; or it
  /// claims mastership. `term` is the one in which it is master, or which it claims. When it ends to rely, nothing that
  /// it was promised until now counts, and the key is given back.
  void set_reliance(bool relies, std::uint64_t term);
  /// Asks for the key while the promise is about to end, and gives it back when promises come reliably. Call it in each
  /// round.
  void tick(TimePoint now);

  /// Returns until when the member may act if nothing else happens; TimePoint::min() if it may not now.
  [[nodiscard]] TimePoint acts_until(TimePoint now) const;
  [[nodiscard]] bool may_act(TimePoint now) const { return now < acts_until(now); }

  // -- Claimant --
  [[nodiscard]] std::string_view awaited() const override { return awaited_; }
  void ask(TimePoint now, std::uint64_t term) override;
  [[nodiscard]] ClaimAnswer answer(TimePoint now) override;
  void withdraw() override {}  // set_reliance() tells
  [[nodiscard]] TimePoint next_deadline() const override { return next_look_; }
  void append_to(CounterList& out) const override;

  /// Appends how much is left of what the member has at this moment.
  void append_rest_to(TimePoint now, CounterList& out) const;
  /// Returns in words how it stands with the witness.
  [[nodiscard]] std::string witness() const { return key_.state(); }
  [[nodiscard]] bool witness_fails() const { return key_.fails(); }

  /// Returns when tick() is needed next.
  [[nodiscard]] TimePoint next_tick() const;

 private:
  /// A promise must leave so large a part of its time, or the key is asked for.
  static constexpr int kLowPart = 3;
  /// So much of a promise or lease is given away, because two clocks do not run alike.
  static constexpr int kDriftPart = 16;
  /// The key is given back when promises have come in time for so long.
  static constexpr Duration kCalm = 1s;
  static constexpr std::size_t kRemembered = 1024;

  struct Sent {
    std::uint64_t number = 0;
    TimePoint at;
  };

  [[nodiscard]] TimePoint low_at() const { return promised_to_us_until_ - last_promise_ / kLowPart; }

  WitnessKey& key_;
  Duration longest_promise_;

  // What this member promised. It acts neither before the one nor before the other.
  TimePoint bound_until_;                        ///< only time ends this
  TimePoint promised_until_ = TimePoint::min();  ///< the process that was heard last can free the member of this
  std::uint64_t heard_boot_ = 0;                 ///< the process of the peer that was heard last
  std::uint64_t heard_number_ = 0;               ///< of the newest heartbeat
  TimePoint heard_at_;
  bool heard_relies_ = false;

  // What it was promised.
  bool relies_ = false;
  std::uint64_t relies_from_ = 1;  ///< promises that answer earlier heartbeats do not count
  std::uint64_t last_number_ = 0;  ///< of the newest heartbeat that was sent
  std::array<Sent, kRemembered> sent_{};
  TimePoint promised_to_us_until_ = TimePoint::min();
  Duration last_promise_{};

  std::uint64_t term_ = 0;
  bool key_wanted_ = false;
  TimePoint calm_since_ = TimePoint::min();
  TimePoint next_look_ = TimePoint::max();
  std::string awaited_;

  std::uint64_t promises_made_ = 0;
  std::uint64_t promises_taken_ = 0;
  std::uint64_t promises_late_ = 0;
  std::uint64_t promises_refused_ = 0;
  std::uint64_t keys_wanted_ = 0;
  std::uint64_t keys_given_back_ = 0;
};

}  // namespace icr::node
