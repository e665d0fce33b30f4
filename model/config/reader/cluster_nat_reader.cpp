// NAT rules: what each translation type needs, and what it cannot take.
#include <algorithm>

#include "model/config/reader/cluster_draft.h"
#include "model/record/nat64_address.h"

namespace icr::cluster_draft {
namespace {

constexpr std::size_t kMaxPoolsOfTerm = 64;

/// What a translation type does with either address.
struct TypeTraits {
  enum class Source : std::uint8_t { none, ports, addresses, prefix, deterministic };
  enum class Destination : std::uint8_t { none, mapped, nat64 };
  NatType type;
  Source source;
  Destination destination;
  bool inside_v4;  ///< family of the packets that match
};
using Source = TypeTraits::Source;
using Destination = TypeTraits::Destination;

constexpr std::array<TypeTraits, 10> kTypes = {{
    {NatType::napt44, Source::ports, Destination::none, true},
    {NatType::basic_nat44, Source::prefix, Destination::none, true},
    {NatType::dynamic_nat44, Source::addresses, Destination::none, true},
    {NatType::deterministic_napt44, Source::deterministic, Destination::none, true},
    {NatType::dnat44, Source::none, Destination::mapped, true},
    {NatType::twice_basic_nat44, Source::prefix, Destination::mapped, true},
    {NatType::twice_dynamic_nat44, Source::addresses, Destination::mapped, true},
    {NatType::twice_napt44, Source::ports, Destination::mapped, true},
    {NatType::stateful_nat64, Source::ports, Destination::nat64, false},
    {NatType::nptv6, Source::prefix, Destination::none, false},
}};

constexpr std::array<std::string_view, 6> kNotSupported = {"basic-nat66",          "basic-nat-pt", "napt-66",
                                                           "deterministic-napt64", "napt-pt",      "stateful-nat464"};

std::optional<TypeTraits> read_type(const Section& map) {
  const auto field = map.get(key("translated", "translation-type"));
  if (!field) return std::nullopt;
  std::array<std::string_view, kTypes.size()> words;
  for (std::size_t i = 0; i < kTypes.size(); ++i) words[i] = translation_type_keyword(kTypes[i].type);
  const bool known = field->is_scalar() &&
                     std::find(kNotSupported.begin(), kNotSupported.end(), field->node().text) != kNotSupported.end();
  if (known) {
    field->wrong("translation-type " + field->node().text + " is not supported", "write " + alternatives(words));
    return std::nullopt;
  }
  const auto index = field->one_of(words);
  return index ? std::optional(kTypes[*index]) : std::nullopt;
}

constexpr PoolUse use_of(Source source) {
  switch (source) {
    case Source::ports:
      return PoolUse::ports;
    case Source::addresses:
      return PoolUse::addresses;
    case Source::prefix:
      return PoolUse::prefix;
    case Source::deterministic:
      return PoolUse::deterministic;
    case Source::none:
      break;
  }
  return PoolUse::none;
}

std::string_view words_of(PoolUse use) {
  switch (use) {
    case PoolUse::none:
      break;
    case PoolUse::ports:
      return "for addresses and ports";
    case PoolUse::addresses:
      return "for addresses without ports";
    case PoolUse::prefix:
      return "as a static mapping";
    case PoolUse::deterministic:
      return "for deterministic ports";
    case PoolUse::destination:
      return "as destination";
  }
  return "for nothing";
}

constexpr std::string_view kSection = "translated";

/// Reads one term's `translated`.
class Translated {
 public:
  Translated(const YamlField& field, const Section& term_map, const std::string& rule, Draft& draft, NatTerm& term)
      : map_(field, kSection), term_map_(term_map), rule_(rule), draft_(draft), term_(term) {}

  void read() {
    const auto type = read_type(map_);
    if (!type) return;
    type_ = *type;
    word_ = translation_type_keyword(type_.type);
    term_.type = type_.type;
    check_family();
    read_source();
    read_destination();
    read_options();
  }

 private:
  void refuse(const Key& key) {
    if (const auto f = map_.get(key)) f->wrong(fmt::format("{} does not take {}", word_, key.name), "remove the key");
  }

  /// The place of `from`, or of the whole translation where there is none.
  [[nodiscard]] YamlField from_place() const {
    const auto from = term_map_.get(key("nat.rules[].terms[]", "from"));
    return from ? *from : map_.field();
  }

