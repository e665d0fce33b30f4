// Commands about things that icr does not have, and those that show figures of screens under other words.
#include "cli/absent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/grammar/grammar.h"
#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using cli::ExitCode;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<std::string>& commands() {
  static const std::vector<std::string> all = {
      "show services alg conversations",
      "show services alg conversations extensive application-protocol sip interface ms-0/0/0",
      "show services alg sip-globals interface ms-0/0/0",
      "show services alg statistics application-protocol ftp",
      "show services service-sets plug-ins interface ms-0/0/0",
      "show services service-sets statistics jflow-log detail service-set ss1",
      "show services service-sets statistics syslog brief host 192.0.2.1 service-set ss1 interface ms-0/0/0",
      "show services sessions softwire source-prefix 2001:db8::/32 destination-prefix 192.0.2.1",
      "show services sessions softwire count service-set ss1",
      "show services sessions softwire ds-lite aftr 2001:db8::1 b4 2001:db8::2",
      "show services sessions softwire ds-lite count",
      "show services sessions softwire flow-details",
      "show services sessions tcp-log interface ms-0/0/0",
      "show services softwire",
      "show services softwire count",
      "show services softwire flows service-set ss1",
      "show services softwire flows count",
      "show services softwire flows ds-lite AFTR 2001:db8::1 B4 2001:db8::2",
      "show services softwire flows v6rd concentrator 192.0.2.1 initiator 192.0.2.2",
      "show services softwire sessions interface ms-0/0/0",
      "show services softwire sessions count",
      "show services softwire sessions ds-lite aftr 2001:db8::1",
      "show services softwire sessions ds-lite count",
      "show services softwire statistics ds-lite interface ms-0/0/0",
      "show services tcp-log connections interface ms-0/0/0",
  };
  return all;
}

TEST(Absent, AnswersAreEmptyAndNobodyIsAsked) {
  FakeCluster fake;
  FakeTransport transport([](std::uint16_t, const QueryRequest&) -> Result<QueryReply> {
    ADD_FAILURE() << "a question";
    return fail("asked");
  });
  std::set<cli::Absent> seen;
  for (const auto& line : commands()) {
    const auto command = cli::parse_command(line);
    ASSERT_TRUE(command) << line;
    EXPECT_EQ(command->verb, cli::Verb::show_absent) << line;
    seen.insert(command->absent);
    const auto text = run_line(line, fake.cluster, transport, std::nullopt);
    EXPECT_EQ(text.out + text.error, "") << line;
    EXPECT_EQ(text.code, ExitCode::ok) << line;
    const auto xml = run_line(line + " | display xml", fake.cluster, transport, std::nullopt);
    EXPECT_EQ(xml.code, ExitCode::ok) << line;
    const auto name = cli::names_of(command->absent).answer;
    if (!name.empty()) {
      EXPECT_THAT(xml.out, HasSubstr(fmt::format("    <{0}", name))) << line;
      EXPECT_THAT(xml.out, HasSubstr(fmt::format(">\n    </{0}>\n    <cli>", name))) << "nothing is in it";
    } else {
      EXPECT_THAT(xml.out, HasSubstr("/junos\">\n    <cli>")) << line;
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(cli::Absent::softwire_statistics) + 1) << "each kind has a command";
}

TEST(Absent, EveryForm) {
  FakeCluster fake;
  for (const auto& [line, file] :
       {std::pair("show services alg conversations application-protocol sip", "alg"),
        std::pair("show services softwire flows ds-lite AFTR 2001:db8::1", "softwire"),
        std::pair("show services softwire statistics v6rd", "softwire-statistics"),
        std::pair("show services sessions tcp-log interface ms-0/0/0", "tcp-log"),
        std::pair("show services service-sets statistics syslog host 192.0.2.1", "syslog")}) {
    expect_golden(fake, line, file);
    expect_forms(fake, line, file);
  }
  EXPECT_EQ(answer(fake, "show services softwire member all").out.substr(0, 10), "left:\n----");
  const auto wrong = answer(fake, "show services softwire member nobody");
  EXPECT_EQ(wrong.code, ExitCode::command_error);
  EXPECT_EQ(wrong.error, "error: member nobody not found\n");
}

TEST(Absent, WrongWordsAreRefused) {
  const auto refused = [](const std::string& line) {
    const auto command = cli::parse_command(line);
    EXPECT_FALSE(command) << line;
    return command ? "" : command.error().message;
  };
  EXPECT_EQ(refused("show services alg"), "syntax error, expecting <command>.");
  EXPECT_EQ(refused("show services alg conversations detail"), "syntax error, expecting <command>.");
  EXPECT_THAT(refused("show services alg conversations application-protocol bogus"), HasSubstr("bogus"));
  EXPECT_EQ(refused("show services tcp-log"), "syntax error, expecting <command>.");
  EXPECT_EQ(refused("show services softwire flows v6rd concentrator 2001:db8::1"), "invalid ip address '2001:db8::1'");
  EXPECT_EQ(refused("show services sessions softwire ds-lite b4 192.0.2.1"), "invalid ip address '192.0.2.1'");
  EXPECT_EQ(refused("show services sessions softwire ds-lite aftr"), "syntax error, expecting <data>.");
  EXPECT_EQ(refused("show services softwire statistics ds-lite v6rd"), "syntax error, expecting <command>.");
  EXPECT_EQ(refused("show services service-sets statistics syslog host name"), "invalid ip address 'name'");
  EXPECT_EQ(refused("show services sessions softwire flow-details interface ms-0/0/0"),
            "syntax error, expecting <command>.");
  EXPECT_EQ(refused("clear services softwire"), "syntax error, expecting <command>.");
}

TEST(Absent, CountersOfScreensHaveTheWordsOfOtherCards) {
  FakeCluster fake;
  fake.cards[0][0].counted.groups[static_cast<std::size_t>(StatisticsGroup::screen_drops)] = {
      {"tcp-syn-flood", 9}, {"source-session-limit", 6}};
  const std::string statistics = "show services service-sets statistics ";
  for (const auto& [words, same] : {std::pair("ids drops", "screen-drops"),
                                    std::pair("ids session-limits counters", "screen-session-limit-counters")}) {
    const auto shown = answer(fake, statistics + words).out;
    EXPECT_THAT(shown, HasSubstr("6")) << words;
    EXPECT_EQ(shown, answer(fake, statistics + same).out) << words;
  }
  EXPECT_THAT(answer(fake, statistics + "ids session-limits counters").out, testing::Not(HasSubstr("syn")));
  EXPECT_THAT(answer(fake, statistics + "ids drops | display xml rpc").out,
              HasSubstr("<get-service-set-ids-drops-statistics>"));
}

}  // namespace
}  // namespace icr::test
