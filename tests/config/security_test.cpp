// Keys of chassis and clients in the cluster file, and how they are written into one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/config/cluster_file.h"
#include "model/config/key_insertion.h"

namespace icr {
namespace {

using testing::HasSubstr;

constexpr std::string_view kA = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
constexpr std::string_view kB = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr std::string_view kC = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

constexpr std::string_view kText = R"(# A lab.
cluster: lab
chassis:
  - name: left  # the first
    inter-chassis: { address: 192.0.2.1, port: 7400 }
    query: { address: 192.0.2.1, port: 7300 }
    cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }]
  - { name: right, inter-chassis: { address: 192.0.2.2, port: 7400 }, query: { address: 192.0.2.2, port: 7300 },
      cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }] }
service-sets:
  - { name: all, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: all, interface: { chassis: left, card: ms-0/0/0 } }
stateful-firewall:
  rules: [{ name: all, match-direction: input, terms: [{ name: all, then: accept }] }]
)";

Cluster parsed(const std::string& text) {
  auto out = parse_cluster(text, "f");
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : Cluster{};
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string out(kText);
  for (std::size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size())) {
    out.replace(at, from.size(), to);
  }
  return out;
}

const std::map<std::string, std::string> kKeysOfChassis = {{"left", std::string(kA)}, {"right", std::string(kB)}};

TEST(Security, WithoutKeysIsForTheMachineItselfOnly) {
  const Cluster open = parsed(std::string(kText));
  EXPECT_FALSE(open.encrypted());
  ASSERT_FALSE(open.check_protected());
  EXPECT_THAT(open.check_protected().error().message, HasSubstr("192.0.2.1 of chassis left can be reached from other"));
  EXPECT_TRUE(parsed(std::string(kText) + "security: none\n").check_protected());
  EXPECT_TRUE(parsed(replaced("192.0.2.", "127.0.0.")).check_protected());
  EXPECT_FALSE(parsed(replaced("query: { address: 192.0.2.2", "query: { address: 127.0.0.2")).check_protected());
}

TEST(Security, IsThatOfTheFileAndNotPartOfItsDigest) {
  const auto text = insert_public_keys(kText, "f", kKeysOfChassis, "admin", kC).value();
  const Cluster keys = parsed(text);
  EXPECT_TRUE(keys.encrypted());
  EXPECT_TRUE(keys.check_protected());
  EXPECT_FALSE(parsed(text + "security: none\n").encrypted());
  EXPECT_TRUE(parsed(text + "security: curve\n").encrypted());
  EXPECT_EQ(keys.digest, parsed(std::string(kText)).digest);
  EXPECT_EQ(keys.digest, parsed(std::string(kText) + "security: none\n").digest);
}

TEST(KeyInsertion, LeavesEverythingElseAsItIs) {
  const auto text = insert_public_keys(kText, "f", kKeysOfChassis, "admin", kC);
  ASSERT_TRUE(text) << text.error().message;
  std::string expected = replaced("  - name: left  # the first\n",
                                  "  - name: left  # the first\n    public-keys: [\"" + std::string(kA) + "\"]\n");
  const auto right = expected.find("name: right");
  expected.insert(right, "public-keys: [\"" + std::string(kB) + "\"], ");
  expected += "clients:\n  - { name: admin, class: super-user, public-keys: [\"" + std::string(kC) + "\"] }\n";
  EXPECT_EQ(*text, expected);
}

TEST(KeyInsertion, AFileWithoutANewlineAtItsEndGetsOne) {
  const auto text = insert_public_keys(kText.substr(0, kText.size() - 1), "f", kKeysOfChassis, "admin", kC);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, insert_public_keys(kText, "f", kKeysOfChassis, "admin", kC).value());
}

TEST(KeyInsertion, IsRefusedWhereThereAreKeysOrTheyCannotBeAdded) {
  const auto refusal = [](const std::string& text) {
    const auto done = insert_public_keys(text, "f", kKeysOfChassis, "admin", kC);
    return done ? "" : done.error().message;
  };
  const auto once = insert_public_keys(kText, "f", kKeysOfChassis, "admin", kC).value();
  EXPECT_EQ(refusal(once), "f: has clients already");
  EXPECT_EQ(refusal(once.substr(0, once.find("clients:"))), "f: chassis left has keys already");
  EXPECT_THAT(refusal("{ " + replaced("# A lab.\n", "").substr(0, 12) + "}"), HasSubstr("has no chassis"));
  EXPECT_THAT(refusal(std::string(kText) + "...\n"), HasSubstr("cannot be added"));
  EXPECT_THAT(refusal(replaced("name: right", "name: third")), HasSubstr("cannot be added")) << "no key for third";
}

}  // namespace
}  // namespace icr
