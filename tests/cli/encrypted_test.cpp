// The CLI against a query server with keys, over loopback TCP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "cli/client/zmq_transport.h"
#include "node/query/server.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::test {
namespace {

using testing::HasSubstr;
using transport::KeyPair;
using namespace std::chrono_literals;

class EncryptedServer : public testing::Test {
 protected:
  EncryptedServer() {
    for (std::uint16_t i = 0; i < 2; ++i) {
      served_.chassis[i].public_keys = {(i == 0 ? left_ : right_).public_key};
    }
    served_.clients = {{"viewer", ClientClass::view, {viewer_.public_key}},
                       {"boss", ClientClass::super_user, {boss_.public_key}}};
    serve(left_);
  }
  ~EncryptedServer() override { server_->stop(); }
  /// Starts the server of chassis left with this key.
  void serve(const KeyPair& own) {
    server_.reset();
    const auto commits = [this](const CommitRequest&, QueryReply&) { ++commits_; };
    server_ = std::make_unique<node::QueryServer>(served_, std::uint16_t{0}, std::vector<node::CardDoor>{},
                                                  node::QueryServer::MoreCounters{}, commits, own);
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
    known_ = served_;
    const auto& where = server_->endpoint();
    known_.chassis[0].query.port = static_cast<std::uint16_t>(std::stoul(where.substr(where.rfind(':') + 1)));
  }
  /// Asks as the owner of the key. Returns what is wrong with the answer, which counters are if nothing is.
  std::string ask(const std::optional<KeyPair>& own, QueryKind kind = QueryKind::server_counters,
                  CommitOperation operation = CommitOperation::list) {
    cli::ZmqTransport transport(known_, 20s, own);
    QueryRequest request;
    request.kind = kind;
    request.commit.operation = operation;
    transport.ask(0, request);
    const auto answer = transport.next();
    if (!answer) return "no answer";
    if (!answer->reply) return answer->reply.error().message;
    return answer->reply->error == QueryError::none ? "" : answer->reply->reason;
  }
  [[nodiscard]] std::uint64_t counter(const std::string& name) const {
    CounterList list;
    server_->append_to(list);
    for (const auto& each : list) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  const KeyPair left_ = transport::make_key_pair().value();
  const KeyPair right_ = transport::make_key_pair().value();
  const KeyPair viewer_ = transport::make_key_pair().value();
  const KeyPair boss_ = transport::make_key_pair().value();
  const KeyPair stranger_ = transport::make_key_pair().value();
  FakeCluster fake_;
  Cluster served_ = fake_.cluster;
  Cluster known_;  ///< what the client knows of it
  std::unique_ptr<node::QueryServer> server_;
  std::atomic<int> commits_ = 0;  ///< written by the thread of the server
};

TEST_F(EncryptedServer, AnswersChassisAndClients) {
  for (const KeyPair& own : {left_, right_, viewer_, boss_}) EXPECT_EQ(ask(own), "");
  EXPECT_EQ(counter("query-refused-keys"), 0U);
}

TEST_F(EncryptedServer, RefusesStrangersAndSaysSo) {
  EXPECT_THAT(ask(stranger_), HasSubstr("does not allow the key of this client, " + stranger_.public_key));
  EXPECT_EQ(ask(std::nullopt), "cannot ask it: the cluster is encrypted, and this client has no secret key");
  known_.security = Security::none;
  EXPECT_THAT(ask(std::nullopt), HasSubstr("it is encrypted, and the cluster file that icr uses is not"));
  EXPECT_EQ(counter("query-requests"), 0U);
  EXPECT_GE(counter("query-refused-keys"), 1U);
}

TEST_F(EncryptedServer, IsAskedOnlyIfItHasTheKeyThatIsKnownOfIt) {
  known_.chassis[0].public_keys = {stranger_.public_key};
  EXPECT_THAT(ask(boss_), HasSubstr("is not encrypted, or does not use the key that the cluster file gives it"));
  known_.chassis[0].public_keys = {stranger_.public_key, left_.public_key};
  EXPECT_EQ(ask(boss_), "") << "it may have either";
}

TEST_F(EncryptedServer, RefusesWhatTheClassDoesNotPermit) {
  EXPECT_EQ(ask(viewer_, QueryKind::clear), "client viewer is of class view, and this takes class clear");
  EXPECT_EQ(ask(viewer_, QueryKind::log), "client viewer is of class view, and this takes class operator");
  EXPECT_EQ(ask(right_, QueryKind::switchover), "chassis right is of class view, and this takes class operator");
  EXPECT_THAT(ask(viewer_, QueryKind::commit, CommitOperation::put), HasSubstr("this takes class super-user"));
  EXPECT_EQ(commits_, 0);
  EXPECT_EQ(counter("query-refused-class"), 4U);
  EXPECT_EQ(ask(viewer_, QueryKind::commit, CommitOperation::fetch), "");
  EXPECT_EQ(ask(boss_, QueryKind::commit, CommitOperation::put), "");
  EXPECT_EQ(ask(boss_, QueryKind::log), "");
  EXPECT_EQ(commits_, 2);
}

TEST_F(EncryptedServer, TakesTheCallersOfAnotherConfiguration) {
  auto next = std::make_shared<Cluster>(served_);
  next->clients = {{"viewer", ClientClass::super_user, {viewer_.public_key}},
                   {"fresh", ClientClass::view, {stranger_.public_key}}};
  server_->set_cluster(next);
  EXPECT_EQ(ask(viewer_, QueryKind::commit, CommitOperation::put), "");
  EXPECT_EQ(ask(stranger_), "");
  EXPECT_THAT(ask(boss_), HasSubstr("does not allow the key"));
}

TEST_F(EncryptedServer, DoesNotStartWithoutItsKey) {
  node::QueryServer without(served_, 0, {});
  const auto started = without.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "query server: the chassis has no secret key");
}

}  // namespace
}  // namespace icr::test
