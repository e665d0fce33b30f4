// The ZeroMQ link over loopback TCP.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

#include "tests/replication/link_bed.h"

namespace icr::replication::test {
namespace {

TEST_F(LinkTest, CarriesBothKindsBothWays) {
  open(left_, true);
  open(right_, false);
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.connected == 1 && right_.log.connected == 1; }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.link->send_data(text("d1")); }));
  EXPECT_TRUE(left_.link->send_control(text("c1")));
  EXPECT_TRUE(right_.link->send_control(text("c2")));
  const Bytes big(200000, 7);
  ASSERT_TRUE(await({&left_, &right_}, [&] { return right_.link->send_data(big); }));
  ASSERT_TRUE(await({&left_, &right_}, [this] {
    return !left_.log.control.empty() && !left_.log.data.empty() && !right_.log.control.empty() &&
           !right_.log.data.empty();
  }));
  EXPECT_EQ(right_.log.control[0], text("c1"));
  EXPECT_EQ(right_.log.data[0], text("d1"));
  EXPECT_EQ(left_.log.control[0], text("c2"));
  EXPECT_EQ(left_.log.data[0], big);
  EXPECT_FALSE(left_.link->pending());
}

TEST_F(LinkTest, SendingWithoutAConnectionIsRefusedAndNeverBlocks) {
  open(left_, true);
  EXPECT_FALSE(left_.link->send_control(text("x")));
  EXPECT_FALSE(left_.link->send_data(text("x")));
  EXPECT_EQ(counter(*left_.link, "link-control-blocked"), 1U);
  EXPECT_EQ(counter(*left_.link, "link-data-blocked"), 1U);
}

TEST_F(LinkTest, ClosingAndComingBackIsToldOnceEach) {
  open(left_, true);
  open(right_, false);
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.connected == 1 && right_.log.connected == 1; }));
  right_.link.reset();
  ASSERT_TRUE(await({&left_}, [this] { return left_.log.disconnected == 1; }));
  open(right_, false);
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.connected == 2 && right_.log.connected == 2; }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.link->send_control(text("again")); }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return !right_.log.control.empty(); }));
  EXPECT_EQ(left_.log.disconnected, 1);
}

TEST_F(LinkTest, ClosingALinkNeverStopsTheOthersOfItsContext) {
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(round);
    End one;
    End two;
    open(one, true);
    open(two, false);
    ASSERT_TRUE(await({&one, &two}, [&] { return one.log.connected == 1 && two.log.connected == 1; }));
    // While the other side reconnects, with events on their way.
    one.link.reset();
    two.link.reset();
    left_port_ = free_ports();
    do right_port_ = free_ports();
    while (right_port_ >= left_port_ - 1 && right_port_ <= left_port_ + 1);
  }
}

TEST_F(LinkTest, AKilledPeerProcessIsNoticedAtOnce) {
  // The child must not inherit a ZeroMQ context, nor a lock that one of its threads holds.
  ASSERT_EQ(context_, nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    auto context = transport::Context::create();
    LinkConfig config{loopback(right_port_), loopback(left_port_), "0/1", "0/0"};
    auto link = context ? Link::open(*context, config) : fail("no context");
    if (!link) ::_exit(1);
    Log log;
    for (;;) {
      (void)(*link)->drain(log, 64);
      (void)(*link)->send_control(text("alive"));
      ::usleep(1000);
    }
  }
  ASSERT_GT(child, 0);
  open(left_, true);
  const bool heard = await({&left_}, [this] { return left_.log.connected == 1 && !left_.log.control.empty(); });
  ::kill(child, SIGKILL);
  const auto killed = std::chrono::steady_clock::now();
  const bool noticed = await({&left_}, [this] { return left_.log.disconnected == 1; });
  const auto after = std::chrono::steady_clock::now() - killed;
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(heard);
  ASSERT_TRUE(noticed);
  // Far below any heartbeat timeout, with room for a loaded machine.
  EXPECT_LT(after, std::chrono::milliseconds(400));
}

TEST_F(LinkTest, AnAddressThatIsTakenIsAnError) {
  open(left_, true);
  LinkConfig config{loopback(left_port_), loopback(right_port_), "0/1", "0/0"};
  const auto second = Link::open(context(), config);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string(left_port_)), std::string::npos) << second.error().message;
}

TEST_F(LinkTest, StrangersAreRefusedAndCounted) {
  open(left_, true);
  LinkConfig config{loopback(right_port_), loopback(left_port_), "0/9", "0/0"};
  auto stranger = Link::open(context(), config);
  ASSERT_TRUE(stranger);
  End other;
  other.link = std::move(*stranger);
  ASSERT_TRUE(await({&left_, &other}, [&] { return other.link->send_control(text("let me in")); }));
  ASSERT_TRUE(await({&left_, &other}, [this] { return counter(*left_.link, "link-refused-strangers") == 1; }));
  EXPECT_TRUE(left_.log.control.empty());
}

TEST_F(LinkTest, AConnectionInTheNameOfThePeerDoesNotCutThePeerOff) {
  open(left_, true);
  open(right_, false);
  ASSERT_TRUE(await({&left_, &right_}, [&] { return right_.link->send_control(text("before")); }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.control.size() == 1; }));
  const LinkConfig config{loopback(free_ports()), loopback(left_port_), "0/1", "0/0"};
  End impostor;
  auto link = Link::open(context(), config);
  ASSERT_TRUE(link) << link.error().message;
  impostor.link = std::move(*link);
  ASSERT_TRUE(await({&left_, &right_, &impostor}, [&] { return impostor.link->send_control(text("me, too")); }));
  ASSERT_TRUE(await({&left_, &right_, &impostor}, [this] { return left_.log.control.size() == 2; }));
  impostor.link.reset();
  ASSERT_TRUE(right_.link->send_control(text("after")));
  EXPECT_TRUE(await({&left_, &right_}, [this] { return left_.log.control.size() == 3; }));
  EXPECT_EQ(right_.log.disconnected, 0);
}

TEST_F(LinkTest, GarbageOnTheSocketIsCounted) {
  open(left_, true);
  const int raw = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(left_port_);
  ASSERT_EQ(::connect(raw, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string garbage = "GET / HTTP/1.1\r\nHost: icr\r\n\r\n" + std::string(500, 'x');
  ASSERT_GT(::send(raw, garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
  EXPECT_TRUE(await({&left_}, [this] { return counter(*left_.link, "link-failed-handshakes") != 0; }));
  ::close(raw);
  open(right_, false);
  EXPECT_TRUE(await({&left_, &right_}, [this] { return left_.log.connected == 1 && right_.log.connected == 1; }));
}

TEST_F(LinkTest, AMessageThatIsTooLongIsNotDelivered) {
  open(left_, true);
  open(right_, false);
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.connected == 1 && right_.log.connected == 1; }));
  const Bytes huge(kMaxMessageBytes + 1);
  ASSERT_TRUE(await({&left_, &right_}, [&] { return left_.link->send_control(huge); }));
  ASSERT_TRUE(await({&left_, &right_}, [this] { return left_.log.disconnected >= 1; }));
  EXPECT_TRUE(right_.log.control.empty());
}

}  // namespace
}  // namespace icr::replication::test