  void check_family() {
    if (admits_family(term_.from, type_.inside_v4)) return;
    from_place().wrong(fmt::format("only {} packets match, and {} translates {}", type_.inside_v4 ? "IPv6" : "IPv4",
                                   word_, type_.inside_v4 ? "IPv4" : "IPv6"),
                       type_.inside_v4 ? "write IPv4 prefixes" : "write IPv6 prefixes");
  }

  /// Notes what the pool is used for; false, and reported, when another term uses it otherwise.
  bool use_pool(const YamlField& field, std::uint16_t index, PoolUse use, bool want_v4) {
    const auto& pool = draft_.cluster.nat_pools[index];
    auto& used = draft_.pool_uses[index];
    if (!pool.addresses.empty() && pool.addresses[0].is_v4() != want_v4) {
      field.wrong(fmt::format("nat pool {} holds {} addresses, and {} needs {}", pool.name, want_v4 ? "IPv6" : "IPv4",
                              word_, want_v4 ? "IPv4" : "IPv6"),
                  "write another pool");
      return false;
    }
    if (used != PoolUse::none && used != use) {
      field.wrong(fmt::format("nat pool {} is used {} already, and here it would be used {}", pool.name, words_of(used),
                              words_of(use)),
                  "write another pool");
      return false;
    }
    if (use == PoolUse::deterministic && used == use) {
      field.wrong(fmt::format("nat pool {} is used by another term already, whose hosts own its blocks", pool.name),
                  "give each deterministic-napt44 term a pool of its own");
      return false;
    }
    if (use != PoolUse::ports && pool.blocks) {
      field.wrong(fmt::format("nat pool {} has secured-port-block-allocation, and {} hands out no ports of it",
                              pool.name, word_),
                  "write another pool");
      return false;
    }
    if ((use == PoolUse::deterministic) != pool.deterministic.has_value()) {
      field.wrong(fmt::format("nat pool {} has {}deterministic-port-block-allocation", pool.name,
                              pool.deterministic ? "" : "no "),
                  pool.deterministic ? "use it with translation-type deterministic-napt44"
                                     : "write port: { deterministic-port-block-allocation: { block-size: 0 } }");
      return false;
    }
    used = use;
    return true;
  }

  void read_source() {
    const auto pools = map_.get(key(kSection, "source-pool"));
    const auto prefix = map_.get(key(kSection, "source-prefix"));
    if (type_.source == Source::none) {
      refuse(key(kSection, "source-pool"));
      refuse(key(kSection, "source-prefix"));
    } else if (type_.source == Source::prefix) {
      read_source_prefix(pools, prefix);
    } else {
      refuse(key(kSection, "source-prefix"));
      if (const auto f = map_.require("source-pool", "the name of a nat pool")) read_source_pools(*f);
    }
    if (type_.source != Source::addresses) {
      refuse(key(kSection, "overload-pool"));
    } else if (const auto f = map_.get(key(kSection, "overload-pool"))) {
      const auto index = draft_.pools.find(*f);
      if (index && use_pool(*f, *index, PoolUse::ports, true)) term_.overload_pool = *index;
    }
  }

  void read_source_pools(const YamlField& field) {
    for (const auto& item : field.list_or_one()) {
      const auto index = draft_.pools.find(item);
      if (!index || !use_pool(item, *index, use_of(type_.source), true)) continue;
      if (std::find(term_.source_pools.begin(), term_.source_pools.end(), *index) != term_.source_pools.end()) {
        item.wrong("the pool is in the list twice", "write it once");
        continue;
      }
      if (term_.source_pools.size() == kMaxPoolsOfTerm) {
        item.wrong(fmt::format("more than {} pools", kMaxPoolsOfTerm), "write fewer");
        return;
      }
      term_.source_pools.push_back(*index);
    }
    if (type_.source == Source::deterministic) fit_hosts(field);
  }

