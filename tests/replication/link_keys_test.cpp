// Links with keys: who is let in, and how keys are exchanged.
#include "tests/replication/link_bed.h"

namespace icr::replication::test {
namespace {

class LinkKeysTest : public LinkTest {
 protected:
  void open(End& end, bool left, const std::optional<LinkKeys>& keys) {
    LinkConfig config = LinkTest::config(left);
    config.former_own_id = left ? "former/0" : "former/1";
    config.former_peer_id = left ? "former/1" : "former/0";
    config.keys = keys;
    config.name = "rs1";
    open_with(end, config);
  }
  [[nodiscard]] LinkKeys of_left() const { return {left_key_, {right_key_.public_key}}; }
  [[nodiscard]] LinkKeys of_right() const { return {right_key_, {left_key_.public_key}}; }
  /// Both ends hear each other on both connections.
  bool hear_each_other() {
    for (End* const end : {&left_, &right_}) {
      End& other = end == &left_ ? right_ : left_;
      other.log.control.clear();
      other.log.data.clear();
      if (!await({&left_, &right_}, [&] { return end->link->send_control(text("c")); })) return false;
      if (!await({&left_, &right_}, [&] { return end->link->send_data(text("d")); })) return false;
      if (!await({&left_, &right_}, [&] { return !other.log.control.empty() && !other.log.data.empty(); }))
        return false;
    }
    return true;
  }

