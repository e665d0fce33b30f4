// Whoever listens at the peer's ports, and is not the peer.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "tests/replication/link_bed.h"

namespace icr::replication::test {
namespace {

/// A program that is not the peer, listens at both ports of the peer, and sends the same octets to each connection.
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
    SetUp();  // chooses other ports, because a closed socket of ZeroMQ keeps its port for a moment
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
  EXPECT_TRUE(await({&left_}, [this] { return counter(*left_.link, "link-refused-answers") == 1; }));
  EXPECT_TRUE(await({&left_}, [this] { return left_.link->send_control(text("still there")); }));
  EXPECT_TRUE(await({&left_}, [&] { return listener->take() == transport::Taken::message; }));
}

}  // namespace
}  // namespace icr::replication::test
