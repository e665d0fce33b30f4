// A chassis takes another configuration while it runs, or says why it cannot.
#include "node/card/live_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "model/base/log.h"
#include "model/config/arrangement.h"
#include "model/config/cluster_file.h"
#include "node/card/chassis.h"

namespace icr::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A stand-alone service set on a chassis whose ports write captures into FOLDER.
constexpr std::string_view kText = R"(cluster: alone
chassis:
  - name: left
    inter-chassis: { address: 127.0.0.1, port: 7400 }
    query: { address: 127.0.0.1, port: 7300 }
    cards:
      - name: ms-0/0/0
        ports: [{ unit: 1, type: pcap, write: FOLDER/1 }, { unit: 2, type: pcap, write: FOLDER/2 }]
service-sets:
  - name: cgn
    interface: { chassis: left, card: ms-0/0/0, max-sessions: 2048 }
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: [outbound]
    nat-rules: [source]
stateful-firewall:
  rules: [{ name: outbound, match-direction: input, terms: [{ name: all, then: accept }] }]
nat:
  pools: [{ name: pool1, addresses: 203.0.113.0/28 }, { name: pool2, addresses: 203.0.113.16/28 }]
  rules:
    - name: source
      match-direction: input
      terms:
        - { name: hosts, from: { source-address: 198.18.0.0/24 }, then: { translated: { source-pool: pool1, translation-type: napt-44 } } }
)";

class LiveChangeTest : public ::testing::Test {
 protected:
  LiveChangeTest() : folder_(std::filesystem::temp_directory_path() / ("icr-live-" + std::to_string(::getpid()))) {
    log::set_level(log::Level::error);
    std::filesystem::create_directories(folder_);
  }
  ~LiveChangeTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] Cluster parsed(std::string text) const {
    for (auto at = text.find("FOLDER"); at != std::string::npos; at = text.find("FOLDER")) {
      text.replace(at, 6, folder_.string());
    }
    auto cluster = parse_cluster(text, "f");
    EXPECT_TRUE(cluster) << cluster.error().message;
    Cluster out = cluster.value_or(Cluster{});
    if (!out.chassis.empty()) out.chassis[0].query.port = 0;  // any that is free
    return out;
  }
  /// The file with another text in place of one.
  [[nodiscard]] Cluster with(std::string_view what, std::string_view instead) const {
    std::string text(kText);
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return parsed(text.replace(at, what.size(), instead));
  }
  [[nodiscard]] std::vector<std::string> obstacles(const Cluster& after) const {
    const Cluster before = parsed(std::string(kText));
    return live_obstacles(before, arranged(before, after), "left");
  }

  std::filesystem::path folder_;
};

TEST_F(LiveChangeTest, NothingIsInTheWayOfRulesAndLimits) {
  EXPECT_THAT(obstacles(with("{ name: all, then: accept }", "{ name: none, then: discard }")), IsEmpty());
  EXPECT_THAT(obstacles(with("    nat-rules: [source]\n", "    nat-rules: [source]\n    session-limit: 9\n")),
              IsEmpty());
  EXPECT_THAT(obstacles(with("source-address: 198.18.0.0/24", "source-address: 198.18.0.0/16")), IsEmpty());
  EXPECT_THAT(obstacles(with("pools: [", "pools: [{ name: first, addresses: 203.0.113.64/28 }, ")), IsEmpty());
}

TEST_F(LiveChangeTest, WhatSessionsAndMemoryAreBoundToIsInTheWay) {
  EXPECT_THAT(obstacles(with("source-pool: pool1", "source-pool: [pool1, pool2]")),
              ElementsAre("cgn: rules begin to use the pool pool2"));
  std::string added(kText);
  added.replace(added.find("source-pool: pool1"), 18, "source-pool: [new, pool1]");
  added.replace(added.find("pools: ["), 8, "pools: [{ name: new, addresses: 203.0.113.64/28 }, ");
  EXPECT_THAT(obstacles(parsed(added)), ElementsAre("cgn: rules begin to use the pool new"));
  std::string screened(kText);
  screened.replace(screened.find("    nat-rules: [source]\n"), 0, "    screen: s\n");
  screened += "screens: [{ name: s, limit-session: { source-ip-based: 5 } }]\n";
  EXPECT_THAT(obstacles(parsed(screened)), ElementsAre(HasSubstr("a screen begins to count")));
}

TEST_F(LiveChangeTest, AnotherKeyOfItsOwnIsInTheWayAndOneThatItDoesNotUseIsNot) {
  const std::string one = R"("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")";
  const std::string two = R"("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")";
  const auto with_keys = [&](const std::string& keys) {
    return with("  - name: left\n", "  - name: left\n    public-keys: [" + keys + "]\n");
  };
  const auto between = [](const Cluster& before, const Cluster& after) {
    return live_obstacles(before, arranged(before, after), "left");
  };
  EXPECT_THAT(between(with_keys(one), with_keys(one + ", " + two)), IsEmpty());
  EXPECT_THAT(between(with_keys(one + ", " + two), with_keys(one)), IsEmpty());
  EXPECT_THAT(between(with_keys(one + ", " + two), with_keys(two + ", " + one)),
              ElementsAre("the chassis uses another key"));
}

TEST_F(LiveChangeTest, ARunningChassisTakesItAndFreesTheFormerOne) {
  const Cluster first = parsed(std::string(kText));
  Chassis chassis(first, 0);
  const auto started = chassis.start();
  ASSERT_TRUE(started) << started.error().message;
  const auto digest = [&] {
    QueryRequest request;
    request.kind = QueryKind::status;
    const auto reply = chassis.ask(request, 5s);
    return reply ? reply->cluster_digest : 0;
  };
  EXPECT_EQ(digest(), first.digest);
  auto second = std::make_shared<const Cluster>(arranged(first, with("{ name: all,", "{ name: every,")));
  const std::weak_ptr<const Cluster> watched = second;
  const auto third = std::make_shared<const Cluster>(arranged(*second, with("{ name: all,", "{ name: each,")));
  ASSERT_TRUE(chassis.take(std::exchange(second, nullptr)));
  ASSERT_FALSE(watched.expired());
  EXPECT_EQ(digest(), watched.lock()->digest);
  EXPECT_NE(digest(), first.digest);
  ASSERT_TRUE(chassis.take(third));
  EXPECT_EQ(digest(), third->digest);
  EXPECT_TRUE(watched.expired()) << "nobody keeps what does not run any more";
  chassis.stop();
}

}  // namespace
}  // namespace icr::node
