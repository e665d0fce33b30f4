// What a chassis has to drain follows from its stored commits.
#include "node/commit/drains.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/config/cluster_file.h"
#include "node/commit/commit_desk.h"

namespace icr::node {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr WallMillis kNow = 1'700'000'000'000;

/// A cluster file whose service set takes ports from these pools.
std::string file(const std::vector<std::string>& pools, const std::string& options = "drain-time: 60") {
  std::string out =
      "cluster: lab\nchassis: [{ name: left, inter-chassis: { address: 127.0.0.1, port: 7400 }, query: { address: "
      "127.0.0.1, port: 7300 }, cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a }, { unit: 2, type: "
      "tun, device: b }] }] }]\nservice-sets:\n  - name: cgn\n    interface: { chassis: left, card: ms-0/0/0 }\n    "
      "inside-unit: 1\n    outside-unit: 2\n    nat-rules: [source]\n    " +
      options + "\nnat:\n  pools:\n";
  std::string names;
  for (const std::string& pool : pools) {
    out += "    - { name: pool" + pool + ", addresses: 203.0.113." + pool + "/32 }\n";
    names += (names.empty() ? "pool" : ", pool") + pool;
  }
  return out +
         "  rules: [{ name: source, match-direction: input, terms: [{ name: all, then: { translated: { source-pool: [" +
         names + "], translation-type: napt-44 } } }] }]\n";
}

/// Commits, oldest first, one each 10 s; the newest one was made at kNow.
class Commits {
 public:
  explicit Commits(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      StoredCommit commit;
      commit.entry.number = commits_.size() + 1;
      commit.entry.digest = digest_of_text(text);
      commit.entry.at = kNow - WallMillis{10'000} * static_cast<WallMillis>(texts.size() - commits_.size() - 1);
      commit.text = text;
      commits_.push_back(std::move(commit));
    }
  }
  /// The pools that are drained, with the seconds that are left.
  [[nodiscard]] std::vector<std::string> drained(WallMillis now = kNow) const {
    std::vector<const StoredCommit*> newest_first;
    for (auto each = commits_.rbegin(); each != commits_.rend(); ++each) newest_first.push_back(&*each);
    const auto newest = make_snapshot(commits_.back().text, "newest");
    EXPECT_TRUE(newest) << newest.error().message;
    const auto snapshot = with_drains(*newest, newest_first, now);
    EXPECT_EQ(snapshot->digest, (*newest)->digest);
    std::vector<std::string> out;
    for (const DrainedUse& each : snapshot->cluster.drained) {
      out.push_back(
          fmt::format("{} {}", snapshot->cluster.nat_pools[each.term.source_pools[0]].name, (each.until - now) / 1000));
    }
    return out;
  }

 private:
  std::vector<StoredCommit> commits_;
};

TEST(Drains, FollowFromTheCommitsAndTheTime) {
  const Commits commits({file({"1", "2", "3"}), file({"2", "3"}), file({"3"})});
  EXPECT_THAT(commits.drained(), ElementsAre("pool2 60", "pool1 50"));
  EXPECT_THAT(commits.drained(kNow + 55'000), ElementsAre("pool2 5"));
  EXPECT_THAT(commits.drained(kNow + 60'000), IsEmpty());
  EXPECT_THAT(commits.drained(kNow + 90'000'000), IsEmpty());
}

TEST(Drains, LaterCommitsDoNotChangeThem) {
  EXPECT_THAT(Commits({file({"1", "2"}), file({"2"}), file({"2"}, "drain-time: 60\n    session-limit: 9")}).drained(),
              ElementsAre("pool1 50"))
      << "of something else";
  EXPECT_THAT(Commits({file({"1", "2"}), file({"2"}), file({"2"})}).drained(), ElementsAre("pool1 50"))
      << "a confirmation";
  EXPECT_THAT(Commits({file({"1", "2"}), file({"2"}), file({"2"}, "drain-time: 90")}).drained(),
              ElementsAre("pool1 50"))
      << "of the drain-time";
  EXPECT_THAT(Commits({file({"1", "2"}), file({"2"}), file({"1", "2"})}).drained(), IsEmpty()) << "it is brought back";
  EXPECT_THAT(Commits({file({"1", "2"}, ""), file({"2"}, ""), file({"2"})}).drained(), IsEmpty())
      << "its sessions have ended at once";
}

TEST(Drains, ACommitThatCannotBeReadDrainsNothing) {
  EXPECT_THAT(Commits({"of another release", file({"2"})}).drained(), IsEmpty());
}

TEST(Drains, TheDeskSaysWhatIsDrainedAndWhatWouldBe) {
  CommitDesk desk(SnapshotStore(), "left", [] { return std::uint64_t{7}; });
  ASSERT_TRUE(desk.start(file({"1", "2"}), "cluster.yaml", kNow));
  desk.set_running(desk.newest().snapshot);
  const auto ask = [&](CommitRequest request, WallMillis now) {
    QueryReply reply;
    desk.answer(request, now, reply);
    EXPECT_EQ(reply.error, QueryError::none) << reply.reason;
    return reply.commit.lines;
  };
  CommitRequest candidate;
  candidate.operation = CommitOperation::put;
  candidate.candidate = 9;
  candidate.text = file({"2"});
  candidate.total = static_cast<std::uint32_t>(candidate.text.size());
  (void)ask(candidate, kNow);
  CommitRequest check;
  check.operation = CommitOperation::check;
  check.candidate = 9;
  const auto told = ask(check, kNow);
  EXPECT_THAT(told, Contains("service-sets[cgn] gets nothing new of nat.pools[pool1], whose sessions end in 60 s at "
                             "the latest"));
  EXPECT_THAT(told, Not(Contains(HasSubstr("translates end"))));
  ASSERT_TRUE(desk.take(file({"2"}), "cluster.yaml", {}, kNow));
  desk.set_running(desk.newest().snapshot);
  EXPECT_THAT(ask({}, kNow + 20'000), ElementsAre(HasSubstr("nat.pools[pool1], whose sessions end in 40 s")));
  EXPECT_THAT(ask({}, kNow + 60'000), IsEmpty());
}

}  // namespace
}  // namespace icr::node
