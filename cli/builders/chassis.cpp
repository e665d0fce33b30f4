#include "cli/builders/chassis.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>

#include "cli/result/junos.h"

namespace icr::cli {
namespace {

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kWeek = 7 * kDay;

std::string formatted(std::int64_t seconds, const char* format) {
  const std::time_t time = seconds;
  std::tm parts{};
  std::array<char, 64> text{};
  if (::gmtime_r(&time, &parts) == nullptr) return "-";
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

/// Adds a time as routers write it. Chassis may be in several time zones, so it is UTC everywhere.
void add_time(Tree& tree, std::string_view name, std::int64_t seconds) {
  const std::string number = std::to_string(seconds);
  tree.leaf(name, formatted(seconds, "%Y-%m-%d %H:%M:%S UTC"), {{"junos:seconds", number}});
}

/// Returns "6w2d 18:00", "1d 05:16" or "02:09:52".
std::string length_text(std::int64_t seconds) {
  const std::int64_t hours = seconds % kDay / kHour;
  const std::int64_t minutes = seconds % kHour / kMinute;
  if (seconds < kDay) return fmt::format("{:02}:{:02}:{:02}", hours, minutes, seconds % kMinute);
  const std::string weeks = seconds < kWeek ? "" : fmt::format("{}w", seconds / kWeek);
  return fmt::format("{}{}d {:02}:{:02}", weeks, seconds % kWeek / kDay, hours, minutes);
}

/// Adds when something happened, and how long ago that was.
void add_moment(Tree& tree, std::int64_t now, std::int64_t ago) {
  add_time(tree, "date-time", now - ago);
  const std::string number = std::to_string(ago);
  tree.leaf("time-length", length_text(ago), {{"junos:seconds", number}});
}

std::string plural(std::int64_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

/// Returns "44 days, 18 hrs" as uptime(1) of BSD does.
std::string up_text(std::int64_t seconds) {
  if (seconds > kMinute) seconds += kMinute / 2;
  std::string out;
  if (seconds >= kDay) out = plural(seconds / kDay, "day") + ", ";
  const std::int64_t hours = seconds % kDay / kHour;
  const std::int64_t minutes = seconds % kHour / kMinute;
  if (hours != 0 && minutes != 0) return out + fmt::format("{:>2}:{:02}", hours, minutes);
  if (hours != 0) return out + plural(hours, "hr");
  if (minutes != 0 || seconds >= kMinute) return out + plural(minutes, "min");
  return out + plural(seconds, "sec");
}

/// Returns F of ms-F/P/0, or P if `which` is 1.
std::string_view place_of(std::string_view card, int which) {
  const auto begin = card.find('-');
  if (begin == std::string_view::npos) return card;
  card.remove_prefix(begin + 1);
  const auto slash = card.find('/');
  if (slash == std::string_view::npos) return card;
  if (which == 0) return card.substr(0, slash);
  card.remove_prefix(slash + 1);
  return card.substr(0, card.find('/'));
}

std::string description_of(const PacketPort* port, const InterfaceStatus& interface) {
  if (interface.device.empty()) return "pcap";
  const bool ethernet = port != nullptr && port->kind == PacketPort::Kind::af_packet;
  return fmt::format("{} {}", ethernet ? "af-packet" : "tun", interface.device);
}

void add_card(Tree& tree, const CardConfig& card, const SystemStatus& system) {
  const Scope pic(tree, "chassis-sub-module");
  tree.leaf("name", fmt::format("PIC {}", place_of(card.name, 1)));
  tree.leaf("serial-number", text_of_id(card.stable_id));
  tree.leaf("description", card.name);
  for (const InterfaceStatus& interface : system.interfaces) {
    if (interface.card_id != card.stable_id) continue;
    const Scope port(tree, "chassis-sub-sub-module");
    tree.leaf("name", fmt::format("Port {}", interface.unit));
    tree.leaf("description", description_of(card.port(interface.unit), interface));
  }
}

}  // namespace

void build_uptime(Tree& tree, const SystemStatus& system, const std::optional<CommitEntry>& configured) {
  const std::int64_t now = system.now / 1000;
  const auto machine = static_cast<std::int64_t>(system.machine_s);
  begin_answer(tree, "system-uptime-information");
  {
    const Scope current(tree, "current-time");
    add_time(tree, "date-time", now);
  }
  if (machine != 0) {
    const Scope booted(tree, "system-booted-time");
    add_moment(tree, now, machine);
  }
  {
    const Scope started(tree, "protocols-started-time");
    add_moment(tree, now, static_cast<std::int64_t>(system.process_s));
  }
  if (configured) {
    const Scope last(tree, "last-configured-time");
    add_moment(tree, now, std::max<std::int64_t>(now - configured->at / 1000, 0));
    tree.leaf("user", configured->user);
  }
  if (machine != 0) {
    const Scope up(tree, "uptime-information");
    const std::string seconds = std::to_string(now);
    const std::string up_seconds = std::to_string(machine);
    tree.leaf("date-time", formatted(now, "%l:%M%p"), {{"junos:seconds", seconds}});
    tree.leaf("up-time", up_text(machine), {{"junos:seconds", up_seconds}});
    if (system.load) {
      const auto& load = *system.load;
      tree.leaf("load-average-1", fmt::format("{:.2f}", load[0] / 100.0));
      tree.leaf("load-average-5", fmt::format("{:.2f}", load[1] / 100.0));
      tree.leaf("load-average-15", fmt::format("{:.2f}", load[2] / 100.0));
    }
  }
  tree.end();
}

void build_alarms(Tree& tree, std::vector<AlarmRow> rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const AlarmRow& a, const AlarmRow& b) { return a.alarm.since < b.alarm.since; });
  begin_answer(tree, "alarm-information");
  {
    const Scope summary(tree, "alarm-summary");
    if (rows.empty()) {
      tree.empty("no-active-alarms");
    } else {
      tree.leaf("active-alarm-count", rows.size());
    }
  }
  for (const AlarmRow& row : rows) {
    const Scope detail(tree, "alarm-detail");
    add_time(tree, "alarm-time", row.alarm.since / 1000);
    tree.leaf("alarm-class", row.alarm.major ? "Major" : "Minor");
    tree.leaf("alarm-description", row.alarm.what);
    tree.leaf("alarm-type", row.configuration ? "Configuration" : "Chassis");
  }
  tree.end();
}

void build_hardware(Tree& tree, const ChassisConfig& config, const SystemStatus& system) {
  // Cards by their slots, in the order of numbers.
  std::map<std::pair<std::size_t, std::string_view>, std::vector<const CardConfig*>> slots;
  for (const CardConfig& card : config.cards) {
    const auto slot = place_of(card.name, 0);
    slots[{slot.size(), slot}].push_back(&card);
  }
  begin_answer(tree, "chassis-inventory");
  tree.begin("chassis", {{"junos:style", "inventory"}});
  tree.leaf("name", "Chassis");
  tree.leaf("serial-number", text_of_id(config.stable_id));
  tree.leaf("description", "icr");
  tree.begin("chassis-module");
  tree.leaf("name", "Routing Engine 0");
  tree.leaf("version", system.release);
  tree.leaf("description", "icrd");
  tree.end();
  for (const auto& [slot, cards] : slots) {
    const Scope module(tree, "chassis-module");
    tree.leaf("name", fmt::format("FPC {}", slot.second));
    for (const CardConfig* card : cards) add_card(tree, *card, system);
  }
  tree.end();
  tree.end();
}

}  // namespace icr::cli
