// Calls as command lines: each command that has a call is found again by it.
#include "cli/netconf/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <pugixml.hpp>

#include "cli/faces/face.h"
#include "cli/grammar/grammar.h"
#include "cli/netconf/message.h"
#include "cli/rpc.h"

namespace icr::cli::netconf {
namespace {

using testing::Contains;

std::string line_of(std::string_view name, const std::vector<Argument>& arguments = {}) {
  const auto line = line_of_call(name, arguments);
  return line ? *line : fmt::format("{}: {}", line.error().bad_element, line.error().message);
}

/// Returns the call of a command, as XML.
std::string call_of(const Command& command) {
  std::string out;
  const auto face = make_xml_face([&](std::string_view text) { out += text; }, Envelope::none);
  add_rpc(*face, command);
  face->finish();
  return out;
}

/// Returns the line that the call is, in XML.
std::string line_of_xml(const std::string& xml) {
  const auto message = Message::read(xml);
  EXPECT_TRUE(message) << xml;
  const auto call = elements_of(message->root()).at(0);
  std::vector<Argument> arguments;
  for (const auto& each : elements_of(call)) arguments.push_back({each.name(), each.text().get()});
  return line_of(call.name(), arguments);
}

std::string good_value(std::string_view word) {
  static const std::map<std::string_view, std::string> known = {
      {"application-protocol", "ftp"},
      {"protocol", "tcp"},
      {"interface", "ms-0/0/0"},
      {"source-prefix", "192.0.2.0/24"},
      {"private", "192.0.2.1"},
      {"destination-prefix", "2001:db8::/32"},
      {"public", "203.0.113.1"},
      {"host-ip", "192.0.2.1"},
      {"xlated-ip", "203.0.113.1"},
      {"internal-host", "192.0.2.1"},
      {"subscriber", "192.0.2.1"},
      {"nat-port-block", "203.0.113.1"},
      {"aftr", "2001:db8::1"},
      {"b4", "2001:db8::2"},
      {"AFTR", "2001:db8::1"},
      {"B4", "2001:db8::2"},
      {"concentrator", "192.0.2.1"},
      {"initiator", "192.0.2.2"},
      {"host", "192.0.2.1"},
      {"sort-by", "age"},
      {"service-set", "a set \"x\" | \\y"},
  };
  const auto found = known.find(word);
  return found == known.end() ? "42" : found->second;
}

std::string in_quotes(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + '"';
}

void walk(const GrammarNode& node, const std::string& line, std::vector<std::string>& out) {
  if (node.complete) out.push_back(line);
  for (const auto& option : node.options) {
    if (!node.complete || option.required != 0) continue;
    std::string with = line + ' ' + std::string(option.word);
    if (option.has_value) with += ' ' + in_quotes(good_value(option.word));
    out.push_back(with);
  }
  for (const auto& child : node.children) {
    const std::string word = child.word.empty() ? good_value(child.value) : std::string(child.word);
    walk(child, line.empty() ? word : line + ' ' + word, out);
  }
}

TEST(Calls, EachCommandIsFoundAgainByItsCall) {
  std::vector<std::string> lines;
  walk(grammar(), "", lines);
  std::size_t calls = 0;
  for (const auto& line : lines) {
    const auto command = parse_command(line);
    if (!command || rpc_name(*command).empty()) continue;
    ++calls;
    const std::string call = call_of(*command);
    const std::string found = line_of_xml(call);
    const auto again = parse_command(found);
    ASSERT_TRUE(again) << line << "\n" << call << found << "\n" << again.error().message;
    EXPECT_EQ(call_of(*again), call) << line << "\n" << found;
    EXPECT_EQ(again->verb, command->verb) << line;
  }
  EXPECT_GT(calls, 230U);
}

TEST(Calls, NamesOfJunos) {
  EXPECT_EQ(line_of("get-msp-session-table", {{"source-prefix", "192.0.2.0/24"}, {"extensive", ""}}),
            "show services sessions source-prefix \"192.0.2.0/24\" extensive");
  EXPECT_EQ(line_of("get-service-msp-sess-count-information", {{"protocol", "tcp"}}),
            "show services sessions count protocol \"tcp\"");
  EXPECT_EQ(line_of("get-services-redundancy-group-id-information", {{"id", "1"}}),
            "show services redundancy-group rg-id \"1\"");
  EXPECT_EQ(line_of("request-services-redundancy-set", {{"id", "1"}, {"redundancy-event", "e"}, {"trigger", ""}}),
            "request services redundancy-set id \"1\" redundancy-event \"e\" trigger");
  EXPECT_EQ(line_of("request-services-redundancy-set", {{"redundancy-set", "rs1"}}),
            "request services redundancy-set \"rs1\" switchover");
  EXPECT_EQ(line_of("get-service-nat-pool-information", {{"pool-name", "p1"}, {"detail", ""}}),
            "show services nat pool detail \"p1\"");
  EXPECT_EQ(line_of("get-msp-session-table", {{"by", "age"}, {"top", "3"}}),
            "show services sessions top \"3\" by \"age\"");
  EXPECT_EQ(line_of("get-software-information"), "show version");
  EXPECT_EQ(line_of("get-log", {{"filename", "messages"}}), "show log messages");
  EXPECT_THAT(names_of_calls(), Contains("get-service-detnat-information"));
}

TEST(Calls, SomeHaveTwoNames) {
  for (const std::string_view other :
       {"get-service-sfw-flow-table-information", "get-nat-mapping", "get-nat-app-mapping", "get-nat-mapping-summary",
        "get-nat-endpoint-independent-mapping"}) {
    EXPECT_NE(usual_name(other), other);
    EXPECT_THAT(names_of_calls(), Contains(std::string(usual_name(other)))) << other;
  }
  EXPECT_EQ(usual_name("get-msp-session-table"), "get-msp-session-table");
}

TEST(Calls, ArgumentsThatAreNoneAreRefused) {
  EXPECT_EQ(line_of("get-no-such-information"), "get-no-such-information: syntax error, expecting <rpc>");
  EXPECT_EQ(line_of("get-msp-session-table", {{"source-p", "1"}}), "source-p: syntax error");  // no abbreviations
  EXPECT_EQ(line_of("get-msp-session-table", {{"extensive", "yes"}}), "extensive: syntax error");
  EXPECT_EQ(line_of("get-msp-session-table", {{"services", ""}}), "services: syntax error");
  EXPECT_EQ(line_of("get-msp-session-table", {{"limit 1 | save /tmp/x", ""}}), "limit 1 | save /tmp/x: syntax error");
  EXPECT_EQ(line_of("get-service-detnat-information"),
            "get-service-detnat-information: syntax error, expecting <data>.");
  EXPECT_EQ(line_of("get-msp-session-table", {{"limit", "1"}, {"limit", "2"}}), "limit: syntax error");
  EXPECT_EQ(line_of("request-services-redundancy-set", {{"id", "1"}, {"id", "2"}, {"switchover", ""}}),
            "id: syntax error");
  // A value without text stays one: it does not take the next word.
  EXPECT_EQ(line_of("get-msp-session-table", {{"source-prefix", ""}, {"nat", ""}}),
            "show services sessions source-prefix \"\" nat");
  // A value cannot become words of the line.
  const std::string value = "x\" | save \"/tmp/x\\";
  const auto words = split_words(line_of("get-msp-session-table", {{"service-set", value}}));
  ASSERT_TRUE(words);
  ASSERT_EQ(words->size(), 5U);
  EXPECT_EQ(words->back().text, value);
}

}  // namespace
}  // namespace icr::cli::netconf
