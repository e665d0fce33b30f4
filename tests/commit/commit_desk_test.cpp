// How a chassis takes commits: from whom, in which order, and when it takes one back.
#include "node/commit/commit_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace icr::node {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr WallMillis kNow = 1'700'000'000'000;

std::string file(std::string_view timeout = "30", std::string_view more = "") {
  return fmt::format(R"(cluster: lab
chassis:
  - name: left
    inter-chassis: {{ address: 127.0.0.1, port: 7400 }}
    query: {{ address: 127.0.0.1, port: 7300 }}
    cards:
      - {{ name: ms-0/0/0, ports: [{{ unit: 1, type: tun, device: a1 }}, {{ unit: 2, type: tun, device: a2 }}] }}
service-sets:
  - {{ name: alone, inside-unit: 1, outside-unit: 2, interface: {{ chassis: left, card: ms-0/0/0 }},
      stateful-firewall-rules: all, timeouts: {{ inactivity-timeout: {} }} }}
stateful-firewall:
  rules: [{{ name: all, match-direction: input, terms: [{{ name: all, then: accept }}] }}]
{})",
                     timeout, more);
}

class CommitDeskTest : public testing::Test {
 protected:
  explicit CommitDeskTest(std::string first = file()) : first_(std::move(first)) {
    desk_.on_newer([this] { ++told_; });
    EXPECT_TRUE(desk_.start(first_, "cluster.yaml", kNow));
    desk_.set_running(desk_.newest().snapshot);
  }

  QueryReply ask(const CommitRequest& request, WallMillis now = kNow) {
    QueryReply reply;
    desk_.answer(request, now, reply);
    return reply;
  }
  QueryReply ask(CommitOperation operation, std::uint64_t candidate, std::uint64_t number = 0, WallMillis now = kNow) {
    CommitRequest request;
    request.operation = operation;
    request.candidate = candidate;
    request.number = number;
    request.user = "operator";
    return ask(request, now);
  }
  void put(std::uint64_t candidate, const std::string& text, std::size_t piece = 100, WallMillis now = kNow) {
    CommitRequest request;
    request.operation = CommitOperation::put;
    request.candidate = candidate;
    request.total = static_cast<std::uint32_t>(text.size());
    for (std::size_t at = 0; at < text.size(); at += piece) {
      request.offset = static_cast<std::uint32_t>(at);
      request.text = text.substr(at, piece);
      const auto reply = ask(request, now);
      ASSERT_EQ(reply.error, QueryError::none) << reply.reason;
    }
  }
  /// Takes a commit through all of its steps.
  void commit(std::uint64_t number, const std::string& text, std::uint32_t confirm_seconds = 0) {
    put(number + 1000, text);
    CommitRequest request;
    request.operation = CommitOperation::prepare;
    request.candidate = number + 1000;
    request.number = number;
    request.user = "operator";
    request.confirm_seconds = confirm_seconds;
    ASSERT_EQ(ask(request).error, QueryError::none);
    ASSERT_EQ(ask(CommitOperation::activate, number + 1000).error, QueryError::none);
  }
  std::uint64_t counter(std::string_view name) const {
    CounterList all;
    desk_.append_to(all);
    for (const auto& each : all) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << name;
    return 0;
  }

  std::string first_;
  std::uint64_t file_digest_ = 7;
  CommitDesk desk_{SnapshotStore(), "left", [this] { return file_digest_; }};
  int told_ = 0;
};

TEST_F(CommitDeskTest, TheFileOfTheFirstStartIsACommitOfThisChassisAlone) {
  EXPECT_EQ(desk_.newest().number, 1U);
  EXPECT_EQ(desk_.newest().snapshot->text, first_);
  EXPECT_EQ(desk_.beacon().number.load(), 0U);  // peers do not take it
  EXPECT_EQ(desk_.beacon().running.load(), desk_.newest().snapshot->digest);
  const auto list = ask(CommitOperation::list, 0);
  ASSERT_EQ(list.commit.entries.size(), 1U);
  EXPECT_EQ(list.commit.entries[0].via, "file");
  EXPECT_EQ(list.commit.state, CommitState::running);
}

