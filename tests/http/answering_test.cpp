// Answers of a cluster: their status, their body, and what stands behind it.
#include "cli/http/answering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/client/leavable_transport.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::cli::http {
namespace {

using testing::HasSubstr;

/// Keeps a response.
class Kept final : public Response {
 public:
  void begin(const Head& head) override {
    ++begun;
    status = head.status;
    type = head.type;
    told = head.code;
    warning = head.warning;
  }
  void write(std::string_view piece) override {
    ++pieces;
    body += piece;
  }
  void end(ExitCode code) override { ended = code; }
  [[nodiscard]] bool abandoned() const override { return body.size() > leaves_after; }

  int begun = 0;
  int pieces = 0;
  unsigned status = 0;
  std::string type;
  std::string warning;
  std::optional<ExitCode> told;
  std::optional<ExitCode> ended;
  std::string body;
  std::size_t leaves_after = std::string::npos;
};

class HttpAnswering : public testing::Test {
 protected:
  HttpAnswering() {
    host_.read_cluster = [this]() -> Result<Cluster> { return fake_.cluster; };
    host_.answer = [this](const Command& command, const Result<Cluster>& cluster, const Host::Outlets& outlets) {
      if (!cluster) return ExitCode::bad_cluster_file;
      LeavableTransport leavable(transport_, outlets.abandoned);
      Environment environment{*cluster, leavable, std::nullopt, 1'700'000'000'000, outlets.out, outlets.error};
      environment.notice = outlets.notice;
      return execute(command, environment);
    };
    put(0, 1);
  }

  void put(std::uint32_t from, std::uint32_t count) {
    for (std::uint32_t i = from; i < from + count; ++i) {
      const auto port = static_cast<std::uint16_t>(1024 + i);
      fake_.put_everywhere(0, test::make_session(i, 0, test::key("192.0.2.10", port, "198.51.100.20", 80, 6)));
    }
  }

  void get(std::string_view target) {
    kept_ = Kept();
    kept_.leaves_after = leaves_after_;
    const auto question = question_of(target, nullptr);
    ASSERT_TRUE(question) << question.error().message;
    answer_question(*question, host_.read_cluster(), host_, kept_);
    EXPECT_EQ(kept_.begun, 1);
  }
  /// Returns the body, which must be JSON.
  nlohmann::json json() { return nlohmann::json::parse(kept_.body); }

