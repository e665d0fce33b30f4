// NAT pools: their addresses and how ports are handed out.
#include <algorithm>

#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

bool host_can_have(const AddressRange& range) {
  if (!range.is_v4()) return range.low.bytes[0] != 0xff && range.high.bytes[0] != 0xff && range.low != IpAddress{};
  const auto first = range.low.to_v4() >> 24;
  const auto last = range.high.to_v4() >> 24;
  return first != 0 && last < 224 && (first > 127 || last < 127);
}

/// Adds a range to the pool, or says why not.
void add_range(const YamlField& item, const AddressRange& range, NatPool& out, std::vector<YamlField>& places) {
  if (!host_can_have(range)) {
    item.wrong(range.to_string() + " holds addresses that no host can have", "write unicast addresses");
    return;
  }
  if (!out.addresses.empty() && out.addresses[0].is_v4() != range.is_v4()) {
    item.wrong(fmt::format("{} is not of the family of {}", range.to_string(), out.addresses[0].to_string()),
               "write addresses of one family in a pool");
    return;
  }
  if (range.is_v4()) {
    const auto before = out.address_count();
    const auto count = before + range.count();
    if (count > kMaxPoolAddresses) {
      item.wrong(fmt::format("the pool grows to {} addresses", count),
                 fmt::format("write at most {}", kMaxPoolAddresses));
      return;
    }
  } else if (!out.addresses.empty()) {
    item.wrong("a second range of IPv6 addresses", "write one prefix: IPv6 is translated prefix to prefix");
    return;
  }
  out.addresses.push_back(range);
  places.push_back(item);
}

void read_pool_addresses(const Section& map, NatPool& out, std::vector<YamlField>& places) {
  constexpr std::string_view kWhat = "a list of prefixes";
  if (map.field().is_map() && !map.has("address") && !map.has("addresses") && !map.has("address-range")) {
    map.field().wrong("'addresses' is missing", fmt::format("write addresses: {}", kWhat));
  }
  for (const std::string_view key : {"address", "addresses"}) {
    const auto f = map.get(key);
    if (!f) continue;
    for (const auto& item : f->list_or_one()) {
      if (const auto prefix = item.prefix()) add_range(item, AddressRange::of(*prefix), out, places);
    }
  }
  if (const auto f = map.get("address-range")) {
    for (const auto& item : items_of(*f)) {
      if (const auto range = read_address_bounds(YamlMap(item, {"low", "high"}))) add_range(item, *range, out, places);
    }
  }
}

NatPool::BlockAllocation read_blocks(const YamlField& field) {
  constexpr std::string_view kSection = "secured-port-block-allocation";
  const Section map(field, kSection);
  NatPool::BlockAllocation out;
  map.number(key(kSection, "block-size"), out.block_size);
  map.number(key(kSection, "max-blocks-per-address"), out.max_blocks_per_address);
  map.number(key(kSection, "active-block-timeout"), out.active_block_timeout_s);
  return out;
}

NatPool::Deterministic read_deterministic(const YamlField& field) {
  constexpr std::string_view kSection = "deterministic-port-block-allocation";
  const Section map(field, kSection);
  NatPool::Deterministic out;
  map.number(key(kSection, "block-size"), out.block_size);
  map.yes_no(key(kSection, "include-boundary-addresses"), out.include_boundary_addresses);
  return out;
}

void take_port_range(const YamlField& field, NatPool& out) {
  constexpr std::string_view kSection = "nat.pools[].port.range";
  const Section map(field, kSection);
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  const bool has_low = map.number(key(kSection, "low"), low);
  const bool has_high = map.number(key(kSection, "high"), high);
  const auto range = has_low && has_high ? make_port_range(field, low, high) : std::nullopt;
  if (!range) return;
  out.port_low = range->low;
  out.port_high = range->high;
}

/// Blocks must fit into the ports, and there must not be too many of them.
void check_blocks(const YamlField& field, const NatPool& pool, std::uint16_t block_size) {
  if (block_size == 0 || pool.addresses.empty()) return;
  if (block_size > pool.ports_per_address()) {
    field.wrong(fmt::format("a block of {} ports, and an address has {}", block_size, pool.ports_per_address()),
                "write a smaller block-size or a wider range");
  } else if (pool.address_count() * (pool.ports_per_address() / block_size) > kMaxPoolBlocks) {
    field.wrong(
        fmt::format("the pool would have {} blocks", pool.address_count() * (pool.ports_per_address() / block_size)),
        fmt::format("write a block-size or a pool with at most {}", kMaxPoolBlocks));
  }
}

void read_port_section(const YamlField& field, NatPool& out) {
  constexpr std::string_view kSection = "nat.pools[].port";
  constexpr std::string_view kBlocks = "secured-port-block-allocation";
  constexpr std::string_view kDeterministic = "deterministic-port-block-allocation";
  const Section map(field, kSection);
  map.word(key(kSection, "automatic"), out.assignment);
  if (const auto f = map.get(key(kSection, "range"))) take_port_range(*f, out);
  map.yes_no(key(kSection, "preserve-parity"), out.preserve_parity);
  map.yes_no(key(kSection, "preserve-range"), out.preserve_range);
  const auto blocks = map.get(key(kSection, kBlocks));
  if (blocks) {
    out.blocks = read_blocks(*blocks);
    check_blocks(*blocks, out, out.blocks->block_size);
  }
  if (const auto f = map.get(key(kSection, kDeterministic))) {
    out.deterministic = read_deterministic(*f);
    if (blocks) {
      f->wrong(fmt::format("{} is there, too", kBlocks), "keep one of them");
      out.blocks.reset();
    }
    check_blocks(*f, out, out.deterministic->block_size);
  }
}

}  // namespace

void read_pool(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "nat.pools[]";
  const Section map(field, kSection);
  NatPool out;
  std::vector<YamlField> places;
  out.name = draft.pools.define(map);
  read_pool_addresses(map, out, places);
  if (const auto f = map.get(key(kSection, "port-range"))) take_port_range(*f, out);
  if (const auto f = map.get(key(kSection, "port"))) {
    if (map.has(key(kSection, "port-range")) && f->is_map()) {
      const bool twice = std::any_of(f->node().entries.begin(), f->node().entries.end(),
                                     [](const YamlNode::Entry& e) { return e.key == "range"; });
      if (twice) f->wrong("port-range is there, too", "keep port: { range } or port-range");
    }
    read_port_section(*f, out);
  }
  out.round_robin = map.has_word(key(kSection, "address-allocation"));
  map.number(key(kSection, "mapping-timeout"), out.mapping_timeout_s);
  map.number(key(kSection, "limit-ports-per-address"), out.limit_ports_per_host);
  map.number(key(kSection, "port-reuse-hold"), out.reuse_hold_s);
  draft.pool_address_fields.push_back(std::move(places));
  draft.pool_uses.push_back(PoolUse::none);
  draft.pool_nat64_prefixes.emplace_back();
  draft.cluster.nat_pools.push_back(std::move(out));
}

}  // namespace icr::cluster_draft
