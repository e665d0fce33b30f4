// Screens: services screen ids-option.
#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

constexpr std::uint32_t kMostSessions = kMaxSlots;
constexpr std::uint32_t kMostRate = 1'000'000;

void read_number(const YamlMap& map, std::string_view key, std::uint32_t low, std::uint32_t high, std::uint32_t& out) {
  const auto field = map.get(key);
  const auto number = field ? field->number(low, high) : std::nullopt;
  if (number) out = static_cast<std::uint32_t>(*number);
}

void read_switch(const YamlMap& map, std::string_view key, bool& out) {
  if (const auto field = map.get(key)) out = field->yes_no().value_or(false);
}

/// `flood: { threshold: N }`
void read_flood(const YamlMap& map, std::uint32_t& out) {
  const auto field = map.get("flood");
  if (!field) return;
  const YamlMap flood(*field, {"threshold"});
  if (flood.require("threshold", "packets per second to one address"))
    read_number(flood, "threshold", 1, kMostRate, out);
}

void read_tcp(const YamlField& field, Screen& out) {
  const YamlMap map(field, {"syn-flood", "land", "winnuke", "syn-frag", "syn-fin", "tcp-no-flag", "fin-no-ack"});
  if (const auto f = map.get("syn-flood")) {
    const YamlMap flood(*f, {"attack-threshold", "source-threshold", "destination-threshold", "timeout"});
    Screen::SynFlood syn;
    read_number(flood, "attack-threshold", 1, kMostRate, syn.attack_threshold);
    read_number(flood, "source-threshold", 1, kMostRate, syn.source_threshold);
    read_number(flood, "destination-threshold", 1, kMostRate, syn.destination_threshold);
    read_number(flood, "timeout", 1, 50, syn.timeout_s);
    out.syn_flood = syn;
  }
  read_switch(map, "land", out.tcp_land);
  read_switch(map, "winnuke", out.tcp_winnuke);
  read_switch(map, "syn-frag", out.tcp_syn_frag);
  read_switch(map, "syn-fin", out.tcp_syn_fin);
  read_switch(map, "tcp-no-flag", out.tcp_no_flag);
  read_switch(map, "fin-no-ack", out.tcp_fin_no_ack);
}

void read_icmp(const YamlField& field, Screen& out) {
  const YamlMap map(field, {"flood", "fragment", "large", "ping-death"});
  read_flood(map, out.icmp_flood_threshold);
  read_switch(map, "fragment", out.icmp_fragment);
  read_switch(map, "large", out.icmp_large);
  read_switch(map, "ping-death", out.icmp_ping_death);
}

void read_ip(const YamlField& field, Screen& out) {
  const YamlMap map(field, {"bad-option", "source-route-option", "block-frag", "tear-drop", "unknown-protocol"});
  read_switch(map, "bad-option", out.ip_bad_option);
  read_switch(map, "source-route-option", out.ip_source_route_option);
  read_switch(map, "block-frag", out.ip_block_frag);
  read_switch(map, "tear-drop", out.ip_tear_drop);
  read_switch(map, "unknown-protocol", out.ip_unknown_protocol);
}

void read_screen(const YamlField& field, Draft& draft) {
  const YamlMap map(field, {"name", "limit-session", "tcp", "icmp", "udp", "ip"});
  Screen out;
  out.name = draft.screens.define(map);
  if (const auto f = map.get("limit-session")) {
    const YamlMap limits(*f, {"source-ip-based", "destination-ip-based"});
    read_number(limits, "source-ip-based", 1, kMostSessions, out.sessions_per_source);
    read_number(limits, "destination-ip-based", 1, kMostSessions, out.sessions_per_destination);
  }
  if (const auto f = map.get("tcp")) read_tcp(*f, out);
  if (const auto f = map.get("icmp")) read_icmp(*f, out);
  if (const auto f = map.get("udp")) read_flood(YamlMap(*f, {"flood"}), out.udp_flood_threshold);
  if (const auto f = map.get("ip")) read_ip(*f, out);
  draft.cluster.screens.push_back(std::move(out));
}

}  // namespace

void read_screens(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(0)) read_screen(item, draft);
}

}  // namespace icr::cluster_draft
