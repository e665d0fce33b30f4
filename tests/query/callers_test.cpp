// Who may ask what.
#include "node/query/callers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config/cluster_file.h"

namespace icr::node {
namespace {

using testing::HasSubstr;

constexpr std::string_view kLeft = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
constexpr std::string_view kView = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr std::string_view kSuper = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
constexpr std::string_view kOther = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";

Cluster cluster(std::string_view security) {
  auto out = parse_cluster(fmt::format(R"(cluster: lab
security: {}
chassis:
  - name: left
    public-keys: ["{}"]
    inter-chassis: {{ address: 192.0.2.1, port: 7400 }}
    query: {{ address: 192.0.2.1, port: 7300 }}
    cards: [{{ name: ms-0/0/0, ports: [{{ unit: 1, type: tun, device: a1 }}, {{ unit: 2, type: tun, device: a2 }}] }}]
service-sets:
  - {{ name: all, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: all, interface: {{ chassis: left, card: ms-0/0/0 }} }}
stateful-firewall:
  rules: [{{ name: all, match-direction: input, terms: [{{ name: all, then: accept }}] }}]
clients:
  - {{ name: noc, class: view, public-keys: ["{}"] }}
  - {{ name: cleaner, class: clear, public-keys: ["{}"] }}
  - {{ name: boss, class: super-user, public-keys: ["{}"] }}
)",
                                       security, kLeft, kView, kOther, kSuper),
                           "f");
  EXPECT_TRUE(out) << out.error().message;
  return *out;
}

QueryRequest question(QueryKind kind, CommitOperation operation = CommitOperation::list) {
  QueryRequest out;
  out.kind = kind;
  out.commit.operation = operation;
  return out;
}

TEST(Callers, AreThoseOfTheFileByTheirKeys) {
  const Callers callers(cluster("curve"));
  EXPECT_THAT(callers.keys(), testing::UnorderedElementsAre(kLeft, kView, kOther, kSuper));
  EXPECT_EQ(callers.find(kLeft, "192.0.2.1").name, "chassis left");
  EXPECT_EQ(callers.find(kLeft, "127.0.0.1").permitted, ClientClass::view) << "the address counts for nothing";
  EXPECT_EQ(callers.find(kSuper, "192.0.2.9").name, "client boss");
  EXPECT_EQ(callers.find(kSuper, "192.0.2.9").permitted, ClientClass::super_user);
  for (const std::string_view unknown : {"", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh7"}) {
    EXPECT_EQ(callers.refusal(callers.find(unknown, "127.0.0.1"), question(QueryKind::status)),
              "the key of this client is not known any more");
  }
}

TEST(Callers, MayAskWhatTheirClassPermits) {
  const Callers callers(cluster("curve"));
  const auto may = [&](std::string_view key, const QueryRequest& request) {
    return callers.refusal(callers.find(key, "127.0.0.1"), request).empty();
  };
  using enum QueryKind;
  for (const QueryKind kind : {status, page, count, counters, server_counters, nat_pools, bindings, deterministic,
                               statistics, analysis, usage, live, failovers}) {
    for (const auto key : {kLeft, kView, kOther, kSuper}) EXPECT_TRUE(may(key, question(kind)));
  }
  for (const QueryKind kind : {clear, clear_bindings, clear_statistics, clear_analysis}) {
    EXPECT_FALSE(may(kLeft, question(kind)) || may(kView, question(kind)));
    EXPECT_TRUE(may(kOther, question(kind)) && may(kSuper, question(kind)));
  }
  for (const QueryKind kind : {switchover, drain}) {
    EXPECT_FALSE(may(kLeft, question(kind)) || may(kOther, question(kind)));
    EXPECT_TRUE(may(kSuper, question(kind)));
  }
  for (const auto operation : {CommitOperation::list, CommitOperation::fetch}) {
    EXPECT_TRUE(may(kLeft, question(commit, operation))) << "a chassis takes the commits of its peers";
  }
  for (const auto operation : {CommitOperation::put, CommitOperation::check, CommitOperation::prepare,
                               CommitOperation::activate, CommitOperation::abort, CommitOperation::confirm}) {
    EXPECT_FALSE(may(kLeft, question(commit, operation)) || may(kOther, question(commit, operation)));
    EXPECT_TRUE(may(kSuper, question(commit, operation)));
  }
  EXPECT_EQ(callers.refusal(callers.find(kView, ""), question(clear)),
            "client noc is of class view, and this takes class clear");
}

TEST(Callers, WithoutEncryptionMayDoEverythingAndCommitFromTheMachineItself) {
  const Callers callers(cluster("none"));
  EXPECT_TRUE(callers.keys().empty());
  const auto refusal = [&](std::string_view address, const QueryRequest& request) {
    return callers.refusal(callers.find(kView, address), request);
  };
  const QueryRequest put = question(QueryKind::commit, CommitOperation::put);
  for (const std::string_view from : {"198.51.100.7", "2001:db8::1", "", "nonsense", "128.0.0.1", "::2"}) {
    EXPECT_THAT(refusal(from, put), HasSubstr("is not taken")) << from;
    EXPECT_EQ(refusal(from, question(QueryKind::commit)), "") << "lists may be read";
    EXPECT_EQ(refusal(from, question(QueryKind::clear)), "");
    EXPECT_EQ(refusal(from, question(QueryKind::switchover)), "");
  }
  for (const std::string_view from : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_EQ(refusal(from, put), "") << from;
  }
}

}  // namespace
}  // namespace icr::node
