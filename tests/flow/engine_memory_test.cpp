// Nothing allocates per packet: this program counts every call of operator new.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "model/record/record_codec.h"
#include "tests/support/flow_bed.h"

namespace {
std::atomic<std::uint64_t> allocations{0};

void* counted_or_null(std::size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}

void* counted(std::size_t size) {
  if (void* memory = counted_or_null(size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// std::stable_sort asks without exceptions and returns by the plain operator delete: all of them are ours, or a
// sanitizer sees memory of one allocator come back to another.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

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

/// What allocates when something is counted.
class Counted {
 public:
  explicit Counted(const char* what) : what_(what), before_(allocations.load()) {}
  ~Counted() { EXPECT_EQ(allocations.load(), before_) << what_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  const char* what_;
  std::uint64_t before_;
};

TEST(EngineMemory, NoAllocationPerSession) {
  Plan plan;
  plan.max_sessions = 1024;
  Bed bed(plan);
  bed.out.recording = false;
  std::vector<Bytes> first;
  for (std::uint16_t i = 1; i <= 700; ++i) {
    first.push_back(build(udp("198.18.0.10", i, "198.19.0.10", 53)));
    first.push_back(build(tcp("198.18.0.11", i, "198.19.0.10", 80, kSyn, i, 0)));
  }
  const auto send_all = [&] {
    for (Bytes& bytes : first) {
      Packet p{bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()),
               kInside};
      bed.engine->process(std::span(&p, 1), bed.now, bed.out);
    }
  };
  std::vector<Bytes> pristine = first;
  {
    const Counted counted("set-up, to the last slot and beyond");
    send_all();
  }
  EXPECT_EQ(bed.shard->sessions(), 1024U);
  EXPECT_EQ(bed.drops(Drop::no_session_id), 376U);
  first = pristine;
  {
    const Counted counted("packets of sessions, and more that find no slot");
    send_all();
  }
  BatchEncoder page;
  page.reserve(1024);
  {
    const Counted counted("a page for a question");
    SessionRecord record;
    for (std::uint32_t slot = 0; slot < bed.shard->high_water(); ++slot) {
      if (bed.shard->read(slot, bed.now, record)) page.add(record);
    }
  }
  EXPECT_EQ(page.size(), 1024U);
  {
    const Counted counted("clearing");
    for (std::uint32_t slot = 0; slot < 300; ++slot) bed.shard->remove(slot);
  }
  {
    const Counted counted("time running out");
    for (int i = 0; i < 400; ++i) {
      bed.now += 100ms;
      (void)bed.shard->tick(bed.now, 100);
      bed.engine->tick(bed.now);
    }
  }
  EXPECT_EQ(bed.shard->sessions(), 0U);
  EXPECT_EQ(bed.shard->ports_in_use(), 0U);
  first = pristine;
  {
    const Counted counted("set-up in used slots");
    send_all();
  }
  EXPECT_EQ(bed.shard->sessions(), 1024U);
}

}  // namespace
}  // namespace icr::node::test
