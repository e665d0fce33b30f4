// Screens, answers to what is refused, and the counters of a service set.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

struct ScreenBed : Bed {
  explicit ScreenBed(const std::function<void(Screen&)>& set) {
    Screen screen;
    screen.name = "screen";
    set(screen);
    cluster.screens.push_back(screen);
    cluster.service_sets[0].screen = static_cast<std::uint16_t>(cluster.screens.size() - 1);
    make_engine();
  }
};

/// Passes (or is dropped for another reason) without the check, and is dropped for `reason` with it.
void expect_screened(const std::function<void(Screen&)>& check, const Bytes& packet, Drop reason) {
  ScreenBed without([](Screen&) {});
  (void)without.send(kInside, packet);
  EXPECT_EQ(without.drops(reason), 0U) << to_string(reason);
  ScreenBed with(check);
  with.expect_drop(kInside, packet, reason);
  EXPECT_EQ(with.engine->counters_of(0)->of(reason), 1U);
  with.expect_accounted();
}

TEST(EngineScreen, EveryCheckOfAPacket) {
  Spec options = udp(kClient, 1, kServer, 2);
  options.ip_options = {68, 9, 0, 0};  // longer than the header
  expect_screened([](Screen& s) { s.ip_bad_option = true; }, build(options), Drop::screen_bad_option);
  for (const std::uint8_t route : {std::uint8_t{131}, std::uint8_t{137}}) {
    options.ip_options = {route, 7, 4, 198, 51, 100, 9, 0};
    expect_screened([](Screen& s) { s.ip_source_route_option = true; }, build(options), Drop::screen_source_route);
  }
  Spec unknown = udp(kClient, 1, kServer, 2);
  unknown.protocol = 200;
  expect_screened([](Screen& s) { s.ip_unknown_protocol = true; }, build(unknown), Drop::screen_unknown_protocol);
  const auto pieces = fragments_of(build(udp(kClient, 1, kServer, 2, 100)), 64);
  for (const Bytes& piece : pieces) {
    expect_screened([](Screen& s) { s.ip_block_frag = true; }, piece, Drop::screen_block_fragment);
  }
  Spec ping = echo(kClient, kServer, 7);
  for (const Bytes& piece : fragments_of(build(ping), 24)) {
    expect_screened([](Screen& s) { s.icmp_fragment = true; }, piece, Drop::screen_icmp_fragment);
  }
  ping.payload.resize(1025 - 28);
  expect_screened([](Screen& s) { s.icmp_large = true; }, build(ping), Drop::screen_icmp_large);
  ping.payload.pop_back();
  ScreenBed large([](Screen& s) { s.icmp_large = true; });
  EXPECT_EQ(large.send(kInside, ping).size(), 1U);
  expect_screened([](Screen& s) { s.tcp_winnuke = true; }, build(tcp(kClient, 1, kServer, 139, kAck | 0x20, 1, 1)),
                  Drop::screen_winnuke);
  const auto syn = fragments_of(build(tcp(kClient, 1, kServer, 80, kSyn, 1, 0, 60)), 40);
  expect_screened([](Screen& s) { s.tcp_syn_frag = true; }, syn[0], Drop::screen_syn_fragment);
}

TEST(EngineScreen, ChecksThatAreAlwaysOnHaveTheScreensCounter) {
  expect_screened([](Screen& s) { s.tcp_land = true; }, build(tcp(kClient, 80, kClient, 80, kSyn, 1, 0)),
                  Drop::screen_land);
  expect_screened([](Screen& s) { s.tcp_no_flag = true; }, build(tcp(kClient, 1, kServer, 80, 0, 1, 0)),
                  Drop::screen_no_flag);
  expect_screened([](Screen& s) { s.tcp_syn_fin = true; }, build(tcp(kClient, 1, kServer, 80, kSyn | kFin, 1, 0)),
                  Drop::screen_syn_fin);
  expect_screened([](Screen& s) { s.tcp_fin_no_ack = true; }, build(tcp(kClient, 1, kServer, 80, kFin, 1, 0)),
                  Drop::screen_fin_no_ack);
  Bytes death = fragments_of(build(udp(kClient, 1, kServer, 2, 100)), 64)[1];
  death[6] = 0x1f;
  death[7] = 0xff;
  fix_ip_checksum(death);
  expect_screened([](Screen& s) { s.icmp_ping_death = true; }, death, Drop::screen_ping_of_death);

  ScreenBed tear([](Screen& s) { s.ip_tear_drop = true; });
  const auto pieces = fragments_of(build(udp(kClient, 1, kServer, 2, 100)), 64);
  EXPECT_EQ(tear.send(kInside, pieces[0]).size(), 1U);
  tear.expect_drop(kInside, fragments_of(build(udp(kClient, 1, kServer, 2, 100)), 32)[1], Drop::screen_tear_drop);
}