TEST_F(CommitDeskTest, ACommitGoesThroughItsSteps) {
  commit(5, file("60"));
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(desk_.newest().number, 5U);
  EXPECT_EQ(desk_.newest().snapshot->text, file("60"));
  EXPECT_EQ(desk_.beacon().number.load(), 5U);
  const auto list = ask(CommitOperation::list, 0).commit;
  EXPECT_EQ(list.newest, 5U);
  EXPECT_EQ(list.state, CommitState::waiting);
  EXPECT_NE(list.running_digest, list.newest_digest);
  EXPECT_EQ(list.entries[0].user, "operator");
  EXPECT_EQ(list.entries[0].via, "cli");
  EXPECT_EQ(desk_.former(kNow)->text, first_);
  EXPECT_EQ(counter("commits-taken"), 2U);
}

TEST_F(CommitDeskTest, CheckSaysWhatWouldChangeAndChangesNothing) {
  put(9, file("60"));
  const auto reply = ask(CommitOperation::check, 9);
  EXPECT_EQ(reply.error, QueryError::none);
  EXPECT_THAT(reply.commit.lines,
              Contains(HasSubstr("service-sets[alone].timeouts.inactivity-timeout: default -> 60")));
  EXPECT_EQ(desk_.newest().number, 1U);
  EXPECT_EQ(told_, 0);
}

TEST_F(CommitDeskTest, AMistakeIsRefusedWithItsPlace) {
  put(9, "cluster: lab\nchassis: 3\n");
  for (const auto operation : {CommitOperation::check, CommitOperation::prepare}) {
    const auto reply = ask(operation, 9, 2);
    EXPECT_EQ(reply.error, QueryError::refused);
    EXPECT_THAT(reply.reason, HasSubstr("candidate:2:"));
  }
  EXPECT_EQ(ask(CommitOperation::activate, 9).error, QueryError::refused);
  EXPECT_EQ(desk_.newest().number, 1U);
  EXPECT_EQ(counter("commits-refused-invalid"), 1U);
}

TEST_F(CommitDeskTest, AFileWithoutThisChassisIsRefused) {
  std::string other = file();
  for (auto at = other.find("left"); at != std::string::npos; at = other.find("left")) other.replace(at, 4, "gone");
  put(9, other);
  const auto reply = ask(CommitOperation::prepare, 9, 2);
  EXPECT_EQ(reply.error, QueryError::refused);
  EXPECT_THAT(reply.reason, HasSubstr("no chassis 'left'"));
}

TEST_F(CommitDeskTest, ACommitDoesNotRenameTheCluster) {
  std::string other = file();
  other.replace(other.find("lab"), 3, "bal");
  put(9, other);
  const auto reply = ask(CommitOperation::prepare, 9, 2);
  EXPECT_EQ(reply.error, QueryError::refused);
  EXPECT_THAT(reply.reason, HasSubstr("called 'lab'"));
  EXPECT_FALSE(desk_.take(other, "cluster.yaml", {}, kNow));
}

TEST_F(CommitDeskTest, OfTwoOperatorsOneIsRefused) {
  put(8, file("60"));
  put(9, file("70"));
  ASSERT_EQ(ask(CommitOperation::prepare, 8, 2).error, QueryError::none);
  const auto second = ask(CommitOperation::prepare, 9, 2);
  EXPECT_EQ(second.error, QueryError::refused);
  EXPECT_THAT(second.reason, HasSubstr("operator is committing"));
  EXPECT_EQ(ask(CommitOperation::activate, 9).error, QueryError::refused);
  ASSERT_EQ(ask(CommitOperation::activate, 8).error, QueryError::none);
  // The number is taken now, so the second one has to look again.
  EXPECT_THAT(ask(CommitOperation::prepare, 9, 2).reason, HasSubstr("was made in the meantime"));
  EXPECT_EQ(ask(CommitOperation::prepare, 9, 3).error, QueryError::none);
}

