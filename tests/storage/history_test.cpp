// What a store on disk knows of the past.
#include "storage/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

#include "storage/rocks/rocks_history.h"
#include "storage/rocks/rocks_store.h"
#include "tests/storage/storage_support.h"

namespace icr::test {
namespace {

using storage::Checkpointer;
using storage::CheckpointOptions;
using storage::DirectOutput;
using storage::HistoryLimits;
using storage::HistorySource;
using storage::RocksHistory;
using storage::RocksStore;
using storage::StoreIdentity;
using testing::HasSubstr;

const StoreIdentity kOurs{"chassis-a", "lab", kDigest};
constexpr HistoryLimits kAnHour{3600, 1U << 30U};

/// A history of which a record is missing, as after a write that failed, or damaged.
class Flawed final : public HistorySource {
 public:
  Flawed(std::unique_ptr<HistorySource> whole, std::uint64_t missing, bool damaged)
      : whole_(std::move(whole)), flaw_(missing), damaged_(damaged) {}
  Result<std::vector<storage::Manifest>> bases(std::string_view set) override { return whole_->bases(set); }
  Result<std::optional<storage::LogRange>> range(std::string_view set) override { return whole_->range(set); }
  Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override {
    if (sequence != flaw_) return whole_->read(set, sequence, out, size);
    if (!damaged_) return false;
    return fail("checksum does not match");
  }