  test::FakeCluster fake_;
  bool dead_[2] = {};
  std::size_t asked_ = 0;
  std::string denied_;  ///< why a chassis refuses
  std::size_t leaves_after_ = std::string::npos;
  test::FakeTransport transport_{[this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    ++asked_;
    if (dead_[chassis]) return fail("silence");
    if (!denied_.empty() && request.kind != QueryKind::status) {
      QueryReply reply;
      reply.error = QueryError::refused;
      reply.reason = denied_;
      return reply;
    }
    return test::answer_of_chassis(fake_, chassis, request);
  }};
  Host host_;
  Kept kept_;
};

TEST_F(HttpAnswering, IsWhatTheCommandPrintsAsJson) {
  get("/v1/services/sessions?source-prefix=192.0.2.0/24");
  EXPECT_EQ(kept_.status, 200U);
  EXPECT_EQ(kept_.type, "application/json");
  EXPECT_EQ(kept_.told, ExitCode::ok);
  EXPECT_EQ(kept_.ended, ExitCode::ok);
  EXPECT_EQ(kept_.body, test::run_line("show services sessions source-prefix 192.0.2.0/24 | display json",
                                       fake_.cluster, transport_)
                            .out);
  EXPECT_EQ(json()["msp-session-table"].size(), 1U) << kept_.body;
}

TEST_F(HttpAnswering, ACommandWithoutAnotherFormIsText) {
  get("/v1/system/commit");
  EXPECT_EQ(kept_.type, "application/json");
  dead_[0] = dead_[1] = true;
  get("/v1/system/rollback/compare/1/0");
  EXPECT_EQ(kept_.status, 504U);
  EXPECT_EQ(kept_.type, "application/json") << "an error is JSON in any case";
  EXPECT_EQ(json()["error"]["status"], 504);
}

TEST_F(HttpAnswering, AChassisThatIsDownIsInTheTree) {
  dead_[1] = true;
  get("/v1/services/sessions");
  EXPECT_EQ(kept_.status, 200U);
  EXPECT_EQ(kept_.ended, ExitCode::incomplete);
  const auto error = json()["rpc-error"][0];
  EXPECT_EQ(error["error-severity"][0]["data"], "warning");
  EXPECT_EQ(error["error-message"][0]["data"], "chassis right did not answer: silence");
}

TEST_F(HttpAnswering, NobodyAnswersIsAStatus) {
  dead_[0] = dead_[1] = true;
  for (const auto* target : {"/v1/services/sessions", "/v1/services/sessions?member=all", "/v1/system/uptime",
                             "/v1/services/sessions?member=left"}) {
    get(target);
    EXPECT_EQ(kept_.status, 504U) << target;
    EXPECT_EQ(kept_.ended, ExitCode::incomplete) << target;
    EXPECT_THAT(kept_.body, HasSubstr("did not answer: silence")) << target;
    EXPECT_TRUE(json().is_object());
  }
  dead_[0] = false;
  get("/v1/services/sessions?member=all");
  EXPECT_EQ(kept_.status, 200U);
}

TEST_F(HttpAnswering, AMistakeIsABadRequest) {
  get("/v1/services/sessions?member=nobody");
  EXPECT_EQ(kept_.status, 400U);
  EXPECT_EQ(json()["error"]["message"], "member nobody not found");
  EXPECT_EQ(kept_.ended, ExitCode::command_error);
}

TEST_F(HttpAnswering, WhatTheKeyOfTheServerDoesNotPermitIsForbidden) {
  denied_ = "client bob is of class view, and this takes class operator";
  get("/v1/log/messages");
  EXPECT_EQ(kept_.status, 403U) << kept_.body;
  EXPECT_THAT(kept_.body, HasSubstr("is of class view"));
}

TEST_F(HttpAnswering, AWarningHasABound) {
  std::string warning;
  std::size_t chassis = 0;
  host_.answer = [&](const Command&, const Result<Cluster>&, const Host::Outlets& outlets) {
    for (std::size_t i = 0; i < chassis; ++i) outlets.error("warning: " + warning + "\n");
    outlets.out("{}\n");
    return ExitCode::ok;
  };
  const auto warning_of = [&](std::size_t count, const std::string& text) {
    chassis = count;
    warning = text;
    get("/v1/services/sessions");
    EXPECT_EQ(kept_.status, 200U);
    EXPECT_EQ(kept_.body, "{}\n");
    return kept_.warning;
  };
  EXPECT_EQ(warning_of(2, "old"), "old; old");
  EXPECT_EQ(warning_of(1, std::string(kMostWarning, 'x')), std::string(kMostWarning, 'x'));
  EXPECT_EQ(warning_of(3, std::string(kMostWarning + 1, 'x')), std::string(kMostWarning, 'x'));
  const auto many = warning_of(10'000, "a chassis runs another cluster file");
  EXPECT_EQ(many.size(), kMostWarning);
  EXPECT_EQ(many.rfind("a chassis runs another cluster file; a chassis", 0), 0U);
  // No character is cut in its middle.
  std::string euros;
  for (int i = 0; i < 400; ++i) euros += "\xe2\x82\xac";
  EXPECT_EQ(warning_of(1, euros), euros.substr(0, 999));
  EXPECT_EQ(warning_of(1, "xy" + euros), "xy" + euros.substr(0, 996));
}

TEST_F(HttpAnswering, AWrongClusterFileIsAnErrorHere) {
  host_.read_cluster = []() -> Result<Cluster> { return fail("no such file"); };
  get("/v1/services/sessions");
  EXPECT_EQ(kept_.status, 500U);
}

TEST_F(HttpAnswering, ALongAnswerBeginsBeforeItsEnd) {
  put(1, 3000);
  get("/v1/services/sessions?extensive");
  EXPECT_EQ(kept_.status, 200U);
  EXPECT_EQ(kept_.told, std::nullopt) << "its end is not known when it begins";
  EXPECT_EQ(kept_.ended, ExitCode::ok);
  EXPECT_GT(kept_.pieces, 3);
  EXPECT_GT(json().size(), 0U);
}

TEST_F(HttpAnswering, NothingMoreIsAskedWhenNobodyReads) {
  put(1, 6000);
  get("/v1/services/sessions");
  const auto all = asked_;
  asked_ = 0;
  leaves_after_ = 100'000;
  get("/v1/services/sessions");
  EXPECT_LE(asked_ + 4, all) << "pages were read that nobody takes";
  EXPECT_EQ(kept_.ended, ExitCode::incomplete);
}

TEST(HttpRefusal, IsJson) {
  const auto body = nlohmann::json::parse(body_of({404, "say \"what\"", "\xff\n", {"a", "b"}}));
  EXPECT_EQ(body["error"]["status"], 404);
  EXPECT_EQ(body["error"]["message"], "say \"what\"");
  EXPECT_EQ(body["error"]["possible"].size(), 2U);
}

}  // namespace
}  // namespace icr::cli::http
