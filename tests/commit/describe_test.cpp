// What `commit check` says of the changes in a cluster file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/commit/commit_desk.h"

namespace icr::node {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

/// A cluster file of three chassis, with redundancy sets of these names on two of them, and a stand-alone one on left.
std::string sets(const std::vector<std::string>& names, const std::string& one, const std::string& other,
                 std::string_view slots = "131072", std::string_view timeout = "30") {
  std::string out = "cluster: lab\nchassis:\n";
  int host = 0;
  for (const std::string name : {"left", "right", "third"}) {
    out += fmt::format(
        "  - name: {0}\n    inter-chassis: {{ address: 127.0.0.{1}, port: 7400 }}\n"
        "    query: {{ address: 127.0.0.{1}, port: 7300 }}\n    cards:\n"
        "      - name: ms-0/0/0\n        workers: 8\n        ports:\n",
        name, ++host);
    for (int unit = 1; unit <= 12; ++unit) {
      out += fmt::format("          - {{ unit: {0}, type: tun, device: a{0} }}\n", unit);
    }
  }
  std::string services = fmt::format(
      "service-sets:\n  - {{ name: alone, inside-unit: 11, outside-unit: 12, stateful-firewall-rules: all,\n"
      "      interface: {{ chassis: left, card: ms-0/0/0, max-sessions: {} }}, timeouts: {{ inactivity-timeout: {} }} "
      "}}\n",
      slots, timeout);
  out += "redundancy-sets:\n";
  for (std::size_t i = 0; i < names.size(); ++i) {
    out += fmt::format(
        "  - {{ name: {0}, id: {1}, members: [{{ chassis: {2}, card: ms-0/0/0, priority: 200 }}, {{ chassis: {3}, "
        "card: ms-0/0/0 }}], "
        "service-sets: [of-{0}] }}\n",
        names[i], i + 1, one, other);
    services +=
        fmt::format("  - {{ name: of-{0}, inside-unit: {1}, outside-unit: {2}, stateful-firewall-rules: all }}\n",
                    names[i], 2 * i + 1, 2 * i + 2);
  }
  return out + services +
         "stateful-firewall:\n  rules: [{ name: all, match-direction: input, terms: [{ name: all, then: accept }] }]\n";
}

/// A set that chassis left and right share, both of which run.
SetFact fact(std::string name, Role role) {
  SetFact out;
  out.name = std::move(name);
  out.peer = "right";
  out.role = role;
  out.peer_present = out.peer_was_present = out.peer_heard_lately = true;
  return out;
}

TEST(DescribeChanges, SaysWhatRestartsAndHow) {
  const auto before = make_snapshot(sets({"rs1", "rs2", "rs3", "rs4", "rs5"}, "left", "right"), "a");
  const auto after = make_snapshot(sets({"rs1", "rs2", "rs3", "rs4", "rs5"}, "left", "right", "2048"), "b");
  ASSERT_TRUE(before) << before.error().message;
  ASSERT_TRUE(after) << after.error().message;
  SetFact master = fact("rs1", Role::master);
  SetFact standby = fact("rs2", Role::standby);
  SetFact lonely = fact("rs3", Role::master);
  lonely.peer_present = lonely.peer_heard_lately = false;
  SetFact alone = fact("alone", Role::master);
  alone.peer.clear();
  // Its peer was heard since the commit before, but not lately: only what was heard lately is waited for.
  lonely.peer_was_present = true;
  SetFact waiting = fact("rs4", Role::master);
  waiting.peer_present = false;
  EXPECT_THAT(
      describe_changes((*before)->cluster, (*after)->cluster, "left", {master, standby, lonely, waiting, alone}),
      ElementsAre(HasSubstr("default -> 2048 (restarts)"),
                  "the tables of alone become smaller: sessions in slot 2048 and above end, however few there are",
                  HasSubstr("rs1 restarts without a pause, after a switchover"), HasSubstr("rs2 restarts as standby"),
                  HasSubstr("rs3 restarts with a pause"),
                  HasSubstr("rs4 restarts without a pause, after chassis right returns"),
                  HasSubstr("alone restarts with a pause")));
  EXPECT_THAT(describe_changes((*before)->cluster, (*after)->cluster, "elsewhere", {}),
              Contains("this chassis takes it without a restart"));
  EXPECT_THAT(describe_changes((*before)->cluster, (*before)->cluster, "left", {alone}),
              ElementsAre("nothing changes"));
  EXPECT_THAT(describe_changes((*after)->cluster, (*before)->cluster, "left", {alone}),
              ElementsAre(HasSubstr("2048 -> default (restarts)"), HasSubstr("alone restarts with a pause")))
      << "nothing ends in a table that becomes larger";
}

TEST(DescribeChanges, SaysWhatIsTakenWithoutARestart) {
  const auto before = make_snapshot(sets({"rs1"}, "left", "right"), "a");
  const auto after = make_snapshot(sets({"rs1"}, "left", "right", "131072", "60"), "b");
  ASSERT_TRUE(before && after);
  const auto described = [&](std::vector<std::string> obstacles) {
    return describe_changes((*before)->cluster, (*after)->cluster, "left", {fact("rs1", Role::standby)},
                            [&](const Cluster& running, const Cluster& next) {
                              EXPECT_EQ(&running, &(*before)->cluster);
                              EXPECT_EQ(&next, &(*after)->cluster);
                              return obstacles;
                            });
  };
  const auto change = HasSubstr("inactivity-timeout: default -> 60 (applies at once)");
  EXPECT_THAT(described({}), ElementsAre(change, "this chassis takes it without a restart"));
  EXPECT_THAT(described({"rs1: no room"}),
              ElementsAre(change, "needs a restart: rs1: no room", HasSubstr("rs1 restarts as standby")));
}

TEST(DescribeChanges, PromisesNoSwitchoverToAPeerThatDoesNotStay) {
  const auto before = make_snapshot(sets({"rs1"}, "left", "right"), "a");
  const auto other_peer = make_snapshot(sets({"rs1"}, "left", "third"), "b");
  const auto renamed = make_snapshot(sets({"rs2"}, "left", "right"), "c");
  const auto moved = make_snapshot(sets({"rs1"}, "right", "third"), "d");
  ASSERT_TRUE(before && other_peer && renamed && moved);
  const auto described = [&](const std::shared_ptr<const Snapshot>& after, Role role) {
    return describe_changes((*before)->cluster, after->cluster, "left", {fact("rs1", role)}).back();
  };
  EXPECT_EQ(described(*other_peer, Role::master), "rs1 restarts with a pause: chassis right does not stay in it");
  EXPECT_EQ(described(*other_peer, Role::standby), "rs1 restarts: chassis right does not stay in it");
  EXPECT_EQ(described(*renamed, Role::master), "rs1 is removed or renamed: its sessions end");
  EXPECT_EQ(described(*moved, Role::master), "rs1 leaves this chassis with a pause: nobody takes it over beforehand");
  EXPECT_EQ(described(*moved, Role::standby), "rs1 leaves this chassis");
}

}  // namespace
}  // namespace icr::node
