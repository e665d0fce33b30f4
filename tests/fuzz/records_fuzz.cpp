// Batches of session records into a shard, as from a peer or from disk.
#include "model/record/record_codec.h"
#include "node/flow/shard.h"
#include "tests/fuzz/fuzz_cluster.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icr;
  if (size == 0) return 0;
  const std::uint8_t mode = data[0];
  std::vector<std::uint64_t> scratch;
  const std::uint8_t* const bytes = aligned(data + 1, size - 1, scratch);
  flatbuffers::Verifier verifier(bytes, size - 1, 8, 8);
  if (!verifier.VerifyBuffer<fbs::SessionBatch>(nullptr)) return 0;
  const auto batch = BatchDecoder::check(flatbuffers::GetRoot<fbs::SessionBatch>(bytes), 4096);
  if (!batch) return 0;

  TimePoint now{std::chrono::hours(1)};
  node::Shard shard(fuzz::cluster(), 0, 1, now);
  shard.begin_pass(now);
  SessionRecord back;
  for (int round = 0; round < 2; ++round) {
    batch->for_each_session([&](const SessionRecord& r) {
      const Applied applied = shard.apply(r, now);
      const bool taken = applied == Applied::created || applied == Applied::updated;
      if (taken) fuzz::require(shard.read(r.ref.slot, now, back) && digest_of(back) == digest_of(r));
    });
    batch->for_each_tombstone([&](SessionRef dead) { (void)shard.erase(dead, now); });
    if ((mode & 1U) != 0) shard.begin_pass(now);
  }
  if ((mode & 2U) != 0) (void)shard.end_pass(now);

  BatchEncoder encoder;
  std::uint64_t digest = 0;
  std::uint32_t sessions = 0;
  for (std::uint32_t slot = 0; slot < shard.high_water(); ++slot) {
    if (!shard.read(slot, now, back)) continue;
    digest += digest_of(back);
    ++sessions;
    encoder.add(back);
  }
  fuzz::require(shard.digest() == digest && shard.sessions() == sessions);
  fuzz::require(shard.sessions_of(0) + shard.sessions_of(1) == sessions && shard.ports_in_use() <= sessions);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(encoder.finish(builder));

  shard.activate(now);
  fuzz::require(shard.sessions() <= sessions);
  now += 150s;
  while (!shard.tick(now, 1000)) {
  }
  // What has a longer timeout is swept by a pass that names nothing.
  shard.deactivate(now);
  shard.begin_pass(now);
  (void)shard.end_pass(now);
  fuzz::require(shard.sessions() == 0 && shard.ports_in_use() == 0 && shard.digest() == 0);
  return 0;
}
