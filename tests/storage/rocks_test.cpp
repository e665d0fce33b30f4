#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "storage/rocks/rocks_store.h"
#include "storage/writer.h"
#include "tests/storage/storage_support.h"

extern char** environ;

namespace icr::test {
namespace {

namespace fs = std::filesystem;
using storage::Checkpointer;
using storage::CheckpointOptions;
using storage::DirectOutput;
using storage::Manifest;
using storage::RocksStore;
using storage::StoreIdentity;
using storage::Terms;
using testing::HasSubstr;

const StoreIdentity kIdentity{"chassis-a", "lab", kDigest};

std::unique_ptr<RocksStore> opened(const fs::path& folder, const StoreIdentity& identity = kIdentity) {
  auto store = RocksStore::open(folder, identity, kWall);
  if (!store) throw std::runtime_error(store.error().message);
  return std::move(*store);
}

/// Writes `count` sessions and a base.
void fill(RocksStore& store, std::uint32_t count, const std::string& set = "rs-1", std::uint64_t term = 8) {
  DirectOutput output(store, set);
  FakeTable table(count);
  Checkpointer checkpointer(set, kDigest, table, output, {}, 1, 0);
  table.listen(&checkpointer);
  for (std::uint32_t i = 0; i < count; ++i) table.create(i, session(i), at(0s));
  settle(checkpointer, at(0s), kWall, term);
  ASSERT_EQ(output.losses(), 0U);
}

TEST(RocksStore, KeepsEverythingOverARestart) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a" / "store";
  std::map<std::uint32_t, Essence> written;
  std::uint64_t next = 0;
  {
    auto store = opened(path);
    DirectOutput output(*store, "rs-1");
    FakeTable table(5000);
    Checkpointer checkpointer("rs-1", kDigest, table, output, {}, 1, 0);
    table.listen(&checkpointer);
    for (std::uint32_t i = 0; i < 5000; ++i) table.create(i, i % 2 == 0 ? session(i) : session6(i), at(0s));
    settle(checkpointer, at(0s), kWall, 6);
    for (std::uint32_t i = 0; i < 5000; i += 3) table.destroy(i);
    settle(checkpointer, at(1s), kWall, 6);
    written = contents(table, at(1s));
    fill(*store, 10, "rs-10");  // a name that begins like the other
  }
  {
    auto store = opened(path);
    FakeTable back(5000);
    const auto restored = restored_into(back, *store);
    EXPECT_EQ(contents(back, at(1s)), written);
    EXPECT_EQ(restored.term, 6U);
    EXPECT_TRUE(restored.has_manifest);
    EXPECT_TRUE(store->set_aside_to().empty());
    next = restored.next_sequence;
    // A second life, which ends without a word.
    DirectOutput output(*store, "rs-1");
    Checkpointer checkpointer("rs-1", kDigest, back, output, {}, next, restored.term);
    back.listen(&checkpointer);
    for (std::uint32_t i = 0; i < 5000; i += 7) {
      if (back.live(i)) back.change_state(i, TcpState::established, at(2s));
    }
    settle(checkpointer, at(2s), kWall, 9);
    written = contents(back, at(2s));
  }
  auto store = opened(path);
  FakeTable back(5000);
  EXPECT_EQ(restored_into(back, *store).term, 9U);
  EXPECT_EQ(contents(back, at(2s)), written);
  FakeTable other(10);
  (void)restored_into(other, *store, kWall, "rs-10");
  EXPECT_EQ(other.size(), 10U);
}

TEST(RocksStore, NobodyElseMayEnterItsFolder) {
  const TemporaryFolder folder;
  const fs::path place = folder.path() / "store";
  const auto mode = [&] { return fs::status(place).permissions(); };
  (void)opened(place);
  EXPECT_EQ(mode(), fs::perms::owner_all);
  // A former release made it for everybody.
  fs::permissions(place, fs::perms(0755));
  (void)opened(place);
  EXPECT_EQ(mode(), fs::perms::owner_all);
}

TEST(RocksStore, TruncateAndCommitForgetWhatTheySay) {
  const TemporaryFolder folder;
  auto store = opened(folder.path() / "store");
  const std::uint8_t bytes[] = {1, 2, 3};
  for (const std::string set : {"a", "b"}) {
    for (std::uint64_t i = 1; i <= 9; ++i) ASSERT_TRUE(store->append(set, i, bytes));
  }
  ASSERT_TRUE(store->truncate("a", 7));
  ASSERT_TRUE(store->commit("a", Manifest{4, 5, 2, kWall, kDigest, 0, 0}));
  auto range = store->range("a");
  ASSERT_TRUE(range && *range);
  EXPECT_EQ((*range)->first, 4U);
  EXPECT_EQ((*range)->last, 7U);
  range = store->range("b");
  ASSERT_TRUE(range && *range);
  EXPECT_EQ((*range)->first, 1U);
  EXPECT_EQ((*range)->last, 9U);
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  EXPECT_FALSE(*store->read("a", 3, words, size));
  EXPECT_TRUE(*store->read("a", 4, words, size));
  EXPECT_EQ(size, 3U);
  EXPECT_FALSE(*store->range("c"));
}

TEST(RocksStore, AStoreOfAnotherChassisIsPutAsideUntouched) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "store";
  { fill(*opened(path), 100); }
  for (const StoreIdentity& other :
       {StoreIdentity{"chassis-b", "lab", kDigest}, StoreIdentity{"chassis-b", "office", kDigest}}) {
    testing::internal::CaptureStderr();
    auto store = opened(path, other);
    const std::string logged = testing::internal::GetCapturedStderr();
    ASSERT_FALSE(store->set_aside_to().empty());
    EXPECT_THAT(logged, HasSubstr("it belongs to chassis"));
    EXPECT_THAT(logged, HasSubstr(store->set_aside_to().string()));
    EXPECT_THAT(store->set_aside_to().string(), HasSubstr("store.set-aside-20231114T221320Z"));
    FakeTable back(100);
    EXPECT_EQ(restored_into(back, *store).term, 0U);
    EXPECT_EQ(back.size(), 0U);
  }
  // Its owner can still read it.
  auto store = opened(folder.path() / "store.set-aside-20231114T221320Z");
  FakeTable back(100);
  EXPECT_EQ(restored_into(back, *store).term, 8U);
  EXPECT_EQ(back.size(), 100U);
  EXPECT_TRUE(fs::exists(folder.path() / "store.set-aside-20231114T221320Z-2")) << "two in one second";
}

