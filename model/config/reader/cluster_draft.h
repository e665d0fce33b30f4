// Inside of model/config/cluster_file: a cluster while it is being read. Not for use by other rooms.
//
// Each section of the file has a reader that appends to the draft and reports what is wrong; a thing with a mistake in
// it is appended all the same, so that one mistake does not make every use of the thing's name another one. The checks
// that need the whole cluster come last.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/cluster.h"
#include "model/config/reader/section.h"

namespace icr::cluster_draft {

inline constexpr std::uint64_t kMaxPoolAddresses = 65'536;
inline constexpr std::uint64_t kMaxPoolBlocks = 1U << 22;  ///< port blocks of one pool
inline constexpr std::size_t kMaxConditions = 262'144;     ///< entries of all conditions, lists and sets expanded
inline constexpr std::size_t kMaxSetsOfChassis = 62;       ///< redundancy sets and stand-alone service sets

/// Names of one kind, in order of their definition.
class NameBook {
 public:
  explicit NameBook(std::string_view what) : what_(what) {}
  /// Reads `name` of `map` and assigns the next index to it, even if the name is invalid or missing. Reports a name
  /// that is bad or taken.
  std::string define(const Section& map);
  [[nodiscard]] bool has(std::string_view name) const { return names_.find(name) != names_.end(); }
  /// Returns the index of the name in `use`. Reports a name that nobody defined.
  [[nodiscard]] std::optional<std::uint16_t> find(const YamlField& use) const;
  /// Returns false for a thing whose name was taken already, and for one without a name.
  [[nodiscard]] bool owns(std::string_view name, std::uint16_t index) const;
  /// Returns the indices of a list of names. Reports a name that is there twice.
  [[nodiscard]] std::vector<std::uint16_t> find_all(const YamlField& list) const;

 private:
  struct Definition {
    std::uint16_t index;
    std::uint32_t line;
  };
  std::string what_;
  std::uint16_t count_ = 0;
  std::map<std::string, Definition, std::less<>> names_;
};

/// What a pool is used for; one use excludes the others.
enum class PoolUse : std::uint8_t { none, ports, addresses, prefix, deterministic, destination };

/// Addresses that translated packets carry as source, and where the file says so.
struct ExternalRange {
  AddressRange range;
  std::string owner;               ///< "nat pool p1", "nat term r1.t1"
  std::optional<Prefix> internal;  ///< of a static mapping: what is mapped to it
  YamlField field;
};

/// Where a term of destination NAT sends packets on to, and where the file says so.
struct DestinationUse {
  std::uint16_t rule = 0;             ///< index into Cluster::nat_rules
  std::optional<std::uint16_t> pool;  ///< index into Cluster::nat_pools
  std::vector<AddressRange> ranges;   ///< without a pool
  YamlField field;
};

struct Draft {
  explicit Draft(Mistakes& all) : mistakes(all) {}

  Mistakes& mistakes;
  Cluster cluster;
  Timeouts timeouts;  ///< of the cluster; service sets start from them

  NameBook applications{"application"};
  NameBook application_sets{"application set"};
  NameBook prefix_lists{"prefix list"};
  NameBook screens{"screen"};
  std::vector<std::vector<std::uint16_t>> application_set_members;  ///< indices into Cluster::applications
  std::vector<std::vector<Prefix>> prefix_list_members;
  std::size_t conditions = 0;  ///< entries of conditions so far; see kMaxConditions
  NameBook pools{"nat pool"};
  NameBook firewall_rules{"stateful-firewall rule"};
  NameBook nat_rules{"nat rule"};
  NameBook service_sets{"service set"};
  NameBook chassis{"chassis"};
  NameBook sets{"redundancy set"};
  std::map<std::uint16_t, std::string> set_ids;  ///< names of the redundancy sets, by id
  std::map<std::uint16_t, std::size_t> sets_of_chassis;

  std::map<std::string, std::string, std::less<>> key_owners;  ///< of each public key, in words

