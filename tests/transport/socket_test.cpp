// Sockets over loopback TCP: endpoints, options, what is told of connections, and messages that are not as they should
// be.
#include "transport/socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/transport/take.h"

namespace icr::transport {
namespace {

using namespace std::chrono_literals;

const Endpoint kAnyPort{IpAddress::v4(INADDR_LOOPBACK), 0};

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(std::span<const std::uint8_t> payload) { return {payload.begin(), payload.end()}; }

/// The endpoint that a ROUTER was bound to.
Endpoint place_of(const Socket& router) {
  const auto colon = router.bound_to().rfind(':');
  return {IpAddress::v4(INADDR_LOOPBACK), static_cast<std::uint16_t>(std::stoi(router.bound_to().substr(colon + 1)))};
}

/// A port at which nobody listens while this lives: it is taken, so that nobody else gets it, and refuses connections.
/// (A ROUTER that is closed goes on listening for a moment.)
class DeadPort {
 public:
  DeadPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    place_ = {IpAddress::v4(INADDR_LOOPBACK), ntohs(address.sin_port)};
  }
  ~DeadPort() { ::close(socket_); }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;
  [[nodiscard]] const Endpoint& place() const { return place_; }

 private:
  int socket_;
  Endpoint place_;
};

class SocketTest : public testing::Test {
 protected:
  void SetUp() override {
    auto context = Context::create();
    ASSERT_TRUE(context) << context.error().message;
    context_ = *context;
  }
  Socket router(const SocketOptions& options = {}, std::span<const Event> events = {}) {
    auto out = Socket::router(context_, options).value();
    EXPECT_TRUE(events.empty() || out.watch(events).has_value());
    const auto bound = out.bind(kAnyPort);
    EXPECT_TRUE(bound) << bound.error().message;
    return out;
  }
  Socket dealer(const Endpoint& peer, const SocketOptions& options = {}, std::span<const Event> events = {}) {
    auto out = Socket::dealer(context_, options).value();
    EXPECT_TRUE(events.empty() || out.watch(events).has_value());
    const auto connected = out.connect(peer);
    EXPECT_TRUE(connected) << connected.error().message;
    return out;
  }

  std::shared_ptr<Context> context_;
};

TEST(EndpointText, IsThatOfZeroMq) {
  EXPECT_EQ(to_text({*IpAddress::parse("192.0.2.1"), 7300}), "tcp://192.0.2.1:7300");
  EXPECT_EQ(to_text({*IpAddress::parse("2001:db8::1"), 7300}), "tcp://[2001:db8::1]:7300");
  EXPECT_EQ(to_text({*IpAddress::parse("192.0.2.1"), 0}), "tcp://192.0.2.1:*");
}

TEST_F(SocketTest, MessagesGoBothWaysWithTheNameOfTheSender) {
  Socket server = router();
  SocketOptions named;
  named.name = "left/7";
  Socket client = dealer(place_of(server), named);
  EXPECT_EQ(client.send(bytes("question")), Sent::sent);
  ASSERT_EQ(take(server), Taken::message);
  EXPECT_EQ(server.sender(), "left/7");
  EXPECT_EQ(text(server.payload()), "question");
  EXPECT_EQ(server.take(), Taken::nothing);
  EXPECT_EQ(server.send_to("left/7", bytes("answer")), Sent::sent);
  ASSERT_EQ(take(client), Taken::message);
  EXPECT_EQ(text(client.payload()), "answer");
  EXPECT_EQ(client.sender(), "");
}

TEST_F(SocketTest, ASocketTakesAConnectionOfIpv6) {
  auto server = Socket::router(context_, {}).value();
  const Endpoint any{*IpAddress::parse("::1"), 0};
  const auto bound = server.bind(any);
  ASSERT_TRUE(bound) << bound.error().message;
  Socket client = dealer({any.address, place_of(server).port});
  EXPECT_EQ(client.send(bytes("six")), Sent::sent);
  EXPECT_EQ(take(server), Taken::message);
}

TEST_F(SocketTest, AnAddressThatIsTakenIsAnErrorThatNamesIt) {
  Socket first = router();
  auto second = Socket::router(context_, {}).value();
  const auto bound = second.bind(place_of(first));
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().message, "cannot listen on " + first.bound_to() + ": Address already in use");
}

TEST_F(SocketTest, WithoutAConnectionAMessageIsQueuedOrRefusedAsConfigured) {
  const DeadPort port;
  const Endpoint& nobody = port.place();
  SocketOptions strict;
  strict.only_connected = true;
  EXPECT_EQ(dealer(nobody, strict).send(bytes("x")), Sent::refused);
  SocketOptions patient;
  patient.send_queue = 1;
  Socket client = dealer(nobody, patient);
  EXPECT_EQ(client.send(bytes("x")), Sent::sent);
  EXPECT_EQ(client.send(bytes("x")), Sent::refused) << "the queue has room for one";
}

