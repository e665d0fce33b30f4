// A table that changes at random, a disk that is slow, full or dies at random: after every crash, what is restored must
// be exactly what the surviving log says, which is at least what was made durable; and after quiet it must be the
// table.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/storage/storage_support.h"

namespace icr::test {
namespace {

using storage::Checkpointer;
using storage::CheckpointOptions;
using storage::CheckpointOutput;
using storage::DirectOutput;
using storage::Manifest;
using storage::MemoryStore;
using storage::RecordBytes;

constexpr const char* kSet = "rs-1";

struct Row {
  bool live = false;
  Essence essence;  ///< of a tombstone: the generation only
  std::array<FlowKey, 2> flow;
  std::uint64_t sequence = 0;
};
using State = std::map<std::uint32_t, Row>;

/// Remembers every record that was ever offered, whatever becomes of it.
class Witness final : public CheckpointOutput {
 public:
  Witness(MemoryStore& store, std::mt19937_64& random) : store_(store), direct_(store, kSet), random_(random) {}
  unsigned refuse_percent = 0;
  std::map<std::uint64_t, State> history;
  Manifest committed;

  bool offer(std::uint64_t sequence, RecordBytes&& record) override {
    if (refuse()) return false;
    std::vector<std::uint64_t> scratch;
    const auto* data = aligned(record.data(), record.size(), scratch);
    const auto view = storage::decode_batch({data, record.size()});
    if (!view) throw std::runtime_error(view.error().message);
    State rows;
    view->rows.for_each_session([&](const SessionRecord& r) {
      EXPECT_EQ(rows.count(r.ref.slot), 0U) << "a slot twice in one record";
      rows[r.ref.slot] = Row{true, essence(r), r.flow, sequence};
    });
    view->rows.for_each_tombstone([&](SessionRef dead) {
      EXPECT_EQ(rows.count(dead.slot), 0U) << "a slot twice in one record";
      rows[dead.slot] = Row{false, {0, dead.generation, 0}, {}, sequence};
    });
    history[sequence] = rows;
    return direct_.offer(sequence, std::move(record));
  }
  bool commit(const Manifest& manifest) override {
    if (refuse()) return false;
    const bool taken = direct_.commit(manifest);
    if (const auto kept = store_.manifest(kSet); *kept) committed = **kept;
    return taken;
  }
  bool remember_term(std::uint64_t term) override { return !refuse() && direct_.remember_term(term); }
  bool claim_term(std::uint64_t term) override { return !refuse() && direct_.claim_term(term); }
  [[nodiscard]] std::uint64_t claimed_term() const override { return direct_.claimed_term(); }
  [[nodiscard]] std::uint64_t losses() const override { return direct_.losses(); }

 private:
  bool refuse() { return random_() % 100 < refuse_percent; }
  MemoryStore& store_;
  DirectOutput direct_;
  std::mt19937_64& random_;
};

State replayed(const std::map<std::uint64_t, State>& history, std::uint64_t first, std::uint64_t last) {
  State out;
  for (const auto& [sequence, rows] : history) {
    if (sequence < first || sequence > last) continue;
    for (const auto& [slot, row] : rows) out[slot] = row;
  }
  return out;
}

class ModelTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ModelTest, WhatSurvivesIsWhatComesBack) {
  const std::uint64_t seed = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  const auto capacity = static_cast<std::uint32_t>(8 + below(300));
  const bool few_keys = below(2) == 0;  // then ports pass from session to session
  MemoryStore store;
  std::map<std::uint64_t, State> history;
  FakeTable table(capacity);
  std::uint64_t next_sequence = 1;
  std::uint64_t term = 2;
  Duration now = 0s;
  std::uint32_t identity = 0;