TEST(EngineScreen, OfTheServiceSetOnly) {
  Plan plan;
  plan.second_service_set = true;
  Bed bed(plan);
  bed.cluster.screens.push_back({});
  bed.cluster.screens.back().ip_block_frag = true;
  bed.cluster.service_sets[0].screen = static_cast<std::uint16_t>(bed.cluster.screens.size() - 1);
  bed.make_engine();
  const auto pieces = fragments_of(build(udp(kClient, 1, kServer, 2, 100)), 64);
  bed.expect_drop(kInside, pieces[0], Drop::screen_block_fragment);
  EXPECT_EQ(bed.send(3, pieces[0]).size(), 1U);
  EXPECT_EQ(bed.engine->counters_of(0)->dropped(), 1U);
  EXPECT_EQ(bed.engine->counters_of(1)->dropped(), 0U);
}

TEST(EngineAnswers, NonSynGetsAResetWhereConfigured) {
  Plan plan;
  plan.service_options = "tcp-non-syn: drop-flow-send-rst";
  Bed bed(plan);
  const auto sent = bed.send(kInside, tcp(kClient, 1, kServer, 80, kAck, 1000, 777, 10));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].unit, kInside);
  const Seen reset = look(sent[0].bytes);
  EXPECT_TRUE(reset.checksums);
  EXPECT_EQ(reset.source, kServer);
  EXPECT_EQ(reset.destination, kClient);
  EXPECT_EQ(reset.flags, kRst);
  EXPECT_EQ(reset.seq, 777U);
  // Never in answer to a RST.
  bed.expect_drop(kInside, tcp(kClient, 1, kServer, 80, kRst, 1000, 0), Drop::tcp_rst_in_listen);
  const ServiceSetCounters& set = *bed.engine->counters_of(0);
  EXPECT_EQ(set.of(Drop::tcp_non_syn), 1U);
  EXPECT_EQ(set.first_not_syn, 1U);
  EXPECT_EQ(set.first_rst, 1U);
  EXPECT_EQ(set.rejects_sent, 1U);
  bed.expect_accounted();
}

TEST(EngineAnswers, RejectsInBothFamilies) {
  Plan plan;
  plan.firewall_terms = "      - { name: all, then: reject }\n";
  const struct {
    const char *from, *to;
    std::uint8_t icmp, type, code;
  } kRows[] = {{kClient, kServer, 1, 3, 13}, {"2001:db8:18::1", "2001:db8:19::1", 58, 1, 1}};
  for (const auto& row : kRows) {
    Bed bed(plan);
    Seen seen = look(bed.send(kInside, udp(row.from, 1, row.to, 2, 30)).at(0).bytes);
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.protocol, row.icmp);
    EXPECT_EQ(seen.icmp_type, row.type);
    EXPECT_EQ(seen.icmp_code, row.code);
    EXPECT_EQ(seen.source, row.to);
    EXPECT_EQ(seen.payload, build(udp(row.from, 1, row.to, 2, 30)));
    Spec gre = udp(row.from, 0, row.to, 0, 30);
    gre.protocol = 47;
    EXPECT_EQ(look(bed.send(kInside, gre).at(0).bytes).icmp_type, row.type);
    seen = look(bed.send(kInside, tcp(row.from, 1, row.to, 2, kSyn, 99, 0)).at(0).bytes);
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.flags, kRst | kAck);
    EXPECT_EQ(seen.ack, 100U);
    EXPECT_EQ(bed.engine->counters_of(0)->rejects_sent, 3U);
    EXPECT_EQ(bed.drops(Drop::firewall_reject), 3U);
    bed.expect_accounted();
  }
}

