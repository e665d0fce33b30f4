#include <gtest/gtest.h>

#include "tests/storage/storage_support.h"

namespace icr::test {
namespace {

using storage::BatchHeader;
using storage::Manifest;
using storage::MemoryStore;
using storage::Restored;

/// Writes logs record by record.
class Log {
 public:
  explicit Log(MemoryStore& store, std::uint64_t digest = kDigest) : store_(store), digest_(digest) {}
  Log& row(SessionRecord record, std::uint32_t slot, std::uint32_t generation, std::uint32_t version = 1) {
    record.ref = {slot, generation};
    record.version = version;
    encoder_.add(record);
    return *this;
  }
  Log& tombstone(std::uint32_t slot, std::uint32_t generation) {
    encoder_.add_tombstone({slot, generation});
    return *this;
  }
  void write(std::uint64_t sequence, WallMillis written = kWall, std::uint64_t term = 2) {
    BatchHeader header{"rs-1", sequence, term, written, digest_};
    const auto record = storage::encode_batch(builder_, header, encoder_);
    ASSERT_TRUE(store_.append("rs-1", sequence, storage::bytes_of(record)));
  }

 private:
  MemoryStore& store_;
  std::uint64_t digest_;
  BatchEncoder encoder_;
  flatbuffers::FlatBufferBuilder builder_;
};

TEST(Restore, OfAnEmptyStoreIsAnEmptyTable) {
  MemoryStore store;
  FakeTable table(16);
  table.create(3, session(3), at(0s));  // a restore is a pass: what it does not name is gone
  const Restored r = restored_into(table, store);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(r.term, 0U);
  EXPECT_EQ(r.next_sequence, 1U);
  EXPECT_FALSE(r.has_manifest);
  EXPECT_TRUE(r.damage.empty());
}

TEST(Restore, TimePassesWhileNobodyWatches) {
  MemoryStore store;
  SessionRecord r = session(1);
  r.timeout_s = 30;
  r.idle = 50;
  r.age = 700;
  Log(store).row(r, 1, 1).write(1, kWall - 10'000);
  FakeTable table(16);
  (void)restored_into(table, store, kWall);
  SessionRecord back;
  ASSERT_TRUE(table.read(1, at(0s), back));
  EXPECT_EQ(back.idle, 150U);
  EXPECT_EQ(back.age, 800U);
  EXPECT_EQ(back.timeout_s, 30U);
}

TEST(Restore, KnowsHowOldTheNewestRecordIsUnlessThereIsDoubt) {
  const auto age = [](MemoryStore& store) {
    FakeTable table(16);
    return restored_into(table, store, kWall).age;
  };
  MemoryStore store;
  EXPECT_EQ(age(store), std::nullopt) << "nothing was restored";
  Log(store).row(session(1), 1, 1).write(1, kWall - 90'000);
  Log(store).row(session(2), 2, 1).write(2, kWall - 20'000);
  EXPECT_EQ(age(store), Duration(20s));
  Log(store, kDigest + 1).row(session(3), 3, 1).write(3, kWall - 10'000);
  EXPECT_EQ(age(store), std::nullopt) << "another cluster file";
  MemoryStore damaged;
  for (std::uint32_t i = 1; i <= 2; ++i) Log(damaged).row(session(i), i, 1).write(i);
  damaged.flip_bit("rs-1", 2, 400);
  EXPECT_EQ(age(damaged), std::nullopt);
  MemoryStore ahead;
  Log(ahead).row(session(1), 1, 1).write(1, kWall + 1);
  EXPECT_EQ(age(ahead), std::nullopt);
  MemoryStore old;
  Log(old).row(session(1), 1, 1).write(1, 0);
  EXPECT_EQ(age(old), std::nullopt) << "too old to be told";
}

TEST(Restore, WhoIsOverItsTimeoutIsATombstone) {
  MemoryStore store;
  SessionRecord r = session(1);
  r.timeout_s = 30;
  r.idle = 100;
  SessionRecord almost = session(2);
  almost.timeout_s = 30;
  almost.idle = 99;
  SessionRecord old = session(3);
  old.lifetime_s = 60;
  old.age = 400;
  Log(store).row(r, 1, 5).row(almost, 2, 1).row(old, 3, 1).write(1, kWall - 20'000);
  FakeTable table(16);
  const Restored out = restored_into(table, store, kWall);
  EXPECT_EQ(out.expired, 2U);
  EXPECT_EQ(out.sessions, 1U);
  EXPECT_FALSE(table.live(1));
  EXPECT_EQ(table.generation(1), 5U);
  EXPECT_TRUE(table.live(2));
  EXPECT_FALSE(table.live(3));
}

TEST(Restore, BindingsComeBackLikeSessions) {
  MemoryStore store;
  SessionRecord block;
  block.kind = RecordKind::port_block;
  block.binding.internal = IpAddress::v4(0xc6120001);
  block.binding.external = IpAddress::v4(0xc0000201);
  block.binding.external_port = 1024;
  block.binding.last_port = 1151;
  block.binding.timeout_s = 30;
  block.binding.idle = 50;
  block.binding.term = 7;
  SessionRecord stale = block;
  stale.binding.idle = 200;
  SessionRecord used = stale;
  used.binding.flags = kBindingInUse;
  Log log(store);
  log.row(block, 1, 1).row(stale, 2, 1).row(used, 3, 1).row(block, 4, 1).write(1, kWall - 10'000);
  SessionRecord owner = block;
  owner.binding.internal = IpAddress::v4(0xc6120002);
  log.row(owner, 4, 2).tombstone(5, 6).write(2, kWall - 10'000);
  FakeTable table(16);
  const Restored out = restored_into(table, store, kWall);
  EXPECT_EQ(out.sessions, 3U);
  EXPECT_EQ(out.expired, 1U);
  SessionRecord back;
  ASSERT_TRUE(table.read(1, at(0s), back));
  EXPECT_EQ(back.kind, RecordKind::port_block);
  EXPECT_EQ(back.binding.idle, 150U);
  EXPECT_EQ(back.binding.term, 7U);
  EXPECT_EQ(back.binding.last_port, 1151U);
  EXPECT_FALSE(table.read(2, at(0s), back)) << "its time was over";
  EXPECT_TRUE(table.read(3, at(0s), back)) << "its sessions decide";
  ASSERT_TRUE(table.read(4, at(0s), back));
  EXPECT_EQ(back.binding.internal, owner.binding.internal) << "the last record that names a slot";
}

TEST(Restore, AClockThatWentBackTakesNothingAway) {
  MemoryStore store;
  SessionRecord r = session(1);
  r.timeout_s = 30;
  r.idle = 50;
  Log(store).row(r, 1, 1).write(1, kWall + 3'600'000);
  FakeTable table(16);
  const Restored out = restored_into(table, store, kWall);
  EXPECT_EQ(out.clock_went_back, 1U);
  SessionRecord back;
  ASSERT_TRUE(table.read(1, at(0s), back));
  EXPECT_EQ(back.idle, 50U);
}

TEST(Restore, ExtremeTimesDoNotOverflow) {
  MemoryStore store;
  SessionRecord r = session(1);
  r.timeout_s = 0;
  r.idle = 0xfffffff0;
  r.age = 0xfffffff0;
  Log(store).row(r, 1, 1).write(1, std::numeric_limits<WallMillis>::min());
  FakeTable table(16);
  const Restored out = restored_into(table, store, std::numeric_limits<WallMillis>::max());
  EXPECT_EQ(out.sessions, 1U);
  SessionRecord back;
  ASSERT_TRUE(table.read(1, at(0s), back));
  EXPECT_EQ(back.idle, 0xffffffffU);
}

TEST(Restore, TcpWindowsAreLearntAgain) {
  MemoryStore store;
  Log(store).row(session(1), 1, 1).write(1);
  FakeTable table(16);
  (void)restored_into(table, store);
  SessionRecord back;
  ASSERT_TRUE(table.read(1, at(0s), back));
  ASSERT_TRUE(back.has_tcp);
  EXPECT_EQ(back.tcp[0].flags, kTcpWindowScaled);
  EXPECT_EQ(back.tcp[0].scale, 7U);
  EXPECT_EQ(back.tcp[1].flags, 0U);
}

TEST(Restore, TheLastRecordThatNamesASlotWins) {
  MemoryStore store;
  Log log(store);
  log.row(session(1), 1, 3, 9).row(session(2), 2, 1).write(1);
  // A table that took its peer's word may go back to lower generations: the order of writing decides, not the numbers.
  log.row(session(77), 1, 1, 1).tombstone(2, 1).write(2);
  FakeTable table(16);
  const Restored out = restored_into(table, store);
  EXPECT_EQ(out.sessions, 1U);
  EXPECT_EQ(out.tombstones, 1U);
  SessionRecord back;
  ASSERT_TRUE(table.read(1, at(0s), back));
  EXPECT_EQ(back.flow, session(77).flow);
  EXPECT_EQ(back.ref.generation, 1U);
  EXPECT_FALSE(table.live(2));
}

TEST(Restore, ThePortBelongsToWhoWasWrittenLast) {
  // Slot 9 owned the port, died, slot 3 got it. The tombstone of slot 9 was not written any more.
  MemoryStore store;
  Log log(store);
  log.row(session(1), 9, 1).write(1);
  log.row(session(1), 3, 1).write(2);
  FakeTable table(16);
  (void)restored_into(table, store);
  EXPECT_TRUE(table.live(3));
  EXPECT_FALSE(table.live(9));
  EXPECT_EQ(table.displaced(), 1U);
}

TEST(Restore, BehindAHoleNothingIsUsedAndTheLogGoesOnThere) {
  MemoryStore store;
  Log log(store);
  for (std::uint32_t i = 1; i <= 6; ++i) log.row(session(i), i, 1).write(i);
  store.lose("rs-1", 4);
  FakeTable table(16);
  Restored out = restored_into(table, store);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(out.cut_off, 3U);
  EXPECT_EQ(out.next_sequence, 4U);
  EXPECT_TRUE(out.damage.empty()) << out.damage;
  log.row(session(10), 10, 1).write(out.next_sequence);
  out = restored_into(table, store);
  EXPECT_EQ(table.size(), 4U) << "what was written after the first restart counts in the second";
  EXPECT_TRUE(table.live(10));
  EXPECT_FALSE(table.live(5));
}

TEST(Restore, BehindADamagedDeltaNothingIsUsed) {
  for (std::size_t bit = 0; bit < 600; bit += 7) {
    MemoryStore store;
    Log log(store);
    for (std::uint32_t i = 1; i <= 4; ++i) log.row(session(i), i, 1).write(i);
    store.flip_bit("rs-1", 3, bit);
    FakeTable table(16);
    const Restored out = restored_into(table, store);
    EXPECT_EQ(table.size(), 2U);
    EXPECT_EQ(out.bad_records, 1U);
    EXPECT_EQ(out.cut_off, 2U);
    EXPECT_NE(out.damage.find("record 3: checksum"), std::string::npos) << out.damage;
    EXPECT_TRUE((*store.range("rs-1"))->last == 4) << "evidence stays";
  }
}

TEST(Restore, ADamagedPieceOfABaseCostsItsOwnSessionsOnly) {
  MemoryStore store;
  Log log(store);
  for (std::uint32_t i = 1; i <= 6; ++i) log.row(session(i), i, 1).write(i);
  Manifest manifest{2, 4, 2, kWall, kDigest, 3, 0};
  ASSERT_TRUE(store.commit("rs-1", manifest));
  store.flip_bit("rs-1", 3, 400);
  FakeTable table(16);
  const Restored out = restored_into(table, store);
  EXPECT_TRUE(out.has_manifest);
  EXPECT_EQ(table.size(), 4U);
  EXPECT_FALSE(table.live(1)) << "before the base: forgotten";
  EXPECT_FALSE(table.live(3));
  EXPECT_TRUE(table.live(6));
  EXPECT_EQ(out.bad_records, 1U);
  EXPECT_FALSE(out.damage.empty());
}

TEST(Restore, RecordsOfAnotherConfigurationAreUsedAndCounted) {
  MemoryStore store;
  Log(store, kDigest + 1).row(session(1), 1, 1).write(1);
  FakeTable table(16);
  const Restored out = restored_into(table, store);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(out.other_configuration, 1U);
  EXPECT_EQ(out.damage, "");
}

TEST(Restore, ARecordUnderAForeignKeyIsNotUsed) {
  MemoryStore store;
  BatchEncoder encoder;
  SessionRecord r = session(1);
  r.ref = {1, 1};
  flatbuffers::FlatBufferBuilder builder;
  encoder.add(r);
  const auto other_set = storage::encode_batch(builder, {"rs-2", 1, 2, kWall, kDigest}, encoder);
  ASSERT_TRUE(store.append("rs-1", 1, storage::bytes_of(other_set)));
  FakeTable table(16);
  EXPECT_EQ(restored_into(table, store).bad_records, 1U);
  encoder.add(r);
  const auto other_place = storage::encode_batch(builder, {"rs-1", 7, 2, kWall, kDigest}, encoder);
  ASSERT_TRUE(store.append("rs-1", 1, storage::bytes_of(other_place)));
  EXPECT_EQ(restored_into(table, store).bad_records, 1U);
  EXPECT_EQ(table.size(), 0U);
}

TEST(Restore, SlotsBeyondTheTableAreRefused) {
  MemoryStore store;
  Log(store).row(session(1), 1, 1).row(session(2), 16, 1).tombstone(kMaxSlots - 1, 3).write(1);
  FakeTable table(16);
  const Restored out = restored_into(table, store);
  EXPECT_EQ(out.sessions, 1U);
  EXPECT_EQ(out.refused, 2U);
}

TEST(Restore, AManifestThatCannotBeTrueIsDamage) {
  MemoryStore store;
  Log(store).row(session(1), 1, 1).write(1);
  ASSERT_TRUE(store.commit("rs-1", Manifest{1, ~std::uint64_t{0} - 1, 2, kWall, kDigest, 1, 0}));
  FakeTable table(16);
  const Restored out = restored_into(table, store);
  EXPECT_FALSE(out.damage.empty());
  EXPECT_EQ(table.size(), 1U) << "the log itself is good";
}

TEST(Restore, ARecordIsTakenOnlyWhole) {
  // Every truncation of a record and garbage of all sizes: refused with words, never read.
  MemoryStore store;
  Log(store).row(session(1), 1, 1).row(session6(2), 2, 1).write(1);
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  ASSERT_TRUE(*store.read("rs-1", 1, words, size));
  ASSERT_TRUE(storage::decode_batch(storage::bytes_of(words, size)));
  for (std::size_t length = 0; length < size; ++length) {
    const auto cut = storage::decode_batch(storage::bytes_of(words, length));
    // FlatBuffers has trailing padding at most; everything that still verifies must say the same.
    if (cut) {
      EXPECT_EQ(cut->rows.sessions(), 2U);
    }
  }
  EXPECT_FALSE(storage::decode_manifest(storage::bytes_of(words, size), "rs-1"));
  EXPECT_FALSE(storage::decode_identity(storage::bytes_of(words, size)));
  EXPECT_FALSE(storage::decode_terms(storage::bytes_of(words, size), "rs-1"));
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    auto bad = words;
    auto* bytes = reinterpret_cast<std::uint8_t*>(bad.data());
    for (int flips = 0; flips < 3; ++flips) bytes[random() % size] = static_cast<std::uint8_t>(random());
    if (const auto view = storage::decode_batch(storage::bytes_of(bad, size))) {
      std::uint64_t sum = 0;
      view->rows.for_each_session([&](const SessionRecord& r) { sum += digest_of(r); });
      view->rows.for_each_tombstone([&](SessionRef r) { sum += r.slot; });
      EXPECT_LE(view->rows.sessions(), storage::kMaxBatchRows);
    }
  }
}

}  // namespace
}  // namespace icr::test
