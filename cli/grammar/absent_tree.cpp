// Commands of Junos about things that icr does not have. They take the options of Junos, so that a script that asks
// for everything runs, and their answers are empty.
#include "cli/grammar/options.h"
#include "cli/grammar/values.h"

namespace icr::cli {
namespace {

template <Absent what>
void enter_absent(Command& c) {
  c.verb = Verb::show_absent;
  c.absent = what;
}

/// Returns the option `count`, after which the command is about `what`.
template <Absent what>
Options count_of() {
  return {verb_option("count", "Display the number of matching entries", kCount, 0,
                      [](Command& c, std::string_view) -> Result<void> {
                        enter_absent<what>(c);
                        return {};
                      })};
}

/// Takes an address of one family.
template <bool v4>
Result<void> take_end(std::string_view text, std::optional<IpAddress>& target) {
  const auto address = parse_address(text);
  if (!address) return tl::unexpected(address.error());
  if (address->is_v4() != v4) return fail("invalid ip address '{}'", text);
  target = *address;
  return {};
}

/// Returns the options for both ends of a softwire: the concentrator at the provider, the initiator at the customer.
template <bool v4>
Options ends(std::string_view concentrator, std::string_view initiator) {
  return {{concentrator, v4 ? "IPv4 address of the softwire concentrator" : "IPv6 address of the AFTR", true,
           kConcentrator, 0, [](Command& c, std::string_view v) { return take_end<v4>(v, c.softwire_concentrator); }},
          {initiator, v4 ? "IPv4 address of the softwire initiator" : "IPv6 address of the B4", true, kInitiator, 0,
           [](Command& c, std::string_view v) { return take_end<v4>(v, c.softwire_initiator); }}};
}

template <SoftwireType type>
Result<void> set_type(Command& c, std::string_view /*none*/) {
  c.softwire_type = type;
  return {};
}

Options of_service_set() { return service_set_option() + interface_option(); }

}  // namespace

GrammarNode show_alg() {
  const Options of_protocol = application_protocol_option() + interface_option();
  return keyword("alg", "Display application layer gateways",
                 {command("conversations", "Display conversations of application layer gateways",
                          enter_absent<Absent::alg_conversations>, levels(kBrief | kExtensive) + of_protocol),
                  command("sip-globals", "Display the global configuration of SIP",
                          enter_absent<Absent::alg_sip_globals>, interface_option()),
                  command("statistics", "Display statistics of application layer gateways",
                          enter_absent<Absent::alg_statistics>, of_protocol)});
}

GrammarNode show_plug_ins() {
  return command("plug-ins", "Display a summary of plug-ins", enter_absent<Absent::plug_ins>, interface_option());
}

std::vector<GrammarNode> show_log_statistics() {
  const Options level = levels(kBrief | kDetail);
  const Options host = {
      {"host", "Address of the syslog host", true, kHostIp, 0, [](Command& c, std::string_view v) -> Result<void> {
         const auto address = parse_address(v);
         if (!address) return tl::unexpected(address.error());
         c.host = *address;
         return {};
       }}};
  return {command("jflow-log", "Display statistics of flow records", enter_absent<Absent::jflow_log>,
                  level + of_service_set()),
          command("syslog", "Display statistics of system log messages", enter_absent<Absent::syslog>,
                  level + host + of_service_set())};
}

GrammarNode show_tcp_log() {
  return keyword("tcp-log", "Display logging over TCP",
                 {command("connections", "Display connections of logging over TCP",
                          enter_absent<Absent::tcp_log_connections>, interface_option())});
}

std::vector<GrammarNode> show_absent_sessions() {
  const Options filters = prefix_options() + of_service_set();
  GrammarNode softwire =
      command("softwire", "Display softwire sessions", enter_absent<Absent::session_softwires>, filters);
  softwire.children = {
      command("count", "Display the number of matching softwires", enter_absent<Absent::session_softwire_count>,
              filters),
      command("ds-lite", "Display softwire sessions of DS-Lite", enter_absent<Absent::session_ds_lite>,
              filters + ends<false>("aftr", "b4") + count_of<Absent::session_ds_lite_count>()),
      command("flow-details", "Display softwire flows", enter_absent<Absent::session_softwire_flows>, {})};
  return {std::move(softwire), command("tcp-log", "Display sessions of logging over TCP",
                                       enter_absent<Absent::session_tcp_log>, interface_option())};
}

GrammarNode show_softwire() {
  GrammarNode flows = command("flows", "Display softwire flows", enter_absent<Absent::softwire_flows>,
                              of_service_set() + count_of<Absent::softwire_flow_count>());
  flows.children = {command("ds-lite", "Display softwire flows of DS-Lite",
                            enter_absent<Absent::softwire_ds_lite_flows>, ends<false>("AFTR", "B4")),
                    command("v6rd", "Display softwire flows of 6rd", enter_absent<Absent::softwire_v6rd_flows>,
                            ends<true>("concentrator", "initiator"))};
  GrammarNode sessions = command("sessions", "Display softwire sessions", enter_absent<Absent::softwire_sessions>,
                                 of_service_set() + count_of<Absent::softwire_session_count>());
  sessions.children = {
      command("ds-lite", "Display softwire sessions of DS-Lite", enter_absent<Absent::softwire_ds_lite_sessions>,
              of_service_set() + ends<false>("aftr", "b4") + count_of<Absent::softwire_ds_lite_session_count>())};
  const Options types = {
      {"ds-lite", "Display statistics of DS-Lite", false, kDsLite, kV6rd, set_type<SoftwireType::ds_lite>},
      {"v6rd", "Display statistics of 6rd", false, kV6rd, kDsLite, set_type<SoftwireType::v6rd>}};
  GrammarNode softwire =
      command("softwire", "Display softwires", enter_absent<Absent::softwires>, count_of<Absent::softwire_count>());
  softwire.children = {std::move(flows), std::move(sessions),
                       command("statistics", "Display statistics of softwires",
                               enter_absent<Absent::softwire_statistics>, types + interface_option())};
  return softwire;
}

}  // namespace icr::cli