TEST(EngineCounters, TcpRefusalsByState) {
  Bed bed;
  const Seen out = bed.pass(kInside, tcp(kClient, 1, kServer, 80, kSyn, 1000, 0));
  const auto back = [&](std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
    return tcp(kServer, 80, out.source, out.source_port, flags, seq, ack);
  };
  bed.expect_drop(kOutside, back(kRst | kAck, 0, 5), Drop::tcp_bad_rst_in_syn_sent);
  bed.expect_drop(kOutside, back(kSyn | kAck, 5000, 5), Drop::tcp_bad_syn_ack);
  (void)bed.pass(kOutside, back(kSyn | kAck, 5000, 1001));
  bed.expect_drop(kOutside, back(kRst, 5001 + 3000000, 0), Drop::tcp_bad_rst_in_syn_received);
  (void)bed.pass(kInside, tcp(kClient, 1, kServer, 80, kAck, 1001, 5001));
  bed.expect_drop(kOutside, back(kRst, 5001 + 3000000, 0), Drop::tcp_bad_rst);
  bed.expect_drop(kOutside, back(kSyn | kAck, 5001 + 3000000, 1001), Drop::tcp_bad_syn);
}

// Every reason to drop a packet is shown by a command, and the sums are right.
TEST(ServiceSetCounters, EveryDropIsInExactlyOnePlace) {
  const auto value_of = [](const ServiceSetStatus& status, StatisticsGroup group, std::string_view leaf) {
    for (const NamedCounter& c : status.group(group)) {
      if (c.name == leaf) return c.value;
    }
    ADD_FAILURE() << leaf << " is not shown";
    return std::uint64_t{0};
  };
  const auto check = [&](const ServiceSetCounters& counters, CounterPlace place, std::string_view name) {
    ServiceSetStatus status;
    counters.append_to(status);
    EXPECT_EQ(value_of(status, place.group, place.leaf), 1U) << name;
    EXPECT_EQ(value_of(status, StatisticsGroup::stateful_firewall, "total-drops"), 1U) << name;
    for (const CounterList& group : status.groups) {
      std::set<std::string> names;
      for (const NamedCounter& c : group) EXPECT_TRUE(names.insert(c.name).second) << c.name << " is there twice";
    }
  };
  for (std::size_t i = 0; i < kDropCount; ++i) {
    ServiceSetCounters counters;
    counters.drop(static_cast<Drop>(i));
    check(counters, place_of(static_cast<Drop>(i)), to_string(static_cast<Drop>(i)));
  }
  for (std::size_t i = 1; i < kHeaderErrorCount; ++i) {
    ServiceSetCounters counters;
    counters.drop(static_cast<HeaderError>(i));
    check(counters, place_of(static_cast<HeaderError>(i)), to_string(static_cast<HeaderError>(i)));
  }
}

TEST(ServiceSetCounters, ErrorsAreSummedByProtocol) {
  ServiceSetCounters counters;
  counters.drop(HeaderError::ip_checksum);
  counters.drop(Drop::fragment_overlap);
  counters.drop(HeaderError::tcp_no_flag);
  counters.drop(Drop::icmp_checksum);
  ServiceSetStatus status;
  counters.append_to(status);
  const CounterList& errors = status.group(StatisticsGroup::integrity_drops);
  ASSERT_GE(errors.size(), 4U);
  EXPECT_EQ(errors[0].name, "error-counters/ip-errors");
  EXPECT_EQ(errors[0].value, 2U);
  EXPECT_EQ(errors[1].value, 1U);
  EXPECT_EQ(errors[2].value, 0U);
  EXPECT_EQ(errors[3].value, 1U);
}

TEST(ServiceSetCounters, DropsOfNatAreSummed) {
  const auto sums = [](Drop reason) {
    ServiceSetCounters counters;
    counters.drop(reason, 3);
    ServiceSetStatus status;
    counters.append_to(status);
    const CounterList& nat = status.group(StatisticsGroup::nat);
    EXPECT_EQ(nat.at(0).name, "nat-total-pkts-discarded");
    EXPECT_EQ(nat.at(1).name, "nat-map-allocation-failures");
    return std::pair(nat.at(0).value, nat.at(1).value);
  };
  const std::set<Drop> refused = {Drop::out_of_ports,      Drop::out_of_addresses,        Drop::nat_parity,
                                  Drop::nat_range,         Drop::nat_paired_out_of_ports, Drop::nat_port_limit,
                                  Drop::nat_out_of_blocks, Drop::nat_block_limit,         Drop::nat_no_memory};
  for (std::size_t i = 0; i < kDropCount; ++i) {
    const auto reason = static_cast<Drop>(i);
    const bool of_nat = place_of(reason).group == StatisticsGroup::nat;
    EXPECT_EQ(sums(reason), std::pair(of_nat ? std::uint64_t{3} : 0, refused.count(reason) != 0 ? std::uint64_t{3} : 0))
        << to_string(reason);
  }
}

