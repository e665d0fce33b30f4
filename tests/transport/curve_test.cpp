// Sockets with keys: who may connect, who is refused, and what is told of it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "tests/transport/take.h"
#include "transport/socket.h"

namespace icr::transport {
namespace {

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(std::span<const std::uint8_t> payload) { return {payload.begin(), payload.end()}; }

class CurveTest : public testing::Test {
 protected:
  void SetUp() override {
    context_ = Context::create().value();
    allowed_->set({client_.public_key});
    SocketOptions options;
    options.curve = Curve{server_, {}, allowed_};
    router_.emplace(Socket::router(context_, options).value());
    constexpr std::array kEvents = {Event::accepted, Event::handshake_failed, Event::disconnected};
    ASSERT_TRUE(router_->watch(kEvents));
    ASSERT_TRUE(router_->bind({IpAddress::v4(INADDR_LOOPBACK), 0}));
    const auto& where = router_->bound_to();
    place_ = {IpAddress::v4(INADDR_LOOPBACK),
              static_cast<std::uint16_t>(std::stoi(where.substr(where.rfind(':') + 1)))};
  }
  Socket dealer(const std::optional<Curve>& curve) {
    SocketOptions options;
    options.curve = curve;
    auto out = Socket::dealer(context_, options).value();
    constexpr std::array kEvents = {Event::handshake_succeeded, Event::handshake_failed, Event::key_refused,
                                    Event::disconnected};
    EXPECT_TRUE(out.watch(kEvents));
    EXPECT_TRUE(out.connect(place_));
    return out;
  }
  [[nodiscard]] Curve own() const { return {client_, server_.public_key, nullptr}; }
  /// Takes the events of the router until the list has noted so many refusals.
  bool refused(std::uint64_t count) {
    while (allowed_->refusals() < count && take_event(*router_)) {
    }
    return allowed_->refusals() == count;
  }

