#include "tests/cli/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace icr::test {

Output answer(FakeCluster& fake, const std::string& line, std::optional<std::uint16_t> only) {
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (request.kind != QueryKind::server_counters) return answer_from(fake, chassis, request);
    QueryReply reply;
    reply.counters = {{"", {{"query-requests", 12}, {"query-refused-malformed", 0}}}};
    return reply;
  });
  return run_line(line, fake.cluster, transport, only);
}

void expect_golden(FakeCluster& fake, const std::string& line, const std::string& file,
                   std::optional<std::uint16_t> only) {
  const auto output = answer(fake, line, only);
  EXPECT_EQ(output.error, "") << line;
  EXPECT_EQ(output.code, cli::ExitCode::ok) << line;
  const std::string path = "tests/golden/" + file + ".txt";
  if (std::getenv("ICR_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << output.out;
    return;
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  std::stringstream golden;
  golden << in.rdbuf();
  EXPECT_EQ(output.out, golden.str()) << line << " against " << path;
}

}  // namespace icr::test
