// Wrong inputs, generated from the grammar: by omission, truncation, wrong values, wrong order and odd octets. Each
// gets an error as Junos words it, and none is taken for a command.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "cli/grammar/completion.h"
#include "cli/grammar/parser.h"

namespace icr::cli {
namespace {

/// A value that the option or node accepts.
std::string good_value(std::string_view word) {
  static const std::map<std::string_view, std::string> known = {{"application-protocol", "ftp"},
                                                                {"protocol", "tcp"},
                                                                {"interface", "ms-0/0/0"},
                                                                {"service-set", "ss1"},
                                                                {"source-nat-pool", "p"},
                                                                {"source-prefix", "192.0.2.0/24"},
                                                                {"destination-prefix", "2001:db8::/32"},
                                                                {"private", "192.0.2.1"},
                                                                {"public", "203.0.113.1"},
                                                                {"xlated-ip", "203.0.113.1"},
                                                                {"host-ip", "192.0.2.1"},
                                                                {"subscriber", "192.0.2.1"},
                                                                {"internal-host", "192.0.2.1"},
                                                                {"nat-port-block", "203.0.113.1"},
                                                                {"aftr", "2001:db8::1"},
                                                                {"b4", "2001:db8::2"},
                                                                {"AFTR", "2001:db8::1"},
                                                                {"B4", "2001:db8::2"},
                                                                {"concentrator", "192.0.2.1"},
                                                                {"initiator", "192.0.2.2"},
                                                                {"host", "192.0.2.1"},
                                                                {"pattern", "x"},
                                                                {"filename", "/dev/null"},
                                                                {"words", "w"},
                                                                {"redundancy-set", "rs1"},
                                                                {"redundancy-event", "e"},
                                                                {"sort-by", "bytes"},
                                                                {"by", "bytes"},
                                                                {"as-of", "12:00"},
                                                                {"group-by", "source-prefix/24"},
                                                                {"pool", "p"}};
  const auto found = known.find(word);
  return found == known.end() ? "42" : found->second;
}

/// A path through the tree: all its words, and the same without each part that a command needs.
struct Sample {
  std::string line;                 ///< a command
  bool may_end = false;             ///< it is complete
  std::vector<std::string> values;  ///< the keywords in it that have a value, for wrong values
};

void walk(const GrammarNode& node, const std::string& line, std::vector<Sample>& out) {
  if (!line.empty()) out.push_back({line, node.complete, {}});
  const std::string before = line.empty() ? "" : line + " ";
  for (const auto& option : node.options) {
    if (option.word.empty() || option.required != 0) continue;
    const std::string with = before + std::string(option.word);
    out.push_back({option.has_value ? with + " " + good_value(option.word) : with, node.complete, {}});
    if (option.has_value) out.back().values.push_back(with);
  }
  for (const auto& child : node.children) {
    if (child.word.empty()) {
      if (!child.repeats) walk(child, before + good_value(child.value), out);
    } else {
      walk(child, before + std::string(child.word), out);
    }
  }
}

std::vector<Sample> samples() {
  std::vector<Sample> out;
  walk(grammar(), "", out);
  std::vector<Sample> pipes;
  walk(pipe_grammar(), "", pipes);
  for (auto& pipe : pipes) out.push_back({"show services sessions | " + pipe.line, pipe.may_end, {}});
  return out;
}

/// Returns the error of a line, or an empty text if it is a command.
std::string error_of(const std::string& line) {
  const auto command = parse_command(line);
  return command ? "" : command.error().message;
}

/// Every kind of message that an operator of Junos knows.
bool is_worded_as_junos(const std::string& message) {
  static const std::regex known(
      "syntax error, expecting <command>\\.|syntax error, expecting <data>\\.|syntax error, expecting closing quote\\.|"
      "unknown command\\.|'[^]*' is ambiguous\\.\nPossible completions:\n[^]*|"
      "number: [0-9]+: Value must be a number from [0-9]+ to [0-9]+ at [0-9]+|Invalid numeric value: '[^]*'|"
      "invalid (ip address|prefix length|value|pattern|filename)[^]*|prefix length [0-9]+ is larger than [0-9]+ in "
      "'[^]*'|"
      "NAT (pool|rule) [^]* not found|this command takes no pipes\\.|'(display|refresh)' can be given once\\.|"
      "'refresh' is for 'show' commands\\.|"
      "no lines come out of 'save' and 'append'\\.");
  return std::regex_match(message, known);
}

class WrongInputs : public testing::Test {
 protected:
  void expect_refused(const std::string& line) {
    if (!tried_.insert(line).second) return;
    const auto command = parse_command(line);
    ASSERT_FALSE(command) << "taken for a command: " << line;
    const auto& error = command.error();
    EXPECT_TRUE(is_worded_as_junos(error.message)) << line << "\n" << error.message;
    EXPECT_LE(error.column, line.size()) << line;
    for (const char c : error.shown("> ", line)) {
      const auto octet = static_cast<unsigned char>(c);
      EXPECT_TRUE(c == '\n' || (octet >= ' ' && octet != 0x7f)) << line;
    }
  }
  [[nodiscard]] std::size_t tried() const { return tried_.size(); }

