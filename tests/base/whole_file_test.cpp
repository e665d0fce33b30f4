// Files that are read and replaced as a whole.
#include "model/base/whole_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace icr {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WholeFileTest : public ::testing::Test {
 protected:
  static void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }
  [[nodiscard]] static std::string error_of(const Result<std::string>& read) {
    return read ? "none" : read.error().message;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& each : fs::directory_iterator(folder_.path())) out.push_back(each.path().filename().string());
    return out;
  }

  const test::TemporaryFolder folder_;
  const fs::path file_ = folder_.path() / "file";
};

TEST_F(WholeFileTest, AFileIsMadeForItsOwnerAndThenReplaced) {
  ASSERT_TRUE(replace_file(file_, "a longer text"));
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(replace_file(file_, "text"));
  EXPECT_EQ(read_whole_file(file_, 4).value(), "text");
  EXPECT_THAT(names(), ElementsAre("file"));
  EXPECT_TRUE(sync_folder(folder_.path()));
  EXPECT_FALSE(sync_folder(file_));
}

TEST_F(WholeFileTest, AFullDiskLeavesTheFormerTextAndNothingElse) {
  ASSERT_TRUE(replace_file(file_, "former"));
  // The kernel ends writes beyond this size as a full disk does, with another number.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto done = replace_file(file_, std::string(10'000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("file.new: cannot be written"));
  EXPECT_EQ(read_whole_file(file_, 100).value(), "former");
  EXPECT_THAT(names(), ElementsAre("file"));
}

TEST_F(WholeFileTest, ALinkInTheWayIsNotFollowed) {
  write(folder_.path() / "target", "target");
  fs::create_symlink(folder_.path() / "target", folder_.path() / "file.new");
  EXPECT_FALSE(replace_file(file_, "text"));
  EXPECT_EQ(read_whole_file(folder_.path() / "target", 100).value(), "target");
  EXPECT_TRUE(replace_file(file_, "text")) << "the link is gone";
}

TEST_F(WholeFileTest, WhatIsNoFileOfSuchASizeIsNotRead) {
  write(file_, "12345");
  EXPECT_EQ(error_of(read_whole_file(file_, 4)), "it is too long: more than 4 octets");
  EXPECT_EQ(read_whole_file(file_, 5).value(), "12345");
  write(file_, "");
  EXPECT_EQ(read_whole_file(file_, 5).value(), "");
  EXPECT_EQ(error_of(read_whole_file(folder_.path() / "none", 5)), "No such file or directory");
  EXPECT_EQ(error_of(read_whole_file(folder_.path(), 5)), "it is no regular file");
  fs::create_symlink(file_, folder_.path() / "link");
  EXPECT_EQ(error_of(read_whole_file(folder_.path() / "link", 5)), "it is a link");
  ASSERT_EQ(::mkfifo((folder_.path() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of(read_whole_file(folder_.path() / "pipe", 5)), "it is no regular file") << "and is not waited for";
  EXPECT_THAT(error_of(read_whole_file("/proc/self/maps", 100)), HasSubstr("more than 100"))
      << "it says that it is empty";
}

}  // namespace
}  // namespace icr
