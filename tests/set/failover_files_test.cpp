#include "node/set/failover_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/base/log.h"
#include "node/set/failover_json.h"
#include "tests/support/sample_failover.h"
#include "tests/support/temporary_folder.h"

namespace icr::node {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class FailoverFilesTest : public ::testing::Test {
 protected:
  FailoverFilesTest() { log::set_level(log::Level::error); }

  /// Keeps reports through a whole life of the files.
  void keep(const std::vector<FailoverReport>& reports) {
    auto files = FailoverFiles::open(folder_);
    ASSERT_TRUE(files) << files.error().message;
    (*files)->start();
    for (const FailoverReport& report : reports) (*files)->keep(report);
    (*files)->stop();
    counters_.clear();
    (*files)->append_to(counters_);
  }
  [[nodiscard]] std::vector<FailoverReport> found(const char* set) {
    auto files = FailoverFiles::open(folder_);
    counters_.clear();
    (*files)->append_to(counters_);
    return (*files)->reports_of(set);
  }
  [[nodiscard]] std::uint64_t counter(std::string_view name) const {
    for (const auto& each : counters_) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& each : fs::directory_iterator(folder_)) out.push_back(each.path().filename().string());
    return out;
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  const icr::test::TemporaryFolder top_;
  const fs::path folder_ = top_.path() / "left.failovers";
  CounterList counters_;
};

TEST_F(FailoverFilesTest, ReportsOutliveTheProcess) {
  FailoverReport first = icr::test::sample_failover(1);
  const FailoverReport second = icr::test::sample_failover(2);
  const FailoverReport of_other = icr::test::sample_failover(1, "rs2");
  keep({first, second, of_other});
  EXPECT_EQ(counter("failover-reports-written"), 3U);
  EXPECT_THAT(names(), UnorderedElementsAre("rs1-1.json", "rs1-2.json", "rs2-1.json"));
  EXPECT_THAT(found("rs1"), UnorderedElementsAre(first, second));
  EXPECT_THAT(found("rs2"), ElementsAre(of_other));
  EXPECT_THAT(found("rs3"), IsEmpty());
  first.new_session = 123;
  keep({first});
  EXPECT_THAT(found("rs1"), UnorderedElementsAre(first, second));
}

TEST_F(FailoverFilesTest, OnlyTheNewestAreKept) {
  std::vector<FailoverReport> all;
  for (std::uint64_t number = 1; number <= kMaxFailovers + 5; ++number)
    all.push_back(icr::test::sample_failover(number));
  keep(all);
  EXPECT_EQ(names().size(), kMaxFailovers);
  const auto left = found("rs1");
  ASSERT_EQ(left.size(), kMaxFailovers);
  for (const FailoverReport& report : left) EXPECT_GT(report.number, 5U);
}

TEST_F(FailoverFilesTest, TheFolderIsForTheOwnerOnly) {
  keep({icr::test::sample_failover()});
  struct stat status {};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(FailoverFilesTest, NamesOfSetsDoNotLeaveTheFolderAndDoNotMeet) {
  keep({icr::test::sample_failover(1, "a/b"), icr::test::sample_failover(1, "a:b"),
        icr::test::sample_failover(1, "a-b")});
  EXPECT_THAT(names(), UnorderedElementsAre("a%2Fb-1.json", "a%3Ab-1.json", "a-b-1.json"));
  EXPECT_EQ(found("a/b").size(), 1U);
}

TEST_F(FailoverFilesTest, AFileThatIsNoReportIsCountedAndLeftAlone) {
  keep({icr::test::sample_failover(1)});
  write("rs1-2.json", "{");
  write("rs1-3.json", failover_to_json(icr::test::sample_failover(4)));  // of another takeover
  write("rs1-5.json.new", failover_to_json(icr::test::sample_failover(5)));
  write("readme.txt", "not ours");
  fs::create_symlink("/etc/passwd", folder_ / "rs1-6.json");
  EXPECT_THAT(found("rs1"), ElementsAre(icr::test::sample_failover(1)));
  EXPECT_EQ(counter("failover-reports-unreadable"), 3U);
  EXPECT_THAT(names(), UnorderedElementsAre("rs1-1.json", "rs1-2.json", "rs1-3.json", "rs1-6.json", "readme.txt"));
}

TEST_F(FailoverFilesTest, WhatCannotBeWrittenIsCountedAndTheNextIsWritten) {
  auto files = FailoverFiles::open(folder_);
  ASSERT_TRUE(files) << files.error().message;
  fs::create_directories(folder_ / "rs1-1.json.new");  // in the way of the first report
  (*files)->start();
  (*files)->keep(icr::test::sample_failover(1));
  (*files)->keep(icr::test::sample_failover(2));
  (*files)->stop();
  (*files)->append_to(counters_);
  EXPECT_EQ(counter("failover-reports-not-written"), 1U);
  EXPECT_EQ(counter("failover-reports-written"), 1U);
  EXPECT_THAT(found("rs1"), ElementsAre(icr::test::sample_failover(2)));
}

TEST_F(FailoverFilesTest, AFileInThePlaceOfTheFolderIsAnError) {
  std::ofstream(folder_) << "not a folder";
  const auto files = FailoverFiles::open(folder_);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().message, folder_.string() + ": is no folder");
}

}  // namespace
}  // namespace icr::node
