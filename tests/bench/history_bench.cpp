// history.mb_per_hour, history.as_of_ms, history.as_of_all_ms: what a history of 100,000 sessions takes of the disk (in
// the folder that TMPDIR names), of which 1,000 are replaced each second, and 10,000 have carried packets; and the time
// in which it tells one session of a moment, and all of them. Ten minutes of the table's life are written as fast as
// the disk takes them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "storage/checkpointer.h"
#include "storage/record.h"
#include "storage/rocks/rocks_history.h"
#include "storage/rocks/rocks_store.h"
#include "tests/bench/napt_sessions.h"
#include "tests/support/fake_table.h"

namespace {

using namespace icr;

constexpr std::uint32_t kSessions = 100'000;
constexpr std::uint32_t kReplaced = 1000;  ///< each second
constexpr std::uint32_t kActive = 10'000;  ///< each second
constexpr int kSeconds = 600;
constexpr int kRuns = 9;
constexpr WallMillis kWall = 1'700'000'000'000;

/// Writes what it is given at once. An error ends the program.
class AtOnce final : public storage::CheckpointOutput {
 public:
  explicit AtOnce(storage::Store& store) : store_(store) {}
  bool offer(std::uint64_t sequence, storage::RecordBytes&& record) override {
    return done(store_.append("rs", sequence, storage::bytes_of(record)));
  }
  bool commit(const storage::Manifest& manifest) override { return done(store_.commit("rs", manifest)); }
  bool remember_term(std::uint64_t term) override { return done(store_.remember_terms("rs", {term, 0})); }
  bool claim_term(std::uint64_t /*term*/) override { return true; }
  [[nodiscard]] std::uint64_t claimed_term() const override { return 0; }
  [[nodiscard]] std::uint64_t losses() const override { return 0; }

 private:
  static bool done(const Result<void>& result) {
    if (!result) {
      fmt::print(stderr, "{}\n", result.error().message);
      std::exit(1);
    }
    return true;
  }
  storage::Store& store_;
};

/// Lives for kSeconds, and a bit longer, so that the last moment is known.
void live(storage::Store& store, test::FakeTable& table) {
  AtOnce output(store);
  storage::CheckpointOptions options;
  options.mark_interval = 1s;
  options.run = 1;
  storage::Checkpointer checkpointer("rs", 1, table, output, options, 1, 0);
  table.listen(&checkpointer);
  TimePoint now = TimePoint{} + 1000s;
  std::uint32_t next = 0;
  const auto create = [&](std::uint32_t slot) {
    SessionRecord record = bench::napt_session(next % 1'000'000, next % 2 == 0);
    ++next;
    record.has_counters = true;
    record.ref.slot = slot;
    table.create(slot, record, now);
  };
  for (std::uint32_t slot = 0; slot < kSessions; ++slot) create(slot);
  std::uint32_t oldest = 0;
  for (int tick = 0; tick < 10 * kSeconds + 20; ++tick, now += 100ms) {
    for (std::uint32_t i = 0; i < kReplaced / 10; ++i, oldest = (oldest + 1) % kSessions) {
      table.destroy(oldest);
      create(oldest);
    }
    for (std::uint32_t i = 0; i < kActive / 10; ++i) {
      table.touch((oldest + 7919 * i + static_cast<std::uint32_t>(tick)) % kSessions, 700, now);
    }
    while (checkpointer.tick(now, kWall + tick * 100, 1, 4096)) {
    }
  }
  table.forget_listeners();
}

std::uint64_t size_of(const std::filesystem::path& folder) {
  std::uint64_t size = 0;
  for (const auto& each : std::filesystem::directory_iterator(folder)) size += each.file_size();
  return size;
}

/// Returns the median of the times in milliseconds, or -1 after an error.
double ask(const std::filesystem::path& folder, const storage::StoreIdentity& identity, bool all) {
  std::vector<double> times;
  for (int run = 0; run < kRuns; ++run) {
    const auto from = std::chrono::steady_clock::now();
    const auto history = storage::RocksHistory::open(folder, identity);
    if (!history) return -1;
    std::uint64_t found = 0;
    const auto read =
        storage::sessions_at(**history, "rs", kWall + (kSeconds - 30 - run) * 1000, [&](const SessionRecord& record) {
          const bool wanted = all || record.flow[1].destination_port == 2777;
          found += wanted ? 1 : 0;
          return true;
        });
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count());
    if (!read || (all && found != kSessions)) {
      fmt::print(stderr, "{}: {} sessions\n", read ? "found" : read.error().message, found);
      return -1;
    }
  }
  std::sort(times.begin(), times.end());
  return times[kRuns / 2];
}

int measure() {
  std::string name = std::filesystem::temp_directory_path() / "icr-history-bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return 1;
  const std::filesystem::path folder = name;
  const storage::StoreIdentity identity{"bench", "bench", 1};
  bool good = false;
  {
    auto store = storage::RocksStore::open(folder / "store", identity, kWall, {3600, std::uint64_t{1} << 40U});
    if (store) {
      const auto table = std::make_unique<test::FakeTable>(kSessions);
      live(**store, *table);
      good = true;
    }
  }
  if (good) {
    const double one = ask(folder / "store", identity, false);
    const double all = ask(folder / "store", identity, true);
    good = one > 0 && all > 0;
    fmt::print("history.mb_per_hour {:.4g} MB\nhistory.as_of_ms {:.4g} ms\nhistory.as_of_all_ms {:.4g} ms\n",
               static_cast<double>(size_of(folder / "store")) / 1e6 * 3600 / kSeconds, one, all);
  }
  std::filesystem::remove_all(folder);
  return good ? 0 : 1;
}

}  // namespace

int main() { return measure(); }
