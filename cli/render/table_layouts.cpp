// Tables of service sets and cards: columns of leaves under a heading.
#include <string>

#include "cli/render/layouts.h"

namespace icr::cli {
namespace {

constexpr std::string_view kCardUsage =
    "{#service-set-service-type-entry}{interface-name:<10}{service-sets-configured:>10}{service-set-bytes-used:>21} "
    "({service-set-percent-bytes-used:>5}%)"
    "{#service-set-session-bytes-used}{.:>12} ({service-set-percent-session-bytes-used:>5}%)"
    "{/service-set-session-bytes-used}"
    "{service-set-policy-bytes-used:>14} ({service-set-percent-policy-bytes-used:>5}%)"
    "{service-set-cpu-utilization:>15}\n{/service-set-service-type-entry}";

constexpr std::string_view kUsfSummaryColumns =
    "             Service sets                                                                           CPU\n"
    "Interface    configured             Bytes used        Session bytes used     Policy bytes used      "
    "utilization\n";
constexpr std::string_view kJsfSummaryColumns =
    "             Service sets                                                    CPU\n"
    "Interface    configured             Bytes used        Policy bytes used      utilization\n";

/// Returns the template of the lines of one protocol.
std::string live_lines(std::string_view label, std::string_view protocol) {
  std::string out = fmt::format("  {:<40}:{{num-total-{}-session-active:<13}}\n", label, protocol);
  if (protocol != "other") {
    out +=
        fmt::format("    {:<38}:{{num-total-{}-tunneled-session-active:<13}}\n", "Tunneled Sessions Active", protocol);
    out += fmt::format("    {:<38}:{{num-total-{}-regular-session-active:<13}}\n", "Regular Sessions Active", protocol);
  }
  for (const std::string_view family : {"4", "6"}) {
    out += fmt::format("    {:<38}:{{num-total-{}-ipv{}-session-active:<13}}\n",
                       fmt::format("IPv{} active Session", family), protocol, family);
  }
  return out;
}

/// Returns the template of what is below the name of the card. `created` is the label of the first rate.
std::string analysis_text(std::string_view created) {
  return "\n\nSession Analysis Statistics:\n"
         "{#session-analysis-statistics-entry}"
         "  Total Sessions Active                   :{num-total-session-active:<13}\n" +
         live_lines("Total TCP Sessions Active", "tcp") + live_lines("Total UDP sessions Active", "udp") +
         live_lines("Total Other Sessions Active", "other") +
         fmt::format("  {:<40}:{{num-created-session-per-sec:<13}}\n", created) +
         "  Deleted Sessions per Second             :{num-deleted-session-per-sec:<13}\n"
         "  Peak Total Sessions Active              :{peak-total-session-active:<13}\n"
         "  Peak Created Sessions per Second        :{peak-created-session-per-second:<13}\n"
         "  Peak Deleted Sessions per Second        :{peak-deleted-session-per-second:<13}\n"
         "  Packets received                        :{session-pkts-received:<13}\n"
         "  Packets transmitted                     :{session-pkts-transmitted:<13}\n"
         "  Slow path forward                       :{session-slow-path-forward:<13}\n"
         "  Slow path discard                       :{session-slow-path-discard:<13}\n"
         "{/session-analysis-statistics-entry}"
         "\nSession Rate Data:\n"
         "{#sess-analysis-num-sess-sec-samples-entry}"
         "  Number of Samples: {num-sess-sec-samples}\n"
         "{/sess-analysis-num-sess-sec-samples-entry}"
         "{#sess-analysis-num-sess-sec-entry}"
         "  Session Operation :{sess-operation}\n"
         "    400000+          :{num-sess-sec-400000-plus}\n"
         "    350000+          :{num-sess-sec-350000}\n"
         "    300000+          :{num-sess-sec-300000}\n"
         "    250000+          :{num-sess-sec-250000}\n"
         "    200000+          :{num-sess-sec-200000}\n"
         "    150000+          :{num-sess-sec-150000}\n"
         "    50000+           :{num-sess-sec-50000-plus}\n"
         "    40000+ - 50000   :{num-sess-sec-40000-50000}\n"
         "    30000+ - 40000   :{num-sess-sec-30000-40000}\n"
         "    20000+ - 30000   :{num-sess-sec-20000-30000}\n"
         "    10000+ - 20000   :{num-sess-sec-10000-20000}\n"
         "    1000+ - 10000    :{num-sess-sec-1000-10000}\n"
         "    0 - 1000         :{num-sess-sec-1000-minus}\n"
         "    0                :{num-sess-sec-0}\n"
         "{/sess-analysis-num-sess-sec-entry}";
}

/// Returns a layout of rows whose heading is printed only if there are rows.
Layout rows_layout(std::string_view group, std::vector<RowLayout> rows, std::string_view between = {}) {
  return {{{group, Template(), {}, false, std::move(rows)}}, between};
}

Layout analysis() {
  RowLayout row;
  row.element = "service-session-analysis-entry";
  row.between = "\n";
  // The two families spell that label differently. Templates view their text.
  static const std::string ms_text = analysis_text("Created Sessions per Second");
  static const std::string vms_text = analysis_text("Created sessions per Second");
  row.render = [ms = Template(ms_text), vms = Template(vms_text)](const ElementRange& card, std::string& out) {
    const auto info = card.inside(card.find("session-analysis-statistics-pic-info"));
    const auto name = info.value("pic-name");
    const bool is_vms = name.substr(0, 3) == "vms";
    out += is_vms ? "  Interface:   " : "  Services PIC Name:   ";
    out += name;
    (is_vms ? vms : ms).append(card, out);
  };
  return rows_layout("service-session-analysis-information", {std::move(row)});
}

}  // namespace

void add_table_layouts(Layouts& layouts) {
  Layout counts =
      table_layout("service-msp-sess-count-information", "Interface   Service set                   Sessions count\n",
                   "service-msp-sess-count", "{interface-name:<12}{service-set-name:<28}{sess-count:>16}\n");
  counts.groups.push_back(
      table_layout("usf-session-count-information",
                   "\nInterface   Service set                        Valid      Invalid      Pending  Other state\n",
                   "usf-session-count",
                   "{interface-name:<12}{service-set-name:<28}{valid-session-count:>12}{invalid-session-count:>13}"
                   "{pending-session-count:>13}{other-session-count:>13}\n")
          .groups[0]);
  layouts[{Verb::count_sessions, Level::none}] = std::move(counts);
  layouts[{Verb::count_flows, Level::none}] =
      table_layout("service-sfw-flow-count-information", "Interface   Service set                         Flow Count\n",
                   "service-sfw-flow-count", "{interface-name:<12}{service-set-name:<36}{flow-count:>10}\n");
  layouts[{Verb::clear_sessions, Level::none}] = table_layout(
      "service-msp-sess-drain-information", "Interface   Service set                   Sessions marked for deletion\n",
      "service-msp-sess-drain", "{interface-name:<12}{service-set-name:<28}{sess-marked-for-deletion:>30}\n");
  layouts[{Verb::clear_flows, Level::none}] = table_layout(
      "service-msp-flow-drain-information", "Interface   Service set                                  Flows removed\n",
      "service-msp-flow-drain", "{interface-name:<12}{service-set-name:<28}{flows-removed:>30}\n");
  layouts[{Verb::clear_conversations, Level::none}] = table_layout(
      "service-sfw-flow-drain-information", "Interface   Service set                          Conversations removed\n",
      "service-sfw-flow-drain", "{interface-name:<12}{service-set-name:<28}{conversations-removed:>30}\n");
  layouts[{Verb::clear_mappings, Level::none}] =
      table_layout("service-nat-clear-mappings-information",
                   "Interface   Service set                   Mappings removed   Sessions cleared\n",
                   "service-nat-clear-mappings-sess",
                   "{interface-name:<12}{service-set-name:<28}{mappings-removed:>18}{sessions-cleared:>19}\n");
  layouts[{Verb::show_utilization, Level::none}] =
      rows_layout("services-sessions-utilization-information",
                  {row_layout("services-sessions-utilization",
                              "{interface-name:<13}{session-count:<9}{memory-percent:<9}{session-setup-rate:<8}"
                              "{session-setup-percent:<8}{session-drop-rate:<9}{session-teardown-rate:<11}{cpu-load}\n",
                              "             Session  %Memory  Setup   %Rate   Drop     Teardown   %CPU\n"
                              "Interface    Count             Rate            Rate     Rate\n")});
  layouts[{Verb::show_service_set_summary, Level::none}] =
      rows_layout("service-set-summary-information",
                  {row_layout("service-set-summary-information-entry", kCardUsage, kUsfSummaryColumns,
                              "service-set-session-bytes-used"),
                   row_layout("service-set-summary-information-entry", kCardUsage, kJsfSummaryColumns)},
                  "\n");
  layouts[{Verb::show_memory_usage, Level::none}] = rows_layout(
      "service-set-memory-statistics-information",
      {row_layout("service-set-memory-statistics", "{interface-name:<12}{service-set-name:<28}{bytes-used:>16}\n",
                  "Interface   Service set                       Bytes used\n")});
  layouts[{Verb::show_packet_drops, Level::none}] =
      rows_layout("service-set-packet-drop-statistics",
                  {row_layout("service-set-packet-drops",
                              "{interface-name:<12}{service-set-name:<28}{cpulimit-drops:>14}{memlimit-drops:>14}"
                              "{flowlimit-drops:>14}{tcpalg-drops:>14}\n",
                              "                                             Cpulimit      Memlimit     Flowlimit"
                              "       Tcp-alg\n"
                              "Interface   Service set                         drops         drops         drops"
                              "         drops\n")});
  layouts[{Verb::show_cpu_usage, Level::none}] =
      rows_layout("service-set-cpu-statistics-information",
                  {row_layout("service-set-cpu-statistics",
                              "{interface-name:<12}{service-set-name:<28}{cpu-utilization-percent:>14} %\n",
                              "Interface   Service set                  CPU utilization\n")});
  layouts[{Verb::show_analysis, Level::none}] = analysis();
}

}  // namespace icr::cli
