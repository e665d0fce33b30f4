// Every file of a store truncated, flipped or gone: the store says so or comes back with a prefix of what was written,
// never with something else, and what is damaged is kept.
#include <gtest/gtest.h>

#include <fstream>

#include "model/base/log.h"
#include "storage/rocks/rocks_store.h"
#include "tests/storage/storage_support.h"

namespace icr::test {
namespace {

namespace fs = std::filesystem;
using storage::Checkpointer;
using storage::DirectOutput;
using storage::RocksStore;
using storage::StoreIdentity;

const StoreIdentity kIdentity{"chassis-a", "lab", kDigest};
constexpr std::uint32_t kSlots = 600;
constexpr int kRounds = 20;

/// A store with SST files and a write-ahead log. `states[n]` is the table after record n.
struct Template {
  explicit Template(const fs::path& path) {
    for (int life = 0; life < 2; ++life) {  // closing flushes the first life into SST files
      auto store = RocksStore::open(path, kIdentity, kWall);
      if (!store) throw std::runtime_error(store.error().message);
      FakeTable table(kSlots);
      const auto restored = restored_into(table, **store);
      DirectOutput output(**store, "rs-1");
      Checkpointer checkpointer("rs-1", kDigest, table, output, {}, restored.next_sequence, restored.term);
      table.listen(&checkpointer);
      Duration now = 0s;
      for (int round = 0; round < kRounds; ++round, now += 100ms) {
        for (std::uint32_t i = 0; i < kSlots / kRounds; ++i) {
          const auto slot = static_cast<std::uint32_t>(round) * (kSlots / kRounds) + i;
          if (life == 0) {
            table.create(slot, session(slot), at(now));
          } else {
            table.change_state(slot, TcpState::established, at(now));
          }
        }
        settle(checkpointer, at(now), kWall, 8);
        states.push_back(contents(table, at(now)));
      }
      if (life == 1) {
        // The write-ahead log as it is before closing.
        live_copy = path.string() + ".copy";
        fs::copy(path, live_copy, fs::copy_options::recursive);
      }
    }
  }
  fs::path live_copy;
  std::vector<std::map<std::uint32_t, Essence>> states;
};

class RocksDamage : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    log::set_level(log::Level::error);
    folder_ = std::make_unique<TemporaryFolder>();
    template_ = std::make_unique<Template>(folder_->path() / "template");
  }
  static void TearDownTestSuite() {
    template_.reset();
    folder_.reset();
    log::set_level(log::Level::info);
  }

  /// Damages a copy of the store with `damage` and looks at what comes back.
  template <class Damage>
  void examine(const std::string& what, Damage&& damage) {
    SCOPED_TRACE(what);
    const TemporaryFolder copy;
    const fs::path path = copy.path() / "store";
    fs::copy(template_->live_copy, path, fs::copy_options::recursive);
    damage(path);
    auto store = RocksStore::open(path, kIdentity, kWall);
    ASSERT_TRUE(store) << store.error().message;
    FakeTable back(kSlots);
    auto restored = storage::restore(**store, "rs-1", kDigest, back, back, at(0s), kWall);
    ASSERT_TRUE(restored) << restored.error().message;
    if (!(*store)->set_aside_to().empty()) {
      ++set_aside_;
      EXPECT_EQ(back.size(), 0U);
      EXPECT_FALSE(fs::is_empty((*store)->set_aside_to()));
    } else if (restored->damage.empty()) {
      ++prefix_;
      const auto found = contents(back, at(0s));
      bool known = found.empty() && restored->batches == 0;
      for (const auto& state : template_->states) known = known || state == found;
      EXPECT_TRUE(known) << back.size() << " sessions: not a state the table was ever in";
    } else {
      ++found_while_reading_;
      // Each session that came back is one that was written.
      for (const auto& [slot, one] : contents(back, at(0s))) {
        bool written = false;
        for (const auto& state : template_->states) {
          const auto it = state.find(slot);
          written = written || (it != state.end() && it->second == one);
        }
        EXPECT_TRUE(written) << "slot " << slot;
      }
      ASSERT_TRUE((*store)->set_aside(restored->damage, kWall));
      EXPECT_FALSE(fs::is_empty((*store)->set_aside_to()));
    }
    // Whatever was found: the chassis can write checkpoints from here on.
    DirectOutput output(**store, "rs-1");
    Checkpointer checkpointer("rs-1", kDigest, back, output, {}, restored->next_sequence, restored->term);
    back.listen(&checkpointer);
    for (std::uint32_t i = 0; i < kSlots; ++i) back.create(i, session(i + kSlots), at(0s));
    settle(checkpointer, at(0s), kWall, 10);
    EXPECT_EQ(output.losses(), 0U);
    FakeTable again(kSlots);
    EXPECT_EQ(restored_into(again, **store).term, 10U);
    EXPECT_EQ(again.size(), kSlots);
  }

