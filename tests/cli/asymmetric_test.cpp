// What `show services sessions` says of a session of which packets came to the standby.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/cluster_fixture.h"
#include "tests/cli/session_text.h"

namespace icr::test {
namespace {

using ::testing::HasSubstr;

TEST(Asymmetric, IsSaidInEveryLayoutOfJsf) {
  const Cluster cluster = make_cluster();
  SessionRecord record;
  record.flow[0] = key("198.18.0.10", 5000, "198.19.0.10", 53, 17);
  record.flow[1] = record.flow[0].mirrored();
  record.service_set = cluster.service_sets[0].stable_id;
  cli::Source source;
  source.interface = "ms-0/0/0";
  source.family = CardFamily::ms;
  for (const bool asymmetric : {false, true}) {
    record.asymmetric = asymmetric;
    for (const bool extensive : {false, true}) {
      EXPECT_THAT(text_of_session(cluster, source, record, extensive),
                  HasSubstr(asymmetric ? "Offload: no, Asymmetric: yes\n" : "Offload: no, Asymmetric: no\n"));
    }
  }
}

}  // namespace
}  // namespace icr::test
