#include "model/config/reserved_endpoints.h"

#include <algorithm>
#include <array>
#include <set>

namespace icr {
namespace {

/// IPv4 addresses in host order, both ends included.
struct Span {
  std::uint32_t low, high;
};
using Spans = std::vector<Span>;

Spans merged(Spans spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.low < b.low; });
  Spans out;
  for (const Span& s : spans) {
    if (!out.empty() && std::uint64_t{out.back().high} + 1 >= s.low) {
      out.back().high = std::max(out.back().high, s.high);
    } else {
      out.push_back(s);
    }
  }
  return out;
}

Spans spans_of(const std::vector<AddressRange>& ranges) {
  Spans out;
  for (const AddressRange& r : ranges) {
    if (r.is_v4()) out.push_back({r.low.to_v4(), r.high.to_v4()});
  }
  return merged(std::move(out));
}

/// Returns what is in `from` and not in `except`. REQUIRES: both are sorted and merged.
Spans without(const Spans& from, const Spans& except) {
  Spans out;
  std::size_t e = 0;
  for (const Span& s : from) {
    std::uint64_t next = s.low;
    while (e < except.size() && except[e].high < s.low) ++e;
    for (std::size_t i = e; i < except.size() && except[i].low <= s.high; ++i) {
      if (except[i].low > next) out.push_back({static_cast<std::uint32_t>(next), except[i].low - 1});
      next = std::max<std::uint64_t>(next, std::uint64_t{except[i].high} + 1);
    }
    if (next <= s.high) out.push_back({static_cast<std::uint32_t>(next), s.high});
  }
  return out;
}

/// The ports of one protocol at which a rule answers callers.
struct Answer {
  EndpointProtocol protocol;
  std::optional<PortRange> ports;
};

/// Returns the ports of `protocol` that a term answers for one application, or without an application if it is null.
void add_answers(const MatchConditions& from, const Application* application, EndpointProtocol protocol,
                 std::vector<Answer>& out) {
  constexpr std::array<std::uint8_t, 3> kNumbers = {ip_protocol::tcp, ip_protocol::udp, ip_protocol::icmp};
  const bool has_ports = protocol == EndpointProtocol::tcp || protocol == EndpointProtocol::udp;
  if (application != nullptr && application->protocol) {
    const auto known = std::find(kNumbers.begin(), kNumbers.end(), *application->protocol);
    const auto own = static_cast<EndpointProtocol>(known - kNumbers.begin());  // the one after the last: other
    if (own != protocol) return;
  }
  const bool asks_for_ports = !from.source_ports.empty() || !from.destination_ports.empty() ||
                              (application != nullptr && (application->source_port || application->destination_port));
  if (!has_ports) {
    if (!asks_for_ports) out.push_back({protocol, std::nullopt});
    return;
  }
  if (application != nullptr && (application->icmp_type || application->icmp_code)) return;
  const auto limit = application == nullptr ? std::nullopt : application->destination_port;
  if (from.destination_ports.empty()) {
    out.push_back({protocol, limit});
    return;
  }
  for (PortRange ports : from.destination_ports) {
    if (limit) ports = {std::max(ports.low, limit->low), std::min(ports.high, limit->high)};
    if (ports.low <= ports.high) out.push_back({protocol, ports});
  }
}

std::vector<Answer> answers_of(const Cluster& cluster, const MatchConditions& from) {
  std::vector<Answer> out;
  for (std::size_t p = 0; p < kEndpointProtocols; ++p) {
    const auto protocol = static_cast<EndpointProtocol>(p);
    if (from.applications.empty()) add_answers(from, nullptr, protocol, out);
    for (const std::uint16_t a : from.applications) add_answers(from, &cluster.applications[a], protocol, out);
  }
  return out;
}

bool translates_destination(NatType type) {
  return type == NatType::dnat44 || type == NatType::twice_basic_nat44 || type == NatType::twice_dynamic_nat44 ||
         type == NatType::twice_napt44;
}

bool is_static(NatType type) {
  return type == NatType::basic_nat44 || type == NatType::twice_basic_nat44 || type == NatType::nptv6;
}

/// A range of a pool that hands out ports or addresses.
struct PoolSpan {
  Span span;
  std::uint16_t pool;
};

