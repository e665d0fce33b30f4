// The thread that holds the lease and the key, with a server that plays etcd, answers nonsense, or does not answer.
#include "node/witness/etcd_key.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "model/base/clock.h"
#include "model/base/log.h"

namespace icr::node {
namespace {

using ::testing::HasSubstr;

/// Answers one connection after the other. Thread: its own.
class PlayedEtcd {
 public:
  PlayedEtcd() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~PlayedEtcd() {
    stopping_ = true;
    thread_.join();
    ::close(socket_);
  }

  std::uint16_t port = 0;
  std::atomic<bool> garbage{false};     ///< every answer is nonsense
  std::atomic<bool> flood{false};       ///< every answer is far too long
  std::atomic<bool> drip{false};        ///< every answer comes octet by octet, and has no end
  std::atomic<int> redirect_to{0};      ///< every answer redirects to this port; 0: none does
  std::atomic<std::int64_t> holder{0};  ///< the lease that has the key; 0: none
  std::atomic<std::int64_t> leases{0};  ///< that were granted; the last one is the newest
  std::atomic<std::int64_t> ended{0};   ///< the last lease that was ended
  std::atomic<int> requests{0};

 private:
  [[nodiscard]] bool readable(int descriptor) const {
    pollfd polled{descriptor, POLLIN, 0};
    while (!stopping_) {
      if (::poll(&polled, 1, 20) > 0) return true;
    }
    return false;
  }
  void run() {
    while (readable(socket_)) {
      const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      std::string text;
      while (readable(connection)) {
        char part[4096];
        const auto got = ::recv(connection, part, sizeof part, 0);
        if (got <= 0) break;
        text.append(part, static_cast<std::size_t>(got));
        const auto end = text.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        const auto length = std::stoul(text.substr(text.find("Content-Length: ") + 16));
        if (text.size() < end + 4 + length) continue;
        const std::string body = answer(text.substr(0, text.find(" HTTP/")), text.substr(end + 4));
        const std::string whole =
            fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status(), body.size(), body);
        text.clear();
        ++requests;
        if (drip) {
          send_slowly(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n");
          break;
        }
        if (::send(connection, whole.data(), whole.size(), MSG_NOSIGNAL) < 0) break;
      }
      ::close(connection);
    }
  }
  [[nodiscard]] std::string status() const {
    if (redirect_to == 0) return "200 OK";
    return fmt::format("307 Temporary Redirect\r\nLocation: http://127.0.0.1:{}/v3/lease/grant", redirect_to.load());
  }
  /// Sends the head, and then a blank every 20 ms until the client closes the connection.
  void send_slowly(int connection, std::string_view head) const {
    if (::send(connection, head.data(), head.size(), MSG_NOSIGNAL) < 0) return;
    pollfd polled{connection, POLLIN, 0};
    while (!stopping_ && drip && ::poll(&polled, 1, 20) == 0 && ::send(connection, " ", 1, MSG_NOSIGNAL) == 1) {
    }
  }
  std::string answer(const std::string& line, const std::string& body) {
    if (garbage) return R"({"succeeded":"true","ID":7,"TTL":[],"result":{"ID":null}})";
    if (flood) return std::string(1U << 20, '{');
    const auto number = [&body](const std::string& before) {
      return std::stoll(body.substr(body.find(before) + before.size()));
    };
    if (line == "POST /v3/lease/grant") return fmt::format(R"({{"ID":"{}","TTL":"2"}})", ++leases);
    if (line == "POST /v3/lease/keepalive") {
      const auto lease = number(R"("ID":")");
      return lease == ended ? fmt::format(R"({{"result":{{"ID":"{}"}}}})", lease)
                            : fmt::format(R"({{"result":{{"ID":"{}","TTL":"2"}}}})", lease);
    }
    if (line == "POST /v3/lease/revoke") {
      ended = number(R"("ID":")");
      if (holder == ended) holder = 0;
      return "{}";
    }
    const auto lease = number(R"("lease":")");
    std::int64_t nobody = 0;
    if (holder.compare_exchange_strong(nobody, lease)) return R"({"succeeded":true})";
    return fmt::format(R"({{"responses":[{{"response_range":{{"kvs":[{{"lease":"{}","value":"e30="}}]}}}}]}})",
                       holder.load());
  }

