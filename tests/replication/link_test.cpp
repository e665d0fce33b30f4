// The ZeroMQ link over loopback TCP.
#include "replication/zmq/link.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <stdexcept>
#include <thread>

#include "replication/protocol.h"
#include "tests/support/free_ports.h"

namespace icr::replication {
namespace {

using Bytes = std::vector<std::uint8_t>;
using test::free_ports;

Endpoint loopback(std::uint16_t port) { return {IpAddress::v4(INADDR_LOOPBACK), port}; }

class Log : public LinkVisitor {
 public:
  void on_control(std::span<const std::uint8_t> m) override { control.emplace_back(m.begin(), m.end()); }
  void on_data(std::span<const std::uint8_t> m) override { data.emplace_back(m.begin(), m.end()); }
  void on_former(std::span<const std::uint8_t> m) override { former.emplace_back(m.begin(), m.end()); }
  void on_connected() override { ++connected; }
  void on_disconnected() override { ++disconnected; }

  std::vector<Bytes> control;
  std::vector<Bytes> data;
  std::vector<Bytes> former;
  int connected = 0;
  int disconnected = 0;
};

struct End {
  std::unique_ptr<Link> link;
  Log log;
};

std::uint64_t counter(const Link& link, std::string_view name) {
  CounterList list;
  link.append_to(list);
  for (const auto& c : list) {
    if (c.name == name) return c.value;
  }
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    left_port_ = free_ports();
    do right_port_ = free_ports();
    while (right_port_ >= left_port_ - 1 && right_port_ <= left_port_ + 1);
  }
  /// A context starts threads when it is made, so a test that forks a process does that before.
  std::shared_ptr<transport::Context> context() {
    if (!context_) {
      auto made = transport::Context::create();
      if (!made) throw std::runtime_error(made.error().message);
      context_ = *made;
    }
    return context_;
  }
  void open(End& end, bool left) {
    LinkConfig config;
    config.bind = loopback(left ? left_port_ : right_port_);
    config.connect = loopback(left ? right_port_ : left_port_);
    config.own_id = left ? "0/0" : "0/1";
    config.peer_id = left ? "0/1" : "0/0";
    auto link = Link::open(context(), config);
    ASSERT_TRUE(link) << link.error().message;
    end.link = std::move(*link);
  }
  /// Waits on the descriptors as a worker does, until the condition holds.
  template <class Condition>
  bool await(std::initializer_list<End*> ends, Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < until) {
      std::vector<pollfd> polled;
      bool more = false;
      for (End* end : ends) {
        if (!end->link) continue;
        more = end->link->drain(end->log, 64) || more;
        for (const int fd : end->link->descriptors()) polled.push_back({fd, POLLIN, 0});
      }
      if (condition()) return true;
      if (!more) ::poll(polled.data(), polled.size(), 20);
    }
    return false;
  }
  static Bytes text(std::string_view s) { return {s.begin(), s.end()}; }

  std::shared_ptr<transport::Context> context_;
  std::uint16_t left_port_ = 0;
  std::uint16_t right_port_ = 0;
  End left_;
  End right_;
};

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