  /// Every host of a deterministic term owns one block: they must fit into the pool.
  void fit_hosts(const YamlField& field) {
    if (term_.source_pools.size() > 1) {
      field.wrong("more than one pool for deterministic-napt44", "write one pool with all the addresses");
      return;
    }
    if (term_.source_pools.empty()) return;
    auto& pool = draft_.cluster.nat_pools[term_.source_pools[0]];
    if (pool.addresses.empty()) return;
    if (term_.from.source_addresses.empty() || !term_.from.source_except.empty()) {
      from_place().wrong("deterministic-napt44 without a fixed list of hosts",
                         "write from: { source-address: PREFIX }, without except");
      return;
    }
    std::uint64_t hosts = 0;
    auto sorted = deterministic_hosts(term_, pool);
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      hosts += std::min<std::uint64_t>(sorted[i].count(), kMaxPoolBlocks + 1);
      if (i == 0 || !sorted[i].overlaps(sorted[i - 1])) continue;
      from_place().wrong(fmt::format("{} overlaps {}, so hosts would own two blocks", sorted[i].to_string(),
                                     sorted[i - 1].to_string()),
                         "write each host once");
      return;
    }
    auto& size = pool.deterministic->block_size;
    if (size == 0) {
      const auto per_address = (hosts + pool.address_count() - 1) / pool.address_count();
      size = static_cast<std::uint16_t>(pool.ports_per_address() / std::max<std::uint64_t>(per_address, 1));
    }
    const auto blocks = size == 0 ? 0 : pool.address_count() * (pool.ports_per_address() / size);
    if (hosts <= blocks && hosts <= kMaxPoolBlocks) return;
    field.wrong(fmt::format("{} hosts need a block each, and nat pool {} has {} blocks of {} ports", hosts, pool.name,
                            blocks, size),
                "write a smaller block-size, more addresses or fewer hosts");
  }

  /// The internal prefix of a 1:1 mapping.
  [[nodiscard]] std::optional<Prefix> single_prefix(const std::vector<AddressRange>& ranges, std::string_view key) {
    const auto prefix = ranges.size() == 1 ? ranges[0].as_prefix() : std::nullopt;
    if (!prefix) {
      from_place().wrong(fmt::format("{} maps one prefix to another, and from has {}", word_,
                                     ranges.empty() ? fmt::format("no {}", key) : fmt::format("more than one {}", key)),
                         fmt::format("write one prefix as {}", key));
    }
    return prefix;
  }

  void read_source_prefix(const std::optional<YamlField>& pools, const std::optional<YamlField>& prefix) {
    if (pools && prefix) {
      prefix->wrong("source-pool is there, too", "keep one of them");
      return;
    }
    if (!pools && !prefix) {
      (void)map_.require("source-prefix", "the prefix that the addresses are translated to, or source-pool");
      return;
    }
    std::optional<Prefix> external;
    if (prefix) {
      external = prefix->prefix();
      if (external && external->base.is_v4() != type_.inside_v4) {
        prefix->wrong(fmt::format("{} is {}", external->to_string(), type_.inside_v4 ? "IPv6" : "IPv4"),
                      fmt::format("write an {} prefix: so wants {}", type_.inside_v4 ? "IPv4" : "IPv6", word_));
        return;
      }
    } else {
      const auto index = draft_.pools.find(*pools);
      if (!index || !use_pool(*pools, *index, PoolUse::prefix, type_.inside_v4)) return;
      const auto& pool = draft_.cluster.nat_pools[*index];
      if (pool.addresses.empty()) return;
      external = pool.addresses.size() == 1 ? pool.addresses[0].as_prefix() : std::nullopt;
      if (!external) {
        pools->wrong(fmt::format("nat pool {} is not one prefix", pool.name),
                     fmt::format("write a pool of one prefix: {} maps one prefix to another", word_));
        return;
      }
      term_.source_pools = {*index};
    }
    const auto internal = single_prefix(term_.from.source_addresses, "source-address");
    if (!external || !internal) return;
    const auto& place = prefix ? *prefix : *pools;
    if (!same_length(place, *external, *internal)) return;
    if (type_.type == NatType::nptv6 && external->length > 64) {
      place.wrong(fmt::format("{} is longer than 64 bits", external->to_string()),
                  "write prefixes of at most /64: RFC 6296 changes bits of the rest to keep checksums");
      return;
    }
    term_.source_prefix = external;
    draft_.static_mappings.push_back(
        {AddressRange::of(*external), fmt::format("nat term {}.{}", rule_, term_.name), internal, place});
  }

  [[nodiscard]] bool same_length(const YamlField& place, const Prefix& external, const Prefix& internal) const {
    if (external.length == internal.length && external != internal) return true;
    if (external == internal) {
      place.wrong(fmt::format("{} would be translated to itself", internal.to_string()), "write another prefix");
    } else {
      place.wrong(fmt::format("{} and {} are of different lengths", internal.to_string(), external.to_string()),
                  fmt::format("write a /{}: each address is mapped to one", internal.length));
    }
    return false;
  }

