// With which configuration a chassis starts.
#include "node/commit/boot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace icr::node {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kFirst = 101, kSecond = 102, kThird = 103, kElse = 999;

/// Commits 3, 2 and 1, newest first. The third was committed while the file held the text of the first.
std::vector<StoredCommit> stored() {
  std::vector<StoredCommit> out(3);
  out[0].entry.number = 3;
  out[0].entry.digest = kThird;
  out[0].file_digest = kFirst;
  out[1].entry.number = 2;
  out[1].entry.digest = kSecond;
  out[1].file_digest = kFirst;
  out[2].entry.number = 1;
  out[2].entry.digest = kFirst;
  out[2].file_digest = kFirst;
  return out;
}

TEST(Boot, WithoutCommitsTakesTheFile) {
  const auto choice = choose_boot({}, kFirst);
  EXPECT_FALSE(choice.stored);
  EXPECT_THAT(choice.why, HasSubstr("no commit is stored"));
}

TEST(Boot, AFileThatWasNotChangedSinceTheCommitIsOlder) {
  const auto choice = choose_boot(stored(), kFirst);
  EXPECT_TRUE(choice.stored);
  EXPECT_THAT(choice.why, HasSubstr("has not been changed since"));
}

TEST(Boot, AFileThatIsTheCommitChangesNothing) {
  const auto choice = choose_boot(stored(), kThird);
  EXPECT_TRUE(choice.stored);
  EXPECT_THAT(choice.why, HasSubstr("the file is commit 3"));
}

TEST(Boot, AFileThatIsAFormerCommitIsOlder) {
  const auto choice = choose_boot(stored(), kSecond);
  EXPECT_TRUE(choice.stored);
  EXPECT_THAT(choice.why, HasSubstr("commit 2"));
}

TEST(Boot, AFileThatWasChangedToSomethingNewIsNewer) {
  const auto choice = choose_boot(stored(), kElse);
  EXPECT_FALSE(choice.stored);
  EXPECT_THAT(choice.why, HasSubstr("changed after commit 3"));
}

}  // namespace
}  // namespace icr::node
