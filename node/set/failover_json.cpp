#include "node/set/failover_json.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace icr::node {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kFormat = 1;

struct Event {
  const char* name;
  FailoverReport::Micros FailoverReport::*time;
};
constexpr std::array kEvents = {
    Event{"last-heartbeat", &FailoverReport::heartbeat}, Event{"connection-closed", &FailoverReport::closed},
    Event{"decided", &FailoverReport::decided},          Event{"claim-granted", &FailoverReport::granted},
    Event{"table-active", &FailoverReport::active},      Event{"steering-done", &FailoverReport::steered},
    Event{"first-packet", &FailoverReport::old_session}, Event{"first-new-session", &FailoverReport::new_session},
    Event{"last-word", &FailoverReport::last_word},      Event{"last-change", &FailoverReport::last_change}};

struct RiskValue {
  const char* name;
  FailoverRisk::Count FailoverRisk::*value;
};
constexpr std::array kRisk = {
    RiskValue{"former-sessions", &FailoverRisk::former_sessions}, RiskValue{"not-sent", &FailoverRisk::waiting},
    RiskValue{"not-acknowledged", &FailoverRisk::unacknowledged},
    RiskValue{"oldest-change-us", &FailoverRisk::oldest_us}, RiskValue{"missing-messages", &FailoverRisk::missing}};

/// The values of a report are in objects of objects.
constexpr int kMaxDepth = 4;

struct DetectorValue {
  const char* name;
  std::uint64_t SilenceStatus::*value;
};
constexpr std::array kDetector = {DetectorValue{"floor-us", &SilenceStatus::floor},
                                  DetectorValue{"limit-us", &SilenceStatus::limit},
                                  DetectorValue{"threshold-us", &SilenceStatus::threshold},
                                  DetectorValue{"silence-us", &SilenceStatus::silence},
                                  DetectorValue{"own-late-us", &SilenceStatus::own_late},
                                  DetectorValue{"peer-late-us", &SilenceStatus::peer_late},
                                  DetectorValue{"peer-says-us", &SilenceStatus::peer_says},
                                  DetectorValue{"takeovers-avoided", &SilenceStatus::avoided},
                                  DetectorValue{"probes-sent", &SilenceStatus::probes_sent},
                                  DetectorValue{"probes-answered", &SilenceStatus::probes_answered}};

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json risk_to_json(const FailoverRisk& risk) {
  Json out;
  out["unseen-us"] = or_null(risk.unseen);
  for (const RiskValue& each : kRisk) out[each.name] = or_null(risk.*each.value);
  out["gap"] = risk.gap;
  out["lacking-records"] = risk.lacking;
  out["ended-sessions"] = risk.ended;
  Json merge;
  if (risk.merge) {
    merge["returned"] = risk.merge->returned;
    merge["updated"] = risk.merge->updated;
    merge["known"] = risk.merge->known;
    merge["refused"] = risk.merge->refused;
  }
  out["merge"] = std::move(merge);
  return out;
}

/// Takes values out of an object, and remembers the first that is not what it should be.
class Taker {
 public:
  explicit Taker(const Json& object, std::string place = {}) : object_(object), place_(std::move(place)) {}

  void required(const char* name, std::string& into) { take(name, into, true); }
  void required(const char* name, std::uint64_t& into) { take(name, into, true); }
  void required(const char* name, std::int64_t& into) { take(name, into, true); }
  void required(const char* name, bool& into) { take(name, into, true); }
  template <class T>
  void known(const char* name, T& into) {
    take(name, into, false);
  }
  template <class T>
  void known(const char* name, std::optional<T>& into) {
    T value{};
    if (take(name, value, false)) into = value;
  }
  /// Returns the object with this name; null if there is none.
  [[nodiscard]] const Json* object(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end() || found->is_null()) return nullptr;
    if (found->is_object()) return &*found;
    complain(name);
    return nullptr;
  }
  /// Returns what is wrong; empty if nothing is.
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  void complain(const char* name) {
    if (fault_.empty()) fault_ = fmt::format("'{}{}' is missing, or of another type", place_, name);
  }
  template <class T>
  [[nodiscard]] static bool is(const Json& value) {
    if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
    if constexpr (std::is_same_v<T, std::string>) return value.is_string();
    if constexpr (std::is_same_v<T, std::uint64_t>) return value.is_number_unsigned();
    if constexpr (std::is_same_v<T, std::int64_t>) {
      constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
      return value.is_number_integer() && !(value.is_number_unsigned() && value.template get<std::uint64_t>() > kMost);
    }
  }
  template <class T>
  bool take(const char* name, T& into, bool must) {
    const auto found = object_.find(name);
    if (found == object_.end() || found->is_null()) {
      if (must) complain(name);
      return false;
    }
    if (!is<T>(*found)) {
      complain(name);
      return false;
    }
    into = found->template get<T>();
    return true;
  }

  const Json& object_;
  std::string place_;
  std::string fault_;
};

