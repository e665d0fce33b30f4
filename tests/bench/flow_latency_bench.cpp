// flow.latency.*: how long one turn of a card's worker takes - a burst, timers, and its share of a question - with a
// million sessions, while sessions are set up and time out all the time and a `show services sessions extensive` is
// being answered without end.
//
// A window of 1 M sessions moves on: two packets of a burst begin the sessions that enter it, the others are of any
// session in it; those behind it time out. Sessions of the window that happen to be idle for their timeout end as well
// and are set up again. Virtual time passes 0.6 ms a turn, so that as many sessions end as begin.
//
// Two distributions are shown: of all turns, and of those that no interrupt of the kernel lengthened. The difference is
// the machine's, and is as long for a loop that only computes.
#include "node/query/mailbox.h"
#include "node/set/set_view.h"
#include "tests/bench/bench_card.h"
#include "tests/bench/flow_traffic.h"
#include "tests/bench/interruption.h"

namespace {

using namespace icr;
using namespace icr::bench;

constexpr std::uint32_t kWindow = 1'000'000;
constexpr std::uint32_t kRoom = 1'400'000;
constexpr std::uint32_t kNewPerBurst = 2;
constexpr auto kTurn = std::chrono::microseconds(600);
constexpr std::uint32_t kWarmUp = 120'000;  ///< turns, more than two timeouts
constexpr std::uint32_t kTurns = 200'000;

/// Asks for page after page, all over again. The answers are encoded by another thread in a chassis; here not at all.
class Questions {
 public:
  void put(CardMailbox& mailbox) {
    for (auto& finished : completions_->drain()) {
      cursor_ = finished->reply.done ? 0 : finished->reply.next_cursor;
      pages_ += 1;
      waiting_ = false;
    }
    if (waiting_) return;
    auto task = std::make_unique<QueryTask>();
    task->client = "bench";
    task->request.kind = QueryKind::page;
    task->request.limit = kPageSessions;
    task->cursor = task->request.cursor = cursor_;
    task->answer_to = completions_;
    task->sessions.reserve(kPageSessions);
    waiting_ = mailbox.post(task);
  }
  [[nodiscard]] std::uint64_t pages() const { return pages_; }

 private:
  std::shared_ptr<Completions> completions_ = std::make_shared<Completions>();
  std::uint32_t cursor_ = 0;
  std::uint64_t pages_ = 0;
  bool waiting_ = false;
};

class Distribution {
 public:
  explicit Distribution(std::size_t room) { turns_.reserve(room); }
  void add(std::uint64_t clocks) { turns_.push_back(clocks); }
  void sort() { std::sort(turns_.begin(), turns_.end()); }
  [[nodiscard]] std::size_t size() const { return turns_.size(); }
  /// Returns the clocks that a share of the turns did not exceed. REQUIRES: sorted, not empty.
  [[nodiscard]] double at(double share) const {
    return static_cast<double>(turns_[static_cast<std::size_t>(share * static_cast<double>(turns_.size() - 1))]);
  }

 private:
  std::vector<std::uint64_t> turns_;
};

int run() {
  const auto cluster = make_cluster(kRoom, kOneTerm);
  if (!cluster) return 1;
  TimePoint now{std::chrono::hours(1)};
  Node node(*cluster, now);
  SetShell shell(*cluster, 0, *node.shard, SetStart{1, 0, nullptr, 1}, nullptr, now);
  if (const auto opened = shell.open(
          nullptr, [] {}, now);
      !opened) {
    fmt::print(stderr, "{}\n", opened.error().message);
    return 1;
  }
  SetView view(shell);
  BenchCard card(view);
  CardMailbox mailbox;
  Questions questions;
  Frames frames(ip_protocol::udp);
  CountingSink sink;
  std::array<Packet, kBurst> burst;
  std::mt19937_64 random(42);

  std::uint32_t head = 0;
  for (; head < kWindow; head += kBurst) {
    for (std::uint32_t i = 0; i < kBurst; ++i) burst[i] = frames.write(i, head + i);
    node.engine->process(burst, now, sink);
  }
  Distribution turns(kTurns);
  Distribution uninterrupted(kTurns);
  std::uint64_t created = 0;
  std::uint64_t removed = 0;
  std::uint64_t pages = 0;
  for (std::uint32_t turn = 0; turn < kWarmUp + kTurns; ++turn) {
    now += kTurn;
    for (std::uint32_t i = 0; i < kBurst; ++i) {
      const std::uint32_t session =
          i < kNewPerBurst ? head++ : head - 1 - static_cast<std::uint32_t>((random() >> 32) * kWindow >> 32);
      burst[i] = frames.write(i, session);
    }
    questions.put(mailbox);
    const Interruption interruption;
    const std::uint64_t from = __rdtsc();
    node.engine->process(burst, now, sink);
    node.engine->tick(now);
    (void)shell.poll(now, 0, true);
    (void)mailbox.run(card, now, kBusySliceSlots);
    const std::uint64_t clocks = __rdtsc() - from;
    if (turn < kWarmUp) {
      created = node.shard->sessions_created();
      removed = node.shard->sessions_removed();
      pages = questions.pages();
      continue;
    }
    turns.add(clocks);
    if (!interruption.came()) uninterrupted.add(clocks);
  }
  created = node.shard->sessions_created() - created;
  removed = node.shard->sessions_removed() - removed;
  pages = questions.pages() - pages;
  const EngineCounters& c = node.engine->counters();
  if (c.packets_in != c.packets_out || created < kTurns || removed < kTurns || pages == 0) {
    fmt::print(stderr, "{} packets in, {} out; {} sessions created, {} removed, {} pages\n", c.packets_in,
               c.packets_out, created, removed, pages);
    return 1;
  }
  turns.sort();
  uninterrupted.sort();
  if (uninterrupted.size() == 0) {
    fmt::print(stderr, "every turn was interrupted, or this processor does not tell\n");
    return 1;
  }
  const auto us = [](double clocks) { return clocks / Stopwatch::clocks_per_ns() / 1e3; };
  show("flow.latency.p50", turns.at(0.5), "clocks");
  show("flow.latency.p99", turns.at(0.99), "clocks");
  show("flow.latency.p999", turns.at(0.999), "clocks");
  show("flow.latency.p999_ratio", turns.at(0.999) / turns.at(0.5), "x");
  show("flow.latency.p50_us", us(turns.at(0.5)), "us");
  show("flow.latency.p999_us", us(turns.at(0.999)), "us");
  show("flow.latency.max_us", us(turns.at(1)), "us");
  show("flow.latency.interrupted", 1e3 * static_cast<double>(kTurns - uninterrupted.size()) / kTurns, "permille");
  show("flow.latency.uninterrupted_p999_ratio", uninterrupted.at(0.999) / uninterrupted.at(0.5), "x");
  show("flow.latency.uninterrupted_p999_us", us(uninterrupted.at(0.999)), "us");
  show("flow.latency.setups_per_burst", static_cast<double>(created) / kTurns, "sessions");
  show("flow.latency.expiries_per_burst", static_cast<double>(removed) / kTurns, "sessions");
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return wanted(argc, argv, "flow.latency") ? run() : 0; }