  const transport::KeyPair left_key_ = transport::make_key_pair().value();
  const transport::KeyPair right_key_ = transport::make_key_pair().value();
  const transport::KeyPair other_key_ = transport::make_key_pair().value();
};

TEST_F(LinkKeysTest, TwoEndsThatKnowEachOtherHearEachOther) {
  open(left_, true, of_left());
  open(right_, false, of_right());
  EXPECT_TRUE(hear_each_other());
  EXPECT_EQ(counter(*left_.link, "link-refused-keys"), 0U);
}

TEST_F(LinkKeysTest, AnEndWithAnotherKeyIsNotHeardAndBothSayIt) {
  open(left_, true, of_left());
  LinkKeys wrong = of_right();
  wrong.own = other_key_;
  open(right_, false, wrong);
  EXPECT_TRUE(await({&left_, &right_}, [&] {
    // Right proves that it has a key which left does not allow. Left meets somebody who has not the key of right.
    return counter(*left_.link, "link-refused-keys") >= 2 && counter(*right_.link, "link-keys-refused-by-peer") >= 2 &&
           counter(*left_.link, "link-peer-with-another-key") >= 2 && counter(*right_.link, "link-refused-keys") >= 2;
  }));
  EXPECT_FALSE(left_.link->send_control(text("c")) || right_.link->send_control(text("c")));
  EXPECT_TRUE(left_.log.control.empty() && right_.log.control.empty());
  EXPECT_EQ(left_.log.connected + right_.log.connected, 0);
}

TEST_F(LinkKeysTest, AnEndWithoutKeysIsNotHeard) {
  open(left_, true, of_left());
  open(right_, false, std::nullopt);
  EXPECT_TRUE(await({&left_, &right_}, [&] {
    return counter(*left_.link, "link-refused-keys") >= 2 && counter(*left_.link, "link-peer-with-another-key") >= 2 &&
           counter(*right_.link, "link-failed-handshakes") >= 2;
  }));
  EXPECT_FALSE(left_.link->send_control(text("c")) || right_.link->send_control(text("c")));
  EXPECT_EQ(left_.log.connected + right_.log.connected, 0);
}

TEST_F(LinkKeysTest, APeerWithTwoKeysIsFoundByEither) {
  for (const bool first : {true, false}) {
    SetUp();  // chooses other ports, because a closed socket of ZeroMQ keeps its port for a moment
    LinkKeys left = of_left();
    left.of_peer = {right_key_.public_key, other_key_.public_key};
    LinkKeys right = of_right();
    right.own = first ? right_key_ : other_key_;
    open(left_, true, left);
    open(right_, false, right);
    EXPECT_TRUE(hear_each_other());
    left_ = End{};
    right_ = End{};
  }
}

TEST_F(LinkKeysTest, APeerThatRefusesTheOwnKeyIsNotTakenForAnotherOne) {
  LinkKeys left = of_left();
  left.of_peer = {right_key_.public_key, other_key_.public_key};
  LinkKeys right = of_right();
  right.of_peer = {other_key_.public_key};
  open(left_, true, left);
  open(right_, false, right);
  EXPECT_TRUE(await({&left_, &right_}, [&] { return counter(*left_.link, "link-keys-refused-by-peer") >= 6; }));
  EXPECT_EQ(counter(*left_.link, "link-peer-with-another-key"), 0U) << "it uses the first of its keys";
}

TEST_F(LinkKeysTest, AKeyOfThePeerIsAddedAndRemovedWhileTheLinkRuns) {
  open(left_, true, of_left());
  open(right_, false, of_right());
  ASSERT_TRUE(hear_each_other());
  left_.link->set_peer_keys({right_key_.public_key, other_key_.public_key});
  ASSERT_TRUE(hear_each_other());
  EXPECT_EQ(left_.log.disconnected + right_.log.disconnected, 0) << "connections stay";
  // The peer restarts with its other key.
  right_ = End{};
  ASSERT_TRUE(await({&left_}, [&] { return left_.log.disconnected == 1; }));
  LinkKeys changed = of_right();
  changed.own = other_key_;
  ASSERT_TRUE(await({&left_}, [&] {
    LinkConfig config;
    config.bind = loopback(right_port_);
    config.connect = loopback(left_port_);
    config.own_id = "0/1";
    config.peer_id = "0/0";
    config.keys = changed;
    auto link = Link::open(context(), config);
    if (link) right_.link = std::move(*link);
    return link.has_value();
  }));
  ASSERT_TRUE(hear_each_other());
  left_.link->set_peer_keys({other_key_.public_key});
  ASSERT_TRUE(hear_each_other());
  EXPECT_EQ(left_.log.disconnected, 1);
}

TEST_F(LinkKeysTest, AKeyThatIsRemovedEndsTheConnectionsThatWereMadeWithIt) {
  open(left_, true, of_left());
  open(right_, false, of_right());
  ASSERT_TRUE(hear_each_other());
  left_.link->set_peer_keys({other_key_.public_key});
  ASSERT_TRUE(await({&left_, &right_}, [&] { return left_.log.disconnected == 1; }));
  // What right sends on its own connection, which stays, is refused.
  left_.log.control.clear();
  const auto refused = counter(*left_.link, "link-refused-keys");
  ASSERT_TRUE(await({&left_, &right_}, [&] { return right_.link->send_control(text("c")); }));
  EXPECT_TRUE(await({&left_, &right_}, [&] { return counter(*left_.link, "link-refused-keys") > refused; }));
  EXPECT_TRUE(left_.log.control.empty());
}

TEST_F(LinkKeysTest, NobodyIsHeardUnderAFormerName) {
  open(left_, true, of_left());
  open(right_, false, of_right());
  ASSERT_TRUE(hear_each_other());
  EXPECT_FALSE(left_.link->send_former(text("f")));
  EXPECT_EQ(counter(*left_.link, "link-former-sent"), 0U);
}

TEST_F(LinkKeysTest, TheKeysOfAFileAreThoseOfItsMembers) {
  Cluster cluster;
  cluster.chassis.resize(2);
  cluster.redundancy_sets.resize(1);
  cluster.redundancy_sets[0].id = 1;
  cluster.redundancy_sets[0].members = {{0, "ms-0/0/0", 1}, {1, "ms-0/0/0", 2}};
  const std::array ports = {left_port_, right_port_};
  const std::array keys = {left_key_, right_key_};
  std::array<std::shared_ptr<transport::Context>, 2> contexts;
  for (std::uint16_t i = 0; i < 2; ++i) {
    cluster.chassis[i].stable_id = i + 1U;
    cluster.chassis[i].inter_chassis_address = loopback(0).address;
    cluster.chassis[i].inter_chassis_port = ports.at(i);
    cluster.chassis[i].public_keys = {keys.at(i).public_key};
    contexts.at(i) = transport::Context::create(keys.at(i)).value();
  }
  ASSERT_TRUE(cluster.encrypted());
  const auto without = Link::open(context(), cluster, 0, 0);
  ASSERT_FALSE(without) << "a link of an encrypted cluster without a key";
  for (std::uint16_t i = 0; i < 2; ++i) {
    auto link = Link::open(contexts.at(i), cluster, 0, i);
    ASSERT_TRUE(link) << link.error().message;
    (i == 0 ? left_ : right_).link = std::move(*link);
  }
  EXPECT_TRUE(hear_each_other());
  EXPECT_EQ(counter(*left_.link, "link-refused-keys") + counter(*left_.link, "link-peer-with-another-key"), 0U);
  left_ = End{};
  right_ = End{};
}

}  // namespace
}  // namespace icr::replication::test
