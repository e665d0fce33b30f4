// Collects what each takeover of a redundancy set cost: one report for each time that its member becomes master after
// it was standby (model/query/failover.h, docs/failover-report.md).
//
// A report begins when the table is active, with what the member knew at that moment. It then awaits what comes later:
// that the kernel draws the traffic, the first packet of a former session, the first new session. What has not come
// within kPatience, or when the member ceases to be master, stays unknown. Sans-I/O. Thread: one.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "model/base/time.h"
#include "model/query/failover.h"
#include "node/redundancy/takeover.h"

namespace icr::node {

/// What a report says besides the facts of the takeover.
struct FailoverContext {
  std::string set;
  std::string chassis;
  std::string peer;
  std::uint64_t term = 0;
  std::uint64_t sessions = 0;  ///< of this member
  std::uint64_t ended = 0;     ///< sessions that ended when its table became active
  TimePoint granted_at;
  TimePoint active_at;
  std::int64_t wall_heard = 0;  ///< wall clock of Takeover::heard_at, microseconds since the Unix epoch
  bool steers = false;          ///< the traffic is drawn by the kernel, and on_steered() will tell when that is done
};

class FailoverRecorder {
 public:
  /// For how long a report awaits what has not come yet.
  static constexpr Duration kPatience = 10s;

  /// `former` are the reports of former lives of this member, in any order.
  explicit FailoverRecorder(std::vector<FailoverReport> former);

  /// Begins a report. One that is still open ends.
  void begin(const Takeover& facts, const FailoverContext& context, TimePoint now);
  // These functions tell what has happened. Each has an effect only while the open report awaits that event.
  void on_steered(TimePoint at);
  void on_former_packet(TimePoint at);
  void on_new_session(TimePoint at);
  /// Tells what became of the records that the former master has sent since it came back.
  void on_merged(const replication::AdoptedCounts& counts);
  /// Tells that the member is not master any more.
  void on_mastership_lost();
  /// Ends the report that has been open for kPatience.
  void tick(TimePoint now);
  /// Returns when tick() must be called; max if no report is open.
  [[nodiscard]] TimePoint next_deadline() const { return open_ ? until_ : TimePoint::max(); }

  [[nodiscard]] bool awaits_steering() const { return open_ && awaits_steering_; }
  [[nodiscard]] bool awaits_former_packet() const { return open_ && awaits_former_packet_; }
  [[nodiscard]] bool awaits_new_session() const { return open_ && !reports_.front().new_session; }

  /// Returns at most kMaxFailovers reports, newest first.
  [[nodiscard]] const std::deque<FailoverReport>& reports() const { return reports_; }
  struct News {
    const FailoverReport* report = nullptr;  ///< valid until the next call of another function
    /// The report is as the log tells it: it says how long the traffic was interrupted, or there is no more hope for
    /// that. True once for each report.
    bool settled = false;
  };
  /// Returns the report that has changed since the last call, if one has.
  [[nodiscard]] std::optional<News> take_news();

 private:
  /// Sets `field` of the open report, and ends the report if nothing is awaited any more.
  void note(FailoverReport::Micros FailoverReport::*field, TimePoint at);
  void review();
  void end();

  std::deque<FailoverReport> reports_;
  std::uint64_t next_number_ = 1;
  bool open_ = false;    ///< the front of reports_ awaits something
  bool reigns_ = false;  ///< the member is still master since the front of reports_
  bool awaits_steering_ = false;
  bool awaits_former_packet_ = false;
  bool settled_ = true;   ///< take_news() has told, or will tell, that the front of reports_ is settled
  bool changed_ = false;  ///< the front of reports_ has news
  bool settles_ = false;  ///< the news include that the front of reports_ is settled
  TimePoint heard_at_;    ///< the base of the times of the front of reports_
  TimePoint until_;
};

}  // namespace icr::node
