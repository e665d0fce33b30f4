#include "node/set/failover_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "node/set/failover_log.h"
#include "tests/support/sample_failover.h"

namespace icr::node {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string with(std::string text, const std::string& what, const std::string& instead) {
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("the text lacks " + what);
  return text.replace(at, what.size(), instead);
}

TEST(FailoverJson, AReportComesBackAsItWas) {
  const FailoverReport report = icr::test::sample_failover();
  const auto back = failover_from_json(failover_to_json(report));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, report);
}

TEST(FailoverJson, WhatIsNotKnownIsNullAndComesBackSo) {
  FailoverReport report;
  report.number = 1;
  report.set = "rs1";
  const std::string text = failover_to_json(report);
  EXPECT_THAT(text, HasSubstr("\"first-packet\": null"));
  EXPECT_THAT(text, HasSubstr("\"sent-sequence\": null"));
  EXPECT_THAT(text, HasSubstr("\"sessions-at-risk\": null"));
  EXPECT_THAT(text, HasSubstr("\"merge\": null"));
  const auto back = failover_from_json(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, report);
}

TEST(FailoverJson, EventsHaveTheWallClockAndTheTimeAfterTheLastSignOfLife) {
  const std::string text = failover_to_json(icr::test::sample_failover());
  EXPECT_THAT(text, HasSubstr("\"at\": \"2026-11-30T08:35:03.695762Z\""));
  EXPECT_THAT(text, HasSubstr("\"first-packet\": {\n      \"at\": \"2026-11-30T08:35:03.738503Z\",\n"
                              "      \"after-us\": 42741\n    }"));
}

TEST(FailoverJson, TimesBeforeTheEpochAreNoTrap) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(utc_text(-1), "1969-12-31T23:59:59.999999Z");
}

TEST(FailoverJson, AReportOfALaterReleaseIsReadWithoutWhatIsNew) {
  const FailoverReport report = icr::test::sample_failover();
  const std::string text = with(failover_to_json(report), "\"term\"", "\"later\": [1, 2],\n  \"term\"");
  const auto back = failover_from_json(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, report);
}

TEST(FailoverJson, AReportOfAFormerReleaseSaysNothingOfTheRisk) {
  std::string text = failover_to_json(icr::test::sample_failover());
  const auto from = text.find("  \"sessions-at-risk\"");
  text.erase(from, text.find("  \"detector\"") - from);
  const auto back = failover_from_json(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->risk, FailoverRisk());
  EXPECT_EQ(back->sent, 53U);
}

TEST(FailoverJson, WhatIsWrongIsNamed) {
  const std::string good = failover_to_json(icr::test::sample_failover());
  const auto error_of = [](const std::string& text) {
    const auto report = failover_from_json(text);
    return report ? std::string("none") : report.error().message;
  };
  EXPECT_EQ(error_of(""), "it is no JSON object");
  EXPECT_EQ(error_of("[]"), "it is no JSON object");
  EXPECT_EQ(error_of(good.substr(0, good.size() / 2)), "it is no JSON object");
  EXPECT_EQ(error_of(with(good, "\"format\": 1", "\"format\": 2")), "it is no report of this format");
  EXPECT_EQ(error_of(with(good, "\"set\": \"rs1\",", "")), "'set' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"term\": 33", "\"term\": -33")), "'term' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"hot\": true", "\"hot\": 1")), "'hot' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"ill-master\"", "\"whim\"")), "'kind' is no kind of takeover");
  EXPECT_EQ(error_of(with(good, "\"after-us\": 42741", "\"after-us\": \"soon\"")),
            "'events.first-packet.after-us' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"unix-us\": 1796027703695762", "\"unix-us\": 1.5")),
            "'last-sign-of-life.unix-us' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"probe\": \"not asked\"", "\"probe\": 3")),
            "'detector.probe' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"sessions-at-risk\": 5", "\"sessions-at-risk\": -5")),
            "'sessions-at-risk' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"not-sent\": 2", "\"not-sent\": []")),
            "'risk.not-sent' is missing, or of another type");
  EXPECT_EQ(error_of(with(good, "\"returned\": 21,", "")), "'risk.merge.returned' is missing, or of another type");
}

