// First match of a packet's key among many rules, for the price of a few searches.
//
// A rule is a product of independent fields (source, destination, ports, protocol, direction) for each application that
// it names, so it is entered once for each of them; the order of the entries is the order of the rules, and in a rule
// the order of its applications. Entries are taken in groups of at most 1,024. For each field a group has the sorted
// borders of all intervals that its entries speak of, and for each elementary interval between them the set of entries
// that hold there, as bits. The first bit of the intersection of the fields' sets is the first match: this is exact,
// nothing is verified afterwards. (The bit vectors of Lakshman and Stiliadis, SIGCOMM 1998; a summary word per set, as
// Baboescu and Varghese's aggregated bit vectors, SIGCOMM 2001, skips the words that are zero.)
//
// Memory is bounded by the model's bound of conditions: borders times 128 bytes in the worst case; equal sets are
// stored once. Immutable after construction: any thread may ask. No allocation in first().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/config/rules.h"

namespace icr::node {

class RuleClassifier {
 public:
  struct Rule {
    const MatchConditions* from;
    MatchDirection direction = MatchDirection::input_output;
    bool v4 = true;  ///< may match IPv4 packets
    bool v6 = true;  ///< may match IPv6 packets
  };
  struct Match {
    std::uint32_t rule = 0;                    ///< index into the rules
    std::optional<std::uint16_t> application;  ///< the first application of the rule that matches, if it names any
  };

  RuleClassifier() = default;
  /// `applications` are those of the cluster, which the conditions have indices of.
  RuleClassifier(std::span<const Application> applications, std::span<const Rule> rules);

  /// `input`: the packet came in on the inside port. `query`: what it is, if its protocol is ICMP or ICMPv6.
  [[nodiscard]] std::optional<Match> first(const FlowKey& key, bool input, IcmpQuery query = IcmpQuery::echo) const;
  /// True if the rules may decide differently about the queries of ICMP.
  [[nodiscard]] bool distinguishes_queries() const;
  [[nodiscard]] std::size_t memory() const;

 private:
  static constexpr std::size_t kGroupEntries = 1024;
  static constexpr std::size_t kMaxWords = kGroupEntries / 64;
  using Bits = std::array<std::uint64_t, kMaxWords>;

  /// IPv6 addresses as two numbers, to be compared.
  struct Wide {
    std::uint64_t high = 0, low = 0;
    friend auto operator<=>(const Wide&, const Wide&) = default;
  };

  /// One field of a group: interval i goes from borders[i] to borders[i + 1] - 1 and has the set rows[i].
  template <class Value>
  struct Field {
    std::vector<Value> borders;  ///< ascending; the first is the lowest value
    std::vector<std::uint32_t> rows;
    [[nodiscard]] std::uint32_t row_of(const Value& value) const;
  };

  struct Entry {
    std::uint32_t rule;
    std::optional<std::uint16_t> application;
  };

  struct Group {
    std::size_t words = 0;
    std::vector<Entry> entries;
    std::vector<std::uint64_t> bits;       ///< rows of `words` each
    std::vector<std::uint16_t> summaries;  ///< of each row: bit w set if word w is not zero
    Field<std::uint32_t> source4, destination4;
    Field<Wide> source6, destination6;
    Field<std::uint16_t> source_port, destination_port;
    std::uint32_t portless = 0;                 ///< row of the entries that ask for no port
    std::array<std::uint32_t, 256> protocol{};  ///< rows; of ICMP and ICMPv6: those of echo requests
    std::array<std::uint32_t, 2> timestamp{};   ///< rows of timestamp requests: ICMP, ICMPv6 (which has none)
    std::array<std::uint32_t, 2> direction{};   ///< rows: output, input
  };
  class Builder;

  [[nodiscard]] static std::optional<std::size_t> first_bit(const Group& group, std::span<const std::uint32_t> rows);
  static Wide wide(const IpAddress& address);

  std::vector<Group> groups_;
};

}  // namespace icr::node
