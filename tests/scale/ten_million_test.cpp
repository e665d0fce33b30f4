// Ten million live sessions in one card, inside 4 GiB: set up by packets, shown, filtered, cleared, timed out.
//
// The card's worker runs as it does on captures: the time is that of a port, which here is the test. Questions go
// through the mailbox, as the query server puts them.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "node/card/worker.h"
#include "tests/bench/flow_traffic.h"

namespace icr::node::test {
namespace {

constexpr std::uint32_t kSessions = 10'000'000;
constexpr std::uint64_t kMemory = std::uint64_t{4} << 30;
constexpr TimePoint kStart{std::chrono::hours(1)};

/// What the port does with the worker's time, as the test says. The port itself belongs to the worker.
struct Script {
  /// First packets of sessions to send in all, one session after the other, round and round; only grows.
  std::atomic<std::uint32_t> packets{0};
  std::atomic<bool> time_passes{false};  ///< 100 ms each time that the worker asks
  std::atomic<std::uint32_t> sent{0};    ///< packets that the worker, who alone writes it, has taken
  std::atomic<std::uint64_t> came_out{0};
};

class ScriptedPort final : public Port {
 public:
  ScriptedPort(Script& script, bool inside) : script_(script), inside_(inside) {}

  std::size_t rx_burst(std::span<Packet> packets) override {
    const std::uint32_t from = script_.sent.load();
    const std::uint32_t until = script_.packets.load();
    const std::size_t n = inside_ ? std::min<std::size_t>({until - from, packets.size(), bench::kBurst}) : 0;
    for (std::size_t i = 0; i < n; ++i) {
      const Packet frame = frames_.write(i, (from + static_cast<std::uint32_t>(i)) % kSessions);
      std::memcpy(packets[i].data, frame.data, frame.length);
      packets[i].length = frame.length;
      packets[i].unit = 1;
    }
    script_.sent.store(from + static_cast<std::uint32_t>(n));
    return n;
  }
  void tx(const Packet& /*packet*/) override { script_.came_out.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] int descriptor() const override { return -1; }
  [[nodiscard]] std::optional<TimePoint> next_arrival() override {
    if (inside_ && script_.time_passes.load(std::memory_order_relaxed)) now_ += 100ms;
    return inside_ ? std::optional(now_) : std::nullopt;
  }
  [[nodiscard]] bool is_capture() const override { return true; }
  void append_to(CounterList& /*out*/) const override {}

 private:
  Script& script_;
  const bool inside_;
  TimePoint now_ = kStart;
  bench::Frames frames_{ip_protocol::udp};
};

class TenMillion : public testing::Test {
 protected:
  void SetUp() override {
    // Address space, which is more than memory: what would go beyond fails.
    const rlimit limit{kMemory, kMemory};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    cluster_ = bench::make_cluster(kSessions, bench::kOneTerm);
    ASSERT_NE(cluster_, nullptr);
    WorkerPart part;
    part.ports.push_back({1, std::make_unique<ScriptedPort>(script_, true)});
    part.ports.push_back({2, std::make_unique<ScriptedPort>(script_, false)});
    part.sets.push_back({std::make_unique<Shard>(*cluster_, std::uint16_t{0}, 1, kStart), SetStart{1, 0, nullptr, 1}});
    worker_ = std::make_unique<Worker>(*cluster_, std::uint16_t{0}, "ms-0/0/0", 1U, std::move(part), 1U, kStart);
    const auto started = worker_->start(nullptr, {});
    ASSERT_TRUE(started) << started.error().message;
  }
  void TearDown() override {
    if (worker_) worker_->stop();
  }

