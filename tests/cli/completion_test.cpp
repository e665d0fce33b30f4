// Help and completion at any point of a line.
#include "cli/grammar/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace icr::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

Names some_names() {
  Names names;
  names.nat_pools = {"pool-a", "pool-b"};
  names.service_sets = {"ss1", "ss2", "edge"};
  names.interfaces = {"ms-0/0/0", "ms-0/0/0.1"};
  names.redundancy_sets = {"rs1"};
  names.set_ids = {"1"};
  return names;
}

std::vector<std::string> offered_for(const std::string& line) {
  const Names names = some_names();
  const auto found = complete(line, &names);
  EXPECT_FALSE(found.error) << line << ": " << found.error->message;
  std::vector<std::string> out;
  for (const auto& each : found.all) out.push_back(each.word);
  return out;
}

/// What the key makes of the line; in brackets what it shows.
std::string typed(const std::string& line, bool space) {
  const Names names = some_names();
  const Edit edit = complete_word(line, &names, space, "> ");
  return line + edit.insert + (edit.shown.empty() ? "" : "[" + edit.shown + "]");
}
std::string spaced(const std::string& line) { return typed(line, true); }
std::string tabbed(const std::string& line) { return typed(line, false); }

TEST(Completion, KeywordsFollowEachOther) {
  EXPECT_THAT(offered_for(""), IsSupersetOf({"clear", "request", "show", "exit", "set"}));
  EXPECT_THAT(offered_for("sh"), ElementsAre("show"));
  EXPECT_THAT(offered_for("show "), IsSupersetOf({"services", "system"}));
  EXPECT_THAT(offered_for("show services sess"), ElementsAre("sessions"));
  EXPECT_THAT(offered_for("sh serv se"), ElementsAre("service-sets", "sessions"));
  const auto options = offered_for("show services sessions ");
  EXPECT_EQ(options.front(), "<[Enter]>");
  EXPECT_EQ(options.back(), "|");
  EXPECT_THAT(options, IsSupersetOf({"analysis", "brief", "count", "source-prefix", "utilization"}));
  EXPECT_THAT(offered_for("show services sessions brief "), AllOf(Contains("source-port"), Not(Contains("extensive")),
                                                                  Not(Contains("brief")), Not(Contains("analysis"))));
}

TEST(Completion, ValuesAreNamed) {
  EXPECT_THAT(offered_for("show services sessions source-port "), ElementsAre("<source-port>"));
  EXPECT_THAT(offered_for("show services sessions source-port 8"), ElementsAre("<source-port>"));
  EXPECT_THAT(offered_for("show services sessions protocol "), IsSupersetOf({"<protocol>", "tcp", "udp"}));
  EXPECT_THAT(offered_for("show services sessions protocol ud"), ElementsAre("<protocol>", "udp"));
  EXPECT_THAT(offered_for("request services redundancy-set id 1 redundancy-event "), ElementsAre("<redundancy-event>"));
}

TEST(Completion, NamesComeFromTheClusterFile) {
  EXPECT_THAT(offered_for("show services sessions service-set "), ElementsAre("<service-set>", "edge", "ss1", "ss2"));
  EXPECT_THAT(offered_for("show services sessions interface ms"), ElementsAre("<interface>", "ms-0/0/0", "ms-0/0/0.1"));
  EXPECT_THAT(offered_for("show services nat pool "), IsSupersetOf({"<name>", "pool-a", "pool-b", "detail"}));
  EXPECT_THAT(offered_for("show services sessions source-nat-pool pool-"),
              ElementsAre("<source-nat-pool>", "pool-a", "pool-b"));
  EXPECT_THAT(offered_for("request services redundancy-set "), IsSupersetOf({"<redundancy-set>", "rs1", "id"}));
  EXPECT_THAT(offered_for("request services redundancy-set id "), ElementsAre("<id>", "1"));
  const auto unknown = complete("show services sessions service-set ");
  ASSERT_EQ(unknown.all.size(), 1U) << "without a cluster file";
}

