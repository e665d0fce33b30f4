// What a NAT pool looks like at one moment: the numbers behind `show services nat pool` and its relatives.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "model/base/enum_end.h"
#include "model/record/session.h"

namespace icr {

/// How the shards of a card hold the addresses of a pool.
enum class NatPoolUse : std::uint8_t {
  ports = 0,      ///< NAPT: sessions or mappings own single ports
  port_blocks,    ///< NAPT out of blocks that hosts own
  deterministic,  ///< NAPT out of the block that arithmetic gives a host
  addresses,      ///< dynamic NAT: hosts own whole addresses
  one_to_one,     ///< static source NAT: nothing is allocated
  destination,    ///< destination NAT: nothing is allocated
};
inline constexpr std::uint8_t kNatPoolUseCount = enum_end<NatPoolUse>();

/// Counters of one NAT pool, from the start of the process or since `clear services nat statistics`. This structure has
/// no other members than counters of 64 bits, so that subtract() meets each of them.
struct NatPoolCounters {
  // Set-ups that the pool could not serve, each counted once under the reason; the next pool of the term may have.
  std::uint64_t out_of_port_errors = 0;            ///< pool or deterministic range used up; with port blocks: see there
  std::uint64_t out_of_address_errors = 0;         ///< dynamic NAT: no address left (and no overload pool)
  std::uint64_t parity_port_errors = 0;            ///< no port of the same parity left
  std::uint64_t preserve_range_errors = 0;         ///< no port of the same range (0-1023, 1024-65535) left
  std::uint64_t app_port_errors = 0;               ///< none left on the address that the host is paired with
  std::uint64_t app_exceed_port_limit_errors = 0;  ///< limit-ports-per-host reached
  std::uint64_t memory_allocation_errors = 0;      ///< no row left for another mapping, pairing or host

  std::uint64_t block_allocations = 0;
  std::uint64_t block_releases = 0;
  std::uint64_t out_of_block_errors = 0;         ///< no free block in the pool
  std::uint64_t max_blocks_exceeded_errors = 0;  ///< the host has as many as it may have, and they are full
  std::uint64_t block_log_overflows = 0;         ///< messages about blocks that were lost because they came too fast

  std::uint64_t eif_sessions_created = 0;
  std::uint64_t eif_limit_exceeded = 0;  ///< eif-flow-limit reached
  std::uint64_t eif_refused = 0;         ///< from outside to a mapping that does not let that sender in

  std::uint64_t reused_early = 0;       ///< held ones that another host got early, because no other was free
  std::uint64_t conflicts_refused = 0;  ///< bindings of a peer or a checkpoint that contradict what is held

  /// Leaves what was counted after `cleared`, an earlier state of the same counters.
  void subtract(const NatPoolCounters& cleared);
  friend bool operator==(const NatPoolCounters&, const NatPoolCounters&) = default;
};
/// The counters as numbers in the order of their declaration.
using NatPoolCounterWords = std::array<std::uint64_t, sizeof(NatPoolCounters) / sizeof(std::uint64_t)>;
static_assert(std::is_trivially_copyable_v<NatPoolCounters> && sizeof(NatPoolCounters) == sizeof(NatPoolCounterWords));

inline void NatPoolCounters::subtract(const NatPoolCounters& cleared) {
  auto words = std::bit_cast<NatPoolCounterWords>(*this);
  const auto before = std::bit_cast<NatPoolCounterWords>(cleared);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] -= before[i];
  *this = std::bit_cast<NatPoolCounters>(words);
}

/// One pool as one service set uses it, on one card. Ports are counted per protocol: TCP, UDP and ICMP query
/// identifiers of one address are three times the port range. The figures beside the
/// counters are of now.
/// A pool may be shared by several service sets: mappings and pairings are those of the service set, all other figures
/// are of the whole pool.
struct NatPoolStatus : NatPoolCounters {
  StableId service_set = 0;
  StableId pool = 0;
  NatPoolUse use = NatPoolUse::ports;

  std::uint64_t addresses = 0;
  std::uint64_t addresses_in_use = 0;  ///< with a port, block or host on them
  std::uint64_t ports = 0;             ///< all that the pool has
  std::uint64_t ports_in_use = 0;      ///< owned by sessions and mappings
  std::uint64_t max_ports_in_use = 0;

  // Port blocks (and deterministic blocks: block_size, users).
  std::uint32_t block_size = 0;
  std::uint32_t max_blocks_per_host = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_in_use = 0;
  std::uint64_t max_blocks_in_use = 0;

  std::uint64_t users = 0;     ///< hosts that hold something of the pool; counted where hosts are followed, else 0
  std::uint64_t mappings = 0;  ///< endpoint-independent mappings
  std::uint64_t pairings = 0;  ///< hosts with a paired address, or with one of their own

  std::uint64_t eif_sessions = 0;  ///< live, begun from outside through endpoint-independent filtering

  std::uint64_t held = 0;  ///< ports, blocks or addresses that were freed and must not go to another host yet
};

/// One row of a listing of deterministic NAT: the ports of a host, or the host of a port.
struct DeterministicBinding {
  std::uint32_t internal = 0;  ///< IPv4, host order
  std::uint32_t external = 0;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;
  friend bool operator==(const DeterministicBinding&, const DeterministicBinding&) = default;
};

/// How much a binding is used.
struct BindingUse {
  std::uint32_t slot = 0;  ///< of the binding
  std::uint32_t sessions = 0;
  std::uint32_t ports = 0;  ///< owned through it: port block, pairing
};

/// A block of ports that deterministic NAT gives a host.
struct DeterministicRow {
  StableId service_set = 0;
  StableId pool = 0;
  DeterministicBinding binding;
  std::uint32_t ports_in_use = 0;
};

/// Returns the bit of a kind in a set of kinds of records.
[[nodiscard]] constexpr std::uint8_t kind_bit(RecordKind kind) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
}

}  // namespace icr
