#include "node/service/screen.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace icr::node {
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
  return static_cast<std::uint32_t>(hash_of(address, seed_)) & mask_;
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
  const auto set = static_cast<std::uint32_t>(hash_of(address, seed_ ^ port)) % kSets;
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

ScreenGuard::ScreenGuard(const Screen& screen, std::uint32_t capacity, std::uint64_t seed) : screen_(&screen) {
  std::uint64_t salt = 0;
  const auto next_seed = [&] { return detail::mix(seed + ++salt, 0xd6e8feb86659fd93ULL); };
  if (screen.sessions_per_source != 0) sources_ = std::make_unique<AddressCounts>(capacity, next_seed());
  if (screen.sessions_per_destination != 0) destinations_ = std::make_unique<AddressCounts>(capacity, next_seed());
  if (screen.icmp_flood_threshold != 0) icmp_ = std::make_unique<RateTable>(next_seed());
  if (screen.udp_flood_threshold != 0) udp_ = std::make_unique<RateTable>(next_seed());
  if (!screen.syn_flood) return;
  syn_ports_ = std::make_unique<RateTable>(next_seed());
  syn_sources_ = std::make_unique<RateTable>(next_seed());
  syn_destinations_ = std::make_unique<RateTable>(next_seed());
}

void ScreenGuard::inherit(ScreenGuard& former) {
  // What both count is exchanged, so that whoever ends the former guard frees what was not needed.
  const auto exchange = [](auto& mine, auto& other) {
    if (mine && other) std::swap(mine, other);
  };
  exchange(sources_, former.sources_);
  exchange(destinations_, former.destinations_);
  exchange(syn_ports_, former.syn_ports_);
  exchange(syn_sources_, former.syn_sources_);
  exchange(syn_destinations_, former.syn_destinations_);
  exchange(icmp_, former.icmp_);
  exchange(udp_, former.udp_);
}

bool ScreenGuard::can_follow(const Screen* before, const Screen* next) {
  if (next == nullptr) return true;
  const bool sources = before != nullptr && before->sessions_per_source != 0;
  const bool destinations = before != nullptr && before->sessions_per_destination != 0;
  return (sources || next->sessions_per_source == 0) && (destinations || next->sessions_per_destination == 0);
}

ScreenDrop ScreenGuard::find_flood(const Headers& headers, Ticks now) {
  const FlowKey& key = headers.key;
  const bool icmp = key.protocol == ip_protocol::icmp || key.protocol == ip_protocol::icmp6;
  if (icmp && icmp_ && icmp_->count(key.destination, 0, now) > screen_->icmp_flood_threshold) {
    return ScreenDrop::icmp_flood;
  }
  const bool udp = key.protocol == ip_protocol::udp;
  if (udp && udp_ && udp_->count(key.destination, 0, now) > screen_->udp_flood_threshold) return ScreenDrop::udp_flood;
  const bool first_syn =
      key.protocol == ip_protocol::tcp && (headers.tcp_flags & (tcp_flag::syn | tcp_flag::ack)) == tcp_flag::syn;
  if (!first_syn || !screen_->syn_flood) return ScreenDrop::none;
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
  return ScreenDrop::none;
}

ScreenDrop ScreenGuard::admit(const Headers& headers, Ticks now) {
  const ScreenDrop flood = find_flood(headers, now);
  if (flood != ScreenDrop::none) return flood;
  if (sources_ && sources_->of(headers.key.source) >= screen_->sessions_per_source) {
    return ScreenDrop::sessions_of_source;
  }
  if (destinations_ && destinations_->of(headers.key.destination) >= screen_->sessions_per_destination) {
    return ScreenDrop::sessions_of_destination;
  }
  return ScreenDrop::none;
}

void ScreenGuard::begin(const IpAddress& source, const IpAddress& destination) {
  if (sources_) sources_->add(source);
  if (destinations_) destinations_->add(destination);
}

void ScreenGuard::end(const IpAddress& source, const IpAddress& destination) {
  if (sources_) sources_->remove(source);
  if (destinations_) destinations_->remove(destination);
}

std::uint32_t ScreenGuard::open_timeout_s(std::uint32_t seconds) const {
  return screen_->syn_flood ? std::min(seconds, screen_->syn_flood->timeout_s) : seconds;
}

std::size_t ScreenGuard::memory() const {
  std::size_t out = sizeof *this;
  for (const auto* counts : {sources_.get(), destinations_.get()}) out += counts == nullptr ? 0 : counts->memory();
  for (const auto* rates : {syn_ports_.get(), syn_sources_.get(), syn_destinations_.get(), icmp_.get(), udp_.get()}) {
    out += rates == nullptr ? 0 : RateTable::memory();
  }
  return out;
}

}  // namespace icr::node