TEST(RocksStore, EachTermOnlyGrows) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "store";
  {
    auto store = opened(path);
    EXPECT_EQ(*store->terms("rs-1"), (Terms{0, 0}));
    ASSERT_TRUE(store->remember_terms("rs-1", {0, 6}));
    ASSERT_TRUE(store->remember_terms("rs-1", {5, 0}));
    ASSERT_TRUE(store->remember_terms("rs-1", {3, 4}));
  }
  EXPECT_EQ(*opened(path)->terms("rs-1"), (Terms{5, 6}));
}

TEST(RocksStore, UnderAnotherConfigurationTheSessionsAreStillThere) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "store";
  {
    auto store = opened(path);
    fill(*store, 100);
    ASSERT_TRUE(store->remember_terms("rs-1", {0, 10}));
  }
  auto store = opened(path, {"chassis-a", "lab", kDigest + 1});
  EXPECT_TRUE(store->set_aside_to().empty());
  FakeTable back(100);
  auto restored = storage::restore(*store, "rs-1", kDigest + 1, back, back, at(0s), kWall);
  ASSERT_TRUE(restored);
  EXPECT_EQ(back.size(), 100U);
  EXPECT_EQ(restored->term, 8U);
  EXPECT_EQ(restored->other_configuration, restored->batches);
  EXPECT_TRUE(restored->damage.empty());
}

