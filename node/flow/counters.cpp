#include "node/flow/counters.h"

#include <iterator>
#include <numeric>

namespace icr::node {
namespace {

/// A counter's name for the card, and where it is for a service set.
struct Row {
  std::string_view name;
  StatisticsGroup group = StatisticsGroup::packet_drops;
  std::string_view leaf;
};

constexpr auto kTcp = StatisticsGroup::tcp;
constexpr auto kPacket = StatisticsGroup::packet_drops;
constexpr auto kIntegrity = StatisticsGroup::integrity_drops;
constexpr auto kScreen = StatisticsGroup::screen_drops;
constexpr auto kFirewall = StatisticsGroup::stateful_firewall;
constexpr auto kNat = StatisticsGroup::nat;

// Leaves are Junos' where it has one: names of `show services stateful-firewall statistics`, `show services
// service-sets statistics tcp` and `packet-drops` in their XML form.
constexpr std::array<Row, kHeaderErrorCount> kHeaderErrors = {{
    {"no-error", kIntegrity, "ip-error-counters/unknown"},
    {"ip-version-errors", kIntegrity, "ip-error-counters/non-ip"},
    {"ip-header-length-errors", kIntegrity, "ip-error-counters/ip-header-length-error"},
    {"ip-total-length-errors", kIntegrity, "ip-error-counters/ip-length-error"},
    {"ip-checksum-errors", kIntegrity, "ip-error-counters/bad-checksum"},
    {"ip-bad-source", kIntegrity, "ip-error-counters/illegal-source-address"},
    {"ip-bad-destination", kIntegrity, "ip-error-counters/illegal-destination-address"},
    {"ip-land-attack", kIntegrity, "ip-error-counters/land-attack"},
    {"ip-ttl-zero", kIntegrity, "ip-error-counters/ttl-zero"},
    {"ip-illegal-protocol", kIntegrity, "ip-error-counters/illegal-ip-protocol"},
    {"ip-multicast", kIntegrity, "ip-error-counters/multicast-destination"},
    {"ip-extension-header-errors", kIntegrity, "ip-error-counters/extension-header-error"},
    {"fragment-tiny", kIntegrity, "ip-error-counters/tiny-fragment"},
    {"fragment-bad-length", kIntegrity, "ip-error-counters/illegal-fragment-length"},
    {"fragment-ping-of-death", kIntegrity, "ip-error-counters/long-packet"},
    {"tcp-header-length-errors", kIntegrity, "tcp-error-counters/tcp-header-length-error"},
    {"udp-header-length-errors", kIntegrity, "udp-error-counters/udp-header-length-error"},
    {"icmp-header-length-errors", kIntegrity, "icmp-error-counters/icmp-header-length-error"},
    {"udp-length-errors", kIntegrity, "udp-error-counters/udp-length-error"},
    {"tcp-no-flag", kIntegrity, "tcp-error-counters/tcp-no-flag"},
    {"tcp-syn-fin", kIntegrity, "tcp-error-counters/tcp-syn-fin"},
    {"tcp-fin-no-ack", kIntegrity, "tcp-error-counters/tcp-fin-no-ack"},
    {"tcp-port-zero", kIntegrity, "tcp-error-counters/tcp-port-zero"},
    {"udp-port-zero", kIntegrity, "udp-error-counters/udp-port-zero"},
}};

constexpr std::array<Row, kDropCount> kDrops = {{
    {"unknown-interface", kPacket, "unknown-interface"},
    {"not-master", kPacket, "not-master"},
    {"relay-no-master", kPacket, "relay-no-master"},
    {"relay-queue-full", kPacket, "relay-queue-full"},
    {"relay-not-master", kPacket, "relay-not-master"},
    {"handing-over", kPacket, "handing-over"},
    {"overload-new-session", kPacket, "overload-new-session"},
    {"standby-new-session", kPacket, "standby-new-session"},
    {"output-commit-buffer-full", kPacket, "output-commit-buffer-full"},
    {"output-commit-no-peer", kPacket, "output-commit-no-peer"},
    {"output-commit-not-master", kPacket, "output-commit-not-master"},
    {"wrong-interface", kPacket, "wrong-interface"},
    {"ip-source-route", kPacket, "ip-source-route"},
    {"firewall-discards", kFirewall, "new-flow-counters/new-flow-discards"},
    {"firewall-rejects", kFirewall, "new-flow-counters/new-flow-rejects"},
    {"tcp-non-syn-discard", kTcp, "tcp-open-close-counters/tcp-non-syn-discard"},
    {"tcp-invalid-rst-in-listen", kTcp, "tcp-sequence-error-counters/tcp-invalid-rst-in-listen"},
    {"tcp-invalid-seq-win-check", kTcp, "tcp-sequence-error-counters/tcp-invalid-seq-win-check"},
    {"tcp-invalid-xmit-syn", kTcp, "tcp-sequence-error-counters/tcp-invalid-xmit-syn"},
    {"tcp-invalid-ack-win-check", kTcp, "tcp-sequence-error-counters/tcp-invalid-ack-win-check"},
    {"tcp-invalid-syn-ack", kTcp, "tcp-sequence-error-counters/tcp-invalid-syn-ack"},
    {"tcp-invalid-rst", kTcp, "tcp-sequence-error-counters/tcp-invalid-rst"},
    {"tcp-invalid-rst-in-syn-sent", kTcp, "tcp-sequence-error-counters/tcp-invalid-rst-in-syn-sent"},
    {"tcp-invalid-rst-in-syn-recv", kTcp, "tcp-sequence-error-counters/tcp-invalid-rst-in-syn-recv"},
    {"tcp-invalid-flags-handshake", kTcp, "tcp-sequence-error-counters/tcp-invalid-flags-handshake"},
    {"tcp-checksum-errors", kIntegrity, "tcp-error-counters/tcp-checksum-error"},
    {"udp-checksum-errors", kIntegrity, "udp-error-counters/udp-checksum-error"},
    {"nat-out-of-ports", kNat, "out-of-port-error"},
    {"nat-out-of-addresses", kNat, "out-of-addr-error"},
    {"nat-parity-port-errors", kNat, "parity-port-error"},
    {"nat-preserve-range-errors", kNat, "preserve-range-error"},
    {"nat-app-port-errors", kNat, "app-out-of-port-error"},
    {"nat-port-limit-errors", kNat, "app-exceed-port-limit-error"},
    {"nat-out-of-blocks", kNat, "out-of-block-error"},
    {"nat-block-limit-errors", kNat, "block-exceed-limit-error"},
    {"subscriber-session-limit-drops", kFirewall, "drop_counters/subs-flow-limit-exceeded"},
    {"nat-memory-errors", kNat, "mem-alloc-error"},
    {"nat-untranslatable", kNat, "untranslatable"},
    {"nat-eif-filtered", kNat, "eif-filtered"},
    {"nat-eif-flow-limit-drops", kNat, "eif-flow-limit-exceed-drops"},
    {"nat-conflict", kNat, "conflict"},
    {"nat-no-session", kNat, "no-session"},
    {"nat64-hop-limit-exceeded", kNat, "nat64-hop-limit-exceeded"},
    {"nat64-packet-too-big", kNat, "nat64-packet-too-big"},
    {"nat64-source-route", kNat, "nat64-source-route"},
    {"nat64-udp-checksum-zero", kNat, "nat64-udp-checksum-zero"},
    {"nat64-icmp-fragment", kNat, "nat64-icmp-fragment"},
    {"nat64-icmp-no-equivalent", kNat, "nat64-icmp-no-equivalent"},
    {"nat64-protocol", kNat, "nat64-protocol"},
    {"nat64-too-long", kNat, "nat64-too-long"},
    {"session-limit-drops", kPacket, "flowlimit-drops"},
    {"max-flows-drops", kPacket, "flowlimit-drops"},
    {"session-setup-rate-drops", kPacket, "session-setup-rate-drops"},
    {"no-session-id", kPacket, "memlimit-drops"},
    {"flow-index-full", kPacket, "memlimit-drops"},
    {"icmp-error-no-session", kPacket, "icmp-error-no-session"},
    {"icmp-error-malformed", kIntegrity, "icmp-error-counters/icmp-error-length-error"},
    {"icmp-error-quoted-checksum", kIntegrity, "icmp-error-counters/icmp-error-quoted-checksum"},
    {"icmp-checksum-errors", kIntegrity, "icmp-error-counters/icmp-checksum-error"},
    {"icmp-no-session", kPacket, "icmp-no-session"},
    {"icmp-echo-direction", kPacket, "icmp-echo-direction"},
    {"fragment-overlap", kIntegrity, "ip-error-counters/fragment-overlap"},
    {"fragment-duplicate", kIntegrity, "ip-error-counters/fragment-duplicate"},
    {"fragment-limit", kIntegrity, "ip-error-counters/fragment-limit-exceeded"},
    {"fragment-table-full", kPacket, "fragment-table-full"},
    {"fragment-timeout", kIntegrity, "ip-error-counters/fragment-reassembly-timeout"},
    {"fragment-refused", kPacket, "fragment-refused"},
    {"screen-icmp-flood", kScreen, "icmp-flood"},
    {"screen-udp-flood", kScreen, "udp-flood"},
    {"screen-tcp-syn-flood", kScreen, "tcp-syn-flood"},
    {"screen-tcp-syn-flood-source", kScreen, "tcp-syn-flood-source"},
    {"screen-tcp-syn-flood-destination", kScreen, "tcp-syn-flood-destination"},
    {"screen-source-session-limit", kScreen, "source-session-limit"},
    {"screen-destination-session-limit", kScreen, "destination-session-limit"},
    {"screen-tcp-winnuke", kScreen, "tcp-winnuke"},
    {"screen-tcp-land-attack", kScreen, "tcp-land-attack"},
    {"screen-tcp-no-flag", kScreen, "tcp-no-flag"},
    {"screen-tcp-syn-fin", kScreen, "tcp-syn-fin"},
    {"screen-tcp-fin-no-ack", kScreen, "tcp-fin-no-ack"},
    {"screen-tcp-syn-fragment", kScreen, "tcp-syn-fragment"},
    {"screen-icmp-fragment", kScreen, "icmp-fragment"},
    {"screen-icmp-large-packet", kScreen, "icmp-large-packet"},
    {"screen-icmp-ping-of-death", kScreen, "icmp-ping-of-death"},
    {"screen-ip-tear-drop", kScreen, "ip-tear-drop"},
    {"screen-ip-source-route-option", kScreen, "ip-source-route-option"},
    {"screen-ip-bad-options", kScreen, "ip-bad-options"},
    {"screen-ip-unknown-protocol", kScreen, "ip-unknown-protocol"},
    {"screen-ip-block-fragment", kScreen, "ip-block-fragment"},
}};

template <std::size_t N>
constexpr bool complete(const std::array<Row, N>& rows) {
  for (std::size_t i = 0; i < N; ++i) {
    if (rows[i].name.empty() || rows[i].leaf.empty()) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (rows[i].name == rows[j].name) return false;
    }
  }
  return true;
}
static_assert(complete(kHeaderErrors) && complete(kDrops), "a counter without a name, or with another one's");

constexpr std::array<std::string_view, 4> kErrorContainers = {"ip", "tcp", "udp", "icmp"};
constexpr std::string_view kErrorCounters = "-error-counters/";

template <std::size_t N>
constexpr bool contained(const std::array<Row, N>& rows) {
  for (const Row& row : rows) {
    bool found = row.group != kIntegrity;
    for (const std::string_view protocol : kErrorContainers) {
      found = found || (row.leaf.substr(0, protocol.size()) == protocol &&
                        row.leaf.substr(protocol.size(), kErrorCounters.size()) == kErrorCounters);
    }
    if (!found) return false;
  }
  return true;
}
static_assert(contained(kHeaderErrors) && contained(kDrops), "an integrity drop that no protocol's container shows");

/// Returns the container of a leaf with its slash: "new-flow-counters/", or "" for a leaf without a container.
std::string_view container_of(std::string_view leaf) { return leaf.substr(0, leaf.rfind('/') + 1); }

/// Adds to the leaf of that name. A new leaf is placed after the others of its container.
void add(CounterList& list, std::string_view leaf, std::uint64_t value) {
  auto after = list.end();
  for (auto each = list.begin(); each != list.end(); ++each) {
    if (each->name == leaf) {
      each->value += value;
      return;
    }
    if (container_of(each->name) == container_of(leaf)) after = std::next(each);
  }
  list.insert(after, {std::string(leaf), value});
}

bool begins_with(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

}  // namespace

std::string_view to_string(HeaderError error) { return kHeaderErrors[static_cast<std::size_t>(error)].name; }
std::string_view to_string(Drop reason) { return kDrops[static_cast<std::size_t>(reason)].name; }

CounterPlace place_of(HeaderError error) {
  const Row& row = kHeaderErrors[static_cast<std::size_t>(error)];
  return {row.group, row.leaf};
}
CounterPlace place_of(Drop reason) {
  const Row& row = kDrops[static_cast<std::size_t>(reason)];
  return {row.group, row.leaf};
}

std::uint64_t DropCounters::dropped() const {
  return std::accumulate(header_errors.begin(), header_errors.end(), std::uint64_t{0}) +
         std::accumulate(drops.begin(), drops.end(), std::uint64_t{0});
}

void EngineCounters::append_to(CounterList& out) const {
  out.push_back({"packets-in", packets_in});
  out.push_back({"bytes-in", bytes_in});
  out.push_back({"packets-out", packets_out});
  out.push_back({"sessions-created", sessions_created});
  out.push_back({"sessions-reused", sessions_reused});
  out.push_back({"forwarded-in-grace", forwarded_in_grace});
  out.push_back({"packets-relayed", relayed});
  out.push_back({"packets-relayed-here", relayed_here});
  out.push_back({"self-tests-forwarded", self_tests_forwarded});
  out.push_back({"icmp-errors-translated", icmp_errors_translated});
  out.push_back({"rejects-sent", rejects_sent});
  out.push_back({"icmp-errors-sent", errors_sent});
  out.push_back({"rejects-suppressed", rejects_suppressed});
  out.push_back({"fragments-held", fragments_held});
  out.push_back({"fragments-made", fragments_made});
  out.push_back({"output-commit-waits", waits_for_peer});
  out.push_back({"output-commit-late", left_late});
  out.push_back({"output-commit-alone", left_alone});
  for (std::size_t i = 1; i < header_errors.size(); ++i) {
    out.push_back({std::string(kHeaderErrors[i].name), header_errors[i]});
  }
  for (std::size_t i = 0; i < drops.size(); ++i) out.push_back({std::string(kDrops[i].name), drops[i]});
}

void ServiceSetCounters::append_to(ServiceSetStatus& out) const {
  CounterList& tcp = out.group(StatisticsGroup::tcp);
  add(tcp, "tcp-open-close-counters/tcp-first-pkt-not-syn", first_not_syn);
  add(tcp, "tcp-open-close-counters/tcp-first-pkt-rst", first_rst);
  add(tcp, "tcp-open-close-counters/tcp-first-pkt-fin", first_fin);
  CounterList& mss = out.group(StatisticsGroup::tcp_mss);
  add(mss, "tcp-mss-syn-received", mss_syns);
  add(mss, "tcp-mss-syn-modified", mss_lowered);
  CounterList& nat = out.group(StatisticsGroup::nat);
  // Sums, under the names of Junos, of refusals that follow one by one.
  std::uint64_t nat_drops = 0;
  for (std::size_t i = 0; i < kDrops.size(); ++i) {
    if (kDrops[i].group == kNat) nat_drops += drops[i];
  }
  add(nat, "nat-total-pkts-discarded", nat_drops);
  add(nat, "nat-map-allocation-failures",
      of(Drop::out_of_ports) + of(Drop::out_of_addresses) + of(Drop::nat_parity) + of(Drop::nat_range) +
          of(Drop::nat_paired_out_of_ports) + of(Drop::nat_port_limit) + of(Drop::nat_out_of_blocks) +
          of(Drop::nat_block_limit) + of(Drop::nat_no_memory));
  add(nat, "nat64-packets-to-ipv4", nat64_to_v4);
  add(nat, "nat64-packets-to-ipv6", nat64_to_v6);
  add(nat, "nat64-fragments-made", fragments_made);
  add(nat, "nat64-icmp-errors-sent", errors_sent);
  add(nat, "icmp-errors-translated", icmp_errors);

  CounterList& firewall = out.group(StatisticsGroup::stateful_firewall);
  add(firewall, "total-flow-accepts", new_accepts + existing_accepts);
  add(firewall, "total-flow-discards", of(Drop::firewall_discard));
  add(firewall, "total-flow-rejects", of(Drop::firewall_reject));
  add(firewall, "total-drops", dropped());
  add(firewall, "new-flow-counters/new-flow-accepts", new_accepts);
  add(firewall, "new-flow-counters/rejects-answered", rejects_sent);
  add(firewall, "existing-flow-counters/existing-flow-accepts", existing_accepts);
  add(firewall, "existing-flow-counters/existing-flow-drops",
      of(Drop::wrong_interface) + of(Drop::tcp_bad_sequence) + of(Drop::tcp_bad_syn) + of(Drop::tcp_bad_ack) +
          of(Drop::tcp_bad_syn_ack) + of(Drop::tcp_bad_rst) + of(Drop::tcp_bad_rst_in_syn_sent) +
          of(Drop::tcp_bad_rst_in_syn_received) + of(Drop::tcp_bad_handshake) + of(Drop::icmp_echo_direction));
  add(firewall, "hairpinning-counters/slow-path-hairpinned-packets", hairpinned_new);
  add(firewall, "hairpinning-counters/fast-path-hairpinned-packets", hairpinned_existing);
  add(firewall, "drop_counters/ip-option",
      of(Drop::source_route) + of(Drop::screen_source_route) + of(Drop::screen_bad_option) +
          of(Drop::nat64_source_route));
  add(firewall, "drop_counters/syn-defense",
      of(Drop::screen_syn_flood) + of(Drop::screen_syn_flood_source) + of(Drop::screen_syn_flood_destination));
  add(firewall, "drop_counters/nat-ports-exhausted",
      of(Drop::out_of_ports) + of(Drop::out_of_addresses) + of(Drop::nat_paired_out_of_ports));

  for (std::size_t i = 1; i < kHeaderErrors.size(); ++i) {
    add(out.group(kHeaderErrors[i].group), kHeaderErrors[i].leaf, header_errors[i]);
  }
  for (std::size_t i = 0; i < kDrops.size(); ++i) add(out.group(kDrops[i].group), kDrops[i].leaf, drops[i]);

  // Errors by protocol: totals before their parts, in both commands that show them.
  // The tables above are in the order of reasons; here each protocol has one container.
  const CounterList parts = out.group(StatisticsGroup::integrity_drops);
  CounterList errors;
  CounterList by_protocol;
  for (const std::string_view protocol : kErrorContainers) {
    const std::string container = std::string(protocol) + std::string(kErrorCounters);
    std::uint64_t sum = 0;
    for (const NamedCounter& part : parts) {
      if (!begins_with(part.name, container)) continue;
      sum += part.value;
      by_protocol.push_back(part);
    }
    errors.push_back({"error-counters/" + std::string(protocol) + "-errors", sum});
  }
  errors.insert(errors.end(), by_protocol.begin(), by_protocol.end());
  firewall.insert(firewall.end(), errors.begin(), errors.end());
  out.group(StatisticsGroup::integrity_drops) = std::move(errors);
}

}  // namespace icr::node
