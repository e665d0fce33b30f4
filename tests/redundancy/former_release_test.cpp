// A member whose peer's chassis runs the release of commit 39ebb76: they cannot pair, so this member waits beside it,
// and tells it that it is not alone. What a stranger can do who uses the name of such a peer.
#include "tests/redundancy/member_pair.h"

namespace icr::test {
namespace {

namespace rep = icr::replication;

constexpr const char* kTooOld = "peer runs a release that is too old to pair with this one";

class FormerRelease : public MemberPairTest {
 protected:
  FormerRelease() {
    right_.start();
    right_.member->on_peer_connected(now_);
  }

  /// What left would send, and nobody else; `change` makes a stranger's message of it.
  rep::MessageWriter::Bytes beat(const std::function<void(rep::Header&)>& change) {
    rep::Header header;
    header.boot = 0xb001;
    header.term = 6;
    header.member = 0;
    header.cluster = cluster_.stable_id;
    header.set = cluster_.redundancy_sets[0].stable_id;
    header.sender = cluster_.chassis[0].stable_id;
    change(header);
    rep::Heartbeat body;
    body.number = ++number_;
    body.role = Role::master;
    return writer_.write(header, body);
  }
  /// The message of a release that does not write identities.
  rep::MessageWriter::Bytes old_beat() {
    return beat([](rep::Header& header) { header.cluster = header.set = header.sender = 0; });
  }
  /// Lets time pass, in which the former release sends its heartbeats.
  void hear_former(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      right_.member->on_former(now_, old_beat());
      run_for(100ms);
    }
  }

  rep::MessageWriter writer_;
  std::uint64_t number_ = 0;
};

TEST_F(FormerRelease, IsNotJoinedByASecondMaster) {
  hear_former(10s);
  EXPECT_EQ(right_.member->role(), Role::initializing);
  EXPECT_EQ(right_.member->status().reason, kTooOld);
  EXPECT_EQ(right_.counter("refused-wrong-cluster"), 100U);
  // Without it, this one serves.
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }, detection() + 100ms));
}

TEST_F(FormerRelease, IsToldThatThisMemberLives) {
  run_for(3s);
  ASSERT_EQ(right_.role, "master");
  EXPECT_TRUE(right_.former.empty());
  hear_former(5s);
  EXPECT_EQ(right_.role, "master");
  EXPECT_GE(right_.former.size(), 48U);
  rep::MessageReader reader(rep::Header{});
  EXPECT_EQ(reader.read(right_.former.back()), nullptr);
  EXPECT_EQ(reader.refusal(), rep::Refusal::wrong_cluster) << "whole, and of another cluster file";
  // It ends with the last that was heard of that release.
  run_for(detection());
  const std::size_t told = right_.former.size();
  run_for(2s);
  EXPECT_EQ(right_.former.size(), told);
}

TEST_F(FormerRelease, CountsOnlyWhileTheConnectionToThePeerIsOpen) {
  hear_former(1s);
  right_.member->on_peer_disconnected(now_);
  const std::size_t told = right_.former.size();
  for (int i = 0; i < 20; ++i) {  // the hold time has passed
    right_.member->on_former(now_, old_beat());
    run_for(100ms);
  }
  EXPECT_EQ(right_.role, "master") << "somebody forges messages of a peer that is dead";
  EXPECT_LE(right_.former.size(), told + 5);
}

TEST_F(FormerRelease, DoesNotCountWhileThePeerIsHeard) {
  left_.start();
  left_.member->on_peer_connected(now_);
  hear_former(5s);
  EXPECT_EQ(left_.role, "master");
  ASSERT_TRUE(right_.hot());
  const std::size_t told = right_.former.size();
  hear_former(5s);
  EXPECT_EQ(right_.former.size(), told);
  EXPECT_TRUE(right_.hot());
  EXPECT_NE(right_.member->status().reason, kTooOld);
  left_.crash();
  right_.member->on_peer_disconnected(now_);
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }, 100ms));
}

TEST_F(FormerRelease, OfItsNameNoOtherMessageIsTaken) {
  for (int i = 0; i < 10; ++i) {
    right_.member->on_former(now_, beat([](rep::Header&) {}));
    right_.member->on_former(now_, beat([](rep::Header& header) { ++header.cluster; }));
    right_.member->on_former(now_, old_beat().first(20));
    run_for(300ms);
  }
  EXPECT_EQ(right_.role, "master") << "nothing of it is a reason to follow or to wait";
  EXPECT_TRUE(right_.former.empty());
  EXPECT_EQ(right_.counter("refused-former-name"), 10U);
  EXPECT_EQ(right_.counter("refused-wrong-cluster"), 10U);
  EXPECT_EQ(right_.counter("refused-malformed"), 10U);
}

}  // namespace
}  // namespace icr::test
