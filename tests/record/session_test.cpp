#include "model/record/session.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "model/record/source_pool.h"
#include "tests/record/sample_records.h"

namespace icr {
namespace {

TEST(SessionDigest, DependsOnEverythingThatATakeoverNeeds) {
  std::mt19937 random(1);
  auto record = test::random_record(random, true);
  record.tcp_state = TcpState::established;
  record.nat_type = NatType::none;
  const std::vector<std::function<void(SessionRecord&)>> changes = {
      [](auto& r) { r.ref.slot ^= 1; },
      [](auto& r) { ++r.ref.generation; },
      [](auto& r) { ++r.version; },
      [](auto& r) { ++r.service_set; },
      [](auto& r) { r.tcp_state = TcpState::fin_wait; },
      [](auto& r) { r.nat_type = NatType::napt44; },
      [](auto& r) { ++r.flow[0].source_port; },
      [](auto& r) { ++r.flow[0].destination.bytes[15]; },
      [](auto& r) { ++r.flow[1].destination_port; },
      [](auto& r) { ++r.flow[1].source.bytes[3]; },
      [](auto& r) { std::swap(r.flow[0], r.flow[1]); },
  };
  std::set<std::uint64_t> seen = {digest_of(record)};
  for (const auto& change : changes) {
    auto other = record;
    change(other);
    seen.insert(digest_of(other));
  }
  EXPECT_EQ(seen.size(), changes.size() + 1);
}

TEST(SessionDigest, OfABindingDependsOnWhoOwnsWhat) {
  std::mt19937 random(5);
  auto record = test::random_binding(random);
  record.kind = RecordKind::port_block;
  record.binding.flags = 0;
  const std::vector<std::function<void(SessionRecord&)>> changes = {
      [](auto& r) { r.ref.slot ^= 1; },
      [](auto& r) { ++r.ref.generation; },
      [](auto& r) { ++r.version; },
      [](auto& r) { r.kind = RecordKind::pairing; },
      [](auto& r) { ++r.binding.term; },
      [](auto& r) { ++r.binding.internal.bytes[15]; },
      [](auto& r) { ++r.binding.external.bytes[15]; },
      [](auto& r) { ++r.binding.internal_port; },
      [](auto& r) { ++r.binding.external_port; },
      [](auto& r) { r.binding.last_port ^= 1; },
      [](auto& r) { ++r.binding.protocol; },
      [](auto& r) { r.binding.flags = kBindingActiveBlock; },
      [](auto& r) { ++r.binding.pool; },
      [](auto& r) { ++r.binding.service_set; },
  };
  std::set<std::uint64_t> seen = {digest_of(record)};
  for (const auto& change : changes) {
    auto other = record;
    change(other);
    seen.insert(digest_of(other));
  }
  EXPECT_EQ(seen.size(), changes.size() + 1);
  auto other = record;
  ++other.binding.idle;
  ++other.binding.age;
  other.binding.flags = kBindingInUse;
  EXPECT_EQ(digest_of(record), digest_of(other));
}

TEST(SessionDigest, DoesNotDependOnTimesAndCounters) {
  std::mt19937 random(2);
  const auto record = test::random_record(random, false);
  auto other = record;
  other.idle += 10;
  other.age += 10;
  other.has_counters = !other.has_counters;
  other.counters[0].packets += 5;
  EXPECT_EQ(digest_of(record), digest_of(other));
}

TEST(SessionDigest, SumsOfDifferentSetsDiffer) {
  // Sums are compared, so a change in one session must not be undone by an equal change in another one.
  std::mt19937 random(3);
  std::set<std::uint64_t> sums;
  for (unsigned round = 0; round < 1000; ++round) {
    auto a = test::random_record(random, false);
    auto b = test::random_record(random, false);
    const std::uint64_t before = digest_of(a) + digest_of(b);
    ++a.version;
    --b.version;
    EXPECT_NE(digest_of(a) + digest_of(b), before);
    sums.insert(before);
  }
  EXPECT_EQ(sums.size(), 1000U);
}

TEST(SessionId, NamesSetAndSlot) {
  std::set<std::uint32_t> jsf;
  std::set<std::uint64_t> usf;
  std::size_t count = 0;
  for (std::uint32_t set = 1; set <= 63; ++set) {
    for (const std::uint32_t slot : {0U, 1U, 4711U, kMaxSlots - 1}) {
      jsf.insert(jsf_session_id(set, slot));
      usf.insert(usf_session_id(set, slot));
      ++count;
    }
  }
  EXPECT_EQ(jsf.size(), count);
  EXPECT_EQ(usf.size(), count);
  EXPECT_EQ(jsf_session_id(1, 5), (1U << 26) + 5);
  EXPECT_EQ(jsf_session_id(64, 5), jsf_session_id(1, 5)) << "there are 6 bits";
  EXPECT_NE(usf_session_id(64, 5), usf_session_id(1, 5));
  EXPECT_EQ(usf_session_id(2, 5), (std::uint64_t{2} << 32) + 5);
  EXPECT_EQ(jsf.count(0), 0U);
}

TEST(SessionWords, EveryStateAndTypeHasOne) {
  std::set<std::string_view> words;
  for (std::uint8_t state = 0; state < kTcpStateCount; ++state) words.insert(to_string(static_cast<TcpState>(state)));
  EXPECT_EQ(words.size(), kTcpStateCount);
  EXPECT_EQ(to_string(TcpState::established), "ESTABLISHED");
  EXPECT_EQ(to_string(NatType::napt44), "NAPT-44");
  EXPECT_EQ(to_string(NatType::none), "none");
  EXPECT_EQ(to_string(NatType::nptv6), "NPTV6");
  words.clear();
  for (std::uint8_t type = 0; type < kNatTypeCount; ++type) words.insert(to_string(static_cast<NatType>(type)));
  EXPECT_EQ(words.size(), kNatTypeCount);
}

TEST(EnumEnd, CountsWhatTheRecordCodecChecks) {
  EXPECT_EQ(kTcpStateCount, static_cast<unsigned>(TcpState::closed) + 1);
  EXPECT_EQ(kNatTypeCount, static_cast<unsigned>(NatType::nptv6) + 1);
  EXPECT_EQ(kRecordKindCount, static_cast<unsigned>(RecordKind::pairing) + 1);
}

TEST(Direction, OppositeIsItsOwnInverse) {
  EXPECT_EQ(opposite(Direction::initiator), Direction::responder);
  EXPECT_EQ(opposite(opposite(Direction::initiator)), Direction::initiator);
}

/// The pool of a record may be that of the destination, which is no source pool.
TEST(SourcePool, IsThatOfASourceThatWasTranslated) {
  const auto pool_of = [](NatType type, const char* source, const char* external) {
    SessionRecord r;
    r.nat_type = type;
    r.nat_pool = 3;
    r.flow[0].source = *IpAddress::parse(source);
    r.flow[1].destination = *IpAddress::parse(external);
    return source_pool_of(r);
  };
  EXPECT_EQ(pool_of(NatType::napt44, "198.18.0.1", "203.0.113.1"), 3U);
  EXPECT_EQ(pool_of(NatType::twice_napt44, "198.18.0.1", "203.0.113.1"), 3U);
  EXPECT_EQ(pool_of(NatType::basic_nat44, "198.18.0.1", "203.0.113.1"), 3U);
  EXPECT_EQ(pool_of(NatType::stateful_nat64, "2001:db8:18::1", "203.0.113.1"), 3U);
  EXPECT_EQ(pool_of(NatType::stateful_nat64, "2001:db8:18::1", "64:ff9b::203.0.113.1"), 3U) << "by hairpinning";
  EXPECT_EQ(pool_of(NatType::dnat44, "192.0.2.9", "192.0.2.9"), 0U) << "the pool of the server";
  EXPECT_EQ(pool_of(NatType::basic_nat44, "192.0.2.9", "192.0.2.9"), 0U) << "to a host that has a static address";
  EXPECT_EQ(pool_of(NatType::napt44, "192.0.2.9", "192.0.2.9"), 0U) << "to a mapping";
  EXPECT_EQ(pool_of(NatType::stateful_nat64, "192.0.2.9", "64:ff9b::192.0.2.9"), 0U) << "to a mapping of NAT64";
}

}  // namespace
}  // namespace icr