  int socket_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class EtcdKeyTest : public ::testing::Test {
 protected:
  EtcdKeyTest() { log::set_level(log::Level::error); }
  WitnessConfig config() {
    WitnessConfig out;
    out.endpoints = {{*IpAddress::parse("127.0.0.1"), etcd_.port}};
    out.lease_s = 2;
    return out;
  }
  static bool eventually(const std::function<bool()>& condition) {
    for (const TimePoint end = monotonic_now() + 20s; monotonic_now() < end;) {
      if (condition()) return true;
      std::this_thread::sleep_for(1ms);
    }
    return condition();
  }
  static bool has(const EtcdKey& key) { return monotonic_now() < key.until(); }
  static std::uint64_t failures(const EtcdKey& key) {
    CounterList counters;
    key.append_to(counters);
    for (const auto& each : counters) {
      if (each.name == "witness-requests-failed") return each.value;
    }
    ADD_FAILURE();
    return 0;
  }

  PlayedEtcd etcd_;
};

TEST_F(EtcdKeyTest, TheKeyIsTakenRenewedAndGivenBackWithItsLease) {
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  ASSERT_TRUE(eventually([&] { return etcd_.leases == 1; })) << "the lease is there before the key is wanted";
  EXPECT_FALSE(has(key));
  key.want(4);
  ASSERT_TRUE(eventually([&] { return has(key); }));
  EXPECT_EQ(etcd_.holder, 1);
  const TimePoint first = key.until();
  ASSERT_TRUE(eventually([&] { return key.until() > first; })) << "it is renewed";
  key.give_back();
  EXPECT_FALSE(has(key)) << "at once";
  ASSERT_TRUE(eventually([&] { return etcd_.holder == 0 && etcd_.ended == 1; }));
  key.want(6);
  ASSERT_TRUE(eventually([&] { return has(key); }));
  EXPECT_GT(etcd_.holder, 1) << "with another lease";
  key.stop();
  EXPECT_EQ(etcd_.holder, 0);
}

TEST_F(EtcdKeyTest, AKeyThatIsWantedInAnotherTermGoesOnToBeWantedAndIsGivenBack) {
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  key.want(0);
  ASSERT_TRUE(eventually([&] { return has(key); }));
  const std::int64_t lease = etcd_.holder;
  key.want(5);
  key.want(0);
  EXPECT_TRUE(has(key));
  EXPECT_EQ(etcd_.holder, lease);
  key.give_back();
  EXPECT_TRUE(eventually([&] { return etcd_.holder == 0 && etcd_.ended == lease; }));
}

TEST_F(EtcdKeyTest, AKeyThatAnotherHasIsWaitedFor) {
  etcd_.holder = 1000;
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  ASSERT_TRUE(eventually([&] { return etcd_.requests > 5; }));
  EXPECT_FALSE(has(key));
  etcd_.holder = 0;
  EXPECT_TRUE(eventually([&] { return has(key); }));
}

TEST_F(EtcdKeyTest, ALeaseThatHasEndedIsNotBelieved) {
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  ASSERT_TRUE(eventually([&] { return has(key); }));
  etcd_.holder = 1000;
  etcd_.ended = 1;
  EXPECT_TRUE(eventually([&] { return !has(key); }));
  EXPECT_TRUE(eventually([&] { return etcd_.leases > 1; })) << "another lease is asked for";
  EXPECT_FALSE(has(key));
}

TEST_F(EtcdKeyTest, NonsenseAndFloodsGiveNoKey) {
  etcd_.garbage = true;
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  ASSERT_TRUE(eventually([&] { return etcd_.requests > 2; }));
  EXPECT_FALSE(has(key));
  etcd_.garbage = false;
  etcd_.flood = true;
  const int before = etcd_.requests;
  ASSERT_TRUE(eventually([&] { return etcd_.requests > before + 2; }));
  EXPECT_FALSE(has(key));
  EXPECT_THAT(key.state(), HasSubstr(fmt::format("http://127.0.0.1:{}: ", etcd_.port)));
  etcd_.flood = false;
  EXPECT_TRUE(eventually([&] { return has(key); }));
}

TEST_F(EtcdKeyTest, TheNextEndpointIsAskedWhenOneDoesNotAnswer) {
  WitnessConfig config = this->config();
  config.endpoints.insert(config.endpoints.begin(), {*IpAddress::parse("127.0.0.1"), 1});
  EtcdKey key(config, {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  EXPECT_TRUE(eventually([&] { return has(key); }));
}

TEST_F(EtcdKeyTest, AnotherProgramAtAnEndpointIsAFailureAndTheNextOneIsAsked) {
  PlayedEtcd other;
  other.garbage = true;
  WitnessConfig config = this->config();
  config.endpoints.insert(config.endpoints.begin(), {*IpAddress::parse("127.0.0.1"), other.port});
  EtcdKey key(config, {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  EXPECT_TRUE(eventually([&] { return has(key); }));
  EXPECT_EQ(failures(key), 1U);
  EXPECT_EQ(other.requests, 1);
}

TEST_F(EtcdKeyTest, ARedirectionIsNotFollowed) {
  PlayedEtcd other;
  etcd_.redirect_to = other.port;
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  ASSERT_TRUE(eventually([&] { return failures(key) > 2; }));
  EXPECT_THAT(key.state(), HasSubstr("HTTP status 307"));
  EXPECT_EQ(other.requests, 0);
  EXPECT_FALSE(has(key));
}

TEST_F(EtcdKeyTest, AnAnswerThatNeverEndsIsGivenUp) {
  etcd_.drip = true;
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  key.want(4);
  ASSERT_TRUE(eventually([&] { return failures(key) > 1; }));
  EXPECT_THAT(key.state(), HasSubstr("Timeout"));
  EXPECT_FALSE(has(key));
  etcd_.drip = false;
  EXPECT_TRUE(eventually([&] { return has(key); }));
}

TEST_F(EtcdKeyTest, AFailureThatIsOverIsNotShownAnyMore) {
  EtcdKey key(config(), {"lab", "rs1", "left", 7});
  key.start();
  ASSERT_TRUE(eventually([&] { return etcd_.leases == 1; }));
  etcd_.flood = true;
  ASSERT_TRUE(eventually([&] { return failures(key) > 0; })) << "the lease is renewed before it ends";
  etcd_.flood = false;
  EXPECT_TRUE(eventually([&] { return key.state() == fmt::format("http://127.0.0.1:{} answers", etcd_.port); }));
  EXPECT_EQ(etcd_.leases, 1);
}

}  // namespace
}  // namespace icr::node