Json detector_to_json(const SilenceStatus& detector) {
  Json out;
  out["state"] = detector.state;
  out["probe"] = detector.probe;
  for (const DetectorValue& each : kDetector) out[each.name] = detector.*each.value;
  return out;
}

/// Returns what is wrong; empty if nothing is. A report of a former release has none of it.
std::string take_risk(const Json& from, FailoverRisk& out) {
  Taker taker(from, "risk.");
  taker.known("unseen-us", out.unseen);
  for (const RiskValue& each : kRisk) taker.known(each.name, out.*each.value);
  taker.known("gap", out.gap);
  taker.known("lacking-records", out.lacking);
  taker.known("ended-sessions", out.ended);
  if (const Json* merge = taker.object("merge")) {
    Taker counts(*merge, "risk.merge.");
    FailoverRisk::Merge known;
    counts.required("returned", known.returned);
    counts.required("updated", known.updated);
    counts.required("known", known.known);
    counts.required("refused", known.refused);
    if (!counts.fault().empty()) return counts.fault();
    out.merge = known;
  }
  return taker.fault();
}

}  // namespace

std::string failover_to_json(const FailoverReport& report) {
  Json out;
  out["format"] = kFormat;
  out["number"] = report.number;
  out["set"] = report.set;
  out["chassis"] = report.chassis;
  out["former-master"] = report.peer;
  out["kind"] = to_string(report.kind);
  out["term"] = report.term;
  out["reason"] = report.reason;
  out["hot"] = report.hot;
  out["complete"] = report.complete;
  Json heard;
  heard["at"] = utc_text(report.heard);
  heard["unix-us"] = report.heard;
  heard["since-boot-us"] = report.heard_since_boot;
  out["last-sign-of-life"] = std::move(heard);
  Json events;
  for (const Event& event : kEvents) {
    const FailoverReport::Micros& time = report.*event.time;
    Json entry;
    if (time) {
      entry["at"] = utc_text(report.heard + *time);
      entry["after-us"] = *time;
    }
    events[event.name] = std::move(entry);
  }
  out["events"] = std::move(events);
  out["sessions"] = report.sessions;
  out["applied-sequence"] = report.applied;
  out["sent-sequence"] = or_null(report.sent);
  out["sessions-at-risk"] = or_null(report.risk.sessions);
  out["risk"] = risk_to_json(report.risk);
  out["detector"] = detector_to_json(report.detector);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<FailoverReport> failover_from_json(std::string_view text) {
  // What is nested more deeply than a report is dropped: a copy of such a value would take a stack of any size.
  const auto is_shallow = [](int depth, Json::parse_event_t, const Json&) { return depth <= kMaxDepth; };
  const Json document = Json::parse(text, is_shallow, false);
  if (!document.is_object()) return fail("it is no JSON object");
  Taker top(document);
  std::uint64_t format = 0;
  top.required("format", format);
  if (format != kFormat) return fail("it is no report of this format");
  FailoverReport out;
  std::string kind;
  top.required("number", out.number);
  top.required("set", out.set);
  top.required("chassis", out.chassis);
  top.required("former-master", out.peer);
  top.required("kind", kind);
  top.required("term", out.term);
  top.required("reason", out.reason);
  top.required("hot", out.hot);
  top.required("complete", out.complete);
  top.required("sessions", out.sessions);
  top.required("applied-sequence", out.applied);
  top.known("sent-sequence", out.sent);
  if (const Json* heard = top.object("last-sign-of-life")) {
    Taker taker(*heard, "last-sign-of-life.");
    taker.required("unix-us", out.heard);
    taker.required("since-boot-us", out.heard_since_boot);
    if (!taker.fault().empty()) return fail("{}", taker.fault());
  }
  if (const Json* events = top.object("events")) {
    Taker each(*events, "events.");
    for (const Event& event : kEvents) {
      const Json* const entry = each.object(event.name);
      if (entry == nullptr) continue;
      Taker taker(*entry, fmt::format("events.{}.", event.name));
      taker.known("after-us", out.*event.time);
      if (!taker.fault().empty()) return fail("{}", taker.fault());
    }
    if (!each.fault().empty()) return fail("{}", each.fault());
  }
  top.known("sessions-at-risk", out.risk.sessions);
  if (const Json* risk = top.object("risk")) {
    if (const std::string fault = take_risk(*risk, out.risk); !fault.empty()) return fail("{}", fault);
  }
  if (const Json* detector = top.object("detector")) {
    Taker taker(*detector, "detector.");
    taker.known("state", out.detector.state);
    taker.known("probe", out.detector.probe);
    for (const DetectorValue& value : kDetector) taker.known(value.name, out.detector.*value.value);
    if (!taker.fault().empty()) return fail("{}", taker.fault());
  }
  if (!top.fault().empty()) return fail("{}", top.fault());
  const auto known = failover_kind(kind);
  if (!known) return fail("'kind' is no kind of takeover");
  out.kind = *known;
  if (out.number == 0 || out.number > kMaxFailoverNumber) return fail("there is no report {}", out.number);
  if (!has_possible_times(out)) return fail("its times are out of range");
  return out;
}

}  // namespace icr::node
