#include "node/services/screen.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace icr::node {
namespace {

constexpr std::uint16_t kNetbios = 139;
constexpr std::uint32_t kLargeIcmp = 1024;
// IANA's registry of protocol numbers: 147-252 are unassigned, 253 and 254 are for experiments.
constexpr std::uint8_t kFirstUnassigned = 147;
constexpr std::uint8_t kLastUnassigned = 252;

std::uint64_t hash_address(const IpAddress& address, std::uint64_t seed) {
  return detail::mix(detail::load64(address.bytes.data()) ^ seed,
                     detail::load64(address.bytes.data() + 8) ^ 0xa0761d6478bd642fULL);
}

template <class T>
std::unique_ptr<T> make_if(bool wanted, std::uint64_t seed, std::uint64_t salt) {
  return wanted ? std::make_unique<T>(detail::mix(seed ^ salt, 0xd6e8feb86659fd93ULL)) : nullptr;
}

}  // namespace

std::string_view to_string(ScreenDrop reason) {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(ScreenDrop::count)> kNames = {
      "tcp-syn-flood",
      "tcp-syn-flood-source",
      "tcp-syn-flood-destination",
      "icmp-flood",
      "udp-flood",
      "source-session-limit",
      "destination-session-limit",
      "subscriber-session-limit",
      "tcp-winnuke",
      "tcp-syn-fragment",
      "icmp-fragment",
      "icmp-large",
      "ip-bad-option",
      "ip-source-route-option",
      "ip-block-fragment",
      "ip-unknown-protocol",
  };
  return reason == ScreenDrop::count ? "none" : kNames[static_cast<std::size_t>(reason)];
}

// -- AddressCounts --

void AddressCounts::Free::operator()(void* memory) const { std::free(memory); }

AddressCounts::AddressCounts(std::uint32_t capacity, std::uint64_t seed)
    : seed_(seed), mask_(std::bit_ceil(capacity + capacity / 2 + 16) - 1) {
  // calloc: memory of addresses that never come is never touched.
  auto* const memory = static_cast<Entry*>(std::calloc(std::size_t{mask_} + 1, sizeof(Entry)));
  if (memory == nullptr) throw std::bad_alloc();
  entries_.reset(memory);
}

std::uint32_t AddressCounts::home(const IpAddress& address) const {
  return static_cast<std::uint32_t>(hash_address(address, seed_)) & mask_;
}

std::uint32_t AddressCounts::find(const IpAddress& address) const {
  std::uint32_t i = home(address);
  while (entries_[i].count != 0 && entries_[i].address != address) i = (i + 1) & mask_;
  return i;
}

std::uint32_t AddressCounts::of(const IpAddress& address) const { return entries_[find(address)].count; }

void AddressCounts::add(const IpAddress& address) {
  Entry& entry = entries_[find(address)];
  entry.address = address;
  ++entry.count;
}

void AddressCounts::remove(const IpAddress& address) {
  std::uint32_t hole = find(address);
  if (entries_[hole].count == 0 || --entries_[hole].count != 0) return;
  // Entries behind the hole that could not be found across it move into it.
  for (std::uint32_t i = (hole + 1) & mask_; entries_[i].count != 0; i = (i + 1) & mask_) {
    const std::uint32_t distance_of_home = (i - home(entries_[i].address)) & mask_;
    if (distance_of_home < ((i - hole) & mask_)) continue;
    entries_[hole] = entries_[i];
    entries_[i].count = 0;
    hole = i;
  }
}

// -- RateTable --

RateTable::RateTable(std::uint64_t seed) : seed_(seed), entries_(std::size_t{kSets} * kWays) {}

std::uint32_t RateTable::count(const IpAddress& address, std::uint16_t port, Ticks now) {
  const Ticks second = now / 10;
  const auto set = static_cast<std::uint32_t>(hash_address(address, seed_ ^ port)) % kSets;
  Entry* const ways = &entries_[std::size_t{set} * kWays];
  Entry* victim = ways;
  for (std::uint32_t w = 0; w < kWays; ++w) {
    Entry& entry = ways[w];
    if (entry.second != second) entry.count = 0;  // of another second: as good as empty
    if (entry.count != 0 && entry.port == port && entry.address == address) return ++entry.count;
    if (entry.count < victim->count) victim = &entry;
  }
  *victim = Entry{address, port, second, 1};
  return 1;
}

// -- ScreenGuard --

ScreenGuard::ScreenGuard(const Cluster& cluster, std::uint16_t service_set, std::uint32_t capacity, std::uint64_t seed)
    : open_timeout_s_(cluster.service_sets[service_set].timeouts.open_s),
      per_subscriber_(cluster.service_sets[service_set].max_sessions_per_subscriber) {
  const auto counts = [&](bool wanted, std::uint64_t salt) {
    return wanted ? std::make_unique<AddressCounts>(capacity, detail::mix(seed ^ salt, 0x9e3779b97f4a7c15ULL))
                  : nullptr;
  };
  subscribers_ = counts(per_subscriber_ != 0, 1);
  const auto& screen = cluster.service_sets[service_set].screen;
  if (!screen) return;
  screen_ = &cluster.screens[*screen];
  sources_ = counts(screen_->sessions_per_source != 0, 2);
  destinations_ = counts(screen_->sessions_per_destination != 0, 3);
  syn_ports_ = make_if<RateTable>(screen_->syn_flood.has_value(), seed, 4);
  syn_sources_ = make_if<RateTable>(screen_->syn_flood.has_value(), seed, 5);
  syn_destinations_ = make_if<RateTable>(screen_->syn_flood.has_value(), seed, 6);
  icmp_ = make_if<RateTable>(screen_->icmp_flood_threshold != 0, seed, 7);
  udp_ = make_if<RateTable>(screen_->udp_flood_threshold != 0, seed, 8);
  if (screen_->syn_flood) open_timeout_s_ = std::min(open_timeout_s_, screen_->syn_flood->timeout_s);
  checks_packets_ = screen_->tcp_winnuke || screen_->tcp_syn_frag || screen_->icmp_fragment || screen_->icmp_large ||
                    screen_->ip_bad_option || screen_->ip_source_route_option || screen_->ip_block_frag ||
                    screen_->ip_unknown_protocol;
}

