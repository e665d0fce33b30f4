#include "storage/writer.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/storage/storage_support.h"

namespace icr::test {
namespace {

using storage::Checkpointer;
using storage::CheckpointOptions;
using storage::LogRange;
using storage::Manifest;
using storage::MemoryStore;
using storage::Store;
using storage::Terms;
using storage::Writer;
using storage::WriterOptions;

/// Passes on to a store that the test keeps; can be held, so that writes take as long as the test wants.
class Lent final : public Store {
 public:
  explicit Lent(MemoryStore& store) : store_(store) {}
  void hold(bool held) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      held_ = held;
    }
    changed_.notify_all();
  }
  Result<void> append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) override {
    wait();
    order.push_back("record of " + std::string(set));
    return store_.append(set, sequence, record);
  }
  Result<void> commit(std::string_view set, const Manifest& manifest) override {
    wait();
    return store_.commit(set, manifest);
  }
  Result<void> truncate(std::string_view set, std::uint64_t last) override { return store_.truncate(set, last); }
  Result<void> remember_terms(std::string_view set, const Terms& terms) override {
    wait();
    order.push_back("terms of " + std::string(set));
    return store_.remember_terms(set, terms);
  }
  Result<Terms> terms(std::string_view set) override { return store_.terms(set); }
  Result<std::optional<Manifest>> manifest(std::string_view set) override { return store_.manifest(set); }
  Result<std::optional<LogRange>> range(std::string_view set) override { return store_.range(set); }
  Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override {
    return store_.read(set, sequence, out, size);
  }
  Result<void> set_aside(std::string_view reason, WallMillis wall) override { return store_.set_aside(reason, wall); }

  std::vector<std::string> order;  ///< what was written; for the time after Writer::stop()

 private:
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !held_; });
  }
  MemoryStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
};

std::uint64_t counter(const Writer& writer, std::string_view name) {
  CounterList all;
  writer.append_to(all);
  for (const auto& c : all) {
    if (c.name == name) return c.value;
  }
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

/// Ticks until `done`, yielding to the writer's thread.
template <class Done>
void tick_until(Checkpointer& checkpointer, TimePoint now, Done&& done) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!done()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    if (!checkpointer.tick(now, kWall, 2, 512)) std::this_thread::yield();
  }
}

TEST(Writer, TwoWorkersWriteEverything) {
  MemoryStore store;
  Writer writer(std::make_unique<Lent>(store));
  constexpr std::uint32_t kSessions = 20000;
  const auto work = [&](storage::CheckpointOutput& output, const std::string& set, std::uint32_t offset) {
    FakeTable table(kSessions);
    Checkpointer checkpointer(set, kDigest, table, output, {}, 1, 0);
    table.listen(&checkpointer);
    for (std::uint32_t i = 0; i < kSessions; ++i) table.create(i, session(i + offset), at(0s));
    tick_until(checkpointer, at(0s), [&] { return checkpointer.counters().bases_committed == 1; });
    for (std::uint32_t i = 0; i < kSessions; i += 2) table.destroy(i);
    tick_until(checkpointer, at(1s), [&] { return checkpointer.backlog() == 0; });
    while (!checkpointer.flush_all(at(2s), kWall, 4)) output.wait_for_room(TimePoint::max());
  };
  auto& first = writer.add_set("rs-1");
  auto& second = writer.add_set("rs-2");
  writer.start();
  std::thread one([&] { work(first, "rs-1", 0); });
  std::thread two([&] { work(second, "rs-2", kSessions); });
  one.join();
  two.join();
  writer.stop();
  for (const std::string set : {"rs-1", "rs-2"}) {
    FakeTable back(kSessions);
    const auto restored = restored_into(back, store, kWall, set);
    EXPECT_EQ(back.size(), kSessions / 2);
    EXPECT_EQ(restored.term, 4U);
  }
  EXPECT_EQ(counter(writer, "storage-bytes-waiting"), 0U);
  EXPECT_EQ(counter(writer, "storage-manifests-written"), 4U);
  EXPECT_EQ(counter(writer, "storage-write-errors"), 0U);
}

TEST(Writer, AStuckDiskNeverHoldsTheWorkerAndMemoryIsBounded) {
  MemoryStore store;
  auto lent = std::make_unique<Lent>(store);
  Lent& disk = *lent;
  Writer writer(std::move(lent), WriterOptions{64 * 1024, 1000});
  auto& output = writer.add_set("rs-1");
  writer.start();
  disk.hold(true);
  FakeTable table(4096);
  Checkpointer checkpointer("rs-1", kDigest, table, output, {}, 1, 0);
  table.listen(&checkpointer);
  for (std::uint32_t i = 0; i < 4096; ++i) table.create(i, session(i), at(0s));
  tick_until(checkpointer, at(0s), [&] { return counter(writer, "storage-refused-queue-full") > 3; });
  EXPECT_LE(counter(writer, "storage-bytes-waiting"), 64U * 1024U);
  EXPECT_GT(checkpointer.counters().skipped, 3U);
  for (std::uint32_t i = 0; i < 4096; i += 3) table.destroy(i);
  output.wait_for_room(TimePoint{});  // no longer than that
  std::thread waiting([&] { output.wait_for_room(TimePoint::max()); });
  disk.hold(false);
  waiting.join();
  EXPECT_LE(counter(writer, "storage-bytes-waiting"), 32U * 1024U);
  tick_until(checkpointer, at(1s), [&] { return checkpointer.counters().bases_committed == 1; });
  tick_until(checkpointer, at(2s), [&] { return checkpointer.backlog() == 0; });
  while (!checkpointer.flush_all(at(3s), kWall, 2)) output.wait_for_room(TimePoint::max());
  writer.stop();
  FakeTable back(4096);
  (void)restored_into(back, store);
  EXPECT_EQ(contents(back, at(3s)), contents(table, at(3s)));
}

