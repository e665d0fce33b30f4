// What the storage tests share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/checkpointer.h"
#include "storage/record.h"
#include "storage/restore.h"
#include "tests/support/fake_table.h"
#include "tests/support/memory_store.h"
#include "tests/support/temporary_folder.h"

namespace icr::test {

inline constexpr std::uint64_t kDigest = 0x1122334455667788;
inline constexpr WallMillis kWall = 1'700'000'000'000;

inline TimePoint at(Duration since_start) { return TimePoint{} + 1000s + since_start; }

/// A NAPT44 session whose keys are those of `identity` and nobody else's.
inline SessionRecord session(std::uint32_t identity, bool tcp = true) {
  SessionRecord r;
  FlowKey out;
  out.source = IpAddress::v4(0xc6120000U + identity / 40000);
  out.destination = IpAddress::v4(0xcb007101);
  out.source_port = static_cast<std::uint16_t>(10000 + identity % 40000);
  out.destination_port = 80;
  out.protocol = tcp ? ip_protocol::tcp : ip_protocol::udp;
  FlowKey back = out.mirrored();
  back.destination = IpAddress::v4(0xc0000201U + identity / 40000);
  r.flow = {out, back};
  r.nat_type = NatType::napt44;
  r.nat_pool = 1;
  r.policy = 1;
  r.timeout_s = 3600;
  if (tcp) {
    r.tcp_state = TcpState::syn_sent;
    r.has_tcp = true;
    r.tcp[0] = TcpWindow{identity, identity + 1000, 65535, 7, kTcpWindowKnown | kTcpWindowScaled};
    r.tcp[1] = TcpWindow{identity, identity + 2000, 65535, 7, kTcpWindowKnown};
  }
  return r;
}

/// An IPv6 session.
inline SessionRecord session6(std::uint32_t identity) {
  SessionRecord r = session(identity, false);
  std::uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};
  for (unsigned i = 0; i < 4; ++i) bytes[12 + i] = static_cast<std::uint8_t>(identity >> (8 * (3 - i)));
  r.flow[0].source = IpAddress::v6(bytes);
  bytes[5] = 1;
  r.flow[0].destination = IpAddress::v6(bytes);
  r.flow[1] = r.flow[0].mirrored();
  r.nat_type = NatType::none;
  r.nat_pool = 0;
  return r;
}

/// What must be equal before and after: everything but times and TCP windows.
struct Essence {
  std::uint64_t digest = 0;
  std::uint32_t generation = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Essence&, const Essence&) = default;
};
inline Essence essence(const SessionRecord& r) {
  return {digest_of(r), r.ref.generation, r.has_counters ? r.counters[0].bytes : 0};
}
inline void PrintTo(const Essence& e, std::ostream* out) {
  *out << "generation " << e.generation << " bytes " << e.bytes << " digest " << e.digest;
}

/// Live sessions by slot.
inline std::map<std::uint32_t, Essence> contents(const FakeTable& table, TimePoint now) {
  std::map<std::uint32_t, Essence> out;
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < table.high_water(); ++slot) {
    if (table.read(slot, now, record)) out[slot] = essence(record);
  }
  return out;
}

/// Ticks until nothing is left to do at once.
inline void settle(storage::Checkpointer& checkpointer, TimePoint now, WallMillis wall, std::uint64_t term = 2) {
  while (checkpointer.tick(now, wall, term, 4096)) {
  }
}

inline storage::Restored restored_into(FakeTable& table, storage::Store& store, WallMillis wall_now = kWall,
                                       const std::string& set = "rs-1") {
  auto result = storage::restore(store, set, kDigest, table, table, at(0s), wall_now);
  if (!result) throw std::runtime_error(result.error().message);
  return *result;
}

}  // namespace icr::test