TEST_F(SocketTest, ARouterReportsThatNobodyHasTheNameIfConfigured) {
  SocketOptions strict;
  strict.report_unreachable = true;
  EXPECT_EQ(router(strict).send_to("nobody", bytes("x")), Sent::unreachable);
  EXPECT_EQ(router().send_to("nobody", bytes("x")), Sent::sent) << "otherwise the message is dropped";
}

TEST_F(SocketTest, AMessageThatIsTooLongClosesTheConnection) {
  constexpr std::array kEvents = {Event::accepted, Event::disconnected};
  SocketOptions small;
  small.max_message_bytes = 100;
  Socket server = router(small, kEvents);
  Socket client = dealer(place_of(server));
  EXPECT_EQ(client.send(bytes(std::string(101, 'x'))), Sent::sent);
  EXPECT_EQ(take_event(server), Event::accepted);
  EXPECT_EQ(take_event(server), Event::disconnected);
  EXPECT_EQ(server.take(), Taken::nothing);
}

TEST_F(SocketTest, BothSidesAreToldOfAConnectionAndOfItsEnd) {
  constexpr std::array kOfServer = {Event::accepted, Event::disconnected};
  constexpr std::array kOfClient = {Event::connected, Event::handshake_succeeded, Event::disconnected};
  Socket server = router({}, kOfServer);
  std::optional<Socket> client = dealer(place_of(server), {}, kOfClient);
  EXPECT_EQ(take_event(*client), Event::connected);
  EXPECT_EQ(take_event(*client), Event::handshake_succeeded);
  EXPECT_EQ(take_event(server), Event::accepted);
  EXPECT_EQ(server.take_event(), std::nullopt);
  client.reset();
  EXPECT_EQ(take_event(server), Event::disconnected);
}

TEST_F(SocketTest, AnAttemptToConnectThatFailsIsReported) {
  constexpr std::array kEvents = {Event::connect_retried};
  const DeadPort port;
  const Endpoint& nobody = port.place();
  SocketOptions quick;
  quick.reconnect_ms = 10;
  Socket client = dealer(nobody, quick, kEvents);
  EXPECT_EQ(take_event(client), Event::connect_retried);
}

TEST_F(SocketTest, APeerThatSpeaksAnotherProtocolIsReported) {
  constexpr std::array kEvents = {Event::handshake_failed, Event::accepted, Event::disconnected};
  Socket server = router({}, kEvents);
  const int stranger = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(place_of(server).port);
  ASSERT_EQ(::connect(stranger, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::write(stranger, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 36), 36);
  EXPECT_EQ(take_event(server), Event::accepted);
  const auto next = take_event(server);
  EXPECT_TRUE(next == Event::handshake_failed || next == Event::disconnected);
  ::close(stranger);
}

TEST_F(SocketTest, WaitReturnsAfterItsLimitAndTellsWhatIsReady) {
  Socket server = router();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::array waiting = {Waiting::for_messages(server), Waiting::for_descriptor(ends[0])};
  ASSERT_TRUE(wait(waiting, 0ms));
  EXPECT_FALSE(waiting[0].ready || waiting[1].ready);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  ASSERT_TRUE(wait(waiting, std::nullopt));
  EXPECT_FALSE(waiting[0].ready);
  EXPECT_TRUE(waiting[1].ready);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(SocketTest, ClosingAWatchedSocketWhoseEventsNobodyReadsStopsNoOtherSocket) {
  constexpr std::array kEvents = {Event::accepted, Event::disconnected};
  Socket other = router();
  for (int i = 0; i < 20; ++i) {
    Socket watched = router({}, kEvents);
    Socket client = dealer(place_of(watched));
    EXPECT_EQ(client.send(bytes("x")), Sent::sent);
    EXPECT_EQ(take(watched), Taken::message);
  }
  Socket client = dealer(place_of(other));
  EXPECT_EQ(client.send(bytes("x")), Sent::sent);
  EXPECT_EQ(take(other), Taken::message);
}

/// The process' signals are for its main thread.
TEST_F(SocketTest, TheThreadsOfAContextBlockSignals) {
  int threads = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == std::to_string(::getpid())) continue;  // the main thread
    ++threads;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("SigBlk:")) continue;
      const auto mask = std::stoull(line.substr(7), nullptr, 16);
      EXPECT_TRUE((mask >> (SIGTERM - 1) & 1) != 0 && (mask >> (SIGINT - 1) & 1) != 0) << line;
    }
  }
  EXPECT_GE(threads, 2) << "the I/O thread and the one that closes sockets; a sanitizer may have another one";
}

}  // namespace
}  // namespace icr::transport
