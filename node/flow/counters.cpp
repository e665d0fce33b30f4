#include "node/flow/counters.h"

#include <numeric>

namespace icr::node {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(HeaderError::count)> kHeaderErrorNames = {
    "no-error",
    "ip-version-errors",
    "ip-header-length-errors",
    "ip-total-length-errors",
    "ip-checksum-errors",
    "ip-bad-address",
    "ip-land-attack",
    "ip-ttl-zero",
    "ip-illegal-protocol",
    "ip-multicast",
    "ip-extension-header-errors",
    "fragment-tiny",
    "fragment-bad-length",
    "fragment-ping-of-death",
    "tcp-header-length-errors",
    "udp-header-length-errors",
    "icmp-header-length-errors",
    "udp-length-errors",
    "tcp-no-flag",
    "tcp-syn-fin",
    "tcp-fin-no-ack",
    "tcp-port-zero",
    "udp-port-zero",
};

constexpr std::array<std::string_view, static_cast<std::size_t>(Drop::count)> kDropNames = {
    "unknown-interface",
    "not-master",
    "handing-over",
    "wrong-interface",
    "firewall-discards",
    "firewall-rejects",
    "tcp-non-syn-discard",
    "tcp-invalid-seq-win-check",
    "tcp-invalid-ack-win-check",
    "tcp-invalid-rst",
    "tcp-invalid-flags-handshake",
    "nat-out-of-ports",
    "nat-conflict",
    "nat-no-session",
    "session-limit-drops",
    "session-setup-rate-drops",
    "no-session-id",
    "flow-index-full",
    "icmp-error-no-session",
    "icmp-error-malformed",
    "icmp-checksum-errors",
    "icmp-no-session",
    "fragment-overlap",
    "fragment-limit",
    "fragment-table-full",
    "fragment-timeout",
    "fragment-refused",
};

template <std::size_t N>
constexpr bool all_named(const std::array<std::string_view, N>& names) {
  for (const auto& name : names) {
    if (name.empty()) return false;
  }
  return true;
}
static_assert(all_named(kHeaderErrorNames) && all_named(kDropNames), "a counter without a name");

}  // namespace

std::string_view to_string(HeaderError error) { return kHeaderErrorNames[static_cast<std::size_t>(error)]; }
std::string_view to_string(Drop reason) { return kDropNames[static_cast<std::size_t>(reason)]; }

std::uint64_t EngineCounters::dropped() const {
  return std::accumulate(header_errors.begin(), header_errors.end(), std::uint64_t{0}) +
         std::accumulate(drops.begin(), drops.end(), std::uint64_t{0});
}

void EngineCounters::append_to(CounterList& out) const {
  out.push_back({"packets-in", packets_in});
  out.push_back({"bytes-in", bytes_in});
  out.push_back({"packets-out", packets_out});
  out.push_back({"sessions-created", sessions_created});
  out.push_back({"sessions-reused", sessions_reused});
  out.push_back({"icmp-errors-translated", icmp_errors_translated});
  out.push_back({"rejects-sent", rejects_sent});
  out.push_back({"rejects-suppressed", rejects_suppressed});
  out.push_back({"fragments-held", fragments_held});
  for (std::size_t i = 1; i < header_errors.size(); ++i) {
    out.push_back({std::string(kHeaderErrorNames[i]), header_errors[i]});
  }
  for (std::size_t i = 0; i < drops.size(); ++i) out.push_back({std::string(kDropNames[i]), drops[i]});
}

}  // namespace icr::node