  for (int life = 0; life < 6; ++life) {
    CheckpointOptions options;
    options.rows_per_batch = static_cast<std::uint32_t>(1 + below(64));
    options.base_minimum_rows = below(400);
    options.retry_interval = 200ms;
    Witness witness(store, random);
    witness.history = history;
    if (const auto kept = store.manifest(kSet); kept && *kept) witness.committed = **kept;
    Checkpointer checkpointer(kSet, kDigest, table, witness, options, next_sequence, term);
    table.listen(&checkpointer);
    const int steps = static_cast<int>(below(400));
    witness.refuse_percent = static_cast<unsigned>(below(3) == 0 ? below(60) : 0);

    const auto mutate = [&] {
      const auto slot = static_cast<std::uint32_t>(below(capacity));
      switch (below(5)) {
        case 0:
        case 1:
          table.create(slot, session(few_keys ? static_cast<std::uint32_t>(below(capacity)) : ++identity), at(now));
          break;
        case 2:
          if (table.live(slot)) table.destroy(slot);
          break;
        case 3:
          if (table.live(slot)) table.change_state(slot, TcpState::established, at(now));
          break;
        default:
          if (table.live(slot)) table.touch(slot, 1 + below(1000), at(now));
      }
    };
    for (int step = 0; step < steps; ++step) {
      for (std::uint64_t i = below(8); i > 0; --i) mutate();
      if (below(50) == 0) store.fail_writes(true);
      if (below(5) == 0) store.fail_writes(false);
      if (below(40) == 0) store.fail_next(static_cast<std::uint32_t>(1 + below(3)));
      if (below(100) == 0) term += 2;
      (void)checkpointer.tick(at(now), kWall, term, static_cast<std::uint32_t>(1 + below(80)));
      now += std::chrono::milliseconds(below(120));
    }
    const bool quiet = below(2) == 0;
    if (quiet) {
      store.fail_writes(false);
      store.fail_next(0);
      witness.refuse_percent = 0;
      for (int i = 0; i < 3; ++i) {  // a pause after a loss, then everything that is due
        now += 6s;
        settle(checkpointer, at(now), kWall, term);
      }
      EXPECT_EQ(checkpointer.backlog(), 0U);
    }
    table.forget_listeners();
    const auto before_crash = contents(table, at(now));

    store.fail_writes(false);
    store.fail_next(0);
    const std::uint64_t durable = witness.committed.to_sequence;
    store.crash(quiet ? store.unsynced() : below(store.unsynced() + 1));

    // What the surviving log says.
    std::uint64_t first = 1;
    std::uint64_t last = durable;
    if (durable == 0) {  // no base yet: the log begins where the first write succeeded
      if (const auto range = store.range(kSet); *range) first = (*range)->first;
      last = first - 1;
    }
    std::vector<std::uint64_t> words;
    std::size_t size = 0;
    while (*store.read(kSet, last + 1, words, size)) ++last;
    const State expected = replayed(witness.history, first, last);

    FakeTable back(capacity);
    const auto restored = restored_into(back, store);
    EXPECT_TRUE(restored.damage.empty()) << restored.damage;
    EXPECT_EQ(restored.next_sequence, last + 1);
    EXPECT_GE(restored.next_sequence, durable + 1);
    EXPECT_GE(restored.term, witness.committed.term);
    const auto found = contents(back, at(0s));
    SessionRecord record;
    for (const auto& one : expected) {
      const auto& slot = one.first;
      const auto& row = one.second;
      EXPECT_EQ(back.generation(slot), row.essence.generation) << "slot " << slot;
      const auto it = found.find(slot);
      if (it != found.end()) {
        EXPECT_TRUE(row.live) << "slot " << slot << " came back from the dead";
        EXPECT_EQ(it->second, row.essence) << "slot " << slot;
      } else if (row.live) {
        // Displaced: somebody who was written later has one of its keys.
        const bool heir = std::any_of(found.begin(), found.end(), [&](const auto& other) {
          return back.read(other.first, at(0s), record) && record.flow[0] == row.flow[0] &&
                 expected.at(other.first).sequence >= row.sequence;
        });
        EXPECT_TRUE(heir) << "slot " << slot << " is lost";
      }
    }
    for (const auto& [slot, what] : found) EXPECT_EQ(expected.count(slot), 1U) << "slot " << slot << " from nowhere";
    if (quiet) {
      EXPECT_EQ(found, before_crash);
    }
    if (HasFailure()) return;

    history = witness.history;
    history.erase(history.upper_bound(last), history.end());
    next_sequence = restored.next_sequence;
    term = std::max(term, restored.term);
    table = back;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Range<std::uint64_t>(1, 301));

}  // namespace
}  // namespace icr::test