  void read_destination() {
    const auto pool = map_.get(key(kSection, "destination-pool"));
    const auto prefix = map_.get(key(kSection, "destination-prefix"));
    if (type_.destination == Destination::none) {
      refuse(key(kSection, "destination-pool"));
      refuse(key(kSection, "destination-prefix"));
    } else if (type_.destination == Destination::nat64) {
      refuse(key(kSection, "destination-pool"));
      if (const auto f = map_.require("destination-prefix", "the NAT64 prefix, as 64:ff9b::/96")) read_nat64(*f);
    } else if (pool && prefix) {
      prefix->wrong("destination-pool is there, too", "keep one of them");
    } else if (pool) {
      read_destination_pool(*pool);
    } else if (const auto f = map_.require("destination-prefix", "where packets go, or destination-pool")) {
      read_destination_prefix(*f);
    }
    if (type_.destination != Destination::mapped) {
      refuse(key(kSection, "translated-port"));
    } else if (const auto f = map_.get(key(kSection, "translated-port"))) {
      read_translated_port(*f, from_place(), draft_, term_);
    }
  }

  void read_destination_pool(const YamlField& field) {
    const auto index = draft_.pools.find(field);
    if (!index || !use_pool(field, *index, PoolUse::destination, true)) return;
    const auto& pool = draft_.cluster.nat_pools[*index];
    std::uint64_t wanted = 0;
    for (const auto& range : term_.from.destination_addresses) wanted += range.count();
    if (wanted == 0) {
      from_place().wrong(fmt::format("{} without a destination-address", word_),
                         "write which destinations are translated");
    } else if (!pool.addresses.empty() && pool.address_count() != 1 && pool.address_count() != wanted) {
      field.wrong(fmt::format("nat pool {} has {} addresses for {} of from", pool.name, pool.address_count(), wanted),
                  "write a pool of one address, or of as many as destination-address has");
    }
    term_.destination_pool = *index;
    draft_.destinations.push_back({rule_index(), *index, {}, field});
  }

  void read_destination_prefix(const YamlField& field) {
    const auto prefix = field.prefix();
    if (!prefix) return;
    if (!prefix->base.is_v4()) {
      field.wrong(prefix->to_string() + " is IPv6", fmt::format("write an IPv4 prefix: so wants {}", word_));
      return;
    }
    const auto internal = single_prefix(term_.from.destination_addresses, "destination-address");
    if (!internal || !same_length(field, *prefix, *internal)) return;
    term_.destination_prefix = *prefix;
    draft_.destinations.push_back({rule_index(), std::nullopt, {AddressRange::of(*prefix)}, field});
  }

  /// The rule is appended when its terms are read.
  [[nodiscard]] std::uint16_t rule_index() const { return static_cast<std::uint16_t>(draft_.cluster.nat_rules.size()); }

  /// RFC 6052 section 2.2: 32, 40, 48, 56, 64 or 96 bits, and bits 64 to 71 are zero.
  void read_nat64(const YamlField& field) {
    const auto prefix = field.prefix();
    if (!prefix) return;
    if (prefix->base.is_v4() || !is_nat64_prefix_length(prefix->length) || prefix->base.bytes[8] != 0) {
      field.wrong(prefix->to_string() + " is no NAT64 prefix",
                  "write an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits whose bits 64 to 71 are zero (RFC 6052)");
      return;
    }
    term_.destination_prefix = *prefix;
    const auto whole = AddressRange::of(*prefix);
    auto& destinations = term_.from.destination_addresses;
    const bool inside =
        std::all_of(destinations.begin(), destinations.end(), [&](const AddressRange& r) { return whole.contains(r); });
    if (!inside) {
      from_place().wrong(fmt::format("a destination-address is outside of the NAT64 prefix {}", prefix->to_string()),
                         "write addresses of the prefix, or no destination-address");
    }
    if (destinations.empty()) destinations.push_back(whole);
    // Who comes in from the IPv4 internet to a mapping of the pool must have one IPv6 address.
    for (const std::uint16_t pool : term_.source_pools) {
      auto& used = draft_.pool_nat64_prefixes[pool];
      if (used && *used != *prefix) {
        field.wrong(fmt::format("nat pool {} is used with NAT64 prefix {} already", draft_.cluster.nat_pools[pool].name,
                                used->to_string()),
                    "write that prefix, or another source-pool");
        return;
      }
      used = *prefix;
    }
  }

