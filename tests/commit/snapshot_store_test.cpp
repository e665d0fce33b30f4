// Commits on disk: what a machine that dies, a full disk or a damaged file leaves.
#include "node/commit/snapshot_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "model/config/snapshot.h"

namespace icr::node {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

StoredCommit commit(std::uint64_t number, std::string text) {
  StoredCommit out;
  out.entry = {number, digest_of_text(text), 1'700'000'000'000 + WallMillis(number), "root", "cli", "why", 0};
  out.file_digest = 0xfeed;
  out.text = std::move(text);
  return out;
}

class SnapshotStoreTest : public testing::Test {
 protected:
  SnapshotStoreTest() {
    std::string name = (fs::temp_directory_path() / "icr-commits-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~SnapshotStoreTest() override { fs::remove_all(folder_); }

  SnapshotStore open() {
    auto store = SnapshotStore::open(folder_);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : SnapshotStore();
  }
  void commit_all(std::uint64_t last) {
    auto store = open();
    for (std::uint64_t i = 1; i <= last; ++i) {
      ASSERT_TRUE(store.prepare(commit(i, "text " + std::to_string(i))));
      ASSERT_TRUE(store.activate());
    }
  }
  static std::vector<std::uint64_t> numbers(const SnapshotStore& store) {
    std::vector<std::uint64_t> out;
    for (const auto& each : store.commits()) out.push_back(each.entry.number);
    return out;
  }
  fs::path file_of(std::uint64_t number) const {
    std::string name = std::to_string(number);
    return folder_ / (std::string(20 - name.size(), '0') + name + ".commit");
  }
  static std::string read(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

  fs::path folder_;
};

TEST_F(SnapshotStoreTest, KeepsWhatWasActivated) {
  commit_all(3);
  const auto store = open();
  EXPECT_THAT(numbers(store), ElementsAre(3, 2, 1));
  EXPECT_EQ(store.commits()[0].entry, commit(3, "text 3").entry);
  EXPECT_EQ(store.commits()[0].text, "text 3");
  EXPECT_EQ(store.commits()[0].file_digest, 0xfeedU);
  EXPECT_TRUE(store.durable());
}

TEST_F(SnapshotStoreTest, ForgetsACandidateThatWasNotActivated) {
  commit_all(1);
  {
    auto store = open();
    ASSERT_TRUE(store.prepare(commit(2, "text 2")));
    EXPECT_THAT(numbers(store), ElementsAre(1));
  }
  EXPECT_TRUE(fs::exists(folder_ / "candidate"));  // as after a crash
  auto store = open();
  EXPECT_THAT(numbers(store), ElementsAre(1));
  EXPECT_FALSE(fs::exists(folder_ / "candidate"));
  EXPECT_FALSE(store.activate());
}

TEST_F(SnapshotStoreTest, AnAbortedCandidateLeavesNothing) {
  auto store = open();
  ASSERT_TRUE(store.prepare(commit(1, "text")));
  store.abort();
  store.abort();
  EXPECT_FALSE(store.activate());
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(SnapshotStoreTest, AFileThatWasHalfWrittenIsRemoved) {
  commit_all(1);
  const std::string whole = text_of_commit(commit(2, "text 2"));
  for (std::size_t size = 0; size <= whole.size(); size += 7) {
    write(folder_ / "candidate.new", whole.substr(0, size));
    const auto store = open();
    EXPECT_THAT(numbers(store), ElementsAre(1));
    EXPECT_THAT(store.damage(), IsEmpty());
    EXPECT_FALSE(fs::exists(folder_ / "candidate.new"));
  }
}

TEST_F(SnapshotStoreTest, ADamagedCommitIsSkippedAndNamed) {
  commit_all(3);
  const std::string sound = read(file_of(2));
  for (std::size_t at = 0; at < sound.size(); ++at) {
    std::string damaged = sound;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write(file_of(2), damaged);
    const auto store = open();
    ASSERT_THAT(numbers(store), ElementsAre(3, 1)) << "octet " << at;
    ASSERT_THAT(store.damage(), ElementsAre(HasSubstr(file_of(2).string())));
  }
  for (std::size_t size = 0; size < sound.size(); ++size) {
    write(file_of(2), sound.substr(0, size));
    ASSERT_THAT(numbers(open()), ElementsAre(3, 1)) << "length " << size;
  }
  EXPECT_TRUE(fs::exists(file_of(2)));  // it is not deleted: a person may want to look at it
  write(file_of(2), sound);
  EXPECT_THAT(numbers(open()), ElementsAre(3, 2, 1));
}

TEST_F(SnapshotStoreTest, ACommitUnderAnotherNameIsSkipped) {
  commit_all(2);
  fs::rename(file_of(2), file_of(9));
  const auto store = open();
  EXPECT_THAT(numbers(store), ElementsAre(1));
  EXPECT_THAT(store.damage(), SizeIs(1));
}

TEST_F(SnapshotStoreTest, KeepsFiftyAsJunosDoes) {
  commit_all(kMaxCommits + 3);
  const auto store = open();
  EXPECT_THAT(store.commits(), SizeIs(kMaxCommits));
  EXPECT_EQ(store.commits().back().entry.number, 4U);
  EXPECT_FALSE(fs::exists(file_of(3)));
}

TEST_F(SnapshotStoreTest, ATimerThatWasClearedIsClearedOnDisk) {
  {
    auto store = open();
    StoredCommit confirmed = commit(1, "text");
    confirmed.entry.confirm_until = 1234;
    ASSERT_TRUE(store.prepare(std::move(confirmed)));
    ASSERT_TRUE(store.activate());
  }
  {
    auto store = open();
    EXPECT_EQ(store.commits()[0].entry.confirm_until, 1234);
    ASSERT_TRUE(store.clear_confirm_until());
  }
  EXPECT_EQ(open().commits()[0].entry.confirm_until, 0);
}

TEST_F(SnapshotStoreTest, ADiskThatTakesNoMoreRefusesTheCandidateAndKeepsTheRest) {
  commit_all(1);
  auto store = open();
  // The kernel ends writes beyond this size as a full disk does, with another number.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto prepared = store.prepare(commit(2, std::string(10'000, 'x')));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message, HasSubstr("cannot be written"));
  EXPECT_FALSE(store.activate());
  EXPECT_THAT(numbers(open()), ElementsAre(1));
  ASSERT_TRUE(store.prepare(commit(2, "text 2")));
  ASSERT_TRUE(store.activate());
  EXPECT_THAT(numbers(open()), ElementsAre(2, 1));
}

TEST_F(SnapshotStoreTest, WhatTheDiskRefusesHoldsInMemory) {
  auto store = open();
  StoredCommit timed = commit(1, "text 1");
  timed.entry.confirm_until = 1234;
  ASSERT_TRUE(store.prepare(std::move(timed)));
  ASSERT_TRUE(store.activate());
  fs::remove_all(folder_);
  EXPECT_FALSE(store.clear_confirm_until());
  EXPECT_EQ(store.commits()[0].entry.confirm_until, 0);
  store.add_in_memory(commit(2, "text 2"));
  EXPECT_THAT(numbers(store), ElementsAre(2, 1));
}

TEST_F(SnapshotStoreTest, AFolderThatCannotBeMadeIsAnError) {
  write(folder_ / "file", "");
  const auto store = SnapshotStore::open(folder_ / "file" / "below");
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("cannot be created"));
}

TEST(SnapshotsInMemory, AreKeptWithoutAFolder) {
  SnapshotStore store;
  EXPECT_FALSE(store.durable());
  ASSERT_TRUE(store.prepare(commit(1, "text")));
  ASSERT_TRUE(store.activate());
  EXPECT_EQ(store.commits()[0].text, "text");
}

TEST_F(SnapshotStoreTest, DoesNotFollowLinks) {
  commit_all(1);
  const fs::path target = folder_ / "target";
  write(target, text_of_commit(commit(2, "text 2")));
  fs::create_symlink(target, file_of(2));
  auto store = open();
  EXPECT_THAT(numbers(store), ElementsAre(1));
  EXPECT_THAT(store.damage(), ElementsAre(HasSubstr(file_of(2).string())));
  fs::create_symlink(target, folder_ / "candidate.new");
  EXPECT_FALSE(store.prepare(commit(3, "text 3")));
  EXPECT_EQ(read(target), text_of_commit(commit(2, "text 2")));
}

TEST_F(SnapshotStoreTest, TheFolderIsForItsOwnerAlone) {
  ASSERT_TRUE(SnapshotStore::open(folder_ / "below" / "commits"));
  EXPECT_EQ(fs::status(folder_ / "below" / "commits").permissions(), fs::perms::owner_all);
  fs::permissions(folder_ / "below" / "commits", fs::perms(0755));
  ASSERT_TRUE(SnapshotStore::open(folder_ / "below" / "commits"));
  EXPECT_EQ(fs::status(folder_ / "below" / "commits").permissions(), fs::perms::owner_all);
}

TEST(CommitFile, ANumberThatLeavesNoneAboveItIsDamage) {
  for (const std::uint64_t number : {std::uint64_t{0}, kMaxCommitNumber + 1, ~std::uint64_t{0}}) {
    EXPECT_FALSE(read_commit(text_of_commit(commit(number, "text"))));
  }
  EXPECT_TRUE(read_commit(text_of_commit(commit(kMaxCommitNumber, "text"))));
}

TEST(CommitFile, WordsCannotForgeALine) {
  StoredCommit forged = commit(1, "text");
  forged.entry.comment = "a\nnumber: 99\n\nother text";
  const auto back = read_commit(text_of_commit(forged));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->entry.comment, "a?number: 99??other text");
  EXPECT_EQ(back->entry.number, 1U);
  EXPECT_EQ(back->text, "text");
}

}  // namespace
}  // namespace icr::node