TEST_F(CommitDeskTest, AnAbortedCandidateMakesRoom) {
  put(8, file("60"));
  put(9, file("70"));
  ASSERT_EQ(ask(CommitOperation::prepare, 8, 2).error, QueryError::none);
  ASSERT_EQ(ask(CommitOperation::abort, 9).error, QueryError::none);  // of another client: nothing happens to 8
  put(9, file("70"));
  EXPECT_EQ(ask(CommitOperation::prepare, 9, 2).error, QueryError::refused);
  ASSERT_EQ(ask(CommitOperation::abort, 8).error, QueryError::none);
  EXPECT_EQ(ask(CommitOperation::prepare, 9, 2).error, QueryError::none);
}

TEST_F(CommitDeskTest, ACandidateWhoseClientIsGoneIsForgotten) {
  put(8, file("60"));
  ASSERT_EQ(ask(CommitOperation::prepare, 8, 2).error, QueryError::none);
  EXPECT_EQ(desk_.next_tick(kNow), kNow + kCandidateLife);
  put(9, file("70"), 100, kNow + kCandidateLife);
  EXPECT_EQ(ask(CommitOperation::prepare, 9, 2, kNow + kCandidateLife).error, QueryError::none);
  EXPECT_EQ(ask(CommitOperation::activate, 8, 0, kNow + kCandidateLife).error, QueryError::refused);
}

TEST_F(CommitDeskTest, PiecesMustFollowEachOther) {
  CommitRequest request;
  request.operation = CommitOperation::put;
  request.candidate = 9;
  request.total = 10;
  request.text = "12345";
  EXPECT_EQ(ask(request).error, QueryError::none);
  EXPECT_THAT(ask(CommitOperation::check, 9).reason, HasSubstr("has not arrived"));
  request.offset = 6;
  EXPECT_EQ(ask(request).error, QueryError::refused);
  request.offset = 0;
  EXPECT_EQ(ask(request).error, QueryError::none);
  request.offset = 5;
  request.text = "123456";
  EXPECT_EQ(ask(request).error, QueryError::refused);
  request.total = 0;
  EXPECT_EQ(ask(request).error, QueryError::refused);
  request.total = 0xffffffff;
  EXPECT_EQ(ask(request).error, QueryError::refused);
}

TEST_F(CommitDeskTest, OnlyAFewTextsMayArriveAtTheSameTime) {
  for (std::uint64_t i = 1; i <= kMaxUploads; ++i) put(i, file("60"));
  CommitRequest request;
  request.operation = CommitOperation::put;
  request.candidate = 99;
  request.total = 1;
  request.text = "x";
  EXPECT_EQ(ask(request).error, QueryError::refused);
  EXPECT_EQ(ask(request, kNow + kUploadLife + 1).error, QueryError::none);  // the others have been forgotten
}

