// What a chassis says about itself, as routers print it. The answer of a cluster has a part for each chassis, under the
// heading that a cluster of SRX devices prints.
#include "cli/render/layouts.h"

namespace icr::cli {
namespace {

constexpr std::string_view kUptime =
    "{#current-time}Current time: {date-time}\n{/current-time}"
    "{#system-booted-time}System booted: {date-time} ({time-length} ago)\n{/system-booted-time}"
    "{#protocols-started-time}Protocols started: {date-time} ({time-length} ago)\n{/protocols-started-time}"
    "{#last-configured-time}Last configured: {date-time} ({time-length} ago) by {user}\n{/last-configured-time}"
    "{#uptime-information}{date-time}  up {up-time}"
    "{#load-average-1}, load averages: {.}, {load-average-5}, {load-average-15}{/load-average-1}\n"
    "{/uptime-information}";

constexpr std::string_view kAlarms =
    "{#alarm-summary}{#active-alarm-count}{.} alarms currently active\n"
    "Alarm time               Class  Description\n{/active-alarm-count}"
    "{^active-alarm-count}No alarms currently active\n{/active-alarm-count}{/alarm-summary}"
    "{#alarm-detail}{alarm-time:<25}{alarm-class:<7}{alarm-description}\n{/alarm-detail}";

/// Appends the line of a part of a chassis, and those of the parts in it, indented.
void append_part(const ElementRange& part, std::size_t depth, std::string& out) {
  out += fmt::format("{:<{}}{:<{}}{:<22}{:<18}{}\n", "", 2 * depth, part.value("name"), 17 - 2 * depth,
                     part.value("version"), part.value("serial-number"), part.value("description"));
  for (std::uint32_t i = part.first; i < part.last; i = part.element->item(i).after) {
    if (part.element->item(i).is_leaf) continue;
    // A module of the chassis stands as far to the left as the chassis itself.
    append_part(part.inside(i), part.element->name(i) == "chassis-module" ? depth : depth + 1, out);
  }
}

void append_hardware(const ElementRange& answer, std::string& out) {
  out +=
      "Hardware inventory:\n"
      "Item             Version  Part number  Serial number     Description\n";
  append_part(answer.inside(answer.find("chassis")), 0, out);
}

/// Returns the layout of an answer that is one row.
Layout of_each_chassis(const RowLayout& row) {
  Layout out;
  out.groups.push_back({"", Template(), {}, false, {row}});
  out.groups.push_back(each_chassis_layout({row}));
  return out;
}

}  // namespace

GroupLayout each_chassis_layout(std::vector<RowLayout> rows) {
  return {"multi-routing-engine-item",
          Template("{re-name}:\n"
                   "--------------------------------------------------------------------------\n"),
          "\n", true, std::move(rows)};
}

void add_chassis_layouts(Layouts& layouts) {
  RowLayout hardware = row_layout("chassis-inventory", {});
  hardware.render = append_hardware;
  layouts[{Verb::show_hardware, Level::none}] = of_each_chassis(hardware);
  layouts[{Verb::show_uptime, Level::none}] = of_each_chassis(row_layout("system-uptime-information", kUptime));
  const Layout alarms = of_each_chassis(row_layout("alarm-information", kAlarms));
  layouts[{Verb::show_system_alarms, Level::none}] = alarms;
  layouts[{Verb::show_chassis_alarms, Level::none}] = alarms;
}

}  // namespace icr::cli