/// Someone else who listens at the peer's ports for a while, and says something to whoever connects.
class Impostor {
 public:
  Impostor(std::uint16_t port, std::string_view says) : says_(says) {
    for (int i = 0; i < 2; ++i) {
      sockets_[i] = ::socket(AF_INET, SOCK_STREAM, 0);
      const int yes = 1;
      ::setsockopt(sockets_[i], SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(static_cast<std::uint16_t>(port + i));
      EXPECT_EQ(::bind(sockets_[i], reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      EXPECT_EQ(::listen(sockets_[i], 5), 0);
    }
  }
  ~Impostor() {
    for (const int each : sockets_) ::close(each);
  }
  /// Speaks to a connection on each port, waits until that was received, and closes it. False: nobody connects.
  bool speak() {
    bool all = true;
    for (const int each : sockets_) {
      pollfd incoming{each, POLLIN, 0};
      if (::poll(&incoming, 1, 10'000) != 1) {
        all = false;
        continue;
      }
      const int stream = ::accept(each, nullptr, nullptr);
      all = ::send(stream, says_.data(), says_.size(), MSG_NOSIGNAL) > 0 && all;
      int unsent = 1;
      for (int i = 0; i < 1000 && ::ioctl(stream, SIOCOUTQ, &unsent) == 0 && unsent != 0; ++i) ::usleep(1000);
      ::close(stream);
    }
    return all;
  }

 private:
  std::string says_;
  int sockets_[2];
};

std::string greeting() {
  std::string out = "\xff" + std::string(8, '\0') + "\x7f\x03" + std::string(1, '\0') + "NULL";
  return out + std::string(64 - out.size(), '\0');
}

std::string as_router() {
  const std::string socket_type = std::string("\x0b") + "Socket-Type" + std::string("\0\0\0\x06ROUTER", 10);
  const std::string command = "\x05READY" + socket_type;
  return greeting() + "\x04" + static_cast<char>(command.size()) + command;
}

TEST_F(LinkTest, WhoeverListenedAtThePeersPortsBeforeHarmsNothing) {
  const std::string message("\0\x05hello", 7);
  const std::map<std::string, std::string> said = {
      {"nothing of ZMTP", "HTTP/1.1 400 Bad Request\r\n\r\n" + std::string(100, 'x')},
      {"a greeting, then rubbish", greeting() + std::string(100, 'x')},
      {"an answer", as_router() + message},
      {"many answers", as_router() + message + message + message + message},
      {"an answer that is too long", as_router() + "\x02" + std::string(8, '\x7f') + std::string(100, 'x')},
      {"a frame that cannot be", as_router() + "\xf8\x05hello"},
  };
  for (const auto& [what, bytes] : said) {
    SCOPED_TRACE(what);
    SetUp();  // other ports: those of the round before are not free at once
    open(left_, true);
    {
      Impostor impostor(right_port_, bytes);
      for (int i = 0; i < 3; ++i) {
        std::atomic<bool> spoken = false;
        bool heard = false;
        std::thread thread([&] {
          heard = impostor.speak();
          spoken = true;
        });
        EXPECT_TRUE(await({&left_}, [&] { return spoken.load(); }));
        thread.join();
        EXPECT_TRUE(heard) << "the link connects no more";
      }
    }
    open(right_, false);
    EXPECT_TRUE(await({&left_, &right_}, [this] { return left_.link->send_control(text("c")); }));
    EXPECT_TRUE(await({&left_, &right_}, [this] { return left_.link->send_data(text("d")); }));
    EXPECT_TRUE(await({&left_, &right_}, [this] { return !right_.log.control.empty() && !right_.log.data.empty(); }));
    left_ = End{};
    right_ = End{};
  }
}

TEST_F(LinkTest, WhatComesBackFromAPeerFillsNoMemory) {
  // Nobody reads what comes to the socket that a link sends with, and whoever listens at the peer's port may send.
  transport::SocketOptions options;
  options.report_unreachable = true;
  auto listener = transport::Socket::router(context(), options);
  ASSERT_TRUE(listener);
  ASSERT_TRUE(listener->bind(loopback(right_port_)));
  open(left_, true);
  ASSERT_TRUE(await({&left_}, [this] { return left_.link->send_control(text("hello")); }));
  ASSERT_TRUE(await({&left_}, [&] { return listener->take() == transport::Taken::message; }));
  const std::string name(listener->sender());
  const Bytes answer(2000);
  constexpr int kMost = 50'000;   // 100 MB: more than the queues of both sockets and of the kernel
  constexpr int kPatience = 200;  // attempts in a row, a millisecond apart, after which nothing more is taken
  int sent = 0;
  for (int refused = 0; sent < kMost && refused < kPatience;) {
    if (listener->send_to(name, answer) == transport::Sent::sent) {
      ++sent;
      refused = 0;
    } else {
      ++refused;
      ::usleep(1000);
    }
  }
  EXPECT_LT(sent, kMost);
  EXPECT_TRUE(left_.link->send_control(text("still there")));
  EXPECT_TRUE(await({&left_}, [&] { return listener->take() == transport::Taken::message; }));
}

/// A link of the present release at the left port, and whoever speaks to it under names of their choice.
class FormerNames : public LinkTest {
 protected:
  LinkConfig config(bool left) const {
    LinkConfig out;
    out.bind = loopback(left ? left_port_ : right_port_);
    out.connect = loopback(left ? right_port_ : left_port_);
    out.own_id = left ? "5e7/1ef7" : "5e7/7197";
    out.peer_id = left ? "5e7/7197" : "5e7/1ef7";
    out.former_own_id = left ? "0/0" : "0/1";
    out.former_peer_id = left ? "0/1" : "0/0";
    return out;
  }
  void open_with(End& end, const LinkConfig& config) {
    auto link = Link::open(context(), config);
    ASSERT_TRUE(link) << link.error().message;
    end.link = std::move(*link);
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
}  // namespace icr::replication