  std::unique_ptr<QueryTask> ask(const QueryRequest& request) {
    auto task = std::make_unique<QueryTask>();
    task->client = "test";
    task->request = request;
    task->cursor = request.cursor;
    task->answer_to = completions_;
    task->reply.counts.push_back({cluster_->service_sets[0].stable_id, {}});
    EXPECT_TRUE(worker_->mailbox().post(task));
    pollfd item{completions_->descriptor(), POLLIN, 0};
    EXPECT_EQ(poll(&item, 1, 60'000), 1) << "no answer";
    auto done = completions_->drain();
    EXPECT_EQ(done.size(), 1U);
    return done.empty() ? std::make_unique<QueryTask>() : std::move(done[0]);
  }
  /// Sessions that match, counted (or cleared).
  std::uint64_t total(QueryKind kind, const SessionFilter& filter) {
    QueryRequest request;
    request.kind = kind;
    request.filter = filter;
    const auto task = ask(request);
    EXPECT_EQ(task->reply.error, QueryError::none) << task->reply.reason;
    return task->reply.counts.at(0).total();
  }
  /// Sessions shown, page by page.
  std::uint64_t shown(const SessionFilter& filter) {
    QueryRequest request;
    request.kind = QueryKind::page;
    request.limit = kPageSessions;
    request.filter = filter;
    std::uint64_t found = 0;
    for (;;) {
      const auto task = ask(request);
      found += task->found;
      if (task->reply.done || testing::Test::HasFailure()) return found;
      request.cursor = task->reply.next_cursor;
    }
  }
  /// Lets the worker go on until it is so.
  template <class Condition>
  void until(Condition&& condition) {
    const auto limit = std::chrono::steady_clock::now() + 120s;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      std::this_thread::yield();
    }
  }

  Script script_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Worker> worker_;
  std::shared_ptr<Completions> completions_ = std::make_shared<Completions>();
};

SessionFilter from(const char* prefix) {
  SessionFilter filter;
  filter.source_prefix = Prefix::parse(prefix);
  return filter;
}

/// How many sessions a source prefix has.
std::uint64_t expected(const SessionFilter& filter) {
  std::uint64_t n = 0;
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    n += filter.source_prefix->contains(IpAddress::v4(bench::Frames::host(i))) ? 1U : 0U;
  }
  return n;
}

TEST_F(TenMillion, AreSetUpShownFilteredClearedAndTimedOutInsideFourGibibytes) {
  const auto begun = std::chrono::steady_clock::now();
  const auto note = [&](const char* what) {
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begun;
    fmt::print("{:6.2f} s  {}\n", time.count(), what);
  };
  script_.packets.store(kSessions);
  until([&] { return script_.sent.load() == kSessions; });
  ASSERT_EQ(total(QueryKind::count, {}), kSessions);
  EXPECT_EQ(script_.came_out.load(), kSessions);
  note("set up");

  const SessionFilter few = from("198.18.7.0/24");
  const std::uint64_t of_few = expected(few);
  ASSERT_GT(of_few, 40'000U);
  EXPECT_EQ(shown(few), of_few);
  EXPECT_EQ(total(QueryKind::count, few), of_few);
  note("filtered");
  EXPECT_EQ(shown({}), kSessions);
  note("all shown");

  const SessionFilter half = from("198.18.0.0/17");
  const std::uint64_t of_half = expected(half);
  EXPECT_EQ(total(QueryKind::clear, half), of_half);
  EXPECT_EQ(total(QueryKind::count, {}), kSessions - of_half);
  EXPECT_EQ(total(QueryKind::count, half), 0U);
  note("half cleared");

  script_.time_passes.store(true);
  until([&] { return total(QueryKind::count, {}) == 0; });
  script_.time_passes.store(false);
  note("the rest timed out");

  // The slots are good for another life.
  script_.packets.store(kSessions + 100'000);
  until([&] { return script_.sent.load() == kSessions + 100'000; });
  EXPECT_EQ(total(QueryKind::count, {}), 100'000U);

  rusage usage{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  const auto resident = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  fmt::print("{} MiB at most, {:.1f} bytes a session\n", resident >> 20, static_cast<double>(resident) / kSessions);
  EXPECT_LT(resident, kMemory);
}

}  // namespace
}  // namespace icr::node::test