 private:
  std::unique_ptr<HistorySource> whole_;
  std::uint64_t flaw_;
  bool damaged_;
};

class History : public testing::Test {
 protected:
  /// Starts the chassis: opens the store, restores the table, and begins to write.
  void start(HistoryLimits limits = kAnHour) {
    auto opened = RocksStore::open(folder_.path() / "store", kOurs, kWall, limits);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    table_ = std::make_unique<FakeTable>(1000);
    const auto restored = restored_into(*table_, *store_, kWall + now_ / 1ms);
    output_ = std::make_unique<DirectOutput>(*store_, "rs-1");
    CheckpointOptions options;
    options.mark_interval = 1s;
    options.run = ++run_;
    checkpointer_ = std::make_unique<Checkpointer>("rs-1", kDigest, *table_, *output_, options, restored.next_sequence,
                                                   restored.term);
    table_->listen(checkpointer_.get());
  }
  void stop() {
    checkpointer_.reset();
    output_.reset();
    table_.reset();
    store_.reset();
  }
  /// Lets so much time pass while the chassis runs.
  void run(Duration span) {
    for (const Duration end = now_ + span; now_ < end;) {
      now_ += 100ms;
      settle(*checkpointer_, at(now_), kWall + now_ / 1ms);
    }
  }
  std::unique_ptr<HistorySource> history() {
    auto opened = RocksHistory::open(folder_.path() / "store", kOurs);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  /// The slots of the sessions at a moment, or the reason why they are not known.
  static Result<std::set<std::uint32_t>> slots_at(HistorySource& source, Duration moment) {
    std::set<std::uint32_t> out;
    const auto read = storage::sessions_at(source, "rs-1", kWall + moment / 1ms, [&](const SessionRecord& record) {
      EXPECT_TRUE(out.insert(record.ref.slot).second) << "told twice: " << record.ref.slot;
      return true;
    });
    if (!read) return tl::unexpected(read.error());
    return out;
  }
  std::string reason_at(Duration moment) {
    const auto slots = slots_at(*history(), moment);
    return slots ? "known" : slots.error().message;
  }

  const TemporaryFolder folder_;
  Duration now_{};
  std::uint64_t run_ = 0;
  std::unique_ptr<RocksStore> store_;
  std::unique_ptr<FakeTable> table_;
  std::unique_ptr<DirectOutput> output_;
  std::unique_ptr<Checkpointer> checkpointer_;
};

TEST_F(History, AMomentHasTheSessionsOfThen) {
  start();
  run(1s);
  std::vector<std::pair<Duration, std::set<std::uint32_t>>> truth;
  std::set<std::uint32_t> live;
  std::mt19937_64 random(7);
  for (int step = 0; step < 400; ++step) {
    const auto slot = static_cast<std::uint32_t>(random() % 40);
    if (live.erase(slot) != 0) {
      table_->destroy(slot);
    } else {
      table_->create(slot, session(static_cast<std::uint32_t>(step)), at(now_));
      live.insert(slot);
    }
    run(400ms);  // several bases pass
    truth.emplace_back(now_, live);
  }
  run(2s);
  ASSERT_GT(checkpointer_->counters().bases_committed, 2U);
  const auto source = history();
  for (const auto& [moment, sessions] : truth) {
    const auto slots = slots_at(*source, moment);
    ASSERT_TRUE(slots) << moment / 1ms << ": " << slots.error().message;
    EXPECT_EQ(*slots, sessions) << moment / 1ms;
  }
}

TEST_F(History, TellsTimesAsTheyWere) {
  start();
  SessionRecord idle = session(1);
  idle.timeout_s = 20;
  table_->create(0, idle, at(now_));
  run(40s);
  std::optional<SessionRecord> then;
  ASSERT_TRUE(storage::sessions_at(*history(), "rs-1", kWall + 10'000, [&](const SessionRecord& record) {
    then = record;
    return true;
  }));
  ASSERT_TRUE(then);
  EXPECT_NEAR(then->age, 100, 2);
  EXPECT_NEAR(then->idle, 100, 2);
  // A session that lived had not reached its timeout.
  ASSERT_TRUE(storage::sessions_at(*history(), "rs-1", kWall + 35'000, [&](const SessionRecord& record) {
    then = record;
    return true;
  }));
  EXPECT_EQ(then->idle, 200U);
  EXPECT_NEAR(then->age, 350, 2);
}

TEST_F(History, StopsWhereItsReaderHasEnough) {
  start();
  for (std::uint32_t i = 0; i < 20; ++i) table_->create(i, session(i), at(now_));
  run(5s);
  int seen = 0;
  ASSERT_TRUE(storage::sessions_at(*history(), "rs-1", kWall + 2000, [&](const SessionRecord&) { return ++seen < 7; }));
  EXPECT_EQ(seen, 7);
}

TEST_F(History, KnowsThatNothingHasChangedOnlyUpToTheLastRecord) {
  start();
  table_->create(0, session(1), at(now_));
  run(10s);  // nothing changes any more
  EXPECT_EQ(reason_at(8s), "known");
  EXPECT_THAT(reason_at(11s), HasSubstr("its history reaches up to 2023-11-14 22:13:2"));
  EXPECT_THAT(reason_at(-1s), HasSubstr("its history begins at 2023-11-14 22:13:20.100 UTC"));
}

TEST_F(History, DoesNotGuessWhatAChassisHadWhenItWasDown) {
  start();
  table_->create(0, session(1), at(now_));
  run(10s);
  stop();
  now_ += 60s;
  start();
  table_->create(1, session(2), at(now_));
  run(10s);
  EXPECT_EQ(reason_at(8s), "known");
  EXPECT_THAT(reason_at(40s), HasSubstr("it was started again between 2023-11-14 22:13:"));
  EXPECT_EQ(*slots_at(*history(), 75s), (std::set<std::uint32_t>{0, 1}));
}

TEST_F(History, DoesNotMixWhatCameBackWithWhatWasLost) {
  start();
  for (std::uint32_t i = 0; i < 200; ++i) table_->create(i, session(i), at(now_));
  run(10s);
  stop();
  now_ += 5s;
  start();
  // A base that takes a while: one slot for each step.
  for (int i = 0; i < 50; ++i) {
    now_ += 10ms;
    (void)checkpointer_->tick(at(now_), kWall + now_ / 1ms, 2, 1);
  }
  const Duration meanwhile = now_;
  run(10s);
  EXPECT_THAT(reason_at(meanwhile), HasSubstr("had not written a whole checkpoint by then"));
  EXPECT_EQ(reason_at(now_ - 5s), "known");
}

TEST_F(History, ARecordThatIsMissingOrDamagedIsNoState) {
  start();
  for (std::uint32_t i = 0; i < 30; ++i) {
    table_->create(i, session(i), at(now_));
    run(300ms);
  }
  run(2s);
  const auto range = *history()->range("rs-1");
  ASSERT_GT(range->last - range->first, 20U);
  Flawed missing(history(), range->first + 10, false);
  EXPECT_TRUE(slots_at(missing, 1s));
  EXPECT_THAT(slots_at(missing, 8s).error().message, HasSubstr("could not be written"));
  Flawed damaged(history(), range->first + 10, true);
  EXPECT_THAT(slots_at(damaged, 8s).error().message, HasSubstr("cannot be read: checksum"));
}

TEST_F(History, KeepsWhatWasAskedForAndNotMore) {
  start({120, 1U << 30U});
  for (std::uint32_t i = 0; i < 100; ++i) {
    table_->create(i, session(i), at(now_));
    run(10s);
  }
  EXPECT_EQ(slots_at(*history(), now_ - 119s)->size(), 89U);
  EXPECT_THAT(reason_at(now_ - 300s), HasSubstr("its history begins at"));
  // Without a history nothing of it stays, once a base is complete.
  stop();
  start({});
  run(1s);
  EXPECT_EQ(history()->bases("rs-1")->size(), 0U);
  EXPECT_EQ(reason_at(now_), "its history has not begun yet");
}

TEST_F(History, TheDiskIsALimitToo) {
  start({3600, 20'000});
  for (std::uint32_t i = 0; i < 400; ++i) {
    table_->create(i, session(i), at(now_));
    run(1s);
  }
  EXPECT_THAT(reason_at(now_ - 300s), HasSubstr("its history begins at"));
  EXPECT_EQ(reason_at(now_ - 2s), "known");
}

TEST_F(History, AMemberThatIsNotInSyncKnowsNothing) {
  start();
  checkpointer_->set_in_sync(false);
  table_->create(0, session(1), at(now_));
  run(10s);
  checkpointer_->set_in_sync(true);
  run(200ms);
  const Duration soon = now_;
  run(10s);
  EXPECT_EQ(reason_at(soon), "known") << "the log says so at once";
  EXPECT_THAT(reason_at(5s), HasSubstr("not in sync with its peer"));
  EXPECT_EQ(reason_at(15s), "known");
}

TEST_F(History, ADiskThatIsBehindIsNoRest) {
  start();
  table_->create(0, session(1), at(now_));
  run(5s);
  now_ += 30s;  // nothing is written
  table_->create(1, session(2), at(now_));
  run(5s);
  EXPECT_EQ(reason_at(4s), "known");
  EXPECT_THAT(reason_at(20s), HasSubstr("its disk was behind"));
  EXPECT_EQ(reason_at(now_ - 2s), "known");
}

TEST_F(History, AClockThatIsSetBackMakesMomentsUncertain) {
  start();
  table_->create(0, session(1), at(now_));
  run(70s);
  const Duration before = now_;
  // The clock shows ten seconds less from now on, and time goes on.
  for (int i = 0; i < 300; ++i) {
    now_ += 100ms;
    if (i == 5) table_->create(1, session(2), at(now_));
    settle(*checkpointer_, at(now_), kWall + (now_ - 10s) / 1ms);
  }
  EXPECT_THAT(reason_at(before + 5s), HasSubstr("its clock went back"));
  EXPECT_EQ(reason_at(before - 20s), "known");
}

TEST_F(History, ATableWithoutTrafficHasABaseNowAndThen) {
  start();
  run(3700s);
  EXPECT_EQ(checkpointer_->counters().bases_committed, 2U);
}

TEST_F(History, CanBeReadWhileTheWriterRemovesIt) {
  start({10, 1U << 30U});
  table_->create(0, session(1), at(now_));
  run(70s);
  const auto source = history();
  const Duration moment = now_ - 2s;
  ASSERT_TRUE(slots_at(*source, moment));
  for (std::uint32_t i = 1; i < 500; ++i) {
    table_->create(i, session(i), at(now_));
    run(1s);
  }
  EXPECT_THAT(reason_at(moment), HasSubstr("its history begins at"));
  EXPECT_EQ(*slots_at(*source, moment), std::set<std::uint32_t>{0});
}

TEST_F(History, IsThatOfTheOwnChassisOnly) {
  start();
  run(1s);
  const auto other = RocksHistory::open(folder_.path() / "store", {"chassis-b", "lab", kDigest});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("it belongs to chassis chassis-a of cluster lab"));
  EXPECT_FALSE(RocksHistory::open(folder_.path() / "nothing", kOurs));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "nothing"));
}

}  // namespace
}  // namespace icr::test