  static std::vector<fs::path> files() {
    std::vector<fs::path> out;
    for (const auto& entry : fs::directory_iterator(template_->live_copy)) {
      const std::string name = entry.path().filename().string();
      if (name == "LOCK" || name.rfind("LOG", 0) == 0 || name == "IDENTITY") continue;
      out.push_back(name);
    }
    return out;
  }
  static std::uint64_t size_of(const fs::path& name) { return fs::file_size(template_->live_copy / name); }

  static std::unique_ptr<TemporaryFolder> folder_;
  static std::unique_ptr<Template> template_;
  int set_aside_ = 0;
  int prefix_ = 0;
  int found_while_reading_ = 0;
};

std::unique_ptr<TemporaryFolder> RocksDamage::folder_;
std::unique_ptr<Template> RocksDamage::template_;

TEST_F(RocksDamage, AnUndamagedCopyIsWhole) {
  const TemporaryFolder copy;
  const fs::path path = copy.path() / "store";
  fs::copy(template_->live_copy, path, fs::copy_options::recursive);
  auto store = RocksStore::open(path, kIdentity, kWall);
  ASSERT_TRUE(store);
  FakeTable back(kSlots);
  (void)restored_into(back, **store);
  EXPECT_EQ(contents(back, at(0s)), template_->states.back());
  bool sst = false;
  bool wal = false;
  for (const auto& file : files()) {
    sst = sst || file.extension() == ".sst";
    wal = wal || (file.extension() == ".log" && size_of(file) > 1000);
  }
  EXPECT_TRUE(sst) << "the damage tests mean nothing without an SST file";
  EXPECT_TRUE(wal) << "the damage tests mean nothing without a write-ahead log";
}

TEST_F(RocksDamage, TruncatedFiles) {
  for (const auto& file : files()) {
    for (const std::uint64_t part : {0U, 1U, 30U, 70U, 99U}) {
      const std::uint64_t length = size_of(file) * part / 100;
      examine(fmt::format("{} cut to {} bytes", file.string(), length),
              [&](const fs::path& store) { fs::resize_file(store / file, length); });
    }
  }
  EXPECT_GT(set_aside_, 0);
  EXPECT_GT(prefix_, 0);
}

TEST_F(RocksDamage, TablesThatADamagedManifestDoesNotNameAreKept) {
  const TemporaryFolder copy;
  const fs::path path = copy.path() / "store";
  int set_aside = 0;
  for (const auto& file : files()) {
    if (file.string().rfind("MANIFEST-", 0) != 0) continue;
    for (std::uint64_t length = 0; length < size_of(file); length += 7) {
      fs::copy(template_->live_copy, path, fs::copy_options::recursive);
      fs::resize_file(path / file, length);
      auto store = RocksStore::open(path, kIdentity, kWall);
      ASSERT_TRUE(store) << store.error().message;
      fs::path kept = (*store)->set_aside_to();
      if (kept.empty()) {
        FakeTable back(kSlots);
        const auto restored = storage::restore(**store, "rs-1", kDigest, back, back, at(0s), kWall);
        ASSERT_TRUE(restored);
        if (!restored->damage.empty()) {
          ASSERT_TRUE((*store)->set_aside(restored->damage, kWall));
          kept = (*store)->set_aside_to();
        }
      }
      if (!kept.empty()) {
        ++set_aside;
        for (const auto& each : files()) {
          if (each.extension() != ".sst") continue;
          ASSERT_TRUE(fs::exists(kept / each)) << file << " cut to " << length << ": " << each;
          EXPECT_EQ(fs::file_size(kept / each), size_of(each));
        }
      }
      store->reset();
      fs::remove_all(path);
      fs::remove_all(path.string() + ".kept");
      if (!kept.empty()) fs::remove_all(kept);
    }
  }
  EXPECT_GT(set_aside, 0);
}

TEST_F(RocksDamage, MissingFiles) {
  for (const auto& file : files()) {
    examine(file.string() + " removed", [&](const fs::path& store) { fs::remove(store / file); });
  }
  EXPECT_GT(set_aside_, 0);
}

TEST_F(RocksDamage, FlippedBytes) {
  std::mt19937 random(4);
  for (const auto& file : files()) {
    const std::uint64_t size = size_of(file);
    if (size == 0) continue;
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t place = random() % size;
      examine(fmt::format("{} byte {} flipped", file.string(), place), [&](const fs::path& store) {
        std::fstream stream(store / file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(static_cast<std::streamoff>(place));
        const int byte = stream.get();
        stream.seekp(static_cast<std::streamoff>(place));
        stream.put(static_cast<char>(byte ^ 0x55));
      });
    }
  }
  EXPECT_GT(set_aside_ + found_while_reading_, 0);
  EXPECT_GT(prefix_, 0);
}

}  // namespace
}  // namespace icr::test
