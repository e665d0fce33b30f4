// Whether the peer is still there: silence is judged, not counted.
//
// heartbeat-interval x heartbeat-count is the *floor* of the detector's patience. On a quiet machine that is all: a
// machine that dies is noticed after the floor. Where signs of life were late, or the own thread woke up late, or the
// peer says that it does, patience grows in proportion at once, and shrinks again when a minute has passed (the idea of
// accrual failure detectors: Hayashibara et al., "The phi accrual failure detector", SRDS 2004; the bound and the floor
// are what BFD has, RFC 5880 section 6.8.4).
//
// While the peer is silent its machine is asked: echo requests to its addresses. If its kernel answers, the machine
// lives and the process is late, and the peer is given up to the *limit*; not longer, as a process that hangs must not
// stay master. If the kernel does not answer, patience decides.
//
// Time is counted while the own thread attends. What it slept longer than it wanted is a delay of its own, and no
// silence of the peer, whose messages may be waiting. After such a pause the peer has at least one interval more.
//
// Without I/O. The order of a round: wake(), what arrived, judge(), sleep().
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/address.h"
#include "model/counters.h"
#include "model/time.h"

namespace icr::node {

struct DetectorConfig {
  Duration interval = 100ms;  ///< between heartbeats
  std::uint32_t count = 5;    ///< heartbeats that are missing until silence means something
  Duration limit = 1500ms;    ///< no silence is borne longer than this, whatever the reason; at least the floor
  std::uint64_t seed = 1;     ///< of the numbers by which answers to probes are known
};

/// The largest of what was added in the last minute (55 to 60 s).
class WorstOfMinute {
 public:
  void add(TimePoint now, Duration value);
  [[nodiscard]] Duration worst(TimePoint now) const;

 private:
  static constexpr Duration kBucket = 5s;
  static constexpr std::size_t kBuckets = 12;
  struct Bucket {
    std::int64_t number = -1;  ///< of the five seconds since the clock began
    Duration worst{};
  };
  std::array<Bucket, kBuckets> buckets_{};
};

/// What the peer's machine said when it was asked last.
enum class Witness : std::uint8_t {
  never_asked,   ///< there was no reason to
  no_addresses,  ///< there was a reason, and no address to ask
  asked,         ///< no answer yet
  answered,      ///< its kernel answers
  unanswered,    ///< the peer was given up without an answer
};
[[nodiscard]] std::string_view to_string(Witness witness);

/// Asks the peer's machine. Called from inside Detector::judge().
class ProbeOutput {
 public:
  virtual ~ProbeOutput() = default;
  virtual void probe(const IpAddress& address, std::uint64_t nonce) = 0;
};

/// For the CLI. All durations are of the present moment.
struct DetectorStatus {
  Duration floor{};
  Duration limit{};
  Duration threshold{};       ///< silence that is borne when no witness speaks for the peer
  Duration own_late{};        ///< worst delay of the own wake-ups in the last minute
  Duration peer_late{};       ///< how much later than an interval a sign of life came, at worst, in the last minute
  Duration peer_says{};       ///< worst delay of its wake-ups, as the peer tells
  Duration silence{};         ///< how long the peer has been silent while this thread attended
  bool lost = false;          ///< it was taken for dead and has not been heard since
  std::uint64_t avoided = 0;  ///< silences that passed the floor and ended
  std::uint64_t probes_sent = 0;
  std::uint64_t probes_answered = 0;
  Witness witness = Witness::never_asked;
};

class Detector {
 public:
  Detector(const DetectorConfig& config, ProbeOutput& output, TimePoint now);

  /// The thread runs again. Call it before anything else of a round; again in the same round it does nothing.
  void wake(TimePoint now);
  /// The thread is about to sleep until `wanted` at the latest.
  void sleep(TimePoint wanted) { wanted_ = wanted; }

  /// A sign of life.
  void on_heard(TimePoint now);
  /// What a heartbeat tells: the worst delay of the peer's wake-ups, and addresses that its kernel answers.
  void on_condition(Duration late, const std::vector<IpAddress>& addresses);
  /// The control connection. While it is closed no witness can speak for the peer: its process is gone.
  void on_connection(bool open);
  /// The process at the other end is another one now: what its predecessor was like says nothing about it.
  void on_other_process();
  void on_probe_answer(TimePoint now, std::uint64_t nonce);
  /// True when the peer must be taken for dead. Sends probes. Not to be called for a peer that is known to be lost.
  [[nodiscard]] bool judge(TimePoint now);

  /// When judge() must be called again if nothing arrives.
  [[nodiscard]] TimePoint next_deadline() const;
  /// Worst delay of the own wake-ups in the last minute: what the peer should know.
  [[nodiscard]] Duration own_late(TimePoint now) const { return own_late_.worst(now); }
  /// How long the peer has been silent while this thread attended.
  [[nodiscard]] Duration silence() const { return attended_ - heard_; }
  [[nodiscard]] DetectorStatus status(TimePoint now) const;
  void append_to(CounterList& out) const;

 private:
  struct Counters {
    std::uint64_t silences = 0;
    std::uint64_t avoided = 0;
    std::uint64_t own_pauses = 0;
    std::uint64_t probes_sent = 0;
    std::uint64_t probes_answered = 0;
    std::uint64_t probes_unknown = 0;
  };

  [[nodiscard]] Duration threshold(TimePoint now) const;
  /// When (in attended time) the present silence has to be taken for death.
  [[nodiscard]] Duration due() const;
  [[nodiscard]] bool may_ask() const { return open_ && !addresses_.empty(); }
  void ask();

  DetectorConfig config_;
  ProbeOutput& output_;
  const Duration floor_;
  const Duration ask_after_;  ///< silence after which the machine is asked
  const Duration ask_interval_;
  std::vector<IpAddress> addresses_;
  bool open_ = false;

  // The clock of attention.
  TimePoint woke_;
  TimePoint wanted_;
  Duration attended_{};
  // All in attended time.
  Duration heard_{};
  Duration fresh_{};      ///< not judged before: an own pause ended one interval before that
  std::uint32_t grants_;  ///< how often that may still be moved in the present silence
  Duration asked_{};      ///< first probe of the present silence
  Duration next_probe_{};
  Duration answered_{};  ///< last answer to a probe of the present silence
  bool is_asked_ = false;
  bool is_answered_ = false;
  bool lost_ = false;   ///< judged so, and not heard since
  Duration threshold_;  ///< of the last round

  std::uint64_t nonce_;  ///< of the present silence; never 0
  WorstOfMinute own_late_;
  WorstOfMinute peer_late_;
  Duration peer_says_{};
  Witness witness_ = Witness::never_asked;
  Counters counters_;
};

}  // namespace icr::node