ScreenDrop ScreenGuard::find_anomaly(const Headers& headers) const {
  const Screen& s = *screen_;
  if (s.ip_bad_option && headers.bad_option) return ScreenDrop::ip_bad_option;
  if (s.ip_source_route_option && headers.source_route) return ScreenDrop::ip_source_route;
  if (s.ip_unknown_protocol && headers.protocol >= kFirstUnassigned && headers.protocol <= kLastUnassigned) {
    return ScreenDrop::ip_unknown_protocol;
  }
  const bool icmp = headers.protocol == ip_protocol::icmp || headers.protocol == ip_protocol::icmp6;
  if (s.icmp_fragment && icmp && headers.fragment) return ScreenDrop::icmp_fragment;
  if (s.icmp_large && icmp && headers.l3_length > kLargeIcmp) return ScreenDrop::icmp_large;
  if (headers.protocol == ip_protocol::tcp && !headers.later_fragment) {
    const bool syn = (headers.tcp_flags & tcp_flag::syn) != 0;
    if (s.tcp_syn_frag && syn && headers.fragment) return ScreenDrop::tcp_syn_fragment;
    const bool urgent = (headers.tcp_flags & tcp_flag::urg) != 0;
    if (s.tcp_winnuke && urgent && headers.key.destination_port == kNetbios) return ScreenDrop::tcp_winnuke;
  }
  return s.ip_block_frag && headers.fragment ? ScreenDrop::ip_block_fragment : ScreenDrop::count;
}

ScreenDrop ScreenGuard::check(const Headers& headers) {
  return checks_packets_ ? counted(find_anomaly(headers)) : ScreenDrop::count;
}

ScreenDrop ScreenGuard::find_flood(const Headers& headers, Ticks now) {
  const FlowKey& key = headers.key;
  const bool icmp = key.protocol == ip_protocol::icmp || key.protocol == ip_protocol::icmp6;
  if (icmp && icmp_ && icmp_->count(key.destination, 0, now) > screen_->icmp_flood_threshold) {
    return ScreenDrop::icmp_flood;
  }
  if (key.protocol == ip_protocol::udp && udp_ && udp_->count(key.destination, 0, now) > screen_->udp_flood_threshold) {
    return ScreenDrop::udp_flood;
  }
  const bool first_syn =
      key.protocol == ip_protocol::tcp && (headers.tcp_flags & (tcp_flag::syn | tcp_flag::ack)) == tcp_flag::syn;
  if (!first_syn || !screen_->syn_flood) return ScreenDrop::count;
  // One that is refused by an earlier check is not counted by the later ones: a source that floods must not use up what
  // a destination may get from others.
  const Screen::SynFlood& limits = *screen_->syn_flood;
  if (syn_sources_->count(key.source, 0, now) > limits.source_threshold) return ScreenDrop::syn_flood_source;
  if (syn_ports_->count(key.destination, key.destination_port, now) > limits.attack_threshold) {
    return ScreenDrop::syn_flood;
  }
  if (syn_destinations_->count(key.destination, 0, now) > limits.destination_threshold) {
    return ScreenDrop::syn_flood_destination;
  }
  return ScreenDrop::count;
}

ScreenDrop ScreenGuard::find_limit(const FlowKey& key, bool inside) const {
  if (sources_ && sources_->of(key.source) >= screen_->sessions_per_source) return ScreenDrop::source_session_limit;
  if (destinations_ && destinations_->of(key.destination) >= screen_->sessions_per_destination) {
    return ScreenDrop::destination_session_limit;
  }
  // Who is behind a packet from outside is known only after translation: such sessions count, but are not refused.
  if (inside && subscribers_ && subscribers_->of(key.source) >= per_subscriber_) {
    return ScreenDrop::subscriber_session_limit;
  }
  return ScreenDrop::count;
}

ScreenDrop ScreenGuard::admit(const Headers& headers, bool inside, Ticks now) {
  if (screen_ != nullptr) {
    const ScreenDrop flood = find_flood(headers, now);
    if (flood != ScreenDrop::count) return counted(flood);
  }
  return counted(find_limit(headers.key, inside));
}

void ScreenGuard::begin(const IpAddress& source, const IpAddress& destination, const IpAddress& subscriber) {
  if (sources_) sources_->add(source);
  if (destinations_) destinations_->add(destination);
  if (subscribers_) subscribers_->add(subscriber);
}

void ScreenGuard::end(const IpAddress& source, const IpAddress& destination, const IpAddress& subscriber) {
  if (sources_) sources_->remove(source);
  if (destinations_) destinations_->remove(destination);
  if (subscribers_) subscribers_->remove(subscriber);
}

void ScreenGuard::append_to(CounterList& out) const {
  for (std::size_t i = 0; i < drops_.size(); ++i) {
    out.push_back({std::string(to_string(static_cast<ScreenDrop>(i))), drops_[i]});
  }
}

std::size_t ScreenGuard::memory() const {
  std::size_t out = sizeof *this;
  for (const auto* counts : {sources_.get(), destinations_.get(), subscribers_.get()}) {
    if (counts != nullptr) out += counts->memory();
  }
  return out;
}

}  // namespace icr::node
