#include "cli/monitor/live_views.h"

#include <fmt/format.h>

#include <algorithm>

namespace icr::cli {
namespace {

constexpr std::string_view kNoLookYet = "Waiting for the first answer of the cluster.";

std::uint64_t growth(std::uint64_t now, std::uint64_t before) { return now < before ? now : now - before; }

std::string_view link_word(bool up) { return up ? "Up" : "Down"; }

/// The counters of a session are those of its set's master. After a takeover they are as old as the last record that
/// was replicated, and do not begin anew.
std::uint64_t growth_of_session(std::uint64_t now, std::uint64_t before) { return now < before ? 0 : now - before; }

}  // namespace

PortTraffic Baseline::since(const InterfaceLook& now) const {
  const auto found = begin_.find({now.chassis, now.name});
  const PortTraffic begin = found == begin_.end() ? now.traffic : found->second;
  PortTraffic out;
  out.input_packets = growth(now.traffic.input_packets, begin.input_packets);
  out.input_bytes = growth(now.traffic.input_bytes, begin.input_bytes);
  out.output_packets = growth(now.traffic.output_packets, begin.output_packets);
  out.output_bytes = growth(now.traffic.output_bytes, begin.output_bytes);
  out.input_errors = growth(now.traffic.input_errors, begin.input_errors);
  out.output_errors = growth(now.traffic.output_errors, begin.output_errors);
  return out;
}

void Baseline::take(const std::vector<InterfaceLook>& now) {
  for (const auto& each : now) begin_.try_emplace({each.chassis, each.name}, each.traffic);
}

void LiveInterface::take(Look look) {
  if (frozen_ || look.interfaces.empty()) return;
  // Who looks at an interface goes on to look at it, whatever comes in front of it.
  if (!interfaces_.empty()) {
    const InterfaceLook& shown = interfaces_[shown_];
    const auto found = std::find_if(look.interfaces.begin(), look.interfaces.end(), [&](const InterfaceLook& each) {
      return each.chassis == shown.chassis && each.name == shown.name;
    });
    if (found == look.interfaces.end()) return;
    shown_ = static_cast<std::size_t>(found - look.interfaces.begin());
  }
  interfaces_ = std::move(look.interfaces);
  baseline_.take(interfaces_);
}

void LiveInterface::press(int key) {
  if (key == 'n' && !interfaces_.empty()) shown_ = (shown_ + 1) % interfaces_.size();
  if (key == 'f') frozen_ = true;
  if (key == 't') frozen_ = false;
  if (key != 'c') return;
  baseline_.clear();
  baseline_.take(interfaces_);
}

LiveView::Page LiveInterface::page() const {
  Page out;
  out.keys = "Next='n', Quit='q' or ESC, Freeze='f', Thaw='t', Clear='c'";
  if (interfaces_.empty()) {
    out.fixed.emplace_back(kNoLookYet);
    return out;
  }
  const InterfaceLook& shown = interfaces_[shown_];
  const PortTraffic& now = shown.traffic;
  const PortTraffic delta = baseline_.since(shown);
  const auto row = [](std::string_view label, std::uint64_t value, const std::string& rate, std::uint64_t grown) {
    return fmt::format("  {:<22}{:>15} {:<20}{:>14}", label, value, rate, fmt::format("[{}]", grown));
  };
  const auto bps = [](std::uint64_t rate) { return fmt::format("({} bps)", rate); };
  const auto pps = [](std::uint64_t rate) { return fmt::format("({} pps)", rate); };
  out.fixed = {
      fmt::format("Interface: {}, {}, Link is {}{}", shown.name, shown.enabled ? "Enabled" : "Disabled",
                  link_word(shown.up), frozen_ ? ", frozen" : ""),
      fmt::format("Chassis: {}", shown.chassis),
      fmt::format("{:<61}{}", "Traffic statistics:", "Current delta"),
  };
  out.scrolled = {
      row("Input bytes:", now.input_bytes, bps(now.input_bps), delta.input_bytes),
      row("Output bytes:", now.output_bytes, bps(now.output_bps), delta.output_bytes),
      row("Input packets:", now.input_packets, pps(now.input_pps), delta.input_packets),
      row("Output packets:", now.output_packets, pps(now.output_pps), delta.output_packets),
      "Error statistics:",
      row("Input errors:", now.input_errors, "", delta.input_errors),
      row("Output errors:", now.output_errors, "", delta.output_errors),
  };
  return out;
}

void LiveTraffic::take(Look look) {
  if (look.interfaces.empty()) return;
  interfaces_ = std::move(look.interfaces);
  baseline_.take(interfaces_);
}

void LiveTraffic::press(int key) {
  switch (key) {
    case 'b':
      bytes_ = true;
      break;
    case 'p':
      bytes_ = false;
      break;
    case 'd':
      delta_ = true;
      break;
    case 'r':
      delta_ = false;
      break;
    case 'c':
      baseline_.clear();
      baseline_.take(interfaces_);
      break;
    default:
      break;
  }
}

LiveView::Page LiveTraffic::page() const {
  Page out;
  out.keys = "Bytes=b, Clear=c, Delta=d, Packets=p, Quit=q or ESC, Rate=r, Up=^U, Down=^D";
  const std::string_view unit = delta_ ? "(delta)" : bytes_ ? "(bps)" : "(pps)";
  const std::string_view what = bytes_ ? "bytes" : "packets";
  out.fixed.push_back(fmt::format("{:<13}{:<5}{:>14} {:>12}{:>20} {:>12}{}", "Interface", "Link",
                                  fmt::format("Input {}", what), unit, fmt::format("Output {}", what), unit,
                                  with_chassis_ ? "  Chassis" : ""));
  if (interfaces_.empty()) out.fixed.emplace_back(kNoLookYet);
  for (const InterfaceLook& each : interfaces_) {
    const PortTraffic& now = each.traffic;
    const PortTraffic delta = baseline_.since(each);
    const std::uint64_t input = bytes_ ? now.input_bytes : now.input_packets;
    const std::uint64_t output = bytes_ ? now.output_bytes : now.output_packets;
    const std::uint64_t input_change = delta_   ? (bytes_ ? delta.input_bytes : delta.input_packets)
                                       : bytes_ ? now.input_bps
                                                : now.input_pps;
    const std::uint64_t output_change = delta_   ? (bytes_ ? delta.output_bytes : delta.output_packets)
                                        : bytes_ ? now.output_bps
                                                 : now.output_pps;
    out.scrolled.push_back(fmt::format(" {:<12}{:<5}{:>14} {:>12}{:>20} {:>12}{}", each.name, link_word(each.up), input,
                                       fmt::format("({})", input_change), output, fmt::format("({})", output_change),
                                       with_chassis_ ? "  " + each.chassis : std::string()));
  }
  return out;
}

void LiveSessions::take(Look look) {
  if (frozen_) return;
  std::map<SessionLook::Key, std::pair<std::uint64_t, std::uint64_t>> counted;
  std::vector<Row> rows;
  const auto ms = when_ ? (look.at - *when_) / 1ms : 0;
  for (SessionLook& session : look.sessions) {
    Row row;
    const auto before = before_.find(session.key);
    // Without a former look at this session there is no rate yet.
    if (before != before_.end() && ms > 0) {
      const auto span = static_cast<std::uint64_t>(ms);
      row.pps = growth_of_session(session.packets, before->second.first) * 1000 / span;
      row.bps = growth_of_session(session.bytes, before->second.second) * 8 * 1000 / span;
    }
    counted[session.key] = {session.packets, session.bytes};
    row.session = std::move(session);
    rows.push_back(std::move(row));
  }
  // Sessions of the same rate stay in the order of their sizes.
  std::stable_sort(rows.begin(), rows.end(),
                   [this](const Row& a, const Row& b) { return by_packets_ ? a.pps > b.pps : a.bps > b.bps; });
  rows_ = std::move(rows);
  before_ = std::move(counted);
  when_ = look.at;
}

void LiveSessions::press(int key) {
  if (key == 'f') frozen_ = true;
  if (key == 't') frozen_ = false;
}

LiveView::Page LiveSessions::page() const {
  Page out;
  out.keys = "Quit=q or ESC, Freeze=f, Thaw=t, Up=^U, Down=^D";
  if (!when_) {
    out.fixed.emplace_back(kNoLookYet);
    return out;
  }
  out.fixed.push_back(fmt::format("Sessions: {}{}, those with the most {} per second first{}",
                                  rows_.size() == kMonitoredSessions ? "the largest " : "", rows_.size(),
                                  by_packets_ ? "packets" : "bits", frozen_ ? ", frozen" : ""));
  out.fixed.push_back(fmt::format("{:>8} {:>12} {:>13}  {:<6} {:<38} {}", "pps", "bps", "Bytes", "Prot",
                                  "Initiator -> Responder", "Interface, service set"));
  for (const Row& row : rows_) {
    const SessionLook& session = row.session;
    out.scrolled.push_back(fmt::format("{:>8} {:>12} {:>13}  {:<6} {:<38} {}, {}", row.pps, row.bps, session.bytes,
                                       session.protocol, session.ends, session.interface, session.service_set));
  }
  return out;
}

}  // namespace icr::cli