class Finder {
 public:
  explicit Finder(const Cluster& cluster) : cluster_(cluster), out_(cluster.nat_pools.size()) {
    for (const ServiceSet& s : cluster.service_sets) rules_.insert(s.nat_rules.begin(), s.nat_rules.end());
    std::set<std::uint16_t> pools;
    for (const std::uint16_t rule : rules_) {
      for (const NatTerm& term : cluster.nat_rules[rule].terms) {
        if (is_static(term.type)) continue;
        pools.insert(term.source_pools.begin(), term.source_pools.end());
        if (term.overload_pool) pools.insert(*term.overload_pool);
      }
    }
    for (const DrainedUse& each : cluster.drained) pools.insert(each.term.source_pools[0]);
    for (const std::uint16_t pool : pools) {
      for (const Span& s : spans_of(cluster.nat_pools[pool].addresses)) pools_.push_back({s, pool});
    }
    std::sort(pools_.begin(), pools_.end(),
              [](const PoolSpan& a, const PoolSpan& b) { return a.span.low < b.span.low; });
  }

  std::vector<PoolReservations> find() {
    if (pools_.empty()) return std::move(out_);
    for (const std::uint16_t rule : rules_) {
      const auto& terms = cluster_.nat_rules[rule].terms;
      for (std::size_t t = 0; t < terms.size(); ++t) {
        if (!translates_destination(terms[t].type)) continue;
        const MatchConditions& from = terms[t].from;
        add(without(spans_of(from.destination_addresses), spans_of(from.destination_except)),
            answers_of(cluster_, from), rule, static_cast<std::uint16_t>(t));
      }
    }
    for (const IpAddress& address : own_addresses()) {
      if (!address.is_v4()) continue;
      add({{address.to_v4(), address.to_v4()}}, answers_of(cluster_, {}), std::nullopt, 0);
    }
    for (std::size_t p = 0; p < out_.size(); ++p) share(cluster_.nat_pools[p], out_[p]);
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::vector<IpAddress> own_addresses() const {
    std::vector<IpAddress> out;
    for (const ChassisConfig& chassis : cluster_.chassis) {
      const auto addresses = chassis.inter_chassis_addresses();
      out.insert(out.end(), addresses.begin(), addresses.end());
      out.push_back(chassis.query.address);
    }
    for (const RedundancySet& set : cluster_.redundancy_sets) {
      for (const VirtualAddress& virtual_address : set.virtual_addresses) out.push_back(virtual_address.address);
    }
    return out;
  }

  void add(const Spans& addresses, const std::vector<Answer>& answers, std::optional<std::uint16_t> rule,
           std::uint16_t term) {
    for (const Span& s : addresses) {
      // Ranges of pools do not overlap each other, so those that reach into the span follow one another.
      auto at = std::upper_bound(pools_.begin(), pools_.end(), s.low,
                                 [](std::uint32_t low, const PoolSpan& p) { return low < p.span.low; });
      if (at != pools_.begin() && std::prev(at)->span.high >= s.low) --at;
      for (; at != pools_.end() && at->span.low <= s.high; ++at) {
        const std::uint32_t low = std::max(s.low, at->span.low);
        const std::uint32_t high = std::min(s.high, at->span.high);
        for (const Answer& a : answers) out_[at->pool].reserved.push_back({low, high, a.protocol, a.ports, rule, term});
      }
    }
  }

  /// Reserves nothing for a protocol of which rules answer every port of every address.
  static void share(const NatPool& pool, PoolReservations& out) {
    for (std::size_t p = 0; p < kEndpointProtocols; ++p) {
      const auto whole = [&](const ReservedEndpoints& r) {
        return r.protocol == static_cast<EndpointProtocol>(p) && !r.ports;
      };
      Spans covered;
      for (const ReservedEndpoints& r : out.reserved) {
        if (whole(r)) covered.push_back({r.low, r.high});
      }
      if (covered.empty() || !without(spans_of(pool.addresses), merged(std::move(covered))).empty()) continue;
      const auto moved = std::stable_partition(out.reserved.begin(), out.reserved.end(),
                                               [&](const ReservedEndpoints& r) { return !whole(r); });
      out.shared.insert(out.shared.end(), moved, out.reserved.end());
      out.reserved.erase(moved, out.reserved.end());
    }
  }

  const Cluster& cluster_;
  std::set<std::uint16_t> rules_;
  std::vector<PoolSpan> pools_;  ///< sorted
  std::vector<PoolReservations> out_;
};

}  // namespace

std::vector<PoolReservations> reserved_endpoints(const Cluster& cluster) { return Finder(cluster).find(); }

}  // namespace icr
