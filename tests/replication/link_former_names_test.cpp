// The names by which the release of commit 39ebb76 knows the members (docs/replication.md).
#include <string>
#include <vector>

#include "tests/replication/link_bed.h"

namespace icr::replication::test {
namespace {

/// A link of the present release at the left port, and whoever speaks to it under names of their choice.
class FormerNames : public LinkTest {
 protected:
  [[nodiscard]] LinkConfig config(bool left) const {
    LinkConfig out = LinkTest::config(left);
    out.own_id = left ? "5e7/1ef7" : "5e7/7197";
    out.peer_id = left ? "5e7/7197" : "5e7/1ef7";
    out.former_own_id = left ? "0/0" : "0/1";
    out.former_peer_id = left ? "0/1" : "0/0";
    return out;
  }
  /// Sends one message from each of these names to the control port of left, or to the next one.
  void say(const std::vector<std::string>& names, std::uint16_t port_above = 0) {
    for (const auto& name : names) {
      transport::SocketOptions options;
      options.name = name;
      auto socket = transport::Socket::dealer(context(), options);
      ASSERT_TRUE(socket);
      ASSERT_TRUE(socket->connect(loopback(static_cast<std::uint16_t>(left_port_ + port_above))));
      ASSERT_EQ(socket->send(text("i am " + name)), transport::Sent::sent);
      strangers_.push_back(std::move(*socket));
    }
  }
  std::uint64_t left_counter(std::string_view name) const { return counter(*left_.link, name); }

  std::vector<transport::Socket> strangers_;
};

const std::string kFormerName = "0/1/0123456789abcdef";

TEST_F(FormerNames, ThePeersIsHandedOverAsSuch) {
  open_with(left_, config(true));
  say({kFormerName});
  ASSERT_TRUE(await({&left_}, [this] { return left_.log.former.size() == 1; }));
  EXPECT_EQ(left_.log.former[0], text("i am " + kFormerName));
  EXPECT_TRUE(left_.log.control.empty());
  EXPECT_EQ(left_counter("link-former-received"), 1U);
  EXPECT_EQ(left_counter("link-refused-strangers"), 0U);
}

TEST_F(FormerNames, OthersAreStrangers) {
  open_with(left_, config(true));
  const std::vector<std::string> others = {"0/0/0123456789abcdef",
                                           "1/1/0123456789abcdef",
                                           "0/1/0123456789abcde",
                                           "0/1/0123456789abcdef0",
                                           "0/1/0123456789ABCDEF",
                                           "0/1/0123456789abcdeg",
                                           "0/1",
                                           "0/1/",
                                           "0/11/0123456789abcdef",
                                           "0/1/1/0123456789abcdef",
                                           "0/1 0123456789abcdef"};
  say(others);
  say({kFormerName}, 1);  // that release has nothing to say at the data port
  const std::uint64_t count = others.size() + 1;
  ASSERT_TRUE(await({&left_}, [this, count] { return left_counter("link-refused-strangers") == count; }));
  EXPECT_TRUE(left_.log.former.empty());
}

TEST_F(FormerNames, ThePeersIsAStrangersFromAnotherAddress) {
  LinkConfig at = config(true);
  at.connect.address = IpAddress::v4(INADDR_LOOPBACK + 1);
  open_with(left_, at);
  say({kFormerName});
  ASSERT_TRUE(await({&left_}, [this] { return left_counter("link-refused-strangers") == 1; }));
  EXPECT_TRUE(left_.log.former.empty());
}

TEST_F(FormerNames, WithoutThemThereAreStrangersOnly) {
  LinkConfig none = config(true);
  none.former_own_id = none.former_peer_id = "";
  open_with(left_, none);
  say({"/0123456789abcdef"});
  ASSERT_TRUE(await({&left_}, [this] { return left_counter("link-refused-strangers") == 1; }));
  open_with(right_, config(false));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.connected == 1; }));
  EXPECT_FALSE(left_.link->send_former(text("hello")));
  EXPECT_EQ(left_counter("link-errors"), 0U);
}

TEST_F(FormerNames, TheOwnIsUsedWhileTheControlConnectionIsOpen) {
  open_with(left_, config(true));
  open_with(right_, config(false));
  EXPECT_FALSE(right_.link->send_former(text("too early")));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return right_.log.connected == 1; }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return right_.link->send_former(text("hello")); }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.former.size() == 1; }));
  EXPECT_EQ(left_.log.former[0], text("hello"));
  EXPECT_EQ(counter(*right_.link, "link-former-sent"), 1U);
  left_.link.reset();
  ASSERT_TRUE(await({&right_}, [this] { return right_.log.disconnected == 1; }));
  EXPECT_FALSE(right_.link->send_former(text("to whom?")));
  EXPECT_EQ(counter(*right_.link, "link-former-sent"), 1U);
}

TEST_F(FormerNames, TheOwnIsGivenUpWhenThePeerUsesItsPresentOne) {
  open_with(left_, config(true));
  open_with(right_, config(false));
  const auto both_connected = [this] { return left_.log.connected == 1 && right_.log.connected == 1; };
  ASSERT_TRUE(await({&left_, &right_}, both_connected));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return right_.link->send_former(text("hello")); }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.former.size() == 1; }));
  EXPECT_EQ(left_counter("link-connections-closed"), 0U);
  ASSERT_TRUE(left_.link->send_control(text("I am of the present release")));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_counter("link-connections-closed") == 1; }));
  EXPECT_EQ(right_.log.control.size(), 1U);
  EXPECT_EQ(right_.log.disconnected, 0);
}

}  // namespace
}  // namespace icr::replication::test
