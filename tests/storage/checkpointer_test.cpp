#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/storage_support.h"

namespace icr::test {
namespace {

using storage::Checkpointer;
using storage::CheckpointOptions;
using storage::CheckpointOutput;
using storage::DirectOutput;
using storage::Manifest;
using storage::MemoryStore;
using storage::RecordBytes;

/// Lets a test say when the disk is behind.
class Gate final : public CheckpointOutput {
 public:
  explicit Gate(CheckpointOutput& behind) : behind_(behind) {}
  bool open = true;
  bool offer(std::uint64_t sequence, RecordBytes&& record) override {
    return open && behind_.offer(sequence, std::move(record));
  }
  bool commit(const Manifest& manifest) override { return open && behind_.commit(manifest); }
  bool remember_term(std::uint64_t term) override { return open && behind_.remember_term(term); }
  bool claim_term(std::uint64_t term) override { return open && behind_.claim_term(term); }
  std::uint64_t claimed_term() const override { return behind_.claimed_term(); }
  [[nodiscard]] std::uint64_t losses() const override { return behind_.losses(); }

 private:
  CheckpointOutput& behind_;
};

struct World {
  explicit World(std::uint32_t capacity = 1024, CheckpointOptions options = {})
      : table(capacity), checkpointer("rs-1", kDigest, table, gate, options, 1, 0) {
    table.listen(&checkpointer);
  }
  /// What a restart at this moment would find.
  FakeTable revived() {
    FakeTable out(table.capacity());
    (void)restored_into(out, store);
    return out;
  }
  MemoryStore store;
  DirectOutput direct{store, "rs-1"};
  Gate gate{direct};
  FakeTable table;
  Checkpointer checkpointer;
};

TEST(Checkpointer, WhatWasWrittenComesBack) {
  World w;
  for (std::uint32_t i = 0; i < 300; ++i) w.table.create(i, i % 3 == 2 ? session6(i) : session(i, i % 3 == 0), at(0s));
  for (std::uint32_t i = 0; i < 300; i += 2) w.table.touch(i, 100 + i, at(0s));
  settle(w.checkpointer, at(0s), kWall);
  EXPECT_EQ(contents(w.revived(), at(0s)), contents(w.table, at(0s)));
  EXPECT_EQ(w.checkpointer.counters().bases_committed, 1U);
  EXPECT_EQ(w.checkpointer.backlog(), 0U);
}

TEST(Checkpointer, ChangesWaitForTheFlushInterval) {
  World w;
  settle(w.checkpointer, at(0s), kWall);
  const auto batches = w.checkpointer.counters().batches;
  w.table.create(1, session(1), at(0s));
  settle(w.checkpointer, at(50ms), kWall);
  EXPECT_EQ(w.checkpointer.counters().batches, batches);
  settle(w.checkpointer, at(100ms), kWall);
  EXPECT_EQ(w.checkpointer.counters().batches, batches + 1);
  EXPECT_EQ(w.revived().size(), 1U);
}

TEST(Checkpointer, RefreshesWaitLongerAndStateTakesThemAlong) {
  World w;
  w.table.create(1, session(1), at(0s));
  w.table.create(2, session(2), at(0s));
  settle(w.checkpointer, at(0s), kWall);
  settle(w.checkpointer, at(10ms), kWall);  // the first tick without a base: refreshes are flushed from here on
  w.table.touch(1, 111, at(1s));
  w.table.touch(2, 222, at(1s));
  w.table.change_state(2, TcpState::established, at(1s));
  settle(w.checkpointer, at(1s), kWall);
  auto now = contents(w.revived(), at(1s));
  EXPECT_EQ(now[1].bytes, 0U);
  EXPECT_EQ(now[2].bytes, 222U);
  settle(w.checkpointer, at(6s), kWall);
  EXPECT_EQ(contents(w.revived(), at(6s)), contents(w.table, at(6s)));
}

TEST(Checkpointer, DeletedSessionsStayDeleted) {
  World w;
  for (std::uint32_t i = 0; i < 100; ++i) w.table.create(i, session(i), at(0s));
  settle(w.checkpointer, at(0s), kWall);
  for (std::uint32_t i = 0; i < 100; i += 2) w.table.destroy(i);
  settle(w.checkpointer, at(1s), kWall);
  FakeTable back = w.revived();
  EXPECT_EQ(back.size(), 50U);
  EXPECT_EQ(contents(back, at(1s)), contents(w.table, at(1s)));
  EXPECT_EQ(back.generation(0), 1U) << "the next session in this slot must not look like the dead one";
  // And after a base checkpoint has replaced what said so first.
  ASSERT_TRUE(w.checkpointer.flush_all(at(2s), kWall, 2));
  EXPECT_EQ(w.revived().generation(0), 1U);
}

TEST(Checkpointer, ABaseReplacesTheLogBeforeIt) {
  CheckpointOptions options;
  options.base_minimum_rows = 50;
  World w(64, options);
  for (std::uint32_t i = 0; i < 10; ++i) w.table.create(i, session(i), at(0s));
  Duration t = 0s;
  for (int round = 0; round < 40; ++round, t += 100ms) {
    for (std::uint32_t i = 0; i < 10; ++i) w.table.change_state(i, TcpState::established, at(t));
    settle(w.checkpointer, at(t), kWall);
  }
  // 400 rows of deltas at 70 per base.
  EXPECT_GE(w.checkpointer.counters().bases_committed, 4U);
  const auto range = w.store.range("rs-1");
  ASSERT_TRUE(range && *range);
  EXPECT_GT((*range)->first, 20U);
  EXPECT_EQ(contents(w.revived(), at(t)), contents(w.table, at(t)));
}

TEST(Checkpointer, ABaseComesAfterAMinuteOnlyIfSomethingChanged) {
  World w;
  settle(w.checkpointer, at(0s), kWall);
  settle(w.checkpointer, at(61s), kWall);
  EXPECT_EQ(w.checkpointer.counters().bases_started, 1U);
  w.table.create(1, session(1), at(61s));
  settle(w.checkpointer, at(62s), kWall);
  settle(w.checkpointer, at(63s), kWall);
  EXPECT_EQ(w.checkpointer.counters().bases_started, 2U);
  settle(w.checkpointer, at(150s), kWall);
  EXPECT_EQ(w.checkpointer.counters().bases_started, 2U);
}

TEST(Checkpointer, BudgetBoundsEveryTick) {
  World w;
  for (std::uint32_t i = 0; i < 1000; ++i) w.table.create(i, session(i), at(0s));
  std::uint64_t before = 0;
  bool more = true;
  while (more) {
    more = w.checkpointer.tick(at(0s), kWall, 2, 10);
    const std::uint64_t rows = w.checkpointer.counters().sessions;
    ASSERT_LE(rows - before, 10U);
    before = rows;
  }
  EXPECT_EQ(w.revived().size(), 1000U);
}

TEST(Checkpointer, ABaseAdvancesUnderLoadThatNeverEnds) {
  World w;
  for (std::uint32_t i = 0; i < 1000; ++i) w.table.create(i, session(i), at(0s));
  int ticks = 0;
  while (w.checkpointer.counters().bases_committed == 0) {
    for (std::uint32_t i = 0; i < 1000; ++i) w.table.change_state(i, TcpState::established, at(0s));
    (void)w.checkpointer.tick(at(0s), kWall, 2, 20);
    ASSERT_LT(++ticks, 110);
  }
}

TEST(Checkpointer, ASlowDiskDelaysButLosesNothing) {
  World w;
  for (std::uint32_t i = 0; i < 100; ++i) w.table.create(i, session(i), at(0s));
  w.gate.open = false;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(w.checkpointer.tick(at(i * 1s), kWall, 2, 1000));
  EXPECT_GE(w.checkpointer.counters().skipped, 10U);
  EXPECT_EQ(w.revived().size(), 0U);
  for (std::uint32_t i = 0; i < 100; i += 3) w.table.destroy(i);
  for (std::uint32_t i = 1; i < 100; i += 3) w.table.change_state(i, TcpState::established, at(10s));
  w.gate.open = true;
  settle(w.checkpointer, at(11s), kWall);
  settle(w.checkpointer, at(12s), kWall);
  EXPECT_EQ(contents(w.revived(), at(12s)), contents(w.table, at(12s)));
}

TEST(Checkpointer, AfterALossNothingIsWrittenUntilANewBase) {
  World w;
  for (std::uint32_t i = 0; i < 100; ++i) w.table.create(i, session(i), at(0s));
  settle(w.checkpointer, at(0s), kWall);
  const auto then = contents(w.table, at(0s));
  w.store.fail_writes(true);
  w.table.destroy(7);
  settle(w.checkpointer, at(1s), kWall);
  w.store.fail_writes(false);
  w.table.destroy(8);
  settle(w.checkpointer, at(2s), kWall);
  EXPECT_EQ(w.checkpointer.counters().losses, 1U);
  EXPECT_EQ(contents(w.revived(), at(2s)), then) << "the table as it was at the hole";
  settle(w.checkpointer, at(8s), kWall);
  EXPECT_EQ(contents(w.revived(), at(8s)), contents(w.table, at(8s)));
}

TEST(Checkpointer, AHalfWrittenBaseDoesNotReplaceTheOneBefore) {
  World w;
  for (std::uint32_t i = 0; i < 1000; ++i) w.table.create(i, session(i), at(0s));
  settle(w.checkpointer, at(0s), kWall);
  const auto first = w.store.manifest("rs-1");
  ASSERT_TRUE(first && *first);
  w.table.destroy(999);
  settle(w.checkpointer, at(1s), kWall);
  // One change after a minute makes a base due; three slices of it get written.
  for (int i = 0; i < 3; ++i) (void)w.checkpointer.tick(at(61s + i * 1ms), kWall, 2, 100);
  ASSERT_TRUE(w.checkpointer.base_in_progress());
  EXPECT_EQ(contents(w.revived(), at(62s)), contents(w.table, at(62s)));
  const auto second = w.store.manifest("rs-1");
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->from_sequence, (*first)->from_sequence);
}

TEST(Checkpointer, TheTermIsRememberedWithoutAnySession) {
  World w;
  settle(w.checkpointer, at(0s), kWall, 41);
  FakeTable back(16);
  EXPECT_EQ(restored_into(back, w.store).term, 41U);
  settle(w.checkpointer, at(1s), kWall, 44);
  FakeTable again(16);
  EXPECT_EQ(restored_into(again, w.store).term, 44U);
  ASSERT_TRUE(w.store.remember_terms("rs-1", {3, 0}));
  EXPECT_EQ(restored_into(again, w.store).term, 44U) << "terms never go back";
  EXPECT_EQ(restored_into(again, w.store).claimed, 0U);
  ASSERT_TRUE(w.store.remember_terms("rs-1", {0, 46}));
  EXPECT_EQ(restored_into(again, w.store).claimed, 46U);
  EXPECT_EQ(restored_into(again, w.store).term, 44U) << "a term that was only claimed is no term of the state";
}

TEST(Checkpointer, FlushAllLeavesACompleteBase) {
  World w;
  for (std::uint32_t i = 0; i < 500; ++i) w.table.create(i, session(i), at(0s));
  (void)w.checkpointer.tick(at(0s), kWall, 2, 10);
  w.gate.open = false;
  EXPECT_FALSE(w.checkpointer.flush_all(at(1s), kWall, 2));
  w.gate.open = true;
  ASSERT_TRUE(w.checkpointer.flush_all(at(1s), kWall, 2));
  const auto manifest = w.store.manifest("rs-1");
  ASSERT_TRUE(manifest && *manifest);
  EXPECT_EQ((*manifest)->sessions, 500U);
  EXPECT_EQ(contents(w.revived(), at(1s)), contents(w.table, at(1s)));
}

TEST(Checkpointer, ListsItsCounters) {
  World w;
  w.table.create(1, session(1), at(0s));
  ASSERT_TRUE(w.checkpointer.flush_all(at(0s), kWall, 2));
  CounterList counters;
  w.checkpointer.counters().append_to(counters);
  std::map<std::string, std::uint64_t> by_name;
  for (const auto& counter : counters) by_name[counter.name] = counter.value;
  EXPECT_EQ(by_name.at("checkpoint-sessions"), 1U);
  EXPECT_EQ(by_name.at("checkpoint-bases-committed"), 1U);
  EXPECT_EQ(by_name.at("checkpoint-skipped"), 0U);
}

}  // namespace
}  // namespace icr::test
