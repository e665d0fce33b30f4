// What a chassis takes from the query server of a peer, and for how long it listens.
#include "node/commit/peer_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "model/config/snapshot.h"
#include "model/query/query.h"
#include "transport/socket.h"

namespace icr::node {
namespace {

using testing::HasSubstr;
using transport::Waiting;

constexpr std::string_view kText = "the text of a cluster file";

/// A chassis that answers as the test says; after repeat(), with the same answer again and again.
class Peer {
 public:
  using Answer = std::function<QueryReply(const QueryRequest&)>;

  explicit Peer(Answer answer) : answer_(std::move(answer)) {
    auto context = transport::Context::create();
    auto router = transport::Socket::router(*context, {});
    EXPECT_TRUE(router->bind({*IpAddress::parse("127.0.0.1"), 0}));
    const std::string& place = router->bound_to();
    at_ = {*IpAddress::parse("127.0.0.1"), static_cast<std::uint16_t>(std::stoi(place.substr(place.rfind(':') + 1)))};
    thread_ = std::thread([this, socket = std::move(*router)]() mutable { serve(socket); });
  }
  ~Peer() {
    ended_ = true;
    thread_.join();
  }
  [[nodiscard]] const Endpoint& at() const { return at_; }
  void repeat() { repeats_ = true; }

 private:
  void serve(transport::Socket& socket) {
    while (!ended_) {
      if (socket.take() != transport::Taken::message) {
        std::array waiting = {Waiting::for_messages(socket)};
        ASSERT_TRUE(transport::wait(waiting, std::chrono::milliseconds(10)));
        continue;
      }
      const auto request = decode_request(socket.payload().data(), socket.payload().size());
      ASSERT_TRUE(request);
      const std::string client(socket.sender());
      QueryReply reply = answer_(*request);
      do {
        flatbuffers::FlatBufferBuilder builder(256);
        BatchEncoder none;
        encode_reply(reply, none, builder);
        (void)socket.send_to(client, {builder.GetBufferPointer(), builder.GetSize()});
      } while (repeats_ && !ended_);
    }
  }

  Answer answer_;
  Endpoint at_;
  std::atomic<bool> ended_{false};
  std::atomic<bool> repeats_{false};
  std::thread thread_;
};

/// Returns the answer of a chassis whose newest commit has this number.
Peer::Answer with_commit(std::uint64_t number) {
  return [number](const QueryRequest& request) {
    QueryReply reply;
    reply.request_id = request.request_id;
    if (request.commit.operation == CommitOperation::list) {
      reply.commit.entries.push_back({number, digest_of_text(kText), 1, "operator", "cli", "", 0});
    } else {
      reply.commit.text = kText;
      reply.commit.total = kText.size();
    }
    return reply;
  };
}

TEST(PeerClient, FetchesTheNewestCommit) {
  const Peer peer(with_commit(7));
  const auto fetched = fetch_newest_commit({peer.at()}, 6, std::chrono::seconds(10));
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_EQ(fetched->entry.number, 7U);
  EXPECT_EQ(fetched->text, kText);
}

TEST(PeerClient, RefusesACommitThatIsNotNewer) {
  for (const std::uint64_t number : {0U, 6U, 7U}) {
    const Peer peer(with_commit(number));
    const auto fetched = fetch_newest_commit({peer.at()}, 7, std::chrono::seconds(10));
    ASSERT_FALSE(fetched);
    EXPECT_THAT(fetched.error().message, HasSubstr("newest commit is " + std::to_string(number)));
  }
}

TEST(PeerClient, APeerThatAnswersOtherQuestionsWithoutEndIsLeft) {
  Peer peer([](const QueryRequest& request) {
    QueryReply reply;
    reply.request_id = request.request_id + 1;
    return reply;
  });
  peer.repeat();
  const auto fetched = fetch_newest_commit({peer.at()}, 0, std::chrono::milliseconds(50));
  ASSERT_FALSE(fetched);
  EXPECT_THAT(fetched.error().message, HasSubstr("does not answer"));
}

}  // namespace
}  // namespace icr::node
