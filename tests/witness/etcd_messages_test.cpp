// What is said to etcd, and what is made of its answers. The answers are those of etcd 3.4.23.
#include "node/witness/etcd_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace icr::node::etcd {
namespace {

constexpr std::string_view kGranted =
    R"({"header":{"cluster_id":"1","revision":"1","raft_term":"2"},"ID":"2228897174076580613","TTL":"3"})";
constexpr std::string_view kRenewed = R"({"result":{"header":{"revision":"2"},"ID":"2228897174076580615","TTL":"3"}})";
constexpr std::string_view kEnded = R"({"result":{"header":{"revision":"2"},"ID":"2228897174076580615"}})";
constexpr std::string_view kTaken =
    R"({"header":{"revision":"2"},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"2"}}}]})";

TEST(EtcdMessages, RequestsAreThoseOfTheGateway) {
  EXPECT_EQ(grant_request(5), R"({"TTL":"5"})");
  EXPECT_EQ(renew_request(7), R"({"ID":"7"})");
  EXPECT_EQ(take_request("/icr/lab/rs1", {2, "left", 9}, 7),
            R"({"compare":[{"create_revision":"0","key":"L2ljci9sYWIvcnMx","result":"EQUAL","target":"CREATE"}],)"
            R"("failure":[{"request_range":{"key":"L2ljci9sYWIvcnMx"}}],)"
            R"("success":[{"request_put":{"key":"L2ljci9sYWIvcnMx","lease":"7",)"
            R"("value":"eyJib290IjoiOSIsImNoYXNzaXMiOiJsZWZ0IiwidGVybSI6IjIifQ=="}}]})");
}

TEST(EtcdMessages, AnswersAreRead) {
  EXPECT_EQ(read_grant(kGranted)->id, 2228897174076580613);
  EXPECT_EQ(read_grant(kGranted)->time, 3s);
  EXPECT_EQ(*read_renewal(kRenewed, 2228897174076580615), 3s);
  EXPECT_EQ(*read_renewal(kEnded, 2228897174076580615), 0s);
  EXPECT_TRUE(read_take(kTaken)->taken);
  const auto other = read_take(
      R"({"responses":[{"response_range":{"header":{"revision":"2"},"kvs":[{"key":"L2ljci9sYWIvcnMx","value":)"
      R"("eyJib290IjoiOSIsImNoYXNzaXMiOiJsZWZ0IiwidGVybSI6IjIifQ==","lease":"5"}],"count":"1"}}]})");
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->taken);
  EXPECT_EQ(other->lease, 5);
  EXPECT_EQ(other->holder.term, 2U);
  EXPECT_EQ(other->holder.chassis, "left");
  EXPECT_EQ(other->holder.boot, 9U);
}

TEST(EtcdMessages, WrongAnswersAreErrors) {
  for (const std::string_view wrong :
       {"", "[]", "null", "7", R"({"error":"etcdserver: requested lease not found","code":5})", R"({"ID":7,"TTL":"3"})",
        R"({"ID":"7","TTL":"0"})", R"({"ID":"7","TTL":"99999999"})", R"({"ID":"7 ","TTL":"3"})",
        R"({"responses":[{"response_range":{"kvs":[]}}]})", R"({"responses":7})", R"({"responses":[7]})"}) {
    EXPECT_FALSE(read_grant(wrong)) << wrong;
    EXPECT_FALSE(read_renewal(wrong, 7)) << wrong;
    EXPECT_FALSE(read_take(wrong)) << wrong;
  }
  EXPECT_FALSE(read_renewal(kRenewed, 7)) << "another lease";
  const std::string much(kMaxAnswer, ' ');
  EXPECT_FALSE(read_take(much + std::string(kTaken)));
}

/// Nothing but the whole answer of etcd says that the key was taken.
TEST(EtcdMessages, CutAndChangedAnswersDoNoHarm) {
  for (const std::string_view text : {kGranted, kRenewed, kEnded, kTaken}) {
    for (std::size_t length = 0; length < text.size(); ++length) {
      EXPECT_FALSE(read_grant(text.substr(0, length)));
      EXPECT_FALSE(read_renewal(text.substr(0, length), 7));
      EXPECT_FALSE(read_take(text.substr(0, length)));
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(kTaken);
    for (int change = 0; change < 3; ++change) text[random() % text.size()] = static_cast<char>(random() % 256);
    const auto taken = read_take(text);
    if (taken && taken->taken) {
      EXPECT_THAT(text, testing::HasSubstr(R"("succeeded":true)"));
    }
  }
}

}  // namespace
}  // namespace icr::node::etcd
