// `show services sessions as-of`: what the members of a pair remember becomes one answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using testing::HasSubstr;
using testing::Not;

class PastWords : public testing::Test {
 protected:
  void SetUp() override {
    add(0, 0, 10, "192.0.2.1");
    add(0, 0, 11, "192.0.2.2");
    add(1, 0, 7, "192.0.2.2");  // the same session, in another slot
    add(1, 0, 12, "192.0.2.3");
    add(0, 1, 1, "192.0.2.9");
  }
  void add(std::uint16_t chassis, std::uint16_t set, std::uint32_t slot, const char* host) {
    remembered_[{chassis, set}].push_back(
        make_session(slot, set == 0 ? 0 : 2, key(host, 4000, "198.51.100.1", 53, ip_protocol::udp)));
  }
  Output run(const std::string& line, std::optional<std::uint16_t> only = std::nullopt) {
    FakeTransport transport([this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
      if (request.kind != QueryKind::past_sessions) return answer_of_chassis(fake_, chassis, request);
      moments_.push_back(request.at);
      QueryReply reply;
      if (const auto reason = reasons_.find({chassis, request.set}); reason != reasons_.end()) {
        reply.error = QueryError::refused;
        reply.reason = reason->second;
        return reply;
      }
      // One session for each page.
      for (const SessionRecord& each : remembered_[{chassis, request.set}]) {
        if (each.ref.slot < request.cursor || !request.filter.matches(each)) continue;
        if (!reply.sessions.empty()) {
          reply.next_cursor = each.ref.slot;
          return reply;
        }
        reply.sessions.push_back(each);
      }
      reply.done = true;
      return reply;
    });
    return run_line(line, fake_.cluster, transport, only);
  }

  FakeCluster fake_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<SessionRecord>> remembered_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::string> reasons_;
  std::vector<WallMillis> moments_;
};

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++out;
  return out;
}

TEST_F(PastWords, EachSessionIsShownOnceWhoeverRemembersIt) {
  const auto output = run("show services sessions as-of 2023-11-14.22:13:20.5");
  EXPECT_EQ(output.code, ExitCode::ok) << output.error;
  for (const char* host : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9"}) {
    EXPECT_EQ(times(output.out, host), 2U) << host << ", as initiator and as responder\n" << output.out;
  }
  for (const WallMillis moment : moments_) EXPECT_EQ(moment, 1'700'000'000'500);
  EXPECT_GE(moments_.size(), 6U) << "each member of each set was asked";
  EXPECT_EQ(times(run("show services sessions source-prefix 192.0.2.2 as-of 2023-11-14.22:13:20").out, "UDP"), 2U);
  EXPECT_EQ(times(run("show services sessions as-of 2023-11-14.22:13:20 limit 2").out, "UDP"), 4U);
  EXPECT_EQ(times(run("show services sessions as-of 2023-11-14.22:13:20", 1).out, "192.0.2.1:"), 0U);
  EXPECT_THAT(run("show services sessions as-of 2023-11-14.22:13:20 | display xml rpc").out,
              HasSubstr("<as-of>2023-11-14.22:13:20</as-of>"));
  EXPECT_THAT(run("show services sessions as-of 00:00:00.050 | display xml rpc").out,
              HasSubstr("<as-of>00:00:00.050</as-of>"));
}

TEST_F(PastWords, OneMemberThatKnowsIsEnough) {
  reasons_[{0, 0}] = "its history begins at 2026-01-01 00:00:00.000 UTC";
  auto output = run("show services sessions as-of 2023-11-14.22:13:20");
  EXPECT_EQ(output.code, ExitCode::ok) << output.error;
  EXPECT_THAT(output.out, HasSubstr("192.0.2.3"));
  EXPECT_THAT(output.out, HasSubstr("192.0.2.9")) << "the other set of the same chassis";
  EXPECT_THAT(output.out, Not(HasSubstr("192.0.2.1:")));
  reasons_[{1, 0}] = "chassis right keeps no history";
  output = run("show services sessions as-of 2023-11-14.22:13:20");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_THAT(output.error, HasSubstr("its history begins at 2026-01-01"));
  EXPECT_THAT(output.error, HasSubstr("chassis right keeps no history"));
  EXPECT_THAT(output.out, HasSubstr("192.0.2.9"));
  // A heading without sessions would say that there were none.
  for (std::uint16_t set = 0; set < 3; ++set) {
    for (std::uint16_t chassis = 0; chassis < 2; ++chassis) reasons_[{chassis, set}] = "its history has not begun yet";
  }
  output = run("show services sessions as-of 2023-11-14.22:13:20");
  EXPECT_EQ(output.code, ExitCode::incomplete);
  EXPECT_EQ(output.out, "");
}

TEST_F(PastWords, TheFutureIsRefused) {
  const auto output = run("show services sessions as-of 9999-12-31.23:59:59");
  EXPECT_EQ(output.code, ExitCode::command_error);
  EXPECT_THAT(output.error, HasSubstr("not in the past"));
  EXPECT_TRUE(moments_.empty());
}

}  // namespace
}  // namespace icr::test