 private:
  std::set<std::string> tried_;
};

TEST_F(WrongInputs, EveryCommandOfTheTreeIsOne) {
  std::size_t commands = 0;
  for (const auto& sample : samples()) {
    if (!sample.may_end) continue;
    ++commands;
    EXPECT_EQ(error_of(sample.line), "") << sample.line;
  }
  EXPECT_GT(commands, 200U);
}

TEST_F(WrongInputs, OfEveryKindAreRefused) {
  for (const auto& sample : samples()) {
    const std::string& line = sample.line;
    // Omission: what a command needs is missing.
    if (!sample.may_end) expect_refused(line);
    // A word too much, in words, octets of no alphabet, and quotes that are not closed.
    for (const char* more :
         {" bogus-word", " \x01\x02", " \xff\xfe", " \"open", " ?x", " | bogus", " | match", " |", " | | count"}) {
      // Any word is right where a name or a value may follow.
      if ((sample.may_end || error_of(line) == kExpectingData) && error_of(line + more).empty()) continue;
      expect_refused(line + more);
    }
    // Wrong values.
    for (const auto& option : sample.values) {
      expect_refused(option);
      expect_refused(option + " \"\"");
      expect_refused(option + " \x01");
      expect_refused(option + " -\xc3");
      expect_refused(option + " | count");
      expect_refused(option + " " + std::string(300, '9') + "/x");
      // Each option once.
      expect_refused(line + " " + line.substr(line.rfind(' ', option.size() - 1) + 1));
    }
    // Wrong order: the first word comes last.
    if (const auto blank = line.find(' '); blank != std::string::npos) {
      expect_refused(line.substr(blank + 1) + " " + line.substr(0, blank));
    }
  }
  // Truncation to a beginning that is not unique.
  for (const char* line : {"c services sessions", "show s sessions", "show services s", "show services sessions s 5",
                           "re services", "show services sessions protocol i", "show services sessions | t 5"}) {
    expect_refused(line);
  }
  EXPECT_GE(tried(), 500U);
  RecordProperty("lines", static_cast<int>(tried()));
}

TEST_F(WrongInputs, OnlyWhatShowsIsRepeated) {
  std::size_t repeated = 0;
  for (const auto& sample : samples()) {
    if (!sample.may_end || sample.line.find('|') != std::string::npos) continue;
    const std::string line = sample.line + " | refresh 1";
    if (sample.line.substr(0, 5) == "show ") {
      EXPECT_EQ(error_of(line), "") << line;
      ++repeated;
    } else {
      expect_refused(line);
    }
  }
  EXPECT_GT(repeated, 100U);
  EXPECT_EQ(error_of("request services redundancy-set rs1 switchover | ref"), "'refresh' is for 'show' commands.");
  EXPECT_EQ(error_of("clear services sessions | count | refresh 1"), "'refresh' is for 'show' commands.");
}

TEST_F(WrongInputs, PipesThatContradictEachOther) {
  const auto of = [](const std::string& pipes) { return error_of("show services sessions " + pipes); };
  EXPECT_EQ(of("| display xml | display json"), "'display' can be given once.");
  EXPECT_EQ(of("| display xml rpc | count | dis xml"), "'display' can be given once.");
  EXPECT_EQ(of("| refresh | refresh 1"), "'refresh' can be given once.");
  for (const char* lines :
       {"append g", "count", "except x", "find x", "last", "match x", "resolve", "save g", "tee g", "trim 1"}) {
    for (const char* file : {"save", "append"}) {
      EXPECT_EQ(of(std::string("| ") + file + " f | " + lines), "no lines come out of 'save' and 'append'.") << lines;
    }
  }
  EXPECT_EQ(of("| save f | no-more | display xml | refresh 1"), "");
  EXPECT_EQ(of("| tee f | tee g | match x | save h"), "");
  for (const char* command :
       {"check f", "commit f", "rollback 1", "keys show f", "help", "exit", "set cli timestamp"}) {
    EXPECT_EQ(error_of(std::string(command) + " | count"), kNoPipes) << command;
    for (const auto& each : complete(command + std::string(" ")).all) EXPECT_NE(each.kind, Completion::Kind::pipe);
  }
  for (const auto& each : complete("clear services sessions | save f | ").all) {
    EXPECT_TRUE(each.word == "display" || each.word == "hold" || each.word == "no-more" || each.word == "compare")
        << each.word;
  }
}

TEST_F(WrongInputs, TruncatedLinesNeverCrash) {
  for (const auto& sample : samples()) {
    for (std::size_t length = 0; length <= sample.line.size(); ++length) {
      const std::string part = sample.line.substr(0, length);
      const std::string message = error_of(part);
      EXPECT_TRUE(message.empty() || is_worded_as_junos(message)) << part << "\n" << message;
      (void)complete_word(part, nullptr, true, "> ");
      (void)complete(part);
    }
  }
}

}  // namespace
}  // namespace icr::cli
