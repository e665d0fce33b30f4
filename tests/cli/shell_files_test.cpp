// Files of the shell: its history, and the lines that the pager has seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/shell/history.h"
#include "cli/shell/spool.h"

namespace icr::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ShellFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "icr-shell-files";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static unsigned mode_of(const std::string& name) {
    struct stat is {};
    return ::stat(name.c_str(), &is) == 0 ? is.st_mode & 0777U : 0;
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(ShellFiles, TheHistoryIsForItsOwnerOnly) {
  const HistoryFile history(path("history"));
  EXPECT_TRUE(history.read().empty());
  history.add("show version");
  EXPECT_EQ(mode_of(path("history")), 0600U);
  history.add("");
  history.add("show services sessions");
  EXPECT_THAT(history.read(), ElementsAre("show version", "show services sessions"));
  std::ofstream(path("open")) << "old\n";
  ::chmod(path("open").c_str(), 0644);
  HistoryFile(path("open")).add("new");
  EXPECT_EQ(mode_of(path("open")), 0600U) << "one that others could read is closed";
}

TEST_F(ShellFiles, TheHistoryDoesNotGrowForEver) {
  const HistoryFile history(path("history"));
  {
    std::ofstream file(path("history"));
    for (std::size_t i = 0; i <= 2 * kHistoryLines; ++i) file << "line " << i << "\n";
  }
  const auto lines = history.read();
  ASSERT_EQ(lines.size(), kHistoryLines);
  EXPECT_EQ(lines.front(), "line " + std::to_string(kHistoryLines + 1));
  EXPECT_EQ(mode_of(path("history")), 0600U);
  EXPECT_EQ(HistoryFile(path("history")).read(), lines) << "the file was shortened";
}

TEST_F(ShellFiles, AHistoryThatCannotBeKeptDisturbsNobody) {
  const HistoryFile nowhere(path("no/folder"));
  nowhere.add("x");
  EXPECT_TRUE(nowhere.read().empty());
  HistoryFile("").add("x");
  std::filesystem::create_symlink(path("elsewhere"), path("link"));
  HistoryFile(path("link")).add("x");
  EXPECT_FALSE(std::filesystem::exists(path("elsewhere"))) << "a link of somebody else is not followed";
}

TEST_F(ShellFiles, WhatIsNoFileOfOursIsNoHistory) {
  // A FIFO without anybody at its other end, and a device that never ends: neither holds up the shell.
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0644), 0);
  for (const auto& name : {path("fifo"), std::string("/dev/zero"), std::string("/dev/null")}) {
    const unsigned mode = mode_of(name);
    const HistoryFile history(name);
    EXPECT_TRUE(history.read().empty()) << name;
    history.add("x");
    EXPECT_EQ(mode_of(name), mode) << name << " is left as it is";
  }
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a file of somebody else";
  std::ofstream(path("of somebody else")) << "old\n";
  ASSERT_EQ(::chmod(path("of somebody else").c_str(), 0644), 0);
  ASSERT_EQ(::chown(path("of somebody else").c_str(), 12345, 12345), 0);
  const HistoryFile other(path("of somebody else"));
  other.add("x");
  EXPECT_TRUE(other.read().empty());
  EXPECT_EQ(mode_of(path("of somebody else")), 0644U);
  EXPECT_EQ(std::filesystem::file_size(path("of somebody else")), 4U);
}

TEST_F(ShellFiles, OfAHugeHistoryOnlyTheEndIsRead) {
  {
    std::ofstream file(path("history"));
    file << std::string(8 << 20, 'x') << "\nlast\n";
  }
  EXPECT_THAT(HistoryFile(path("history")).read(), ElementsAre("last"));
  EXPECT_EQ(std::filesystem::file_size(path("history")), 5U) << "the file was shortened";
}

TEST_F(ShellFiles, TheSpoolKeepsEveryLine) {
  Spool spool;
  ASSERT_TRUE(spool.usable());
  spool.append("one\ntw");
  EXPECT_EQ(spool.lines(), 1U);
  spool.append("o\n\nlast");
  EXPECT_EQ(spool.lines(), 3U);
  spool.end();
  ASSERT_EQ(spool.lines(), 4U);
  EXPECT_EQ(spool.line(0), "one");
  EXPECT_EQ(spool.line(1), "two");
  EXPECT_EQ(spool.line(2), "");
  EXPECT_EQ(spool.line(3), "last");
  EXPECT_TRUE(spool.save(path("saved")));
  std::ostringstream saved;
  saved << std::ifstream(path("saved")).rdbuf();
  EXPECT_EQ(saved.str(), "one\ntwo\n\nlast\n");
  const auto failed = spool.save(path("no/folder"));
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("could not open"));
}

}  // namespace
}  // namespace icr::cli
