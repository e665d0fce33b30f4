// The operator's words: every filter, any order, prefixes, and what bad input is answered with.
#include "cli/grammar/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace icr::cli {
namespace {

using testing::HasSubstr;

Command parsed(const std::string& line) {
  const auto command = parse_command(line);
  EXPECT_TRUE(command) << (command ? "" : command.error().shown("user@icr> ", line));
  return command ? *command : Command{};
}

std::string refused(const std::string& line) {
  const auto command = parse_command(line);
  EXPECT_FALSE(command) << line;
  return command ? "" : command.error().shown("user@icr> ", line);
}

TEST(Grammar, EveryFilterHasItsValue) {
  const auto c = parsed(
      "show services sessions extensive application-protocol ftp destination-port 21 destination-prefix "
      "198.51.100.0/24 "
      "interface ms-0/0/0.1 limit 10 protocol tcp service-set ss1 source-port 40000 source-prefix 2001:db8::1");
  EXPECT_EQ(c.verb, Verb::show_sessions);
  EXPECT_EQ(c.level, Level::extensive);
  EXPECT_EQ(c.application_protocol, parse_application_protocol("ftp"));
  EXPECT_EQ(c.destination_port, 21);
  EXPECT_EQ(c.destination_prefix->to_string(), "198.51.100.0/24");
  EXPECT_EQ(c.interface->card, "ms-0/0/0");
  EXPECT_EQ(c.interface->unit, 1U);
  EXPECT_EQ(c.limit, 10U);
  EXPECT_EQ(c.protocol, ip_protocol::tcp);
  EXPECT_EQ(c.service_set, "ss1");
  EXPECT_EQ(c.source_port, 40000);
  EXPECT_EQ(c.source_prefix->to_string(), "2001:db8::1/128");
}

TEST(Grammar, FiltersComeInAnyOrder) {
  std::vector<std::string> words = {
      "brief",       "destination-port 80", "interface vms-1/0/0", "limit 3",
      "protocol 17", "service-set a",       "source-port 0",       "source-prefix 192.0.2.0/25"};
  std::sort(words.begin(), words.end());
  // Every rotation of the sorted and of the reversed list: each word stands at each place.
  for (int reversed = 0; reversed < 2; ++reversed) {
    for (std::size_t turn = 0; turn < words.size(); ++turn) {
      std::rotate(words.begin(), words.begin() + 1, words.end());
      std::string line = "show services sessions";
      for (const auto& word : words) line += " " + word;
      const auto c = parsed(line);
      EXPECT_EQ(c.level, Level::brief) << line;
      EXPECT_EQ(c.destination_port, 80) << line;
      EXPECT_EQ(c.interface->card, "vms-1/0/0") << line;
      EXPECT_EQ(c.limit, 3U) << line;
      EXPECT_EQ(c.protocol, 17) << line;
      EXPECT_EQ(c.service_set, "a") << line;
      EXPECT_EQ(c.source_port, 0) << line;
      EXPECT_EQ(c.source_prefix->to_string(), "192.0.2.0/25") << line;
    }
    std::reverse(words.begin(), words.end());
  }
}

TEST(Grammar, AnIpv4PrefixMayBeShort) {
  const auto prefix = [](const std::string& text) {
    return parsed("show services sessions source-prefix " + text).source_prefix->to_string();
  };
  EXPECT_EQ(prefix("198.18/16"), "198.18.0.0/16");
  EXPECT_EQ(prefix("10/8"), "10.0.0.0/8");
  EXPECT_EQ(prefix("192.0.2/24"), "192.0.2.0/24");
  EXPECT_EQ(prefix("0/0"), "0.0.0.0/0");
}

TEST(Grammar, UniquePrefixesStandForKeywords) {
  EXPECT_EQ(parsed("sh serv sess c").verb, Verb::count_sessions);
  EXPECT_EQ(parsed("show service session count").verb, Verb::count_sessions);
  EXPECT_EQ(parsed("show services sessions ext ap sip").level, Level::extensive);
  EXPECT_EQ(parsed("show services sessions source-po 5").source_port, 5);
  EXPECT_EQ(parsed("show services sessions destination-pr 192.0.2.1").destination_prefix->length, 32);
  EXPECT_EQ(parsed("show services sessions p t").protocol, ip_protocol::tcp);
  EXPECT_EQ(parsed("show services sessions u i ms-0/0/0").verb, Verb::show_utilization);
  EXPECT_EQ(parsed("cl se sess").verb, Verb::clear_sessions);
  EXPECT_EQ(parsed("show services red ext").level, Level::extensive);
  EXPECT_EQ(parsed("show services red rg 7 brief").group, 7);
  EXPECT_EQ(parsed("show services nat mappings summary service-set a interface ms-0/0/0").service_set, "a");
  EXPECT_EQ(parsed("show services service-sets stat pack").verb, Verb::show_packet_drops);
  const auto c = parsed("req serv red rs1 sw");
  EXPECT_EQ(c.verb, Verb::switchover);
  EXPECT_EQ(c.redundancy_set, "rs1");
}

TEST(Grammar, ARedundancySetIsAddressedByNameOrNumber) {
  EXPECT_EQ(parsed("request services redundancy-set rs1 drain").verb, Verb::drain);
  EXPECT_FALSE(parsed("request services redundancy-set rs1 drain").cancel);
  EXPECT_TRUE(parsed("request services redundancy-set id 7 drain cancel").cancel);
  const auto by_number = parsed("request services redundancy-set id 1729176336 switchover force");
  EXPECT_EQ(by_number.verb, Verb::switchover);
  EXPECT_EQ(by_number.set_id, 1729176336U);
  EXPECT_TRUE(by_number.force);
  const auto event = parsed("request services redundancy-set id 1 redundancy-event PRIMARY-DOWN trigger");
  EXPECT_EQ(event.verb, Verb::switchover);
  EXPECT_EQ(event.set_id, 1U);
  EXPECT_FALSE(event.force);
  EXPECT_TRUE(parsed("request services redundancy-set rs1 redundancy-event e trigger force").force);
  EXPECT_EQ(parsed("request services redundancy-set rs1 switchover dry-run extensive").verb, Verb::switchover_dry_run);
  EXPECT_EQ(parsed("request services redundancy-set i switchover").redundancy_set, "i") << "only the whole word is id";
  for (const char* line :
       {"id switchover", "id 0 switchover", "id 4294967296 switchover", "rs1 redundancy-event trigger",
        "rs1 redundancy-event e", "rs1 switchover force force", "rs1 switchover dry-run force"}) {
    EXPECT_NE(refused(std::string("request services redundancy-set ") + line), "") << line;
  }
}

TEST(Grammar, CountStandsBeforeOrAfterFilters) {
  for (const char* line : {"show services sessions count protocol udp", "show services sessions protocol udp count"}) {
    const auto c = parsed(line);
    EXPECT_EQ(c.verb, Verb::count_sessions);
    EXPECT_EQ(c.protocol, ip_protocol::udp);
  }
}

TEST(Grammar, ProtocolsByNameAndNumber) {
  for (const auto& name : protocol_names()) {
    EXPECT_EQ(parsed("show services sessions protocol " + std::string(name.keyword)).protocol, name.number);
    EXPECT_EQ(parsed("show services sessions protocol " + std::to_string(name.number)).protocol, name.number);
  }
  EXPECT_EQ(parsed("show services sessions protocol 0").protocol, 0);
  EXPECT_EQ(parsed("show services sessions protocol 255").protocol, 255);
}

TEST(Grammar, ApplicationProtocolsOfTheManual) {
  for (const char* word : {"bootp",       "dce-rpc",     "dce-rpc-portmap",
                           "dns",         "exec",        "ftp",
                           "h323",        "icmp",        "icmpv6",
                           "iiop",        "ike-esp-nat", "ip",
                           "login",       "netbios",     "netshow",
                           "pptp",        "realaudio",   "rpc",
                           "rpc-portmap", "rtsp",        "rsh",
                           "sip",         "shell",       "snmp",
                           "sql",         "talk",        "tftp",
                           "traceroute",  "winframe",    "none"}) {
    EXPECT_TRUE(parsed(std::string("show services sessions application-protocol ") + word).application_protocol)
        << word;
  }
  EXPECT_EQ(parsed("show services sessions application-protocol sql").application_protocol,
            parse_application_protocol("sqlnet"));
  EXPECT_EQ(parsed("show services sessions count application-protocol none").application_protocol,
            kNoApplicationProtocol);
}

TEST(Grammar, EveryCommandOfNatHasItsVerb) {
  const std::vector<std::pair<std::string, Verb>> lines = {
      {"show services nat pool", Verb::show_nat_pools},
      {"show services nat source pool all", Verb::show_source_pools},
      {"show services nat source mappings detail", Verb::show_mappings},
      {"show services nat source mappings endpoint-independent", Verb::show_mappings},
      {"show services nat source mappings address-pooling-paired", Verb::show_mappings},
      {"show services nat source mappings summary", Verb::show_mappings_summary},
      {"show services nat source rule", Verb::show_nat_rules},
      {"show services nat source port-block", Verb::show_port_blocks},
      {"show services nat source deterministic", Verb::show_deterministic_usf},
      {"show services nat source summary", Verb::show_source_summary},
      {"show services nat destination pool", Verb::show_destination_pools},
      {"show services nat destination rule", Verb::show_nat_rules},
      {"show services nat destination summary", Verb::show_destination_summary},
      {"show services nat static rule", Verb::show_nat_rules},
      {"show services nat resource-usage source-pool", Verb::show_pool_usage},
      {"show services nat mappings brief", Verb::show_mappings},
      {"show services nat mappings summary", Verb::show_mappings_summary},
      {"show services nat statistics", Verb::show_nat_statistics},
      {"show services nat deterministic-nat internal-host 192.0.2.1", Verb::show_deterministic},
      {"clear services nat mappings", Verb::clear_mappings},
      {"clear services nat mappings app", Verb::clear_mappings},
      {"clear services nat statistics", Verb::clear_nat_statistics},
      {"clear services stateful-firewall statistics", Verb::clear_firewall_statistics},
      {"clear services stateful-firewall flows", Verb::clear_conversations},
      {"clear services flows", Verb::clear_flows},
      {"show services sessions analysis", Verb::show_analysis},
      {"clear services sessions analysis interface ms-0/0/0", Verb::clear_analysis},
      {"show services flows count protocol tcp", Verb::count_flows},
      {"show services stateful-firewall conversations", Verb::show_conversations},
      {"show services stateful-firewall statistics summary", Verb::show_firewall_statistics},
      {"show services service-sets summary", Verb::show_service_set_summary},
      {"show services service-sets memory-usage", Verb::show_memory_usage},
      {"show services service-sets cpu-usage", Verb::show_cpu_usage},
      {"show services service-sets statistics tcp-mss", Verb::show_service_set_statistics},
      {"show services screen statistics service-set s", Verb::show_service_set_statistics},
      {"clear services service-sets statistics screen-drops", Verb::clear_service_set_statistics},
      {"clear services nat flows", Verb::clear_flows},
      {"show services policies hit-count", Verb::show_hit_counts},
      {"show services ha statistics", Verb::show_ha},
      {"show chassis alarms", Verb::show_chassis_alarms},
      {"show chassis hardware member left", Verb::show_hardware},
      {"show system alarms", Verb::show_system_alarms},
      {"show system uptime", Verb::show_uptime},
      {"show interfaces ms-0/0/0.1 statistics", Verb::show_interfaces},
      {"sh int ter", Verb::show_interfaces},
  };
  for (const auto& [line, verb] : lines) EXPECT_EQ(parsed(line).verb, verb) << line;
  EXPECT_EQ(parsed("sh serv nat map end").mappings, Mappings::endpoint_independent);
  EXPECT_EQ(parsed("sh serv nat map addr").mappings, Mappings::address_pooling_paired);
  EXPECT_EQ(parsed("show services nat static rule").rules, NatRules::fixed);
  EXPECT_EQ(parsed("show services service-sets statistics tcp").statistics, StatisticsView::tcp);
}

TEST(Grammar, PathsOfAConfiguration) {
  const auto path = [](const std::string& line) { return parsed("show configuration" + line).words; };
  EXPECT_EQ(path("").size(), 0U);
  EXPECT_EQ(path(" services nat pool p1"), (std::vector<std::string>{"services", "nat", "pool", "p1"}));
  EXPECT_EQ(path(" groups left"), (std::vector<std::string>{"groups", "left"}));
  EXPECT_EQ(path(" serv state rule"), (std::vector<std::string>{"services", "stateful-firewall", "rule"}));
  EXPECT_EQ(path(" services service-set a | display set").size(), 3U);
  EXPECT_EQ(parsed("show configuration | display set | match nat").display, Display::set);
  EXPECT_THAT(refused("show configuration bogus"), HasSubstr("syntax error, expecting <command>."));
}

TEST(Grammar, ANameMayStandAmongOptions) {
  for (const char* line :
       {"show services nat pool p1 detail service-set a", "show services nat pool detail p1 service-set a",
        "show services nat pool service-set a detail p1"}) {
    const auto c = parsed(line);
    EXPECT_EQ(c.name, "p1") << line;
    EXPECT_EQ(c.level, Level::detail) << line;
    EXPECT_EQ(c.service_set, "a") << line;
  }
  EXPECT_FALSE(parsed("show services nat pool all").name) << "every pool";
  EXPECT_FALSE(parsed("show services nat pool det").name) << "a keyword comes first where names are not known";
  EXPECT_THAT(refused("show services nat pool p1 p2"), HasSubstr("syntax error, expecting <command>."));
  EXPECT_THAT(refused("show services nat pool -x"), HasSubstr("invalid value '-x' for name"));
}

TEST(Grammar, ExactNamesComeBeforeAbbreviatedKeywords) {
  Names names;
  names.nat_pools = {"det", "s", "detail", "p1"};
  names.nat_rules = {"r1"};
  const auto name_in = [&](const std::string& line) {
    const auto command = parse_command(line, &names);
    EXPECT_TRUE(command) << line;
    return command ? command->name.value_or("-") : "";
  };
  EXPECT_EQ(name_in("show services nat pool det"), "det");
  EXPECT_EQ(name_in("show services nat pool s"), "s") << "not service-set";
  EXPECT_EQ(name_in("show services nat pool deta"), "-") << "no name: the keyword";
  EXPECT_EQ(name_in("show services nat pool detail"), "-") << "a whole keyword is one";
  EXPECT_EQ(name_in("show services nat pool detail detail"), "detail") << "and only once";
  EXPECT_EQ(name_in("show services nat pool det service-set s"), "det");
  EXPECT_EQ(name_in("show services nat mappings detail det"), "det");
  EXPECT_EQ(name_in("show services nat source rule r1"), "r1");
  EXPECT_EQ(name_in("show services nat source rule all"), "-");
  EXPECT_FALSE(parse_command("show services nat pool r1", &names));
  EXPECT_FALSE(parse_command("show services nat source rule p1", &names));
}

TEST(Grammar, AddressesOfNat) {
  auto c = parsed("show services nat mappings endpoint-independent private 192.0.2.0/24 public 203.0.113.1");
  EXPECT_EQ(c.private_prefix->to_string(), "192.0.2.0/24");
  EXPECT_EQ(c.public_prefix->to_string(), "203.0.113.1/32");
  c = parsed("show services nat deterministic-nat nat-port-block 203.0.113.1 port 1024 service-set a");
  EXPECT_EQ(c.translated->to_string(), "203.0.113.1");
  EXPECT_EQ(c.port, 1024);
  c = parsed("clear services nat mappings eim subscriber 2001:db8::1 port 53");
  EXPECT_EQ(c.private_prefix->to_string(), "2001:db8::1/128");
  EXPECT_EQ(c.port, 53);
  EXPECT_THAT(refused("show services nat deterministic-nat internal-host 192.0.2.999"),
              HasSubstr("invalid ip address '192.0.2.999'"));
  EXPECT_THAT(refused("show services nat deterministic-nat internal-host"), HasSubstr("syntax error"));
  EXPECT_THAT(refused("show services nat"), HasSubstr("syntax error, expecting <command>."));
  EXPECT_THAT(refused("clear services nat mappings eim subscriber 192.0.2.0/24"), HasSubstr("invalid ip address"));
}

TEST(Grammar, InterfacesHaveOneNameAndOneLevel) {
  const auto c = parsed("show interfaces statistics vms-1/0/0.7");
  EXPECT_EQ(c.level, Level::statistics);
  EXPECT_EQ(c.interface->card, "vms-1/0/0");
  EXPECT_EQ(c.interface->unit, 7U);
  EXPECT_THAT(refused("show interfaces terse statistics"), HasSubstr("syntax error"));
  EXPECT_THAT(refused("show interfaces ms-0/0/0 ms-1/0/0"), HasSubstr("syntax error"));
  EXPECT_THAT(refused("show services ha statistics brief"), HasSubstr("syntax error"));
  EXPECT_TRUE(parsed("clear services nat flows").nat);
}

TEST(Grammar, FiltersOfTranslation) {
  const auto c = parsed("show services sessions nat source-nat-pool p nat-port-overload-index 127");
  EXPECT_TRUE(c.nat);
  EXPECT_EQ(c.source_nat_pool, "p");
  EXPECT_EQ(c.overload_index, 127);
  EXPECT_THAT(refused("show services sessions nat-port-overload-index 128"),
              HasSubstr("number: 128: Value must be a number from 0 to 127 at 128"));
  EXPECT_EQ(parsed("clear services sessions nat source-nat-pool p").source_nat_pool, "p");
  EXPECT_THAT(refused("clear services flows nat"), HasSubstr("syntax error"));
  EXPECT_THAT(refused("show services sessions protocol tcp analysis"), HasSubstr("syntax error"))
      << "a command of its own, not an option";
  EXPECT_THAT(refused("show services sessions analysis protocol tcp"), HasSubstr("syntax error"));
}

TEST(Grammar, CaretStandsUnderTheOffendingWord) {
  EXPECT_EQ(refused("show services sessions bogus"),
            "user@icr> show services sessions bogus\n"
            "                                 ^\n"
            "syntax error, expecting <command>.\n");
  EXPECT_EQ(refused("frobnicate"),
            "user@icr> frobnicate\n"
            "          ^\n"
            "unknown command.\n");
  EXPECT_EQ(refused("show services sessions source-port"),
            "user@icr> show services sessions source-port\n"
            "                                            ^\n"
            "syntax error, expecting <data>.\n");
  EXPECT_EQ(refused("show services nat deterministic-nat internal-host"),
            "user@icr> show services nat deterministic-nat internal-host\n"
            "                                                           ^\n"
            "syntax error, expecting <data>.\n");
  EXPECT_THAT(refused("show services nat deterministic-nat nat-port-block"),
              HasSubstr("\nsyntax error, expecting <data>.\n"));
  EXPECT_THAT(refused("request services redundancy-set"), HasSubstr("\nsyntax error, expecting <data>.\n"));
  EXPECT_THAT(refused("request services redundancy-set rs1"), HasSubstr("\nsyntax error, expecting <command>.\n"));
  EXPECT_THAT(refused("show services redundancy-group rg-id"), HasSubstr("\nsyntax error, expecting <data>.\n"));
  EXPECT_EQ(refused("show services"),
            "user@icr> show services\n"
            "                       ^\n"
            "syntax error, expecting <command>.\n");
  EXPECT_EQ(refused("show services sessions source-port 70000 count"),
            "user@icr> show services sessions source-port 70000 count\n"
            "                                             ^\n"
            "number: 70000: Value must be a number from 0 to 65535 at 70000\n");
}

TEST(Grammar, AmbiguousPrefixesListTheirCompletions) {
  EXPECT_EQ(refused("show services sessions source-p 5"),
            "user@icr> show services sessions source-p 5\n"
            "                                         ^\n"
            "'source-p' is ambiguous.\n"
            "Possible completions:\n"
            "  source-port          Source port to use as filter (0..65535)\n"
            "  source-prefix        Source address or prefix\n");
  EXPECT_THAT(refused("show services sessions s x"), HasSubstr("  service-set          "));
  EXPECT_THAT(refused("show services se"), HasSubstr("'se' is ambiguous.\nPossible completions:\n  service-sets "));
  EXPECT_THAT(refused("show services sessions protocol i"),
              HasSubstr("'i' is ambiguous.\nPossible completions:\n  icmp"));
}

TEST(Grammar, WrongValuesAreNamed) {
  const std::string sessions = "show services sessions ";
  EXPECT_THAT(refused(sessions + "source-prefix 192.0.2.999"), HasSubstr("\ninvalid ip address '192.0.2.999'\n"));
  EXPECT_THAT(refused(sessions + "source-prefix 192.0.2.0/33"),
              HasSubstr("\nprefix length 33 is larger than 32 in '192.0.2.0/33'\n"));
  EXPECT_THAT(refused(sessions + "destination-prefix 2001:db8::/129"),
              HasSubstr("\nprefix length 129 is larger than 128 in '2001:db8::/129'\n"));
  EXPECT_THAT(refused(sessions + "destination-prefix 2001:db8::/x"), HasSubstr("\ninvalid prefix length 'x'\n"));
  EXPECT_THAT(refused(sessions + "destination-prefix 192.0.2.0/"), HasSubstr("\ninvalid prefix length ''\n"));
  EXPECT_THAT(refused(sessions + "protocol 256"),
              HasSubstr("\nnumber: 256: Value must be a number from 0 to 255 at 256\n"));
  EXPECT_THAT(refused(sessions + "protocol nothing"), HasSubstr("\ninvalid value 'nothing' for protocol\n"));
  EXPECT_THAT(refused(sessions + "application-protocol quake"),
              HasSubstr("\ninvalid value 'quake' for application-protocol\n"));
  EXPECT_THAT(refused(sessions + "limit 0"),
              HasSubstr("\nnumber: 0: Value must be a number from 1 to 4294967295 at 0\n"));
  EXPECT_THAT(refused(sessions + "destination-port -1"), HasSubstr("\nInvalid numeric value: '-1'\n"));
  EXPECT_THAT(refused(sessions + "source-port abc"), HasSubstr("\nInvalid numeric value: 'abc'\n"));
  EXPECT_THAT(refused(sessions + "source-port 99999999999999999999"), HasSubstr("Value must be a number from 0 to"));
  EXPECT_THAT(refused(sessions + "source-prefix 198.18"), HasSubstr("\ninvalid ip address '198.18'\n"));
  EXPECT_THAT(refused(sessions + "source-prefix 198..1/16"), HasSubstr("\ninvalid ip address '198..1'\n"));
  EXPECT_THAT(refused(sessions + "source-prefix 198./16"), HasSubstr("\ninvalid ip address '198.'\n"));
  EXPECT_THAT(refused(sessions + "source-prefix 300.1/16"), HasSubstr("\ninvalid ip address '300.1'\n"));
  EXPECT_THAT(refused(sessions + "source-prefix /16"), HasSubstr("\ninvalid ip address ''\n"));
  EXPECT_THAT(refused(sessions + "interface 0/0/0"), HasSubstr("\ninvalid value '0/0/0' for interface\n"));
  EXPECT_THAT(refused(sessions + "interface ms-0/0/0.x"), HasSubstr("\ninvalid value 'ms-0/0/0.x' for interface\n"));
  EXPECT_THAT(refused(sessions + "service-set -a"), HasSubstr("\ninvalid value '-a' for service-set\n"));
}

TEST(Grammar, TheLargestSessionsByWhat) {
  auto c = parsed("show services sessions top 10 by packets protocol tcp extensive");
  EXPECT_EQ(c.verb, Verb::show_sessions);
  EXPECT_EQ(c.top, 10U);
  EXPECT_EQ(c.order, Order::packets);
  EXPECT_EQ(c.protocol, ip_protocol::tcp);
  EXPECT_EQ(c.level, Level::extensive);
  EXPECT_EQ(parsed("show services sessions nat top 1000").order, std::nullopt);
  EXPECT_EQ(parsed("show services sessions top 5 by b").order, Order::bytes);
  c = parsed("show services sessions limit 20 sort-by age");
  EXPECT_EQ(c.limit, 20U);
  EXPECT_EQ(c.order, Order::age);
  for (const char* rest : {"by bytes", "top 5 limit 5", "limit 5 top 5", "top 5 count", "count top 5", "top 5 top 6",
                           "top 5 sort-by age", "sort-by age top 5", "utilization top 5", "count sort-by age"}) {
    EXPECT_THAT(refused(std::string("show services sessions ") + rest), HasSubstr("syntax error, expecting <command>."))
        << rest;
  }
  EXPECT_THAT(refused("show services sessions top 0"),
              HasSubstr("\nnumber: 0: Value must be a number from 1 to 1000 at 0\n"));
  EXPECT_THAT(refused("show services sessions top 1001"), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(refused("show services sessions top 5 by size"),
              HasSubstr("\ninvalid value 'size': not packets, bytes, age or sessions\n"));
  EXPECT_THAT(refused("show services sessions top"), HasSubstr("syntax error, expecting <data>."));
}

TEST(Grammar, AMomentInThePast) {
  const auto moment = [](const std::string& text, WallMillis now) -> WallMillis {
    const auto command = parse_command("show services sessions as-of " + text);
    return command && command->as_of ? command->as_of->at(now) : -1;
  };
  constexpr WallMillis kNow = 1'700'000'000'000;  // 2023-11-14 22:13:20 UTC
  EXPECT_EQ(moment("2023-11-14.22:13:20", 0), kNow);
  EXPECT_EQ(moment("2023-11-14.22:13", 0), kNow - 20'000);
  EXPECT_EQ(moment("2023-11-14.22:13:20.25", 0), kNow + 250);
  EXPECT_EQ(moment("22:13:20", kNow), kNow);
  EXPECT_EQ(moment("22:13:21", kNow), kNow + 1000 - 86'400'000) << "it is not over yet, so it is yesterday's";
  EXPECT_EQ(moment("00:00", kNow), 1'699'920'000'000);
  EXPECT_EQ(moment("2024-02-29.00:00", 0), 1'709'164'800'000);
  for (const char* wrong : {"2023-02-29.00:00",
                            "2023-13-01.00:00",
                            "2023-00-01.00:00",
                            "1969-12-31.23:59",
                            "24:00",
                            "12:60",
                            "12:00:60",
                            "12",
                            "12:0",
                            "12:00:",
                            "12:00:00.",
                            "12:00:00.1234",
                            "12:00:00Z",
                            "2023-11-14",
                            "2023-11-14 22:13",
                            "2023-11-14.",
                            "2023-1-14.22:13",
                            "now",
                            "-5",
                            "١٢:٠٠"}) {
    EXPECT_FALSE(parse_command(std::string("show services sessions as-of ") + wrong)) << wrong;
  }
  for (const char* words : {"count", "top 5", "sort-by bytes limit 5", "group-by service-set", "utilization"}) {
    EXPECT_FALSE(parse_command(std::string("show services sessions as-of 12:00 ") + words)) << words;
    EXPECT_FALSE(parse_command(std::string("show services sessions ") + words + " as-of 12:00")) << words;
  }
  EXPECT_FALSE(parse_command("clear services sessions as-of 12:00"));
}

TEST(Grammar, SessionsAreGrouped) {
  auto c = parsed("show services sessions protocol tcp group-by source-prefix/24 top 5 by bytes");
  EXPECT_EQ(c.verb, Verb::show_session_groups);
  EXPECT_EQ(c.group_by->what, GroupBy::What::source_prefix);
  EXPECT_EQ(c.group_by->length, 24);
  EXPECT_EQ(c.group_by->word, "source-prefix/24");
  EXPECT_EQ(c.top, 5U);
  EXPECT_EQ(c.order, Order::bytes);
  EXPECT_EQ(parsed("show services sessions group-by source").group_by->length, 128);
  EXPECT_EQ(parsed("show services sessions group-by ch sort-by sessions").group_by->what, GroupBy::What::chassis);
  EXPECT_EQ(parsed("show services sessions group-by service-set").group_by->what, GroupBy::What::service_set);
  EXPECT_EQ(parsed("show services sessions group-by nat").group_by->what, GroupBy::What::nat_pool);
  EXPECT_EQ(parsed("show services sessions group-by a").group_by->what, GroupBy::What::application_protocol);
  EXPECT_THAT(refused("show services sessions group-by source-prefix/129"),
              HasSubstr("\ninvalid prefix length '129'\n"));
  EXPECT_THAT(refused("show services sessions group-by source-prefix/"), HasSubstr("\ninvalid prefix length ''\n"));
  EXPECT_THAT(refused("show services sessions group-by pool"), HasSubstr("\ninvalid value 'pool' for group-by\n"));
  for (const char* rest : {"group-by chassis count", "count group-by chassis", "extensive group-by chassis",
                           "group-by chassis brief", "group-by chassis limit 5", "limit 5 group-by chassis"}) {
    EXPECT_THAT(refused(std::string("show services sessions ") + rest), HasSubstr("syntax error, expecting <command>."))
        << rest;
  }
}

TEST(Grammar, WordsThatDoNotGoTogetherAreRefused) {
  for (const char* rest : {"brief extensive", "terse brief", "utilization protocol tcp", "protocol tcp utilization",
                           "count utilization", "protocol tcp protocol udp", "count count"}) {
    EXPECT_THAT(refused(std::string("show services sessions ") + rest), HasSubstr("syntax error, expecting <command>."))
        << rest;
  }
  EXPECT_THAT(refused("clear services sessions limit 5"), HasSubstr("syntax error"));
  EXPECT_THAT(refused("request services redundancy-set rs1"), HasSubstr("syntax error"));
  EXPECT_THAT(refused("request services redundancy-set rs1 switchover now"), HasSubstr("syntax error"));
  EXPECT_THAT(refused(""), HasSubstr("syntax error"));
}

}  // namespace
}  // namespace icr::cli
