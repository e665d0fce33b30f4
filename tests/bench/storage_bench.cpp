// storage.checkpoint_1m_s, storage.recover_1m_s: a million NAPT44 sessions, half TCP and half UDP, from the table of a
// chassis to RocksDB (in the folder that TMPDIR names) and back into another table.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "node/flow/shard.h"
#include "storage/restore.h"
#include "storage/rocks/rocks_store.h"
#include "storage/writer.h"
#include "tests/bench/napt_sessions.h"

namespace {

using namespace icr;

constexpr std::uint32_t kSessions = 1'000'000;
constexpr int kRuns = 3;
constexpr WallMillis kWall = 1'700'000'000'000;

Cluster cluster() {
  Cluster out = bench::napt_cluster();
  out.chassis.emplace_back().name = "left";
  out.redundancy_sets[0].members.resize(1);
  (void)assign_identities(out);
  return out;
}

SessionRecord session(std::uint32_t i) {
  SessionRecord r = bench::napt_session(i, i % 2 == 0);
  r.has_counters = true;
  r.counters[0] = {i, i * std::uint64_t{100}};
  r.counters[1] = {i, i * std::uint64_t{900}};
  return r;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// One checkpoint and one recovery. False: something went wrong, and was said.
bool run(const std::filesystem::path& folder, const Cluster& config, node::Shard& source, double& write_s,
         double& read_s) {
  const TimePoint now = TimePoint{} + 1000s;
  const storage::StoreIdentity identity{"bench", config.name, config.digest};
  auto store = storage::RocksStore::open(folder, identity, kWall);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return false;
  }
  {
    storage::Writer writer(std::move(*store));
    auto& output = writer.add_set("rs");
    storage::Checkpointer checkpointer("rs", config.digest, source, output, {}, 1, 0);
    writer.start();
    const auto start = std::chrono::steady_clock::now();
    while (!checkpointer.flush_all(now, kWall, 2)) std::this_thread::yield();
    writer.stop();  // the manifest is on disk, synced
    write_s = seconds_since(start);
    if (output.losses() != 0) {
      std::fprintf(stderr, "the disk lost something\n");
      return false;
    }
  }
  node::Shard target(config, 0, 7, now);
  const auto start = std::chrono::steady_clock::now();
  store = storage::RocksStore::open(folder, identity, kWall);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return false;
  }
  const auto restored = storage::restore(**store, "rs", config.digest, target, target, now, kWall + 1000);
  read_s = seconds_since(start);
  if (!restored || restored->sessions != kSessions || target.digest() != source.digest()) {
    std::fprintf(stderr, "what came back is not what was written\n");
    return false;
  }
  return true;
}

}  // namespace

int main() {
  const Cluster config = cluster();
  const TimePoint now = TimePoint{} + 1000s;
  node::Shard source(config, 0, 5, now);
  source.begin_pass(now);
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    if (source.apply(session(i), now) != Applied::created) {
      std::fprintf(stderr, "session %u is refused\n", i);
      return 1;
    }
  }
  (void)source.end_pass(now);
  std::vector<double> write_s;
  std::vector<double> read_s;
  for (int i = 0; i < kRuns; ++i) {
    std::string folder = (std::filesystem::temp_directory_path() / "icr-bench-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) return 1;
    double write = 0;
    double read = 0;
    const bool good = run(std::filesystem::path(folder) / "store", config, source, write, read);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    if (!good) return 1;
    write_s.push_back(write);
    read_s.push_back(read);
  }
  std::printf("storage.checkpoint_1m_s %.3f s\n", median(write_s));
  std::printf("storage.recover_1m_s %.3f s\n", median(read_s));
  return 0;
}
