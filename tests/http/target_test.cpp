// What the paths and parameters of requests ask.
#include "cli/http/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace icr::cli::http {
namespace {

using testing::Contains;
using testing::HasSubstr;

Refusal refusal_of(std::string_view target, const Names* names = nullptr) {
  const auto question = question_of(target, names);
  EXPECT_FALSE(question) << target;
  return question ? Refusal{0, ""} : question.error();
}

/// Returns a command that must be one.
Command command_of(std::string_view target, const Names* names = nullptr) {
  const auto question = question_of(target, names);
  EXPECT_TRUE(question) << target << ": " << (question ? "" : question.error().message);
  return question ? question->command : Command{};
}

/// Returns the path of a route, with something that its values accept.
std::string filled(const Route& route) {
  std::string out;
  for (const std::string sample : {"192.0.2.1", "1", "x"}) {
    out = route.path;
    for (const auto& value : route.values) {
      const std::string place = "{" + value.name + "}";
      out.replace(out.find(place), place.size(), sample);
    }
    if (question_of(out, nullptr)) break;
  }
  return out;
}

/// Counts the commands that the grammar has below a node.
std::size_t commands_below(const GrammarNode& node) {
  std::size_t out = 0;
  for (const auto& child : node.children) out += (child.complete ? 1U : 0U) + commands_below(child);
  return out;
}

const GrammarNode& first_word(std::string_view word) {
  for (const auto& child : grammar().children) {
    if (child.word == word) return child;
  }
  ADD_FAILURE() << "no command begins with " << word;
  return grammar();
}

TEST(HttpTarget, ReachesEveryShowCommandAndNoOther) {
  EXPECT_EQ(routes().size(), commands_below(first_word("show")));
  EXPECT_GE(routes().size(), 60U);
  for (const auto& route : routes()) {
    const auto path = filled(route);
    const auto question = question_of(path, nullptr);
    ASSERT_TRUE(question) << path << ": " << question.error().message;
    EXPECT_EQ(question->command.verb, route.command.verb) << path;
    EXPECT_TRUE(only_shows(question->command.verb)) << path;
    EXPECT_EQ(question->privilege, route.words == "show log messages" ? "operator" : "view") << path;
  }
  for (const auto* path : {"/v1/clear/services/sessions", "/v1/commit/x", "/v1/show/services/sessions", "/v1/keys/x"}) {
    EXPECT_EQ(refusal_of(path).status, 404U) << path;
  }
}

TEST(HttpTarget, TheOwnPathsOfTheServerAreNoCommands) {
  EXPECT_EQ(refusal_of("/v1/openapi.json").status, 404U);
  EXPECT_EQ(refusal_of("/v1/serve/statistics").status, 404U);
}

TEST(HttpTarget, EveryOptionIsAParameter) {
  for (const auto& route : routes()) {
    for (const auto& option : route.node->options) {
      if (option.required != 0) continue;  // not by itself
      const std::string name(parameter_of(option));
      bool taken = false;
      for (const std::string value : {"", "=true", "=192.0.2.1", "=2001:db8::1", "=1", "=x", "=ms-0/0/0", "=tcp",
                                      "=http", "=packets", "=service-set", "=all", "=12:00"}) {
        taken = taken || question_of(filled(route) + "?" + name + value, nullptr).has_value();
      }
      EXPECT_TRUE(taken || name == "by" || name == "sort-by") << route.path << "?" << name;
    }
  }
}

TEST(HttpTarget, ParametersAreOptions) {
  const auto command =
      command_of("/v1/services/sessions?source-prefix=192.0.2.0%2F24&extensive&limit=3&nat=true&count=false");
  EXPECT_EQ(command.verb, Verb::show_sessions);
  EXPECT_EQ(command.level, Level::extensive);
  EXPECT_EQ(command.source_prefix->to_string(), "192.0.2.0/24");
  EXPECT_EQ(command.limit, 3U);
  EXPECT_TRUE(command.nat);
  EXPECT_EQ(command_of("/v1/services/sessions?count=true").verb, Verb::count_sessions);
  EXPECT_EQ(command_of("/v1/services/sessions?").verb, Verb::show_sessions);
  EXPECT_EQ(command_of("/v1/interfaces?name=ms-0/0/0").interface->card, "ms-0/0/0");
  EXPECT_EQ(command_of("/v1/services/nat/deterministic-nat/internal-host/2001%3adb8::1").host->to_string(),
            "2001:db8::1");
  const auto compared = command_of("/v1/system/rollback/compare/2/1");
  EXPECT_EQ(compared.rollback, (std::array<std::size_t, 2>{2, 1}));
  // An option that needs another one may come first.
  EXPECT_EQ(command_of("/v1/services/sessions?by=bytes&top=5").order, Order::bytes);
  EXPECT_EQ(command_of("/v1/services/nat/mappings?name=pool1&detail").name, "pool1");
}

TEST(HttpTarget, RefusesAsTheCommandLineDoes) {
  const auto unknown = refusal_of("/v1/services/sessions?sourceprefix=1");
  EXPECT_EQ(unknown.status, 400U);
  EXPECT_EQ(unknown.message, "syntax error, expecting <command>.");
  EXPECT_EQ(unknown.bad_element, "sourceprefix");
  EXPECT_THAT(unknown.possible, Contains("source-prefix"));
  const auto twice = refusal_of("/v1/services/sessions?limit=1&limit=2");
  EXPECT_EQ(twice.status, 400U);
  EXPECT_EQ(twice.bad_element, "limit");
  const auto bad = refusal_of("/v1/services/sessions?source-prefix=300.1.1.1");
  EXPECT_EQ(bad.status, 400U);
  EXPECT_EQ(bad.message, parse_command("show services sessions source-prefix 300.1.1.1").error().message);
  EXPECT_EQ(bad.bad_element, "300.1.1.1");
  EXPECT_EQ(refusal_of("/v1/services/sessions?limit").message, "syntax error, expecting <data>.");
  EXPECT_EQ(refusal_of("/v1/services/sessions?nat=yes").status, 400U);
  EXPECT_EQ(refusal_of("/v1/services/sessions?extensive&terse").status, 400U) << "one level at most";
  EXPECT_EQ(refusal_of("/v1/services/sessions?by=bytes").status, 400U) << "only with top";
  EXPECT_EQ(refusal_of("/v1/services/sessions?ext").status, 400U) << "abbreviations are for people";
  EXPECT_EQ(refusal_of("/v1/services/sessions?=1").status, 400U);
  for (const auto* wrong : {"%", "%4", "%zz", "%00", "%0a"}) {
    EXPECT_EQ(refusal_of(std::string("/v1/services/sessions?limit=") + wrong).status, 400U) << wrong;
    EXPECT_EQ(refusal_of(std::string("/v1/services/") + wrong).status, 400U) << wrong;
  }
}

TEST(HttpTarget, SaysWhatIsNearAnUnknownPath) {
  const auto unknown = refusal_of("/v1/services/sesions");
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_EQ(unknown.bad_element, "sesions");
  EXPECT_THAT(unknown.possible, Contains("sessions"));
  EXPECT_THAT(refusal_of("/v1/services/sessions/extensive").possible, Contains("?extensive"));
  EXPECT_THAT(refusal_of("/v1/services").possible, Contains("nat"));
  EXPECT_THAT(refusal_of("/v1").possible, Contains("services"));
  for (const auto* path : {"", "/", "/v2/services/sessions", "/v1x/services", "/v1/", "/v1//services/sessions",
                           "/v1/services/sessions/", "/v1/serv/sessions", "/v1/services/../services/sessions"}) {
    EXPECT_EQ(refusal_of(path).status, 404U) << path;
  }
}

TEST(HttpTarget, AValueBecomesNothingElse) {
  for (const auto* value : {"x%20%7C%20save%20/tmp/y", "x%22%20%7C%20count", "%7C", "a%5C%22%20count"}) {
    for (const auto* target : {"/v1/services/sessions?service-set=", "/v1/services/nat/pool?name=",
                               "/v1/configuration/services/nat/pool/", "/v1/services/flows?interface="}) {
      const auto question = question_of(std::string(target) + value, nullptr);
      if (!question) continue;
      EXPECT_TRUE(question->command.pipes.empty()) << target << value;
      EXPECT_NE(question->command.verb, Verb::count_flows) << target << value;
    }
  }
  // A pool that is named as a level is, or as a level begins.
  for (const auto* value : {"detail", "brief", "b", "interface"}) {
    EXPECT_EQ(refusal_of(std::string("/v1/services/nat/pool?name=") + value).status, 400U) << value;
  }
  EXPECT_EQ(refusal_of("/v1/interfaces?name=terse").status, 400U);
  EXPECT_EQ(command_of("/v1/services/nat/pool?name=all").name, std::nullopt);
  Names names;
  names.nat_pools = {"b"};
  EXPECT_EQ(command_of("/v1/services/nat/pool?name=b", &names).name, "b");
  EXPECT_THAT(refusal_of("/v1/services/nat/pool?name=other", &names).message, HasSubstr("other not found"));
}

}  // namespace
}  // namespace icr::cli::http
