// A table of inside hosts that counts what they use: sessions of a subscriber, ports and blocks of a pool. Memory is
// allocated at construction. Thread: one.
#pragma once

#include <cstdint>
#include <vector>

#include "model/record/flow_key.h"
#include "node/nat/fixed_index.h"

namespace icr::node {

/// One host in the scope of one pool or of one service set.
struct Host {
  static constexpr std::uint32_t kNone = 0xffffffffU;
  IpAddress address;
  std::uint32_t scope = 0;
  std::uint32_t count = 0;        ///< of a service set: sessions; of a pool: ports
  std::uint32_t sessions = 0;     ///< of a pool that maps: those of its mappings, added up
  std::uint32_t blocks = 0;       ///< bindings in the list
  std::uint32_t first = kNone;    ///< head of the list of its port blocks (rows of NatState)
  std::uint32_t active = kNone;   ///< the block that new ports come from
  std::uint32_t pairing = kNone;  ///< its paired or own address (a row)
  std::uint32_t next_free = kNone;

  [[nodiscard]] bool idle() const { return count == 0 && blocks == 0 && pairing == kNone; }
};

class HostTable {
 public:
  HostTable(std::uint32_t capacity, std::uint64_t seed) : hosts_(capacity), index_(capacity), seed_(seed) {
    for (std::uint32_t i = capacity; i-- > 0;) {
      hosts_[i].next_free = free_;
      free_ = i;
    }
  }

  /// Return the scope in which hosts are counted.
  [[nodiscard]] static std::uint32_t of_service_set(std::uint16_t index) { return index; }
  [[nodiscard]] static std::uint32_t of_pool(std::uint16_t index) { return 0x10000U | index; }

  [[nodiscard]] Host* find(std::uint32_t scope, const IpAddress& address) {
    const std::uint32_t at = lookup(scope, address, hash(scope, address));
    return at == FixedIndex::kNone ? nullptr : &hosts_[at];
  }
  [[nodiscard]] const Host* find(std::uint32_t scope, const IpAddress& address) const {
    const std::uint32_t at = lookup(scope, address, hash(scope, address));
    return at == FixedIndex::kNone ? nullptr : &hosts_[at];
  }
  /// Returns the host, and creates it (`fresh`) if it is not in the table. Returns null if the table is full.
  [[nodiscard]] Host* need(std::uint32_t scope, const IpAddress& address, bool& fresh) {
    fresh = false;
    const std::uint64_t h = hash(scope, address);
    if (const std::uint32_t at = lookup(scope, address, h); at != FixedIndex::kNone) return &hosts_[at];
    if (free_ == Host::kNone) return nullptr;
    const std::uint32_t at = free_;
    free_ = hosts_[at].next_free;
    hosts_[at] = Host{};
    hosts_[at].address = address;
    hosts_[at].scope = scope;
    index_.insert(h, at);
    fresh = true;
    return &hosts_[at];
  }
  /// Removes the host if it uses nothing any more. Returns true if it was removed.
  bool drop_if_idle(Host& host) {
    if (!host.idle()) return false;
    const auto at = static_cast<std::uint32_t>(&host - hosts_.data());
    index_.erase(hash(host.scope, host.address), at);
    host = Host{};
    host.next_free = free_;
    free_ = at;
    return true;
  }
  [[nodiscard]] std::size_t memory() const { return hosts_.size() * sizeof(Host) + index_.memory(); }

 private:
  [[nodiscard]] std::uint64_t hash(std::uint32_t scope, const IpAddress& address) const {
    return detail::mix(detail::load64(address.bytes.data()) ^ seed_ ^ scope,
                       detail::load64(address.bytes.data() + 8) ^ ~seed_);
  }
  [[nodiscard]] std::uint32_t lookup(std::uint32_t scope, const IpAddress& address, std::uint64_t h) const {
    return index_.find(h, [&](std::uint32_t i) { return hosts_[i].scope == scope && hosts_[i].address == address; });
  }

  std::vector<Host> hosts_;
  FixedIndex index_;
  std::uint64_t seed_;
  std::uint32_t free_ = Host::kNone;
};

}  // namespace icr::node
