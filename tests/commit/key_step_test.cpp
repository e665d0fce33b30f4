// Which changes of keys a commit may make.
#include "node/commit/key_step.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config/cluster_file.h"

namespace icr::node {
namespace {

using testing::HasSubstr;

constexpr std::string_view kA = R"("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")";
constexpr std::string_view kB = R"("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")";

/// A cluster whose chassis has these keys; without any, if the text is empty.
Cluster cluster(const std::string& keys, std::string_view security = "curve", std::string_view name = "left") {
  auto out = parse_cluster(fmt::format(R"(cluster: lab
security: {0}
chassis:
  - name: {1}
    {2}
    inter-chassis: {{ address: 127.0.0.1, port: 7400 }}
    query: {{ address: 127.0.0.1, port: 7300 }}
    cards: [{{ name: ms-0/0/0, ports: [{{ unit: 1, type: tun, device: a1 }}, {{ unit: 2, type: tun, device: a2 }}] }}]
service-sets:
  - {{ name: all, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: all, interface: {{ chassis: {1}, card: ms-0/0/0 }} }}
stateful-firewall:
  rules: [{{ name: all, match-direction: input, terms: [{{ name: all, then: accept }}] }}]
)",
                                       security, name, keys.empty() ? "" : fmt::format("public-keys: [{}]", keys)),
                           "f");
  EXPECT_TRUE(out) << out.error().message;
  return *out;
}

std::string refusal(const Cluster& running, const Cluster& next) {
  const auto done = check_key_step(running, next);
  return done ? "" : done.error().message;
}

TEST(KeyStep, AKeyIsKnownBeforeItIsUsed) {
  const auto a = cluster(std::string(kA));
  const auto b = cluster(std::string(kB));
  const auto ab = cluster(fmt::format("{}, {}", kA, kB));
  const auto ba = cluster(fmt::format("{}, {}", kB, kA));
  EXPECT_EQ(refusal(a, a), "");
  EXPECT_EQ(refusal(a, ab), "");
  EXPECT_EQ(refusal(ab, ba), "");
  EXPECT_EQ(refusal(ba, b), "");
  EXPECT_EQ(refusal(ba, ab), "");
  EXPECT_EQ(refusal(ab, a), "");
  EXPECT_THAT(refusal(a, b), HasSubstr("chassis left would use the key Yne@$w"));
  EXPECT_THAT(refusal(a, ba), HasSubstr("commit it as the second one of its public-keys first"));
  EXPECT_THAT(refusal(b, ab), HasSubstr("which the others do not know yet"));
  EXPECT_EQ(refusal(a, cluster(std::string(kB), "curve", "right")), "") << "a new chassis has a new key";
}

TEST(KeyStep, AKeyIsKnownAsLongAsItIsUsed) {
  const auto ab = cluster(fmt::format("{}, {}", kA, kB));
  const auto b = cluster(std::string(kB));
  EXPECT_THAT(refusal(ab, b), HasSubstr("chassis left uses the key rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7, which the "
                                        "others would know no more"));
  EXPECT_EQ(refusal(ab, cluster(std::string(kB), "curve", "right")), "") << "a chassis that is removed";
}

TEST(KeyStep, EncryptionDoesNotBeginOrEndWithACommit) {
  const auto keys = cluster(std::string(kA));
  const auto none = cluster("");
  const auto unused = cluster(std::string(kA), "none");
  EXPECT_THAT(refusal(none, keys), HasSubstr("the cluster is not encrypted and would then be"));
  EXPECT_THAT(refusal(keys, unused), HasSubstr("the cluster is encrypted and would then not be"));
  EXPECT_EQ(refusal(none, unused), "");
  EXPECT_EQ(refusal(unused, cluster(std::string(kB), "none")), "") << "keys that are not used";
}

}  // namespace
}  // namespace icr::node