// Each container stands once, or its heading would be printed again.
TEST(ServiceSetCounters, ContainersAreWhole) {
  ServiceSetStatus status;
  ServiceSetCounters{}.append_to(status);
  for (const CounterList& group : status.groups) {
    std::vector<std::string> containers;
    for (const NamedCounter& c : group) {
      const auto slash = c.name.find('/');
      const std::string container = slash == std::string::npos ? "" : c.name.substr(0, slash);
      if (containers.empty() || containers.back() != container) containers.push_back(container);
    }
    const std::set<std::string> each(containers.begin(), containers.end());
    EXPECT_EQ(each.size(), containers.size()) << testing::PrintToString(containers);
    if (&group != &status.group(StatisticsGroup::integrity_drops)) continue;
    EXPECT_EQ(containers, (std::vector<std::string>{"error-counters", "ip-error-counters", "tcp-error-counters",
                                                    "udp-error-counters", "icmp-error-counters"}));
  }
}

TEST(ServiceSetCounters, EachServiceSetHasItsOwn) {
  Plan plan;
  plan.second_service_set = true;
  Bed bed(plan);
  (void)bed.pass(kInside, udp(kClient, 1, kServer, 2));
  (void)bed.send(3, udp("198.18.0.11", 1, kServer, 2));
  (void)bed.send(3, udp("198.18.0.11", 1, kServer, 2));
  Bytes broken = build(udp(kClient, 1, kServer, 2));
  broken[10] ^= 1;
  (void)bed.send(4, broken);
  (void)bed.send(77, broken);  // of no service set
  EXPECT_EQ(bed.engine->counters_of(0)->new_accepts, 1U);
  EXPECT_EQ(bed.engine->counters_of(0)->dropped(), 0U);
  EXPECT_EQ(bed.engine->counters_of(1)->new_accepts, 1U);
  EXPECT_EQ(bed.engine->counters_of(1)->existing_accepts, 1U);
  EXPECT_EQ(bed.engine->counters_of(1)->of(HeaderError::ip_checksum), 1U);
  EXPECT_EQ(bed.engine->counters().dropped(), 2U);
  EXPECT_EQ(bed.engine->counters_of(9), nullptr);
  const auto accepts = [&](std::uint16_t set) {
    ServiceSetStatus status;
    bed.engine->statistics(set, status);
    EXPECT_EQ(status.service_set, bed.cluster.service_sets[set].stable_id);
    return status.group(StatisticsGroup::stateful_firewall).at(0).value;
  };
  EXPECT_EQ(accepts(0), 1U);
  EXPECT_EQ(accepts(1), 2U);
  bed.engine->clear_statistics(1, StatisticsGroup::nat);
  EXPECT_EQ(accepts(1), 2U);
  bed.engine->clear_statistics(1, std::nullopt);
  EXPECT_EQ(accepts(0), 1U);
  EXPECT_EQ(accepts(1), 0U);
  (void)bed.send(3, udp("198.18.0.11", 1, kServer, 2));
  EXPECT_EQ(accepts(1), 1U);
  EXPECT_EQ(bed.engine->counters_of(1)->existing_accepts, 2U);
}

TEST(ServiceSetCounters, FragmentsThatTimeOutAreTheirUnits) {
  Plan plan;
  plan.second_service_set = true;
  Bed bed(plan);
  const auto pieces = fragments_of(build(udp(kClient, 1, kServer, 2, 200)), 64);
  EXPECT_TRUE(bed.send(kInside, pieces[1]).empty());
  EXPECT_TRUE(bed.send(3, pieces[1]).empty());
  EXPECT_TRUE(bed.send(3, pieces[2]).empty());
  bed.wait(10s);
  EXPECT_EQ(bed.engine->counters_of(0)->of(Drop::fragment_timeout), 1U);
  EXPECT_EQ(bed.engine->counters_of(1)->of(Drop::fragment_timeout), 2U);
  bed.expect_accounted();
}

}  // namespace
}  // namespace icr::node::test
