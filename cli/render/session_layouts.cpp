// Sessions, flows and conversations. The formats are those of captured lines, trailing blanks included. Lines that
// describe what is not in the tree of a level are not printed: `brief` has no octets on ms- cards, for example.
#include <string>

#include "cli/render/layouts.h"

namespace icr::cli {
namespace {

/// One translation of a session or flow of an ms- card.
constexpr std::string_view kTranslationLine =
    "{#sfw-flow-nat}"
    "    {sfw-flow-nat-type:<16}{sfw-flow-nat-ip:>15}{sfw-flow-nat-port:<6|:}   -> "
    "{sfw-flow-translated-ip:>15}{sfw-flow-translated-port:<6|:}  \n"
    "{/sfw-flow-nat}";

/// One flow of an ms- card, without its translations.
constexpr std::string_view kFlowLine =
    "{sfw-flow-protocol:<8}{sfw-flow-source-ip:>15}{sfw-flow-source-port:<6|:}  -> "
    "{sfw-flow-destination-ip:>15}{sfw-flow-destination-port:<6|:}  {sfw-flow-state:<8} "
    "{sfw-flow-direction}{sfw-flow-frame-counter:>16}\n";

constexpr std::string_view kFlowDetails =
    "{#sfw-flow-table-byte-count}"
    "  Byte count: {.}\n  Flow role: {sfw-flow-table-role}, Timeout: {sfw-flow-table-timeout}\n"
    "{/sfw-flow-table-byte-count}";

/// The words and their order are those of Junos; the columns are those of the flow lines.
constexpr std::string_view kFlowColumns =
    "Flow                                                     State    Dir     Frm count\n";

constexpr std::string_view kServiceSetHeading = "Interface: {interface-name}, Service set: {service-set-name}\n";

/// Joins texts. Templates refer to their text, so each result is kept by its caller.
std::string joined(std::initializer_list<std::string_view> texts) {
  std::string out;
  for (const auto text : texts) out += text;
  return out;
}

constexpr std::string_view kRankLine =
    "{#sess-rank}"
    "  Rank: {.}, Packets: {sess-packets}, Bytes: {sess-bytes}, Age: {sess-age}, Chassis: {chassis-name}\n"
    "{/sess-rank}";

constexpr std::string_view kJsfHeader =
    "Service Set: {service-set-name}, Session: {session-id}, ALG: {sess-alg}, Flags: {sess-flags}, "
    "IP Action: {sess-ip-action}, Offload: {sess-offload}, Asymmetric: {sess-asymmetric}"
    "{#sess-timeout}, Session timeout: {.}{/sess-timeout}\n";
constexpr std::string_view kJsfDetails =
    "{#sess-replication-threshold}"
    "  Replication threshold: {.} s, not reached: the peer does not have the session\n"
    "{/sess-replication-threshold}"
    "{#sess-guarantee}  Guarantee: {.}, newest state at the peer: {sess-newest-state-at-peer}\n{/sess-guarantee}"
    "{#sess-nat-type}NAT PLugin Data:\n  NAT Action:   Translation Type - {.}\n{/sess-nat-type}";

const std::string& jsf_session() {
  static const std::string text = joined({kJsfHeader, kRankLine, kJsfDetails, kTranslationLine, "{#sfw-flow-entry}",
                                          kFlowLine, kFlowDetails, "{/sfw-flow-entry}"});
  return text;
}

const std::string& flow() {
  static const std::string text = joined({kFlowLine, kTranslationLine, kFlowDetails});
  return text;
}

const std::string& flow_heading() {
  static const std::string text = joined({kServiceSetHeading, kFlowColumns});
  return text;
}

constexpr std::string_view kConversationHeader =
    "\nConversation: ALG protocol: {sfw-flow-table-conv-alg}\n"
    "  Number of initiators: {sfw-flow-table-conv-initiator}, "
    "Number of responders: {sfw-flow-table-conv-responder}\n"
    "{#service-sfw-flow-table}";

const std::string& conversation() {
  static const std::string text = joined(
      {kConversationHeader, kFlowColumns, "{#sfw-flow-entry}", flow(), "{/sfw-flow-entry}{/service-sfw-flow-table}"});
  return text;
}

constexpr std::string_view kUsfBriefHeader =
    "Session ID: {session-identifier}, Service-set: {session-svc-set}, Policy name: {policy}, State: {session-state}, "
    "Timeout: {timeout}, {sess-state}\n";
constexpr std::string_view kUsfBriefFlows =
    "{#flow-information}"
    "  {direction}: {source-address}/{source-port} --> {destination-address}/{destination-port};{protocol}, "
    "Conn Tag: {conn-tag}, If: {interface-name}, Pkts: {pkt-cnt}, Bytes: {byte-cnt}, \n"
    "{/flow-information}"
    "\n";

/// The captured lines of the SRX family, with the service set.
constexpr std::string_view kUsfExtensiveHeader =
    "Session ID: {session-identifier}, Service-set: {session-svc-set}, Status: {status}\n";
constexpr std::string_view kUsfExtensiveDetails =
    "Flags: {session-flag}\n"
    "Policy name: {policy}\n"
    "Source NAT pool: {nat-source-pool-name}\n"
    "{#nat-dst-pool-name}Destination NAT pool: {.}\n{/nat-dst-pool-name}"
    "Maximum timeout: {configured-timeout}, Current timeout: {timeout}\n"
    "Session State: {sess-state}\n"
    "{#sess-replication-threshold}"
    "Replication threshold: {.} s, not reached: the peer does not have the session\n"
    "{/sess-replication-threshold}"
    "{#sess-guarantee}Guarantee: {.}, newest state at the peer: {sess-newest-state-at-peer}\n{/sess-guarantee}"
    "Start time: {start-time}, Duration: {duration}\n"
    "{#flow-information}"
    "   {direction}: {source-address}/{source-port} --> {destination-address}/{destination-port};{protocol}, \n"
    "  Conn Tag: {conn-tag}, Interface: {interface-name}, \n"
    "    Session token: {session-token}, Flag: {flag}, \n"
    "    Route: {route}, Gateway: {gateway}, Tunnel ID: {tunnel-id}, Tunnel type: {tunnel-type}, \n"
    "    Port sequence: {port-sequence}, FIN sequence: {fin-sequence}, \n"
    "    FIN state: {fin-state}, \n"
    "    Pkts: {pkt-cnt}, Bytes: {byte-cnt}\n"
    "{/flow-information}"
    "\n";

const std::string& usf_brief() {
  static const std::string text = joined({kUsfBriefHeader, kRankLine, kUsfBriefFlows});
  return text;
}

const std::string& usf_extensive() {
  static const std::string text = joined({kUsfExtensiveHeader, kRankLine, kUsfExtensiveDetails});
  return text;
}

constexpr std::string_view kGroupColumns =
    "{session-group-by:<43}     Sessions              Packets                 Bytes\n";
constexpr std::string_view kGroupRow = "{session-group-name:<43}{sess-count:>13}{sess-packets:>21}{sess-bytes:>22}\n";
constexpr std::string_view kOtherGroups =
    "Other groups: {session-group-count}\n"
    "{sess-count:>56}{sess-packets:>21}{sess-bytes:>22}\n";

/// A table without a row has no heading.
GroupLayout group(std::string_view element, std::string_view heading, std::vector<RowLayout> rows) {
  return {element, Template(heading), "\n", false, std::move(rows)};
}

}  // namespace

void add_session_layouts(Layouts& layouts) {
  layouts[{Verb::show_sessions, Level::none}] = {
      {group("msp-session-table-per-interface", "{interface-name}\n", {row_layout("msp-session", jsf_session())}),
       group("flow-session-information", "",
             {row_layout("flow-session", usf_extensive(), {}, "start-time"), row_layout("flow-session", usf_brief())})},
      {}};
  layouts[{Verb::show_session_groups, Level::none}] = {
      {{"service-session-group-information",
        Template(kGroupColumns),
        {},
        true,
        {row_layout("session-group", kGroupRow), row_layout("session-group-others", kOtherGroups)}}},
      {}};
  layouts[{Verb::show_flows, Level::none}] = {
      {group("sfw-per-service-set-flow-table", flow_heading(), {row_layout("sfw-flow-entry", flow())})}, {}};
  layouts[{Verb::show_conversations, Level::none}] = {
      {group("sfw-per-service-set-conversation", kServiceSetHeading, {row_layout("sfw-conversation", conversation())})},
      {}};
}

}  // namespace icr::cli