TEST_F(CommitDeskTest, ACommitThatIsNotConfirmedIsRolledBack) {
  commit(2, file("60"), 300);
  EXPECT_EQ(desk_.next_tick(kNow + 299'000), kNow + 300'000);
  desk_.tick(kNow + 299'999);
  EXPECT_EQ(desk_.newest().number, 2U);
  desk_.tick(kNow + 300'000);
  EXPECT_EQ(desk_.newest().number, 3U);
  EXPECT_EQ(desk_.newest().snapshot->text, first_);
  EXPECT_THAT(ask(CommitOperation::list, 0).commit.entries[0].comment, HasSubstr("commit 2 was not confirmed"));
  desk_.tick(kNow + 900'000);
  EXPECT_EQ(desk_.newest().number, 3U);
  EXPECT_EQ(counter("commits-rolled-back"), 1U);
}

TEST_F(CommitDeskTest, AConfirmationIsACommitOfItsOwn) {
  commit(2, file("60"), 300);
  EXPECT_EQ(ask(CommitOperation::confirm, 0).error, QueryError::none);
  EXPECT_EQ(told_, 2);
  desk_.tick(kNow + 900'000);
  EXPECT_EQ(desk_.newest().number, 3U);
  EXPECT_EQ(desk_.beacon().number.load(), 3U);  // a peer that was not asked hears of it
  EXPECT_EQ(desk_.newest().snapshot->text, file("60"));
  const auto entries = ask(CommitOperation::list, 0).commit.entries;
  EXPECT_EQ(entries[0].user, "operator");
  EXPECT_EQ(entries[0].comment, "confirms commit 2");
  EXPECT_EQ(entries[0].confirm_until, 0);
  EXPECT_EQ(entries[0].digest, entries[1].digest);
}

TEST_F(CommitDeskTest, AConfirmationThatCameFromAPeerFirstIsNoMistake) {
  commit(2, file("60"), 300);
  ASSERT_TRUE(desk_.take(file("60"), "commit 3 of chassis right", {3, 0, kNow, "operator", "cli", "", 0}, kNow));
  EXPECT_EQ(ask(CommitOperation::confirm, 0, 0, kNow + 10'000).error, QueryError::none);
  EXPECT_EQ(ask(CommitOperation::confirm, 0, 0, kNow + 10'001).error, QueryError::refused);
  EXPECT_EQ(desk_.newest().number, 3U);
}

TEST_F(CommitDeskTest, WithoutATimerThereIsNothingToConfirm) {
  commit(2, file("60"));
  const auto reply = ask(CommitOperation::confirm, 0);
  EXPECT_EQ(reply.error, QueryError::refused);
  EXPECT_THAT(reply.reason, HasSubstr("nothing to confirm"));
  EXPECT_EQ(desk_.newest().number, 2U);
}

TEST_F(CommitDeskTest, NothingTakesTheNumberOfAPreparedCandidate) {
  commit(2, file("60"), 10);
  put(9, file("70"), 100, kNow + 9'000);
  ASSERT_EQ(ask(CommitOperation::prepare, 9, 3, kNow + 9'000).error, QueryError::none);
  EXPECT_EQ(desk_.next_tick(kNow + 9'000), kNow + 9'000 + kCandidateLife);
  desk_.tick(kNow + 38'999);
  EXPECT_EQ(desk_.newest().number, 2U);
  EXPECT_THAT(ask(CommitOperation::confirm, 0, 0, kNow + 38'999).reason, HasSubstr("operator is committing"));
  const auto taken = desk_.take(file("80"), "cluster.yaml", {}, kNow + 38'999);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("operator is committing"));
  EXPECT_EQ(ask(CommitOperation::activate, 9, 0, kNow + 38'999).error, QueryError::none);
  EXPECT_EQ(desk_.newest().snapshot->text, file("70"));
}

TEST_F(CommitDeskTest, ARollbackComesWhenACandidateIsForgotten) {
  commit(2, file("60"), 40);
  put(9, file("70"), 100, kNow + 39'000);
  ASSERT_EQ(ask(CommitOperation::prepare, 9, 3, kNow + 39'000).error, QueryError::none);
  desk_.tick(kNow + 39'000 + kCandidateLife);
  EXPECT_EQ(desk_.newest().number, 3U);
  EXPECT_EQ(desk_.newest().snapshot->text, first_);
}

TEST_F(CommitDeskTest, APeerThatActivatedTheCandidateIsFollowed) {
  put(9, file("60"));
  ASSERT_EQ(ask(CommitOperation::prepare, 9, 2).error, QueryError::none);
  EXPECT_TRUE(desk_.take(file("60"), "commit 2 of chassis right", {2, 0, kNow, "operator", "cli", "", 0}, kNow));
  EXPECT_EQ(desk_.newest().number, 2U);
  EXPECT_EQ(ask(CommitOperation::activate, 9).error, QueryError::none) << "it is what the client wants";
  EXPECT_EQ(desk_.newest().number, 2U);
  EXPECT_EQ(ask(CommitOperation::activate, 8).error, QueryError::refused);
}

TEST_F(CommitDeskTest, AnotherCommitOfAPeerUnderTheNumberOfTheCandidateIsNotTheClients) {
  put(9, file("60"));
  ASSERT_EQ(ask(CommitOperation::prepare, 9, 2).error, QueryError::none);
  EXPECT_TRUE(desk_.take(file("61"), "commit 2 of chassis right", {2, 0, kNow, "operator", "cli", "", 0}, kNow));
  EXPECT_EQ(ask(CommitOperation::activate, 9).error, QueryError::refused);
}

TEST_F(CommitDeskTest, AChassisThatMissedACommitLetsTheOthersRollBackFirst) {
  const CommitEntry entry{7, 0, kNow, "operator", "cli", "", kNow + 300'000};
  ASSERT_TRUE(desk_.take(file("60"), "commit 7 of chassis right", entry, kNow));
  desk_.tick(kNow + 300'000 + kFollowTime - 1);
  EXPECT_EQ(desk_.newest().number, 7U);
  // If they cannot be heard, it goes back to what it has.
  desk_.tick(kNow + 300'000 + kFollowTime);
  EXPECT_EQ(desk_.newest().number, 8U);
  EXPECT_EQ(desk_.newest().snapshot->text, first_);
}

TEST_F(CommitDeskTest, AfterAStartAPeerMayHoldTheConfirmation) {
  SnapshotStore store;
  for (std::uint64_t number = 1; number <= 2; ++number) {
    StoredCommit commit;
    commit.text = number == 1 ? first_ : file("60");
    commit.entry = {number, digest_of_text(commit.text), kNow, "operator", "cli", "", number == 1 ? 0 : kNow + 60'000};
    commit.file_digest = file_digest_;
    ASSERT_TRUE(store.prepare(std::move(commit)));
    ASSERT_TRUE(store.activate());
  }
  const WallMillis started = kNow + 1'200'000;
  for (const bool confirmed : {true, false}) {
    CommitDesk desk(store, "left", [this] { return file_digest_; });
    ASSERT_TRUE(desk.start(first_, "cluster.yaml", started));
    EXPECT_EQ(desk.next_tick(started), started + kStartGrace);
    desk.tick(started + kStartGrace - 1);
    EXPECT_EQ(desk.newest().number, 2U);
    if (confirmed) {
      ASSERT_TRUE(desk.take(file("60"), "commit 3 of chassis right", {3, 0, kNow, "operator", "cli", "", 0}, started));
    }
    desk.tick(started + kStartGrace);
    EXPECT_EQ(desk.newest().number, 3U);
    EXPECT_EQ(desk.newest().snapshot->text, confirmed ? file("60") : first_);
  }
}

TEST(CommitDeskOnDisk, ADiskThatRefusesDoesNotKeepACommitFromBeingRolledBack) {
  std::string folder = (std::filesystem::temp_directory_path() / "icr-desk-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  auto store = SnapshotStore::open(folder);
  ASSERT_TRUE(store);
  CommitDesk desk(std::move(*store), "left", [] { return 7; });
  ASSERT_TRUE(desk.start(file(), "cluster.yaml", kNow));
  ASSERT_TRUE(desk.take(file("60"), "commit 2", {2, 0, kNow, "operator", "cli", "", kNow + 60'000}, kNow));
  std::filesystem::remove_all(folder);
  desk.tick(kNow + 60'000);
  EXPECT_EQ(desk.newest().number, 3U);
  EXPECT_EQ(desk.newest().snapshot->text, file());
  EXPECT_EQ(desk.next_tick(kNow + 60'000), kNow + 60'000 + kUploadLife);  // nothing is overdue
}

TEST_F(CommitDeskTest, TheNextCommitConfirms) {
  commit(2, file("60"), 300);
  commit(3, file("70"));
  desk_.tick(kNow + 900'000);
  EXPECT_EQ(desk_.newest().number, 3U);
}

TEST_F(CommitDeskTest, APeersCommitKeepsItsNumber) {
  CommitEntry entry{7, 0, kNow - 5000, "operator", "cli", "why", 0};
  const auto taken = desk_.take(file("60"), "commit 7 of chassis right", entry, kNow);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(*taken, 7U);
  EXPECT_EQ(ask(CommitOperation::list, 0).commit.entries[0].at, kNow - 5000);
  EXPECT_FALSE(desk_.take(file("70"), "commit 7 of chassis right", entry, kNow));
  EXPECT_FALSE(desk_.take("cluster: 1", "x", {8, 0, 0, "", "", "", 0}, kNow));
  EXPECT_EQ(desk_.newest().number, 7U);
}

TEST_F(CommitDeskTest, NobodyUsesUpTheNumbers) {
  const std::uint64_t most = 1 + kMaxCommitStep;
  put(9, file("60"));
  EXPECT_THAT(ask(CommitOperation::prepare, 9, most + 1).reason, HasSubstr("too high"));
  EXPECT_EQ(ask(CommitOperation::prepare, 9, most).error, QueryError::none);
  ASSERT_EQ(ask(CommitOperation::abort, 9).error, QueryError::none);
  const auto taken = desk_.take(file("60"), "x", {~std::uint64_t{0}, 0, kNow, "operator", "cli", "", 0}, kNow);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("too high"));
  EXPECT_TRUE(desk_.take(file("60"), "x", {most, 0, kNow, "operator", "cli", "", 0}, kNow));
}

TEST_F(CommitDeskTest, TheFileOfAPeerIsNotTaken) {
  for (const std::string_view via : {kViaFile, kViaSignal}) {
    const auto taken = desk_.take(file("60"), "x", {7, 0, kNow, "root", std::string(via), "", 0}, kNow);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message, HasSubstr("only one chassis"));
  }
  EXPECT_EQ(counter("commits-refused-invalid"), 2U);
  EXPECT_EQ(desk_.newest().number, 1U);
}

TEST_F(CommitDeskTest, ATextIsFetchedInPieces) {
  const std::string text = file("60") + "# " + std::string(2 * kCommitPieceBytes, 'x') + "\n";
  commit(2, text);
  CommitRequest request;
  request.operation = CommitOperation::fetch;
  request.number = 2;
  std::string fetched;
  do {
    request.offset = static_cast<std::uint32_t>(fetched.size());
    const auto reply = ask(request);
    ASSERT_EQ(reply.error, QueryError::none) << reply.reason;
    ASSERT_LE(reply.commit.text.size(), kCommitPieceBytes);
    fetched += reply.commit.text;
  } while (fetched.size() < text.size());
  EXPECT_EQ(fetched, text);
  request.offset = static_cast<std::uint32_t>(text.size() + 1);
  EXPECT_EQ(ask(request).error, QueryError::refused);
  request.number = 99;
  EXPECT_EQ(ask(request).error, QueryError::refused);
}

TEST_F(CommitDeskTest, SaysWhatItsHostTells) {
  desk_.set_state(CommitState::failed, "no device", false);
  const auto list = ask(CommitOperation::list, 0).commit;
  EXPECT_EQ(list.state, CommitState::failed);
  EXPECT_EQ(list.detail, "no device");
  desk_.set_state(CommitState::waiting, "chassis right", true);
  EXPECT_TRUE(desk_.beacon().waits.load());
}

TEST_F(CommitDeskTest, BackToWhatRunsThereIsNothingToWaitFor) {
  commit(2, file("60"));
  desk_.set_state(CommitState::failed, "no device", true);
  commit(3, first_);
  const auto list = ask(CommitOperation::list, 0).commit;
  EXPECT_EQ(list.state, CommitState::running);
  EXPECT_EQ(list.detail, "");
  EXPECT_FALSE(desk_.beacon().waits.load());
}

}  // namespace
}  // namespace icr::node