/// A report with such a number would be the last one, and sums of such times overflow.
TEST(FailoverJson, NumbersThatNoReportHasAreRefused) {
  const std::string good = failover_to_json(icr::test::sample_failover());
  const auto error_with = [&](const char* what, const char* instead) {
    const auto report = failover_from_json(with(good, what, instead));
    return report ? std::string("none") : report.error().message;
  };
  EXPECT_EQ(error_with("\"number\": 7", "\"number\": 0"), "there is no report 0");
  EXPECT_EQ(error_with("\"number\": 7", "\"number\": 9223372036854775808"), "none");
  EXPECT_EQ(error_with("\"number\": 7", "\"number\": 9223372036854775809"), "there is no report 9223372036854775809");
  EXPECT_EQ(error_with("\"number\": 7", "\"number\": 18446744073709551616"), "'number' is missing, or of another type");
  EXPECT_EQ(error_with("\"after-us\": 42741", "\"after-us\": 9223372036854775808"),
            "'events.first-packet.after-us' is missing, or of another type");
  for (const char* time : {"9223372036854775807", "-9223372036854775808", "253402300800000000"}) {
    EXPECT_EQ(error_with("\"after-us\": 42741", (std::string("\"after-us\": ") + time).c_str()),
              "its times are out of range");
    EXPECT_EQ(error_with("\"unix-us\": 1796027703695762", (std::string("\"unix-us\": ") + time).c_str()),
              "its times are out of range");
  }
}

/// A file of the largest size that is read can be nested so deeply.
TEST(FailoverJson, DeepNestingCostsNoStack) {
  const std::string good = failover_to_json(icr::test::sample_failover());
  constexpr std::size_t kDeep = 30'000;
  EXPECT_FALSE(failover_from_json(std::string(2 * kDeep, '[')));
  const std::string nested = std::string(kDeep, '[') + std::string(kDeep, ']');
  EXPECT_TRUE(failover_from_json(with(good, "\"term\"", "\"later\": " + nested + ",\n  \"term\"")));
  std::string objects;
  for (std::size_t i = 0; i < kDeep / 3; ++i) objects += "{\"\":";
  EXPECT_FALSE(failover_from_json(objects));
}

TEST(FailoverJson, TextThatIsNoUtf8IsWrittenAllTheSame) {
  FailoverReport report = icr::test::sample_failover();
  report.reason = "\xff";
  EXPECT_TRUE(failover_from_json(failover_to_json(report)));
}

TEST(FailoverLog, TheLineHasTheFiguresInOneSentenceAfterAnother) {
  EXPECT_EQ(
      failover_line(icr::test::sample_failover()),
      "set=rs1 chassis=right failover=7 kind=ill-master term=33 right took over from left: the master's health is "
      "\"Failed\". The last sign of life came at 2026-11-30T08:35:03.695762Z. After it: connection closed 38.200 "
      "ms, decision 40.246 ms, claim granted 41.238 ms, table active 41.259 ms, steering done 41.799 ms, first "
      "packet of a session 42.741 ms, first new session 99.000 ms. The table had 20000 sessions, and its copy was "
      "complete. At most 5 of the 20003 sessions of left are at risk, by its last word at -1.250 ms; it may have gone "
      "on for 39.450 ms after that.");
}

TEST(FailoverLog, WhatIsNotKnownIsSaidToBeUnknown) {
  FailoverReport report = icr::test::sample_failover();
  report.closed.reset();
  report.old_session.reset();
  report.hot = false;
  const std::string line = failover_line(report);
  EXPECT_THAT(line, Not(HasSubstr("connection closed")));
  EXPECT_THAT(line, HasSubstr("first packet of a session unknown,"));
  EXPECT_THAT(line, HasSubstr("its copy was not complete."));
  report.risk = {};
  EXPECT_THAT(failover_line(report), HasSubstr("complete. How many sessions are at risk is unknown."));
}

}  // namespace
}  // namespace icr::node