TEST(RocksStore, OfAReleaseThatNamesThingsByTheirPlacesKeepsTheTermsOnly) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "store";
  {
    auto store = opened(path, {"chassis-a", "lab", kDigest, kFirstSchemaWithNames - 1});
    fill(*store, 100);
    ASSERT_TRUE(store->remember_terms("rs-1", {0, 10}));
  }
  testing::internal::CaptureStderr();
  auto store = opened(path);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("by their places in the cluster file"));
  EXPECT_FALSE(store->set_aside_to().empty());
  FakeTable back(100);
  auto restored = storage::restore(*store, "rs-1", kDigest, back, back, at(0s), kWall);
  ASSERT_TRUE(restored);
  EXPECT_EQ(back.size(), 0U);
  EXPECT_EQ(restored->term, 8U);
  EXPECT_EQ(restored->claimed, 10U);
  EXPECT_TRUE(restored->damage.empty());
}

TEST(RocksStore, SetAsideWhileItRuns) {
  const TemporaryFolder folder;
  auto store = opened(folder.path() / "store");
  fill(*store, 100);
  ASSERT_TRUE(store->set_aside("a test says so", kWall));
  FakeTable back(100);
  const auto restored = restored_into(back, *store);
  EXPECT_EQ(back.size(), 0U);
  EXPECT_EQ(restored.term, 8U);
  fill(*store, 50);
  (void)restored_into(back, *store);
  EXPECT_EQ(back.size(), 50U);
  auto old = opened(store->set_aside_to());
  (void)restored_into(back, *old);
  EXPECT_EQ(back.size(), 100U);
}

TEST(RocksStore, AFolderInUseIsRefusedAndLeftAlone) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "store";
  auto store = opened(path);
  fill(*store, 10);
  const auto second = RocksStore::open(path, kIdentity, kWall);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("in use"));
  const auto foreign = RocksStore::open(path, {"chassis-b", "lab", 1}, kWall);
  ASSERT_FALSE(foreign);
  FakeTable back(10);
  (void)restored_into(back, *store);
  EXPECT_EQ(back.size(), 10U);
}

TEST(RocksStore, WhatIsNotAStoreIsNotTouched) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "store";
  fs::create_directory(path);
  std::ofstream(path / "holiday.jpg") << "precious";
  const auto refused = RocksStore::open(path, kIdentity, kWall);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no store"));
  std::string kept;
  std::ifstream(path / "holiday.jpg") >> kept;
  EXPECT_EQ(kept, "precious");
  EXPECT_EQ(std::distance(fs::directory_iterator(path), fs::directory_iterator()), 1);

  const fs::path file = folder.path() / "file";
  std::ofstream(file) << "not a folder";
  const auto on_file = RocksStore::open(file, kIdentity, kWall);
  ASSERT_FALSE(on_file);
  EXPECT_THAT(on_file.error().message, HasSubstr("not a folder"));
  EXPECT_FALSE(RocksStore::open(file / "below", kIdentity, kWall));
}

TEST(RocksStore, AnInterruptedBeginningIsNotInTheWay) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "store.new");
  std::ofstream(folder.path() / "store.new" / "CURRENT") << "half";
  fs::create_directory(folder.path() / "store");  // an empty folder is as good as none
  auto store = opened(folder.path() / "store");
  EXPECT_TRUE(store->set_aside_to().empty());
  fill(*store, 10);
}

/// A child process whose standard output the test reads.
class Victim {
 public:
  explicit Victim(const std::string& folder) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
    std::string program = ICR_STORAGE_VICTIM;
    std::string argument = folder;
    char* arguments[] = {program.data(), argument.data(), nullptr};
    const int failed = posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_ends[1]);
    if (failed != 0) throw std::runtime_error("posix_spawn");
    out_ = fdopen(pipe_ends[0], "r");
  }
  ~Victim() {
    kill_now();
    (void)fclose(out_);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  /// The next number it prints; 0 when there is none.
  std::uint32_t next() {
    unsigned value = 0;
    return std::fscanf(out_, "%u", &value) == 1 ? value : 0;
  }
  void kill_now() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  FILE* out_ = nullptr;
};

