#include "node/service/classifier.h"

#include <algorithm>
#include <bit>
#include <map>

namespace icr::node {
namespace {

/// Closed intervals of one field.
template <class Value>
struct Interval {
  Value low, high;
};
template <class Value>
using Intervals = std::vector<Interval<Value>>;

/// An application and a rule may both speak of a port.
std::vector<PortRange> common_ports(const std::vector<PortRange>& ranges, const std::optional<PortRange>& limit) {
  if (!limit) return ranges;
  if (ranges.empty()) return {*limit};
  std::vector<PortRange> out;
  for (const auto& range : ranges) {
    const PortRange both{std::max(range.low, limit->low), std::min(range.high, limit->high)};
    if (both.low <= both.high) out.push_back(both);
  }
  return out;
}

/// True if an application can match packets of the protocol, ports apart.
bool takes_protocol(const Application& application, std::uint8_t protocol, IcmpQuery query) {
  FlowKey key;
  key.protocol = protocol;
  if (application.source_port) key.source_port = application.source_port->low;
  if (application.destination_port) key.destination_port = application.destination_port->low;
  return application.matches(key, query);
}

}  // namespace

/// One group while it is built.
class RuleClassifier::Builder {
 public:
  explicit Builder(Group& group) : group_(group) {}

  struct Draft {
    Entry entry;
    const Rule* rule;
    const Application* application;  ///< null: any
    std::vector<PortRange> source_ports, destination_ports;
  };

  void build(std::span<const Draft> drafts) {
    drafts_ = drafts;
    group_.words = (drafts.size() + 63) / 64;
    for (const auto& draft : drafts) group_.entries.push_back(draft.entry);
    build_addresses();
    build_ports(group_.source_port, &Draft::source_ports);
    build_ports(group_.destination_port, &Draft::destination_ports);
    group_.portless =
        row_where([](const Draft& draft) { return draft.source_ports.empty() && draft.destination_ports.empty(); });
    const auto row_of = [&](unsigned protocol, IcmpQuery query) {
      return row_where([&](const Draft& draft) {
        return draft.application == nullptr ||
               takes_protocol(*draft.application, static_cast<std::uint8_t>(protocol), query);
      });
    };
    for (unsigned protocol = 0; protocol < 256; ++protocol) {
      group_.protocol[protocol] = row_of(protocol, IcmpQuery::echo);
    }
    group_.timestamp = {row_of(ip_protocol::icmp, IcmpQuery::timestamp),
                        row_of(ip_protocol::icmp6, IcmpQuery::timestamp)};
    for (const bool input : {false, true}) {
      group_.direction[input ? 1 : 0] = row_where([&](const Draft& draft) {
        const auto direction = draft.rule->direction;
        return direction == MatchDirection::input_output || (direction == MatchDirection::input) == input;
      });
    }
    group_.bits.shrink_to_fit();
    group_.summaries.shrink_to_fit();
  }

 private:
  using Conditions = std::vector<AddressRange> MatchConditions::*;

  /// The row with these bits: an equal one, if there is one already.
  std::uint32_t row(const Bits& bits) {
    const auto known = known_.emplace(bits, static_cast<std::uint32_t>(group_.summaries.size()));
    if (!known.second) return known.first->second;
    std::uint16_t summary = 0;
    for (std::size_t w = 0; w < group_.words; ++w) {
      group_.bits.push_back(bits[w]);
      if (bits[w] != 0) summary = static_cast<std::uint16_t>(summary | 1U << w);
    }
    group_.summaries.push_back(summary);
    return known.first->second;
  }

  static void set(Bits& bits, std::size_t entry) { bits[entry / 64] |= std::uint64_t{1} << (entry % 64); }

  template <class Condition>
  std::uint32_t row_where(Condition&& holds) {
    Bits bits{};
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      if (holds(drafts_[i])) set(bits, i);
    }
    return row(bits);
  }

  /// Intervals that some entries ask for (in) or refuse (except). Disjoint and ascending.
  template <class Value>
  struct List {
    Intervals<Value> intervals;
    Bits in{}, except{};
  };

  template <class Value, class Next>
  static void merge(Intervals<Value>& intervals, Next&& next) {
    std::sort(intervals.begin(), intervals.end(), [](const auto& a, const auto& b) { return a.low < b.low; });
    Intervals<Value> out;
    for (const auto& interval : intervals) {
      const auto after = out.empty() ? std::nullopt : next(out.back().high);
      const bool joins = !out.empty() && (!after || interval.low <= *after);
      if (joins) {
        out.back().high = std::max(out.back().high, interval.high);
      } else {
        out.push_back(interval);
      }
    }
    intervals = std::move(out);
  }