  const KeyPair server_ = make_key_pair().value();
  const KeyPair client_ = make_key_pair().value();
  const KeyPair stranger_ = make_key_pair().value();
  const std::shared_ptr<AllowList> allowed_ = std::make_shared<AllowList>("the socket of a test");
  std::shared_ptr<Context> context_;
  std::optional<Socket> router_;
  Endpoint place_;
};

TEST_F(CurveTest, AMessageOfAnAllowedKeyComesWithThatKey) {
  Socket client = dealer(own());
  EXPECT_EQ(client.send(bytes("question")), Sent::sent);
  ASSERT_EQ(take(*router_), Taken::message);
  EXPECT_EQ(text(router_->payload()), "question");
  EXPECT_EQ(router_->sender_key(), client_.public_key);
  EXPECT_EQ(router_->sender_address(), "127.0.0.1");
  EXPECT_EQ(router_->send_to(router_->sender(), bytes("answer")), Sent::sent);
  ASSERT_EQ(take(client), Taken::message);
  EXPECT_EQ(text(client.payload()), "answer");
  EXPECT_EQ(client.sender_key(), "");
  EXPECT_EQ(allowed_->refusals(), 0U);
}

TEST_F(CurveTest, AnotherKeyIsRefusedAndBothSidesAreTold) {
  Socket client = dealer(Curve{stranger_, server_.public_key, nullptr});
  EXPECT_EQ(client.send(bytes("question")), Sent::sent) << "it waits for the connection";
  EXPECT_EQ(take_event(client), Event::key_refused);
  EXPECT_EQ(take_event(client), Event::disconnected);
  EXPECT_TRUE(refused(1));
  EXPECT_EQ(router_->take(), Taken::nothing);
}

TEST_F(CurveTest, WhoeverShowsNoKeyIsRefusedAndCounted) {
  Socket client = dealer(std::nullopt);
  EXPECT_EQ(client.send(bytes("question")), Sent::sent);
  EXPECT_EQ(take_event(client), Event::handshake_failed);
  EXPECT_EQ(take_event(client), Event::disconnected);
  EXPECT_TRUE(refused(1));
  EXPECT_EQ(router_->take(), Taken::nothing);
}

TEST_F(CurveTest, WhoeverExpectsAnotherServerIsRefusedAndCounted) {
  Curve wrong = own();
  wrong.server_key = stranger_.public_key;
  Socket client = dealer(wrong);
  EXPECT_EQ(client.send(bytes("question")), Sent::sent);
  EXPECT_EQ(take_event(client), Event::handshake_failed);
  EXPECT_EQ(take_event(client), Event::disconnected);
  EXPECT_TRUE(refused(1));
  EXPECT_EQ(router_->take(), Taken::nothing);
}

TEST_F(CurveTest, AServerWithAnotherKeyGetsNothing) {
  SocketOptions options;
  auto plain = Socket::router(context_, options).value();
  ASSERT_TRUE(plain.bind({IpAddress::v4(INADDR_LOOPBACK), 0}));
  place_.port = static_cast<std::uint16_t>(std::stoi(plain.bound_to().substr(plain.bound_to().rfind(':') + 1)));
  Socket client = dealer(own());
  EXPECT_EQ(client.send(bytes("secret")), Sent::sent);
  EXPECT_EQ(take_event(client), Event::handshake_failed);
  EXPECT_EQ(take_event(client), Event::disconnected);
  EXPECT_EQ(plain.take(), Taken::nothing);
}

TEST_F(CurveTest, AKeyThatIsTakenFromTheListIsRefusedOnItsConnection) {
  Socket client = dealer(own());
  EXPECT_EQ(client.send(bytes("first")), Sent::sent);
  ASSERT_EQ(take(*router_), Taken::message);
  allowed_->set({stranger_.public_key});
  EXPECT_EQ(client.send(bytes("second")), Sent::sent);
  EXPECT_EQ(take(*router_), Taken::revoked);
  EXPECT_EQ(allowed_->refusals(), 1U);
  // And one that is added is admitted without anything else.
  Socket other = dealer(Curve{stranger_, server_.public_key, nullptr});
  EXPECT_EQ(other.send(bytes("third")), Sent::sent);
  ASSERT_EQ(take(*router_), Taken::message);
  EXPECT_EQ(router_->sender_key(), stranger_.public_key);
}

TEST_F(CurveTest, EachSocketOfAContextHasItsOwnList) {
  const auto none = std::make_shared<AllowList>("another socket of a test");
  SocketOptions options;
  options.curve = Curve{server_, {}, none};
  auto other = Socket::router(context_, options).value();
  ASSERT_TRUE(other.bind({IpAddress::v4(INADDR_LOOPBACK), 0}));
  Socket admitted = dealer(own());
  EXPECT_EQ(take_event(admitted), Event::handshake_succeeded);
  place_.port = static_cast<std::uint16_t>(std::stoi(other.bound_to().substr(other.bound_to().rfind(':') + 1)));
  Socket refused = dealer(own());
  EXPECT_EQ(take_event(refused), Event::key_refused);
  EXPECT_EQ(none->refusals(), 1U);
  EXPECT_EQ(allowed_->refusals(), 0U);
}

TEST_F(CurveTest, ManyStrangersAtOnceKeepNobodyOut) {
  std::vector<Socket> strangers;
  for (int i = 0; i < 100; ++i) {
    strangers.push_back(
        dealer(i % 2 == 0 ? std::optional(Curve{stranger_, server_.public_key, nullptr}) : std::nullopt));
  }
  Socket client = dealer(own());
  EXPECT_EQ(client.send(bytes("question")), Sent::sent);
  EXPECT_EQ(take(*router_), Taken::message);
  while (allowed_->refusals() < strangers.size() && take_event(*router_)) {
  }
  EXPECT_GE(allowed_->refusals(), strangers.size());
}

}  // namespace
}  // namespace icr::transport
