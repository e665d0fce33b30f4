// Fills a store as a chassis does until somebody kills it. After each flush it prints, in one line, how many sessions
// were created and how many destroyed so far: what a restart must find at least.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "storage/rocks/rocks_store.h"
#include "tests/storage/storage_support.h"

using namespace icr;
using namespace icr::test;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto store = storage::RocksStore::open(argv[1], {"chassis-a", "lab", kDigest}, kWall);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  storage::DirectOutput output(**store, "rs-1");
  constexpr std::uint32_t kSlots = 1U << 20U;
  FakeTable table(kSlots);
  storage::CheckpointOptions options;
  options.base_minimum_rows = 500;
  storage::Checkpointer checkpointer("rs-1", kDigest, table, output, options, 1, 0);
  table.listen(&checkpointer);
  Duration now = 0s;
  for (std::uint32_t created = 0; created + 20 < kSlots;) {
    for (int i = 0; i < 20; ++i, ++created) table.create(created, session(created), at(now));
    for (std::uint32_t i = created - 20; i < created; i += 2) table.destroy(i);
    now += 100ms;
    settle(checkpointer, at(now), kWall, 2);
    if (output.losses() != 0) return 3;
    std::printf("%u\n", created);
    std::fflush(stdout);
  }
  pause();
}
