// flow.workers.*: established UDP with NAPT44 through one and through two workers, each with its own shard and engine
// on a core of its own, as the workers of a card are (node/card/card.h). What they share is the machine: its memory,
// and the last level of its cache. Packets a second of all workers together, from the processor time of their threads.
#include <pthread.h>
#include <sched.h>

#include <barrier>
#include <thread>

#include "tests/bench/flow_traffic.h"

namespace {

using namespace icr;
using namespace icr::bench;

constexpr std::uint32_t kSessions = 500'000;  // of each worker
constexpr int kRounds = 9;
constexpr TimePoint kStart{std::chrono::hours(1)};

class Worker {
 public:
  explicit Worker(std::uint64_t seed) : cluster_(make_cluster(kSessions, kOneTerm)), node_(*cluster_, kStart, seed) {
    generator_ = pass(nullptr, kStart);
    (void)pass(node_.engine.get(), kStart);
  }

  /// Clocks of a packet in each round; in step with the other workers.
  template <class Barrier>
  void run(unsigned core, Barrier& together) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    clocks_.clear();
    for (int i = 0; i < kRounds; ++i) {
      order_.shuffle();
      together.arrive_and_wait();
      clocks_.push_back(pass(node_.engine.get(), kStart + 1s + std::chrono::seconds(i)) - generator_);
    }
  }
  [[nodiscard]] double clocks() const { return median(clocks_); }
  [[nodiscard]] bool complete() const { return node_.shard->sessions() == kSessions && sink_.sent == expected_; }

 private:
  double pass(Engine* engine, TimePoint now) {
    expected_ += kSessions;
    return round(order_, engine, now, sink_,
                 [this](std::size_t place, std::uint32_t s) { return frames_.write(place, s); });
  }

  std::unique_ptr<Cluster> cluster_;
  Node node_;
  Order order_{kSessions};
  Frames frames_{ip_protocol::udp};
  CountingSink sink_;
  std::uint64_t expected_ = 0;
  double generator_ = 0;
  std::vector<double> clocks_;
};

/// Mpps of the first `count` workers at a time; < 0 when something went wrong.
double rate_of(std::vector<std::unique_ptr<Worker>>& workers, std::size_t count) {
  std::barrier together(static_cast<std::ptrdiff_t>(count));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&workers, &together, i] { workers[i]->run(static_cast<unsigned>(i), together); });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!workers[i]->complete()) return -1;
    sum += Stopwatch::clocks_per_ns() * 1e3 / workers[i]->clocks();
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  if (!wanted(argc, argv, "flow.workers")) return 0;
  if (std::thread::hardware_concurrency() < 2) {
    fmt::print(stderr, "flow.workers: this machine has one core\n");
    return 0;
  }
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::uint64_t i = 0; i < 2; ++i) workers.push_back(std::make_unique<Worker>(i + 1));
  // One, two, one, two: whatever else the machine does meets both.
  std::vector<double> one, two;
  for (int i = 0; i < 3; ++i) {
    one.push_back(rate_of(workers, 1));
    two.push_back(rate_of(workers, 2));
    if (one.back() < 0 || two.back() < 0) return 1;
  }
  show("flow.workers.1", median(one), "Mpps");
  show("flow.workers.2", median(two), "Mpps");
  show("flow.workers.scaling", median(two) / median(one), "x");
  return 0;
}
