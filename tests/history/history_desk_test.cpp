// Questions about the past are answered in pages, from few tables, and by one reader.
#include "node/history/history_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <limits>
#include <map>

#include "storage/record.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::test {
namespace {

using node::HistoryDesk;
using storage::HistorySource;
using testing::HasSubstr;

constexpr WallMillis kThen = 1'700'000'000'000;

/// The records of a log, in memory.
using Log = std::map<std::uint64_t, storage::RecordBytes>;

/// A log with a base of `sessions` sessions at kThen, and a record without rows ten seconds later.
Log make_log(std::uint32_t sessions) {
  Log out;
  flatbuffers::FlatBufferBuilder builder;
  BatchEncoder rows;
  for (std::uint32_t slot = 0; slot < sessions; ++slot) {
    rows.add(make_session(slot, 0,
                          key("192.0.2.1", static_cast<std::uint16_t>(slot), "198.51.100.1", 53,
                              slot % 2 == 0 ? ip_protocol::udp : ip_protocol::tcp)));
  }
  const auto header = [](std::uint64_t sequence, WallMillis at) {
    storage::BatchHeader made;
    made.set = "rs1";
    made.sequence = sequence;
    made.written_ms = at;
    made.run = 5;
    made.settled_ms = at;
    made.in_sync = true;
    return made;
  };
  out[1] = storage::encode_batch(builder, header(1, kThen), rows);
  out[2] = storage::encode_batch(builder, header(2, kThen + 10'000), rows);
  return out;
}

class LogInMemory final : public HistorySource {
 public:
  explicit LogInMemory(const Log& log) : log_(log) {}
  Result<std::vector<storage::Manifest>> bases(std::string_view /*set*/) override {
    storage::Manifest base;
    base.from_sequence = base.to_sequence = 1;
    base.written_ms = kThen;
    return std::vector{base};
  }
  Result<std::optional<storage::LogRange>> range(std::string_view /*set*/) override {
    return storage::LogRange{1, log_.rbegin()->first};
  }
  Result<bool> read(std::string_view /*set*/, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override {
    const auto found = log_.find(sequence);
    if (found == log_.end()) return false;
    size = found->second.size();
    out.resize((size + 7) / 8);
    std::copy_n(found->second.data(), size, reinterpret_cast<std::uint8_t*>(out.data()));
    return true;
  }

 private:
  const Log& log_;
};

class Desk : public testing::Test {
 protected:
  /// A finished task holds the queue that it is in.
  void TearDown() override {
    if (desk_) desk_->stop();
    (void)completions_->drain();
  }
  void begin(HistoryDesk::Limits limits = {}) {
    desk_ = std::make_unique<HistoryDesk>(
        [this]() -> Result<std::unique_ptr<HistorySource>> {
          ++opened_;
          if (broken_) return fail("no such file");
          return std::make_unique<LogInMemory>(log_);
        },
        limits);
  }
  std::unique_ptr<node::QueryTask> question(std::uint32_t cursor = 0, const std::string& client = "a",
                                            WallMillis at = kThen + 1000) {
    auto out = std::make_unique<node::QueryTask>();
    out->client = client;
    out->request.kind = QueryKind::past_sessions;
    out->request.at = at;
    out->request.cursor = cursor;
    out->request.limit = 100;
    out->answer_to = completions_;
    return out;
  }
  std::unique_ptr<node::QueryTask> answer(std::unique_ptr<node::QueryTask> task, const std::string& set = "rs1") {
    desk_->take(task, set);
    EXPECT_FALSE(task);
    pollfd item{completions_->descriptor(), POLLIN, 0};
    EXPECT_EQ(poll(&item, 1, 20'000), 1);
    auto done = completions_->drain();
    EXPECT_EQ(done.size(), 1U);
    return std::move(done.front());
  }
  std::uint64_t counter(std::string_view name) const {
    CounterList all;
    desk_->append_to(all);
    for (const auto& each : all) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  Log log_ = make_log(250);
  bool broken_ = false;
  int opened_ = 0;
  std::shared_ptr<node::Completions> completions_ = std::make_shared<node::Completions>();
  std::unique_ptr<HistoryDesk> desk_;
};

TEST_F(Desk, AnAnswerComesInPagesAndIsReadOnce) {
  begin();
  desk_->start();
  std::uint32_t cursor = 0;
  std::vector<std::size_t> pages;
  for (bool done = false; !done;) {
    const auto answered = answer(question(cursor));
    ASSERT_EQ(answered->reply.error, QueryError::none) << answered->reply.reason;
    pages.push_back(answered->sessions.size());
    done = answered->reply.done;
    ASSERT_TRUE(done || answered->reply.next_cursor > cursor);
    cursor = answered->reply.next_cursor;
  }
  EXPECT_EQ(pages, (std::vector<std::size_t>{100, 100, 50}));
  EXPECT_EQ(opened_, 1);
  // Another filter, moment or set is another answer.
  auto tcp = question();
  tcp->request.filter.protocol = ip_protocol::tcp;
  tcp->request.limit = 1000;
  EXPECT_EQ(answer(std::move(tcp))->sessions.size(), 125U);
  EXPECT_EQ(answer(question(200))->sessions.size(), 50U);
  EXPECT_EQ(opened_, 2) << "two answers are kept";
  EXPECT_EQ(answer(question(0, "a", kThen + 2000))->sessions.size(), 100U);
  EXPECT_EQ(answer(question(200))->sessions.size(), 50U);
  EXPECT_EQ(opened_, 3) << "the one that was not used for longest was forgotten";
  EXPECT_EQ(counter("history-tables-read"), 3U);
}

TEST_F(Desk, SaysWhyItDoesNotKnow) {
  begin({32, 4, 249, 2, 30s});
  desk_->start();
  EXPECT_THAT(answer(question())->reply.reason, HasSubstr("more than 249 sessions match"));
  const auto late = answer(question(0, "a", kThen + 60'000));
  EXPECT_EQ(late->reply.error, QueryError::refused);
  EXPECT_THAT(late->reply.reason, HasSubstr("its history reaches up to 2023-11-14 22:13:30.000 UTC"));
  EXPECT_THAT(answer(question(), "rs2")->reply.reason, HasSubstr("belongs to rs1 1"));
  flatbuffers::FlatBufferBuilder builder;
  BatchEncoder rows;
  storage::BatchHeader hostile;
  hostile.set = "rs1";
  hostile.sequence = 3;
  for (const WallMillis time : {std::numeric_limits<WallMillis>::max(), WallMillis{-1}}) {
    hostile.written_ms = time;
    log_.insert_or_assign(3, storage::encode_batch(builder, hostile, rows));
    EXPECT_THAT(answer(question(0, "a", kThen + 30'000))->reply.reason, HasSubstr("has no time"));
  }
  broken_ = true;
  EXPECT_EQ(answer(question(0, "a", kThen + 3000))->reply.reason, "its history cannot be read: no such file");
  EXPECT_EQ(counter("history-unknown-moments"), 4U);
}

TEST_F(Desk, OneClientDoesNotTakeThePlacesOfOthers) {
  begin({3, 2, 1000, 2, 30s});  // not started: everything waits
  for (int i = 0; i < 2; ++i) {
    auto task = question();
    desk_->take(task, "rs1");
    EXPECT_FALSE(task);
  }
  auto third = question();
  desk_->take(third, "rs1");
  EXPECT_TRUE(third) << "it has two already";
  auto of_other = question(0, "b");
  desk_->take(of_other, "rs1");
  EXPECT_FALSE(of_other);
  auto fourth = question(0, "c");
  desk_->take(fourth, "rs1");
  EXPECT_TRUE(fourth) << "there is room for three";
  EXPECT_EQ(counter("history-refused-busy"), 2U);
  desk_->start();
  desk_->stop();  // what waits gets no answer, or has got it
}

TEST_F(Desk, ForgetsAnAnswerForWhichNobodyAsksAnyMore) {
  begin({32, 4, 1000, 2, 20ms});
  desk_->start();
  ASSERT_EQ(answer(question())->sessions.size(), 100U);
  pollfd nothing{completions_->descriptor(), POLLIN, 0};
  while (opened_ == 1) {  // the answer is forgotten while nobody asks for so long
    ASSERT_EQ(poll(&nothing, 1, 50), 0);
    ASSERT_EQ(answer(question())->sessions.size(), 100U);
  }
  EXPECT_EQ(opened_, 2);
}

}  // namespace
}  // namespace icr::test
