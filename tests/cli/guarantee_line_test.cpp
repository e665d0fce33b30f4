// What `show services sessions extensive` says of the guarantee of a service set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/cluster_fixture.h"
#include "tests/cli/session_text.h"

namespace icr::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GuaranteeLine : public ::testing::Test {
 protected:
  std::string text(CardFamily family, bool extensive, NewestState newest) {
    SessionRecord record;
    record.flow[0] = key("198.18.0.10", 5000, "198.19.0.10", 53, 17);
    record.flow[1] = record.flow[0].mirrored();
    record.service_set = cluster_.service_sets[0].stable_id;
    record.newest_state = newest;
    record.policy = policy_;
    cli::Source source;
    source.interface = family == CardFamily::ms ? "ms-0/0/0" : "vms-2/0/0";
    source.family = family;
    return text_of_session(cluster_, source, record, extensive);
  }
  void SetUp() override { cluster_.service_sets[0].guarantee = Guarantee::semi_synchronous; }

  Cluster cluster_ = make_cluster();
  StableId policy_ = 0;
};

TEST_F(GuaranteeLine, NamesTheGuaranteeAndWhetherThePeerHasTheNewestState) {
  for (const CardFamily family : {CardFamily::ms, CardFamily::vms}) {
    EXPECT_THAT(text(family, true, NewestState::at_peer),
                HasSubstr("Guarantee: semi-synchronous, newest state at the peer: yes\n"));
    EXPECT_THAT(text(family, true, NewestState::here_only),
                HasSubstr("Guarantee: semi-synchronous, newest state at the peer: no\n"));
  }
}

TEST_F(GuaranteeLine, NamesTheGuaranteeOfTheTermThatAdmittedTheSession) {
  FirewallTerm term;
  term.guarantee = Guarantee::output_commit;
  term.stable_id = policy_ = 7;
  cluster_.service_sets[0].firewall_rules = {static_cast<std::uint16_t>(cluster_.firewall_rules.size())};
  cluster_.firewall_rules.push_back({"rule", MatchDirection::input, {term}});
  EXPECT_THAT(text(CardFamily::ms, true, NewestState::at_peer), HasSubstr("Guarantee: output-commit, newest"));
  policy_ = 1;
  EXPECT_THAT(text(CardFamily::ms, true, NewestState::at_peer), HasSubstr("Guarantee: semi-synchronous, newest"));
}

TEST_F(GuaranteeLine, OfAWithheldSessionSaysThatThePeerDoesNotHaveIt) {
  cluster_.service_sets[0].guarantee = Guarantee::asynchronous;
  cluster_.service_sets[0].replication_threshold_s = 180;
  for (const CardFamily family : {CardFamily::ms, CardFamily::vms}) {
    EXPECT_THAT(text(family, true, NewestState::withheld),
                HasSubstr("Replication threshold: 180 s, not reached: the peer does not have the session\n"));
    EXPECT_THAT(text(family, true, NewestState::not_said), Not(HasSubstr("threshold")));
  }
}

TEST_F(GuaranteeLine, IsNotThereInOtherLayoutsOrWithoutAGuarantee) {
  for (const CardFamily family : {CardFamily::ms, CardFamily::vms}) {
    EXPECT_THAT(text(family, false, NewestState::at_peer), Not(HasSubstr("Guarantee")));
    EXPECT_THAT(text(family, true, NewestState::not_said), Not(HasSubstr("Guarantee")));
  }
}

}  // namespace
}  // namespace icr::test