TEST(Completion, PipesFollowACommand) {
  EXPECT_THAT(offered_for("show services sessions | "),
              ElementsAre("append", "compare", "count", "display", "except", "find", "hold", "last", "match", "no-more",
                          "refresh", "resolve", "save", "tee", "trim"));
  EXPECT_THAT(offered_for("show services sessions |"), Contains("match"));
  EXPECT_THAT(offered_for("show services sessions | match "), ElementsAre("<pattern>"));
  EXPECT_THAT(offered_for("show services sessions | display x"), ElementsAre("xml"));
  EXPECT_THAT(offered_for("show services sessions | last "), ElementsAre("<[Enter]>", "<lines>", "|"));
  EXPECT_THAT(offered_for("show services sessions | resolve "), ElementsAre("<[Enter]>", "full-names", "|"));
}

TEST(Completion, AWrongWordBeforeIsNamed) {
  const auto wrong = complete("show bogus se");
  ASSERT_TRUE(wrong.error);
  EXPECT_EQ(wrong.error->column, 5U);
  EXPECT_EQ(wrong.error->message, "syntax error, expecting <command>.");
  EXPECT_TRUE(complete("bogus").error);
  EXPECT_EQ(complete("bogus").error->message, "unknown command.");
  EXPECT_TRUE(complete("show services sessions source-port 99999 ").error);
  EXPECT_TRUE(complete("show services | ").error);
  EXPECT_TRUE(complete("show services sessions | match \"a").error);
}

TEST(Completion, ListsAreThoseOfJunos) {
  const Names names = some_names();
  EXPECT_EQ(complete("clear services nat statistics ", &names).shown(),
            "Possible completions:\n"
            "  <[Enter]>            Execute this command\n"
            "  interface            Name of extension provider interface\n"
            "  service-set          Name of the service set\n"
            "  |                    Pipe through a command\n");
  EXPECT_THAT(complete("show services sessions service-set ", &names).shown(),
              HasSubstr("  <service-set>        Name of the service set\n  edge\n"));
}

TEST(Completion, SpaceCompletesKeywordsOnly) {
  EXPECT_EQ(spaced("sh"), "show ");
  EXPECT_EQ(spaced("show serv"), "show services ");
  EXPECT_EQ(spaced("show"), "show ");
  EXPECT_EQ(spaced("show "), "show  ");
  EXPECT_EQ(spaced("show services sessions source-port 80"), "show services sessions source-port 80 ");
  EXPECT_EQ(spaced("show services sessions service-set ed"), "show services sessions service-set ed ")
      << "a value stays as it is";
  EXPECT_EQ(spaced("show services sessions protocol ud"), "show services sessions protocol udp ");
  EXPECT_EQ(spaced("show services sessions protocol 6"), "show services sessions protocol 6 ");
  EXPECT_EQ(spaced("show services sessions | ma"), "show services sessions | match ");
  EXPECT_EQ(spaced("show services sessions | match \"a"), "show services sessions | match \"a ");
  EXPECT_EQ(spaced("show services sessions | match ma"), "show services sessions | match ma ") << "a pattern";
  EXPECT_EQ(spaced("show x"), "show x[> show x\n       ^\nsyntax error, expecting <command>.\n]");
  EXPECT_THAT(spaced("show services se"),
              StartsWith("show services se[> show services se\n                  ^\n'se' is ambiguous.\n"));
}

TEST(Completion, TabCompletesNamesToo) {
  EXPECT_EQ(tabbed("sh"), "show ");
  EXPECT_EQ(tabbed("show services sessions service-set ed"), "show services sessions service-set edge ");
  EXPECT_EQ(tabbed("show services sessions service-set s"), "show services sessions service-set ss");
  EXPECT_THAT(tabbed("show services sessions service-set ss"), HasSubstr("[Possible completions:\n  <service-set>"));
  EXPECT_EQ(tabbed("show services nat pool po"), "show services nat pool pool-");
  EXPECT_EQ(tabbed("show services se"),
            "show services se[Possible completions:\n  service-sets         Display service sets\n  sessions           "
            "  Display session information\n]");
  EXPECT_EQ(tabbed("show services sessions source-pr"), "show services sessions source-prefix ");
  EXPECT_THAT(tabbed("show services sessions s"), HasSubstr("Possible completions"));
  EXPECT_EQ(tabbed("show services sessions sour"), "show services sessions source-");
  EXPECT_THAT(tabbed("show bogus x"), HasSubstr("syntax error"));
}

}  // namespace
}  // namespace icr::cli