  void read_options() {
    constexpr Key kPooling = key(kSection, "address-pooling");
    constexpr Key kMapping = key(kSection, "mapping-type");
    constexpr Key kFiltering = key(kSection, "filtering-type");
    constexpr Key kSecure = key(kSection, "secure-nat-mapping");
    const bool ports = type_.source == Source::ports || type_.source == Source::deterministic;
    if (!ports) {
      for (const Key& each : {kPooling, kMapping, kFiltering, kSecure}) refuse(each);
      return;
    }
    term_.address_pooling_paired = map_.has_word(kPooling);
    term_.endpoint_independent_mapping = map_.has_word(kMapping);
    if (const auto f = map_.get(kFiltering)) {
      if (f->is_map()) {
        read_filtering(*f);
      } else {
        term_.endpoint_independent_filtering = map_.has_word(kFiltering);
      }
      if (term_.endpoint_independent_filtering && !map_.has(kMapping)) {
        f->wrong("endpoint-independent filtering without endpoint-independent mapping",
                 "add mapping-type: endpoint-independent");
      }
    }
    if (const auto f = map_.get(kSecure)) {
      constexpr std::string_view kLimits = "translated.secure-nat-mapping";
      Section(*f, kLimits).number(key(kLimits, "eif-flow-limit"), term_.eif_flow_limit);
      if (!map_.has(kFiltering)) {
        f->wrong("secure-nat-mapping without filtering-type", "add filtering-type: endpoint-independent");
      }
    }
  }

  /// Reads { endpoint-independent: { prefix-list: NAME } }.
  void read_filtering(const YamlField& field) {
    constexpr std::string_view kFilter = "translated.filtering-type";
    constexpr std::string_view kLists = "translated.filtering-type.endpoint-independent";
    const auto inner = Section(field, kFilter).get(key(kFilter, "endpoint-independent"));
    if (!inner) return;
    if (const auto names = Section(*inner, kLists).get(key(kLists, "prefix-list"))) {
      term_.filtering_prefixes = read_prefix_list_names(*names, draft_);
    }
    term_.endpoint_independent_filtering = true;
  }

  Section map_;
  const Section& term_map_;
  const std::string& rule_;
  Draft& draft_;
  NatTerm& term_;
  TypeTraits type_{};
  std::string_view word_;
};

/// `then` of a NAT term: no-translation, or { translated: { ... } }.
void read_then(const YamlField& field, const Section& term_map, const std::string& rule, Draft& draft, NatTerm& term) {
  if (field.is_scalar() && field.node().text == "no-translation") return;
  if (!field.is_map()) {
    field.wrong("not an action of a nat term",
                "write no-translation or { translated: { source-pool: POOL, translation-type: napt-44 } }");
    return;
  }
  constexpr std::string_view kThen = "nat.rules[].terms[].then";
  const Section then(field, kThen);
  if (const auto translated = then.get(key(kThen, "translated"))) {
    Translated(*translated, term_map, rule, draft, term).read();
  }
}

void read_nat_rule(const YamlField& field, Draft& draft) {
  constexpr std::string_view kTerm = "nat.rules[].terms[]";
  const Section map(field, "rules[]");
  NatRule out;
  out.name = draft.nat_rules.define(map);
  out.direction = read_direction(map);
  out.terms =
      read_terms<NatTerm>(map, kTerm, draft, [&](const YamlField& then, const Section& term_map, NatTerm& term) {
        read_then(then, term_map, out.name, draft, term);
      });
  draft.nat_rule_fields.push_back(field);
  draft.cluster.nat_rules.push_back(std::move(out));
}

}  // namespace

void read_nat(const YamlField& field, Draft& draft) {
  const Section map(field, "nat");
  if (const auto pools = map.get(key("nat", "pools"))) {
    for (const auto& item : pools->list(0)) read_pool(item, draft);
  }
  if (const auto rules = map.get(key("nat", "rules"))) {
    for (const auto& item : rules->list(0)) read_nat_rule(item, draft);
  }
}

}  // namespace icr::cluster_draft
