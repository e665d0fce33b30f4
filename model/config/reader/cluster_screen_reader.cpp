// Screens: services screen ids-option.
#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

/// `flood: { threshold: N }`
void read_flood(const std::optional<YamlField>& field, std::string_view section, const Key& threshold,
                std::uint32_t& out) {
  if (field) Section(*field, section).number(threshold, out);
}

void read_tcp(const YamlField& field, Screen& out) {
  constexpr std::string_view kTcp = "screens[].tcp";
  constexpr std::string_view kFlood = "screens[].tcp.syn-flood";
  const Section map(field, kTcp);
  if (const auto f = map.get(key(kTcp, "syn-flood"))) {
    const Section flood(*f, kFlood);
    Screen::SynFlood syn;
    flood.number(key(kFlood, "attack-threshold"), syn.attack_threshold);
    flood.number(key(kFlood, "source-threshold"), syn.source_threshold);
    flood.number(key(kFlood, "destination-threshold"), syn.destination_threshold);
    flood.number(key(kFlood, "timeout"), syn.timeout_s);
    out.syn_flood = syn;
  }
  map.yes_no(key(kTcp, "land"), out.tcp_land);
  map.yes_no(key(kTcp, "winnuke"), out.tcp_winnuke);
  map.yes_no(key(kTcp, "syn-frag"), out.tcp_syn_frag);
  map.yes_no(key(kTcp, "syn-fin"), out.tcp_syn_fin);
  map.yes_no(key(kTcp, "tcp-no-flag"), out.tcp_no_flag);
  map.yes_no(key(kTcp, "fin-no-ack"), out.tcp_fin_no_ack);
}

void read_icmp(const YamlField& field, Screen& out) {
  constexpr std::string_view kIcmp = "screens[].icmp";
  constexpr std::string_view kFlood = "screens[].icmp.flood";
  const Section map(field, kIcmp);
  read_flood(map.get(key(kIcmp, "flood")), kFlood, key(kFlood, "threshold"), out.icmp_flood_threshold);
  map.yes_no(key(kIcmp, "fragment"), out.icmp_fragment);
  map.yes_no(key(kIcmp, "large"), out.icmp_large);
  map.yes_no(key(kIcmp, "ping-death"), out.icmp_ping_death);
}

void read_udp(const YamlField& field, Screen& out) {
  constexpr std::string_view kUdp = "screens[].udp";
  constexpr std::string_view kFlood = "screens[].udp.flood";
  const Section map(field, kUdp);
  read_flood(map.get(key(kUdp, "flood")), kFlood, key(kFlood, "threshold"), out.udp_flood_threshold);
}

void read_ip(const YamlField& field, Screen& out) {
  constexpr std::string_view kIp = "screens[].ip";
  const Section map(field, kIp);
  map.yes_no(key(kIp, "bad-option"), out.ip_bad_option);
  map.yes_no(key(kIp, "source-route-option"), out.ip_source_route_option);
  map.yes_no(key(kIp, "block-frag"), out.ip_block_frag);
  map.yes_no(key(kIp, "tear-drop"), out.ip_tear_drop);
  map.yes_no(key(kIp, "unknown-protocol"), out.ip_unknown_protocol);
}

void read_screen(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "screens[]";
  constexpr std::string_view kLimits = "screens[].limit-session";
  const Section map(field, kSection);
  Screen out;
  out.name = draft.screens.define(map);
  if (const auto f = map.get(key(kSection, "limit-session"))) {
    const Section limits(*f, kLimits);
    limits.number(key(kLimits, "source-ip-based"), out.sessions_per_source);
    limits.number(key(kLimits, "destination-ip-based"), out.sessions_per_destination);
  }
  if (const auto f = map.get(key(kSection, "tcp"))) read_tcp(*f, out);
  if (const auto f = map.get(key(kSection, "icmp"))) read_icmp(*f, out);
  if (const auto f = map.get(key(kSection, "udp"))) read_udp(*f, out);
  if (const auto f = map.get(key(kSection, "ip"))) read_ip(*f, out);
  draft.cluster.screens.push_back(std::move(out));
}

}  // namespace

void read_screens(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(0)) read_screen(item, draft);
}

}  // namespace icr::cluster_draft