  /// `in` has the entries that hold everywhere, as far as no list of theirs says otherwise; `never` those that hold
  /// nowhere. An entry is in at most one list as `in`, and in at most one as `except`.
  template <class Value, class Next>
  void build_field(Field<Value>& field, std::vector<List<Value>>& lists, Bits in, const Bits& never, Next&& next) {
    struct Step {
      Value at;
      std::uint32_t list;
    };
    std::vector<Step> steps;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      merge(lists[i].intervals, next);
      for (const auto& interval : lists[i].intervals) {
        steps.push_back({interval.low, static_cast<std::uint32_t>(i)});
        if (const auto after = next(interval.high)) steps.push_back({*after, static_cast<std::uint32_t>(i)});
      }
    }
    std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.at < b.at; });
    Bits except{};
    const auto add_row = [&](const Value& border) {
      Bits bits;
      for (std::size_t w = 0; w < kMaxWords; ++w) bits[w] = in[w] & ~except[w] & ~never[w];
      field.borders.push_back(border);
      field.rows.push_back(row(bits));
    };
    if (steps.empty() || Value{} < steps[0].at) add_row(Value{});
    for (std::size_t i = 0; i < steps.size(); ++i) {
      // A list begins and ends in turn: its entries change sides each time.
      const auto& list = lists[steps[i].list];
      for (std::size_t w = 0; w < kMaxWords; ++w) {
        in[w] ^= list.in[w];
        except[w] ^= list.except[w];
      }
      if (i + 1 == steps.size() || steps[i].at < steps[i + 1].at) add_row(steps[i].at);
    }
    field.borders.shrink_to_fit();
    field.rows.shrink_to_fit();
  }

  template <class Value, class Convert, class Next>
  void build_address(Field<Value>& field, bool v4, Conditions in, Conditions except, Convert&& convert, Next&& next) {
    std::vector<List<Value>> lists;
    std::map<const void*, std::size_t> known;  // by the model's vector, which the entries of a rule share
    const auto list_of = [&](const std::vector<AddressRange>& ranges) -> List<Value>& {
      const auto place = known.emplace(&ranges, lists.size());
      if (!place.second) return lists[place.first->second];
      lists.emplace_back();
      for (const auto& range : ranges) {
        if (range.is_v4() == v4) lists.back().intervals.push_back({convert(range.low), convert(range.high)});
      }
      return lists.back();
    };
    Bits everywhere{}, never{};
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      const auto& from = *drafts_[i].rule->from;
      if (v4 ? !drafts_[i].rule->v4 : !drafts_[i].rule->v6) set(never, i);
      if ((from.*in).empty()) {
        set(everywhere, i);
      } else {
        set(list_of(from.*in).in, i);
      }
      if (!(from.*except).empty()) set(list_of(from.*except).except, i);
    }
    build_field(field, lists, everywhere, never, next);
  }

  void build_addresses() {
    const auto as4 = [](const IpAddress& address) { return address.to_v4(); };
    const auto next4 = [](std::uint32_t value) {
      return value == ~std::uint32_t{0} ? std::nullopt : std::optional(value + 1);
    };
    const auto next6 = [](const Wide& value) {
      constexpr std::uint64_t kMost = ~std::uint64_t{0};
      if (value.low != kMost) return std::optional(Wide{value.high, value.low + 1});
      return value.high == kMost ? std::nullopt : std::optional(Wide{value.high + 1, 0});
    };
    using M = MatchConditions;
    build_address(group_.source4, true, &M::source_addresses, &M::source_except, as4, next4);
    build_address(group_.destination4, true, &M::destination_addresses, &M::destination_except, as4, next4);
    build_address(group_.source6, false, &M::source_addresses, &M::source_except, wide, next6);
    build_address(group_.destination6, false, &M::destination_addresses, &M::destination_except, wide, next6);
  }

  void build_ports(Field<std::uint16_t>& field, std::vector<PortRange> Draft::*ports) {
    std::vector<List<std::uint16_t>> lists;
    Bits everywhere{};
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      if ((drafts_[i].*ports).empty()) {
        set(everywhere, i);
        continue;
      }
      lists.emplace_back();
      for (const auto& range : drafts_[i].*ports) lists.back().intervals.push_back({range.low, range.high});
      set(lists.back().in, i);
    }
    build_field(field, lists, everywhere, Bits{}, [](std::uint16_t value) {
      return value == 65535 ? std::nullopt : std::optional(static_cast<std::uint16_t>(value + 1));
    });
  }

  Group& group_;
  std::span<const Draft> drafts_;
  std::map<Bits, std::uint32_t> known_;
};