  // Places for the checks that come last, parallel to the vectors of `cluster`.
  std::vector<std::vector<YamlField>> pool_address_fields;  ///< of each pool, parallel to its addresses
  std::vector<PoolUse> pool_uses;
  std::vector<std::optional<Prefix>> pool_nat64_prefixes;  ///< of each pool: from where NAT64 translates to it
  std::vector<ExternalRange> static_mappings;
  std::vector<DestinationUse> destinations;
  std::vector<YamlField> nat_rule_fields;
  std::vector<YamlField> chassis_fields;
  std::vector<YamlField> service_set_fields;
  std::vector<std::optional<YamlField>> session_limit_fields;
  std::vector<std::optional<YamlField>>
      interface_fields;  ///< of service sets: where one runs that is in no redundancy set
  std::vector<std::vector<YamlField>> set_service_uses;  ///< of each redundancy set, parallel to its service_sets
  std::vector<std::vector<YamlField>> virtual_fields;    ///< of each redundancy set, parallel to its virtual_addresses
  /// The guarantees of firewall terms other than `asynchronous`, each with the index of its rule.
  std::vector<std::pair<std::uint16_t, YamlField>> guarantee_fields;
  std::vector<std::vector<YamlField>> signal_fields;  ///< of each redundancy set, parallel to its signal_routes
};

// Each takes the value of the top-level key of that name.
void read_timeouts(const YamlField& field, Timeouts& out);
void read_applications(const YamlField& field, Draft& draft);
void read_application_sets(const YamlField& field, Draft& draft);
void read_prefix_lists(const YamlField& field, Draft& draft);
void read_screens(const YamlField& field, Draft& draft);
void read_nat(const YamlField& field, Draft& draft);  ///< after applications and prefix lists
void read_stateful_firewall(const YamlField& field, Draft& draft);
void read_service_sets(const YamlField& field, Draft& draft);  ///< after timeouts and rules
void read_chassis(const YamlField& field, Draft& draft);
void read_witness(const YamlField& field, Draft& draft);
void read_redundancy_sets(const YamlField& field, Draft& draft);  ///< after chassis and service sets

void read_clients(const YamlField& field, Draft& draft);

/// Reads the list of the public keys of `owner`. Reports what is no key, and a key that the file has already.
[[nodiscard]] std::vector<std::string> read_public_keys(const YamlField& field, const Key& key, std::string_view owner,
                                                        Draft& draft);

// Parts of rules.

void read_pool(const YamlField& field, Draft& draft);
/// Reads a port, or LOW-HIGH in one word, within the range of the key.
[[nodiscard]] std::optional<PortRange> read_ports(const YamlField& field, const Key& key);
/// Reads { range: { low: PORT, high: PORT } }, or what read_ports() reads.
[[nodiscard]] std::optional<PortRange> read_ports_or_range(const YamlField& field, const Key& key);
/// Returns the range of ports from `low` to `high`. Reports at `field` if it ends before it begins.
[[nodiscard]] std::optional<PortRange> make_port_range(const YamlField& field, std::uint64_t low, std::uint64_t high);
/// `low` and `high` of a map, both addresses.
[[nodiscard]] std::optional<AddressRange> read_address_bounds(const YamlMap& range);
/// The items of a list, or a scalar or map as a list of one.
[[nodiscard]] std::vector<YamlField> items_of(const YamlField& field);
[[nodiscard]] std::vector<Prefix> read_prefix_list_names(const YamlField& field, Draft& draft);
/// `translated-port` of a term whose `from`, at `from_place`, is read.
void read_translated_port(const YamlField& field, const YamlField& from_place, const Draft& draft, NatTerm& term);
[[nodiscard]] MatchConditions read_from(const YamlField& field, Draft& draft);
[[nodiscard]] MatchDirection read_direction(const Section& rule);
/// True if packets of the family can match.
[[nodiscard]] bool admits_family(const MatchConditions& from, bool four);

/// Reads the terms of a rule, which are maps of `section`. `read_then` takes the value of `then`, the term's map, and
/// the term with its conditions.
template <class Term, class ReadThen>
std::vector<Term> read_terms(const Section& rule, std::string_view section, Draft& draft, ReadThen&& read_then) {
  constexpr const Key& kTerms = key("rules[]", "terms");
  std::vector<Term> out;
  const auto terms = rule.get(kTerms);
  if (!terms) return out;
  NameBook names("term");
  for (const auto& item : terms->list(kTerms.low)) {
    const Section map(item, section);
    Term term;
    term.name = names.define(map);
    if (const auto from = map.get("from")) term.from = read_from(*from, draft);
    if (const auto then = map.get("then")) read_then(*then, map, term);
    out.push_back(std::move(term));
  }
  return out;
}

/// Counts a set on a chassis, and reports one too many at `place`.
void count_set(const YamlField& place, std::uint16_t chassis, Draft& draft);
/// Addresses and ports of the chassis. Before the stand-alone sets are made, which need no ports.
void check_endpoints(Draft& draft);
/// Whether all chassis have keys, or none.
void check_keys(Draft& draft);
/// Makes the stand-alone sets. After everything was read.
void place_service_sets(Draft& draft);
/// Units, pools, limits, addresses: whatever concerns two parts of the file.
void check_whole(Draft& draft);
/// Of these: what concerns NAT.
void check_nat(Draft& draft);
/// Pools of a term whose ports or addresses sessions own.
[[nodiscard]] std::vector<std::uint16_t> source_pools_of(const NatTerm& term);
/// What is legal but surprising.
void add_warnings(Draft& draft);
/// Warns about addresses and ports of pools that already have an owner.
void add_nat_warnings(Cluster& cluster);

}  // namespace icr::cluster_draft
