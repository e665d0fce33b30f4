// NAT pools: their addresses and how ports are handed out.
#include <algorithm>

#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

constexpr std::uint16_t kMostPorts = 64'512;

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

void read_pool_addresses(const YamlMap& map, NatPool& out, std::vector<YamlField>& places) {
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
  const YamlMap map(field, {"block-size", "max-blocks-per-address", "active-block-timeout"});
  NatPool::BlockAllocation out;
  if (const auto f = map.get("block-size")) {
    out.block_size = static_cast<std::uint16_t>(f->number(1, kMostPorts).value_or(out.block_size));
  }
  if (const auto f = map.get("max-blocks-per-address")) {
    out.max_blocks_per_address = static_cast<std::uint16_t>(f->number(1, 512).value_or(out.max_blocks_per_address));
  }
  if (const auto f = map.get("active-block-timeout")) {
    out.active_block_timeout_s = static_cast<std::uint32_t>(f->number(0, 86'400).value_or(out.active_block_timeout_s));
  }
  return out;
}

NatPool::Deterministic read_deterministic(const YamlField& field) {
  const YamlMap map(field, {"block-size", "include-boundary-addresses"});
  NatPool::Deterministic out;
  if (const auto f = map.get("block-size")) {
    out.block_size = static_cast<std::uint16_t>(f->number(0, kMostPorts).value_or(out.block_size));
  }
  if (const auto f = map.get("include-boundary-addresses")) {
    out.include_boundary_addresses = f->yes_no().value_or(false);
  }
  return out;
}

void take_port_range(const YamlField& field, NatPool& out) {
  const auto range = read_port_bounds(field);
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
  constexpr std::array<std::string_view, 2> kAssignments = {"random-allocation", "sequential"};
  constexpr std::string_view kBlocks = "secured-port-block-allocation";
  constexpr std::string_view kDeterministic = "deterministic-port-block-allocation";
  const YamlMap map(field, {"automatic", "range", "preserve-parity", "preserve-range", kBlocks, kDeterministic});
  if (const auto f = map.get("automatic")) {
    out.assignment = static_cast<NatPool::Assignment>(f->one_of(kAssignments).value_or(0));
  }
  if (const auto f = map.get("range")) take_port_range(*f, out);
  if (const auto f = map.get("preserve-parity")) out.preserve_parity = f->yes_no().value_or(false);
  if (const auto f = map.get("preserve-range")) out.preserve_range = f->yes_no().value_or(false);
  const auto blocks = map.get(kBlocks);
  if (blocks) {
    out.blocks = read_blocks(*blocks);
    check_blocks(*blocks, out, out.blocks->block_size);
  }
  if (const auto f = map.get(kDeterministic)) {
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
  const YamlMap map(field, {"name", "addresses", "address", "address-range", "port-range", "port", "address-allocation",
                            "mapping-timeout", "limit-ports-per-address", "port-reuse-hold"});
  NatPool out;
  std::vector<YamlField> places;
  out.name = draft.pools.define(map);
  read_pool_addresses(map, out, places);
  if (const auto f = map.get("port-range")) take_port_range(*f, out);
  if (const auto f = map.get("port")) {
    if (map.has("port-range") && f->is_map()) {
      const bool twice = std::any_of(f->node().entries.begin(), f->node().entries.end(),
                                     [](const YamlNode::Entry& e) { return e.key == "range"; });
      if (twice) f->wrong("port-range is there, too", "keep port: { range } or port-range");
    }
    read_port_section(*f, out);
  }
  if (const auto f = map.get("address-allocation")) {
    constexpr std::array<std::string_view, 1> kWays = {"round-robin"};
    out.round_robin = f->one_of(kWays).has_value();
  }
  if (const auto f = map.get("mapping-timeout")) {
    out.mapping_timeout_s = static_cast<std::uint32_t>(f->number(4, 86'400).value_or(out.mapping_timeout_s));
  }
  if (const auto f = map.get("limit-ports-per-address")) {
    out.limit_ports_per_host = static_cast<std::uint32_t>(f->number(1, kMostPorts).value_or(out.limit_ports_per_host));
  }
  if (const auto f = map.get("port-reuse-hold")) {
    if (const auto seconds = f->number(0, 86'400)) out.reuse_hold_s = static_cast<std::uint32_t>(*seconds);
  }
  draft.pool_address_fields.push_back(std::move(places));
  draft.pool_uses.push_back(PoolUse::none);
  draft.pool_nat64_prefixes.emplace_back();
  draft.cluster.nat_pools.push_back(std::move(out));
}

}  // namespace icr::cluster_draft