RuleClassifier::RuleClassifier(std::span<const Application> applications, std::span<const Rule> rules) {
  std::vector<Builder::Draft> drafts;
  const auto flush = [&] {
    if (drafts.empty()) return;
    groups_.emplace_back();
    Builder(groups_.back()).build(drafts);
    drafts.clear();
  };
  const auto add = [&](std::size_t index, std::optional<std::uint16_t> application) {
    const Rule& rule = rules[index];
    const Application* const app = application ? &applications[*application] : nullptr;
    Builder::Draft draft{{static_cast<std::uint32_t>(index), application}, &rule, app, {}, {}};
    draft.source_ports = common_ports(rule.from->source_ports, app ? app->source_port : std::nullopt);
    draft.destination_ports = common_ports(rule.from->destination_ports, app ? app->destination_port : std::nullopt);
    // Where rule and application have no port in common there is nothing to match, and no ports would mean any.
    if (draft.source_ports.empty() && !rule.from->source_ports.empty()) return;
    if (draft.destination_ports.empty() && !rule.from->destination_ports.empty()) return;
    drafts.push_back(std::move(draft));
    if (drafts.size() == kGroupEntries) flush();
  };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].from->applications.empty()) add(i, std::nullopt);
    for (const std::uint16_t application : rules[i].from->applications) add(i, application);
  }
  flush();
  groups_.shrink_to_fit();
}

RuleClassifier::Wide RuleClassifier::wide(const IpAddress& address) {
  Wide out;
  for (std::size_t i = 0; i < 8; ++i) {
    out.high = out.high << 8 | address.bytes[i];
    out.low = out.low << 8 | address.bytes[8 + i];
  }
  return out;
}

template <class Value>
std::uint32_t RuleClassifier::Field<Value>::row_of(const Value& value) const {
  // The last border that is not above the value; the first never is. No branch depends on the packet.
  const Value* base = borders.data();
  for (std::size_t count = borders.size(); count > 1;) {
    const std::size_t half = count / 2;
    base += base[half] <= value ? half : 0;
    count -= half;
  }
  return rows[static_cast<std::size_t>(base - borders.data())];
}

std::optional<std::size_t> RuleClassifier::first_bit(const Group& group, std::span<const std::uint32_t> rows) {
  std::uint32_t summary = 0xffff;
  for (const std::uint32_t row : rows) summary &= group.summaries[row];
  for (; summary != 0; summary &= summary - 1) {
    const auto word = static_cast<std::size_t>(std::countr_zero(summary));
    std::uint64_t bits = ~std::uint64_t{0};
    for (const std::uint32_t row : rows) bits &= group.bits[row * group.words + word];
    if (bits != 0) return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  }
  return std::nullopt;
}

std::optional<RuleClassifier::Match> RuleClassifier::first(const FlowKey& key, bool input, IcmpQuery query) const {
  const bool v4 = key.source.is_v4() && key.destination.is_v4();
  const bool icmp = key.protocol == ip_protocol::icmp || key.protocol == ip_protocol::icmp6;
  const bool timestamp = icmp && query == IcmpQuery::timestamp;
  for (const Group& group : groups_) {
    std::array<std::uint32_t, 6> rows;
    std::size_t count = 0;
    rows[count++] = group.direction[input ? 1 : 0];
    rows[count++] =
        timestamp ? group.timestamp[key.protocol == ip_protocol::icmp ? 0 : 1] : group.protocol[key.protocol];
    if (has_ports(key.protocol)) {
      rows[count++] = group.destination_port.row_of(key.destination_port);
      rows[count++] = group.source_port.row_of(key.source_port);
    } else {
      rows[count++] = group.portless;
    }
    if (v4) {
      rows[count++] = group.source4.row_of(key.source.to_v4());
      rows[count++] = group.destination4.row_of(key.destination.to_v4());
    } else {
      rows[count++] = group.source6.row_of(wide(key.source));
      rows[count++] = group.destination6.row_of(wide(key.destination));
    }
    if (const auto bit = first_bit(group, {rows.data(), count})) {
      const Entry& entry = group.entries[*bit];
      return Match{entry.rule, entry.application};
    }
  }
  return std::nullopt;
}

bool RuleClassifier::distinguishes_queries() const {
  return std::any_of(groups_.begin(), groups_.end(),
                     [](const Group& g) { return g.timestamp[0] != g.protocol[ip_protocol::icmp]; });
}

std::size_t RuleClassifier::memory() const {
  const auto bytes = [](const auto& field) { return field.borders.size() * (sizeof(field.borders[0]) + 4); };
  std::size_t out = 0;
  for (const Group& group : groups_) {
    out += sizeof group + group.bits.size() * 8 + group.summaries.size() * 2 + group.entries.size() * sizeof(Entry);
    out += bytes(group.source4) + bytes(group.destination4) + bytes(group.source6) + bytes(group.destination6);
    out += bytes(group.source_port) + bytes(group.destination_port);
  }
  return out;
}

}  // namespace icr::node
