// Decides whether the peer is still alive. How much silence it tolerates depends on how late either machine has been.
//
// heartbeat-interval x heartbeat-count is the *floor* of that tolerance. Between quiet machines the
// death of a machine is noticed after the floor. When signs of life came late, or the own thread woke up late, or the
// peer reports that its thread did, the tolerance grows in proportion at once, and shrinks again after a minute. (This
// is the idea of accrual failure detectors: Hayashibara et al., "The phi accrual failure detector", SRDS 2004. The
// bound and the floor are those of BFD, RFC 5880 section 6.8.4.)
//
// While the peer is silent, the detector sends echo requests to the addresses of its machine. If the kernel there
// answers, the machine is alive and the process is late, so silence is tolerated up to the *limit*, but not longer,
// because a process that hangs must not stay master. If the kernel does not answer, the tolerance decides.
//
// Silence is measured in *attended time*, which does not run while the own thread oversleeps: messages of the peer may
// be waiting then. After such a pause the peer gets at least one more interval.
//
// Sans-I/O. The order of a round: wake(), then the messages that arrived, then judge(), then sleep().
// Thread: one.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/base/counters.h"
#include "model/base/time.h"
#include "model/record/address.h"

namespace icr::node {

struct DetectorConfig {
  Duration interval = 100ms;  ///< between heartbeats
  std::uint32_t count = 5;    ///< missing heartbeats that make the floor
  Duration limit = 1500ms;    ///< longest silence that is tolerated, whatever the reason; at least the floor
  std::uint64_t seed = 1;     ///< seed of the nonces in the probes
};

/// Remembers the largest value that was added in the last minute (55 to 60 s).
class WorstOfMinute {
 public:
  void add(TimePoint now, Duration value);
  [[nodiscard]] Duration worst(TimePoint now) const;

 private:
  static constexpr Duration kBucket = 5s;
  static constexpr std::size_t kBuckets = 12;
  struct Bucket {
    std::int64_t number = -1;  ///< the clock's time, divided by kBucket
    Duration worst{};
  };
  std::array<Bucket, kBuckets> buckets_{};
};

/// How the peer's machine answered the last probes.
enum class Probe : std::uint8_t {
  never_asked,   ///< there was no reason to ask
  no_addresses,  ///< there was a reason to ask, but no address is known
  asked,         ///< no answer yet
  answered,      ///< its kernel answers
  unanswered,    ///< the peer was given up without an answer
};
[[nodiscard]] std::string_view to_string(Probe probe);

/// Sends an echo request to the peer's machine. Detector::judge() calls it.
class ProbeOutput {
 public:
  virtual ~ProbeOutput() = default;
  virtual void probe(const IpAddress& address, std::uint64_t nonce) = 0;
};

/// The state of a detector at one moment, for the CLI.
struct DetectorStatus {
  Duration floor{};
  Duration limit{};
  Duration threshold{};       ///< silence that is tolerated when the peer's machine does not answer
  Duration own_late{};        ///< worst delay of this thread's wake-ups in the last minute
  Duration peer_late{};       ///< worst delay, beyond an interval, of a sign of life in the last minute
  Duration peer_says{};       ///< worst delay of the peer's wake-ups, as its heartbeats report
  Duration silence{};         ///< how long the peer has been silent, in attended time
  bool lost = false;          ///< the peer was judged dead and has not been heard since
  std::uint64_t avoided = 0;  ///< silences that passed the floor and ended
  std::uint64_t probes_sent = 0;
  std::uint64_t probes_answered = 0;
  Probe probe = Probe::never_asked;
};

class Detector {
 public:
  Detector(const DetectorConfig& config, ProbeOutput& output, TimePoint now);

  /// Judges by another interval, count and limit from now on. What was observed is kept.
  void set_config(const DetectorConfig& config);

  /// Tells that the thread runs again. REQUIRES: called before anything else in a round; repeating it has no effect.
  void wake(TimePoint now);
  /// Tells that the thread is about to sleep until `wanted` at the latest.
  void sleep(TimePoint wanted) { wanted_ = wanted; }

  /// Tells that a sign of life arrived.
  void on_heard(TimePoint now);
  /// Stores what a heartbeat reports: the worst delay of the peer's wake-ups, and addresses that its kernel answers.
  void on_condition(Duration late, const std::vector<IpAddress>& addresses);
  /// Tells whether the control connection is open. While it is closed, probes are not sent: the process is gone.
  void on_connection(bool open);
  /// Forgets what was observed, because the peer is a new process now.
  void on_other_process();
  void on_probe_answer(TimePoint now, std::uint64_t nonce);
  /// Returns true when the peer must be considered dead. Sends the probes that are due.
  /// REQUIRES: the peer is not known to be lost already.
  [[nodiscard]] bool judge(TimePoint now);

  /// Returns when judge() must be called again if nothing arrives.
  [[nodiscard]] TimePoint next_deadline() const;
  /// Returns the worst delay of this thread's wake-ups in the last minute, which heartbeats report to the peer.
  [[nodiscard]] Duration own_late(TimePoint now) const { return own_late_.worst(now); }
  /// Returns how long the peer has been silent, in attended time.
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
  /// Returns when, in attended time, the present silence makes the peer count as dead.
  [[nodiscard]] Duration due() const;
  [[nodiscard]] bool may_ask() const { return open_ && !addresses_.empty(); }
  void ask();

  DetectorConfig config_;
  ProbeOutput& output_;
  Duration floor_{};
  Duration ask_after_{};  ///< silence after which the first probe is sent
  Duration ask_interval_{};
  std::vector<IpAddress> addresses_;
  bool open_ = false;

  // The clock of attended time.
  TimePoint woke_;
  TimePoint wanted_;
  Duration attended_{};
  // The members below are in attended time.
  Duration heard_{};
  Duration fresh_{};          ///< judge() does not decide before this: one interval after a pause of this thread
  std::uint32_t grants_ = 0;  ///< how many times fresh_ may still be moved in the present silence
  Duration asked_{};          ///< when the first probe of the present silence was sent
  Duration next_probe_{};
  Duration answered_{};  ///< when the last answer to a probe of the present silence came
  bool is_asked_ = false;
  bool is_answered_ = false;
  bool lost_ = false;     ///< the peer was judged dead and has not been heard since
  Duration threshold_{};  ///< the tolerated silence, as the last round computed it

  std::uint64_t nonce_;  ///< marks the probes of the present silence; never 0
  WorstOfMinute own_late_;
  WorstOfMinute peer_late_;
  Duration peer_says_{};
  Probe probe_ = Probe::never_asked;
  Counters counters_;
};

}  // namespace icr::node