TEST(Writer, AFullDiskIsReportedAndANewBaseMendsIt) {
  MemoryStore store;
  Writer writer(std::make_unique<Lent>(store));
  auto& output = writer.add_set("rs-1");
  FakeTable table(256);
  CheckpointOptions options;
  options.retry_interval = 1s;
  Checkpointer checkpointer("rs-1", kDigest, table, output, options, 1, 0);
  table.listen(&checkpointer);
  for (std::uint32_t i = 0; i < 256; ++i) table.create(i, session(i), at(0s));
  store.fail_writes(true);
  writer.start();
  tick_until(checkpointer, at(0s), [&] { return counter(writer, "storage-write-errors") != 0; });
  tick_until(checkpointer, at(1s), [&] { return checkpointer.counters().losses != 0; });
  writer.stop();
  EXPECT_EQ(counter(writer, "storage-manifests-written"), 0U);
  FakeTable nothing(256);
  (void)restored_into(nothing, store);
  EXPECT_EQ(nothing.size(), 0U);

  store.fail_writes(false);
  Writer later(std::make_unique<Lent>(store));
  auto& mended = later.add_set("rs-1");
  Checkpointer again("rs-1", kDigest, table, mended, options, 1, 0);
  later.start();
  tick_until(again, at(2s), [&] { return again.counters().bases_committed == 1; });
  later.stop();
  FakeTable back(256);
  (void)restored_into(back, store);
  EXPECT_EQ(back.size(), 256U);
}

TEST(Writer, AManifestWithAHoleBehindItIsRefused) {
  MemoryStore store;
  Writer writer(std::make_unique<Lent>(store));
  auto& output = writer.add_set("rs-1");
  BatchEncoder encoder;
  flatbuffers::FlatBufferBuilder builder;
  const auto record = [&](std::uint64_t sequence) {
    SessionRecord r = session(1);
    r.ref = {1, 1};
    encoder.add(r);
    return storage::encode_batch(builder, {"rs-1", sequence, 2, kWall, kDigest}, encoder);
  };
  store.fail_writes(true);
  ASSERT_TRUE(output.offer(5, record(5)));
  writer.start();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (output.losses() == 0) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  store.fail_writes(false);
  const auto offer = [&](auto&& what) {
    while (!what()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  };
  offer([&] { return output.commit(Manifest{5, 5, 2, kWall, kDigest, 1, 0}); });
  offer([&] { return output.commit(Manifest{6, 5, 2, kWall, kDigest, 0, 0}); });
  writer.stop();
  EXPECT_EQ(counter(writer, "storage-manifests-refused"), 1U);
  EXPECT_EQ(counter(writer, "storage-manifests-written"), 1U);
  EXPECT_EQ((*store.manifest("rs-1"))->from_sequence, 6U);
}

TEST(Writer, AClaimedTermOvertakesWhatWaits) {
  MemoryStore store;
  auto lent = std::make_unique<Lent>(store);
  Lent& disk = *lent;
  Writer writer(std::move(lent));
  auto& output = writer.add_set("rs-1");
  auto& other = writer.add_set("rs-2");
  BatchEncoder encoder;
  flatbuffers::FlatBufferBuilder builder;
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  const auto offer = [&](auto&& what) {
    while (!what()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  };
  const auto append = [&](std::uint64_t sequence) {
    SessionRecord r = session(1);
    r.ref = {1, 1};
    encoder.add(r);
    auto record = storage::encode_batch(builder, {"rs-1", sequence, 2, kWall, kDigest}, encoder);
    offer([&] { return output.offer(sequence, std::move(record)); });
  };
  for (std::uint64_t sequence = 1; sequence <= 50; ++sequence) append(sequence);
  EXPECT_EQ(other.claimed_term(), 0U);
  offer([&] { return other.claim_term(5); });
  writer.start();
  offer([&] { return other.claimed_term() == 5; });
  writer.stop();
  EXPECT_EQ(disk.order.front(), "terms of rs-2");
  EXPECT_EQ(*store.terms("rs-2"), (Terms{0, 5}));
  EXPECT_EQ(counter(writer, "storage-batches-written"), 50U);
}

TEST(Writer, AClaimThatCannotBeWrittenIsNotClaimed) {
  MemoryStore store;
  Writer writer(std::make_unique<Lent>(store));
  auto& output = writer.add_set("rs-1");
  store.fail_next(1);
  writer.start();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  const auto until = [&](auto&& what) {
    while (!what()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  };
  until([&] { return output.claim_term(7); });
  until([&] { return output.failing(); });
  EXPECT_EQ(output.claimed_term(), 0U);
  until([&] { return output.claim_term(7); });
  until([&] { return output.claimed_term() == 7; });
  EXPECT_FALSE(output.failing());
}

TEST(Writer, NothingIsTakenAfterStop) {
  MemoryStore store;
  Writer writer(std::make_unique<Lent>(store));
  auto& output = writer.add_set("rs-1");
  writer.start();
  writer.stop();
  EXPECT_FALSE(output.remember_term(7));
  EXPECT_EQ(counter(writer, "storage-refused-queue-full"), 1U);
}

}  // namespace
}  // namespace icr::test
