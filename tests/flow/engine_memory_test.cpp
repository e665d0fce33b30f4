// Nothing allocates per packet: this program counts every call of operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/flow/bed.h"

namespace {
std::atomic<std::uint64_t> allocations{0};

void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace icr::node::test {
namespace {

TEST(EngineMemory, NoAllocationPerPacket) {
  Plan plan;
  plan.firewall_terms =
      "      - { name: no, from: { destination-address: [198.19.0.66/32] }, then: reject }\n"
      "      - { name: all, then: accept }\n";
  plan.service_options = "screen: s";
  plan.timeouts +=
      "screens:\n  - { name: s, limit-session: { source-ip-based: 5000, destination-ip-based: 5000 }, tcp: { "
      "syn-flood: {} "
      "}, icmp: { flood: { threshold: 500 } }, udp: { flood: { threshold: 500 } } }\n";
  Bed bed(plan);
  bed.out.recording = false;
  std::vector<Bytes> packets;
  std::vector<std::uint32_t> units;
  const auto add = [&](std::uint32_t unit, Bytes bytes) {
    packets.push_back(std::move(bytes));
    units.push_back(unit);
  };
  for (std::uint16_t i = 1; i <= 300; ++i) {
    add(kInside, build(udp("198.18.0.10", i, "198.19.0.10", 53)));
    add(kInside, build(tcp("198.18.0.10", i, "198.19.0.10", 80, kSyn, i, 0)));
    add(kInside, build(tcp("198.18.0.10", i, "198.19.0.66", 80, kSyn, i, 0)));
    add(kInside, build(echo("198.18.0.10", "198.19.0.10", i)));
    add(kOutside, build(udp("198.19.0.10", 53, "203.0.113.1", i)));
    const auto f = fragments_of(build(udp("198.18.0.10", i, "198.19.0.10", 53, 900)), 256, i);
    for (const std::size_t n : {2U, 1U, 0U, 3U}) add(kInside, f[n]);
    if (i % 3 == 0) add(kInside, f[1]);
  }
  for (std::size_t i = 0; i < packets.size(); i += 50) add(kInside, packets[i]);
  const std::uint64_t before = allocations.load();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    Packet p{packets[i].data(), static_cast<std::uint32_t>(packets[i].size()),
             static_cast<std::uint32_t>(packets[i].size()), units[i]};
    bed.engine->process(std::span(&p, 1), bed.now, bed.out);
    bed.now += 10ms;
    (void)bed.shard->tick(bed.now, 100);
    bed.engine->tick(bed.now);
  }
  EXPECT_EQ(allocations.load(), before);
  EXPECT_GT(bed.shard->sessions_created(), 900U);
  EXPECT_GT(bed.out.count, 1500U);
  EXPECT_GT(bed.engine->counters().fragments_held, 300U);
}

}  // namespace
}  // namespace icr::node::test