TEST(RocksStore, NothingAcknowledgedIsLostBySigkill) {
  std::mt19937 random(20);
  for (int round = 0; round < 5; ++round) {
    const TemporaryFolder folder;
    const std::string path = (folder.path() / "store").string();
    Victim victim(path);
    std::uint32_t created = 0;
    for (auto lines = 1 + random() % 300; lines > 0; --lines) {
      created = victim.next();
      ASSERT_NE(created, 0U);
    }
    victim.kill_now();
    while (const std::uint32_t more = victim.next()) created = more;  // what it said before it died

    auto store = opened(path);
    EXPECT_TRUE(store->set_aside_to().empty());
    FakeTable back(1U << 20U);
    const auto restored = restored_into(back, *store);
    EXPECT_TRUE(restored.damage.empty()) << restored.damage;
    for (std::uint32_t slot = 0; slot < created; ++slot) {
      ASSERT_EQ(back.live(slot), slot % 2 == 1) << "slot " << slot << " of " << created;
      ASSERT_EQ(back.generation(slot), 1U);
    }
    for (std::uint32_t slot = created; slot < back.high_water(); slot += 2) {
      // Nobody acknowledged these; but if they are there at all, they are whole.
      SessionRecord r;
      if (back.read(slot, at(0s), r)) {
        EXPECT_EQ(r.flow, session(slot).flow);
      }
    }
  }
}

/// A small file system of its own.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=6m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) (void)umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }
  /// Somebody else takes all the room there is.
  void fill_up() const {
    const int file = ::open((path_ / "ballast").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    const std::vector<char> block(4096, 'x');
    while (write(file, block.data(), block.size()) > 0) {
    }
    close(file);
  }
  void make_room() const { fs::remove(path_ / "ballast"); }

 private:
  fs::path path_;
  bool mounted_ = false;
};

TEST(RocksStore, AFullDiskIsAnErrorAndSpaceMendsIt) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder.path());
  if (!disk.mounted()) GTEST_SKIP() << "a tmpfs cannot be mounted here (needs root): " << std::strerror(errno);
  FakeTable table(3000);
  {
    auto store = opened(folder.path() / "store");
    storage::Writer writer(std::move(store));
    auto& output = writer.add_set("rs-1");
    writer.start();
    CheckpointOptions options;
    options.retry_interval = 1s;
    Checkpointer checkpointer("rs-1", kDigest, table, output, options, 1, 0);
    table.listen(&checkpointer);
    for (std::uint32_t i = 0; i < 3000; ++i) table.create(i, session(i), at(0s));
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    Duration now = 0s;
    const auto step = [&] {
      now += 10ms;
      for (std::uint32_t i = 0; i < 3000; i += 10) table.change_state(i, TcpState::established, at(now));
      (void)checkpointer.tick(at(now), kWall, 2, 512);
      std::this_thread::yield();
    };
    while (checkpointer.counters().losses == 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      disk.fill_up();
      step();
    }
    disk.make_room();
    const auto manifests = [&] {
      CounterList counters;
      writer.append_to(counters);
      for (const auto& c : counters) {
        if (c.name == "storage-manifests-written") return c.value;
      }
      return std::uint64_t{0};
    };
    // The store is opened anew at most once a second, so the first attempts may be lost as well.
    for (bool written = false; !written;) {
      const auto before = manifests();
      const auto losses = output.losses();
      while (!checkpointer.flush_all(at(now), kWall, 2)) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      while (!written && output.losses() == losses) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        written = manifests() > before;
        std::this_thread::yield();
      }
    }
    writer.stop();
  }
  auto store = opened(folder.path() / "store");
  EXPECT_TRUE(store->set_aside_to().empty());
  FakeTable back(3000);
  const auto restored = restored_into(back, *store);
  EXPECT_TRUE(restored.damage.empty()) << restored.damage;
  EXPECT_EQ(contents(back, at(0s)), contents(table, at(0s)));
}

}  // namespace
}  // namespace icr::test
