// Words, patterns, and the pipes of a command: `| match tcp | last 5`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/grammar/grammar.h"
#include "cli/grammar/pattern.h"
#include "cli/pipes/chain.h"
#include "cli/pipes/host_names.h"

namespace icr::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> out;
  const auto words = split_words(line);
  EXPECT_TRUE(words) << line;
  if (words) {
    for (const auto& word : *words) out.push_back(word.is_pipe() ? "PIPE" : word.text);
  }
  return out;
}

/// What comes out of the pipes of `line` (without its command) for `text`, given in pieces of `piece` octets.
std::string piped(const std::string& pipes, std::string_view text, std::size_t piece = 1000,
                  std::uint32_t screen = 24) {
  const auto command = parse_command("show services sessions " + pipes);
  if (!command) {
    ADD_FAILURE() << command.error().shown("> ", pipes);
    return {};
  }
  std::string out;
  static HostNames none([](const IpAddress& /*address*/) { return std::nullopt; });
  auto chain = Chain::open(command->pipes, screen, none, [&](std::string_view part) { out += part; });
  if (!chain) return chain.error().message;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) chain->write(text.substr(0, piece));
  if (const auto finished = chain->finish(); !finished) out += "error: " + finished.error().message;
  return out;
}

std::string refused_pipes(const std::string& pipes) {
  const std::string line = "show services sessions " + pipes;
  const auto command = parse_command(line);
  EXPECT_FALSE(command) << line;
  return command ? "" : command.error().shown("> ", line);
}

constexpr std::string_view kText = "TCP one\nUDP two\ntcp three\n\nICMP four\n";

TEST(Words, AreSplitAtBlanksQuotesAndPipes) {
  EXPECT_THAT(words_of("  show \t services "), ElementsAre("show", "services"));
  EXPECT_THAT(words_of("a|b | c"), ElementsAre("a", "PIPE", "b", "PIPE", "c"));
  EXPECT_THAT(words_of(R"(match "a|b c" x"y z"w "\"\\d\x")"), ElementsAre("match", "a|b c", "xy zw", R"("\d\x)"));
  EXPECT_THAT(words_of("\"\" \"|\""), ElementsAre("", "|")) << "a pipe in quotes is text";
  EXPECT_FALSE(split_words("match \"a"));
  EXPECT_FALSE(split_words("\""));
}

TEST(Words, ArgumentsBecomeOneLine) {
  EXPECT_EQ(line_of({"show", "services", "sessions"}), "show services sessions");
  EXPECT_EQ(line_of({"show x | match \"a b\""}), "show x | match \"a b\"") << "one argument is a line";
  EXPECT_EQ(line_of({"show", "x", "|", "match", "a b"}), "show x | match \"a b\"");
  EXPECT_EQ(line_of({"show", "x", "|", "match", "a|b", "|", "count"}), "show x | match \"a|b\" | count");
  EXPECT_EQ(line_of({"show", "x", "| match \"a b\"", "|", "count"}), "show x | match \"a b\" | count");
  EXPECT_EQ(line_of({"show", "x", "service-set", ""}), "show x service-set \"\"") << "not the next word";
  EXPECT_EQ(line_of({"show", "x", "|", "match", "a \\d"}), "show x | match \"a \\\\d\"");
}

TEST(Words, OfSeveralArgumentsEachIsOneWord) {
  // What a script passes on as a value stays one, whatever a stranger wrote into it.
  for (const std::string value : {"198.18.0.10 | save file", "a b", "a|save f", "x\ty", "x\n", "\"", "a\" | save \"f",
                                  "a\\\" | count", "\\", ""}) {
    EXPECT_THAT(words_of(line_of({"show", "x", "source-prefix", value, "count"})),
                ElementsAre("show", "x", "source-prefix", value, "count"));
    EXPECT_THAT(words_of(line_of({"show", "x", "|", "match", value, "|", "count"})),
                ElementsAre("show", "x", "PIPE", "match", value, "PIPE", "count"));
  }
}

TEST(Words, TheCaretStandsUnderAColumnAndNotAnOctet) {
  const std::string line = "show services sessions service-set \xc3\xbc\xc3\xbc bogus";
  EXPECT_EQ((SyntaxError{line.find("bogus"), "m"}.shown("> ", line)),
            "> " + line + "\n" + std::string(40, ' ') + "^\nm\n");
  EXPECT_EQ((SyntaxError{1, "'\x1b[2J'"}.shown("> ", "\tx\x07")), ">  x?\n   ^\n'?[2J'\n") << "no control octets";
  EXPECT_EQ((SyntaxError{3, "'\xc2\x9b'"}.shown("> ", "\xc2\x9b\xff=")), "> ?\?=\n    ^\n'?'\n");
}

TEST(Pattern, IsARegularExpressionWithoutCase) {
  const auto matches = [](std::string_view pattern, std::string_view line) {
    const auto compiled = Pattern::compile(pattern);
    EXPECT_TRUE(compiled) << pattern;
    return compiled && compiled->matches(line);
  };
  EXPECT_TRUE(matches("tcp", "a TCP b"));
  EXPECT_TRUE(matches("TCP", "a tcp b"));
  EXPECT_FALSE(matches("tcp", "t c p"));
  EXPECT_TRUE(matches("", "anything"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("tcp|udp", "UDP"));
  EXPECT_TRUE(matches("^ms-[0-9]/0", "ms-1/0/0"));
  EXPECT_FALSE(matches("^ms-", " ms-1/0/0"));
  EXPECT_TRUE(matches("0$", "ms-1/0/0"));
  EXPECT_TRUE(matches("198\\.51", "198.51.100.1"));
  EXPECT_FALSE(matches("198\\.51", "198x51"));
  const std::string_view text = "abcdef";
  EXPECT_FALSE(matches("[d]", text.substr(0, 3))) << "the line ends where it ends";
  EXPECT_TRUE(matches("c$", text.substr(0, 3)));
}

TEST(Pattern, IsRefusedIfWrongOrTooLarge) {
  for (const char* pattern :
       {"(", "[a", "a{2,1}", "*(", "(a)\\1", "a{9999999999999999999999}", "a{257}", "((a{16}){16}){2}", "\\"}) {
    const auto compiled = Pattern::compile(pattern);
    EXPECT_FALSE(compiled) << pattern;
    if (!compiled) {
      EXPECT_THAT(compiled.error().message, HasSubstr("invalid pattern")) << pattern;
    }
  }
  EXPECT_FALSE(Pattern::compile(std::string(513, 'a')));
  EXPECT_FALSE(Pattern::compile(std::string("a\0b", 3)));
  EXPECT_TRUE(Pattern::compile("[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}"));
}

TEST(Pipes, FilterLines) {
  EXPECT_EQ(piped("| match tcp", kText), "TCP one\ntcp three\n");
  EXPECT_EQ(piped("| except tcp", kText), "UDP two\n\nICMP four\n");
  EXPECT_EQ(piped("| match \"two|four\"", kText), "UDP two\nICMP four\n");
  EXPECT_EQ(piped("| match \"tcp t\"", kText), "tcp three\n");
  EXPECT_EQ(piped("| find three", kText), "tcp three\n\nICMP four\n");
  EXPECT_EQ(piped("| find nothing", kText), "Pattern not found\n");
  EXPECT_EQ(piped("| count", kText), "Count: 5 lines\n");
  EXPECT_EQ(piped("| last 2", kText), "\nICMP four\n");
  EXPECT_EQ(piped("| last 99", kText), kText);
  EXPECT_EQ(piped("| last", kText, 1000, 1), "ICMP four\n") << "a screenful";
  EXPECT_EQ(piped("| trim 4", kText), "one\ntwo\nthree\n\n four\n");
  EXPECT_EQ(piped("| no-more | hold", kText), kText);
  EXPECT_EQ(piped("| count", ""), "Count: 0 lines\n");
  EXPECT_EQ(piped("| match x", "no newline, x"), "no newline, x\n");
}

TEST(Pipes, FollowEachOther) {
  EXPECT_EQ(piped("| match tcp | count", kText), "Count: 2 lines\n");
  EXPECT_EQ(piped("|match tcp|except three|trim 4", kText), "one\n");
  EXPECT_EQ(piped("| last 3 | match tcp | last 1", kText), "tcp three\n");
  EXPECT_EQ(piped("| count | match Count", kText), "Count: 5 lines\n");
  EXPECT_EQ(piped("| find udp | except icmp | count", kText), "Count: 3 lines\n");
  for (std::size_t piece = 1; piece < 9; ++piece) {
    EXPECT_EQ(piped("| except two | match o", kText, piece), "TCP one\nICMP four\n") << "pieces of " << piece;
  }
}

TEST(Pipes, AreAbbreviated) {
  EXPECT_EQ(piped("| m tcp | cou", kText), "Count: 2 lines\n");
  EXPECT_EQ(piped("| e tcp | l 1", kText), "ICMP four\n");
  EXPECT_EQ(parse_command("show services sessions | d x")->display, Display::xml);
  EXPECT_EQ(parse_command("show services sessions | display xml rpc")->display, Display::xml_rpc);
  EXPECT_EQ(parse_command("show services sessions | dis json | no")->display, Display::json);
  const auto refresh = parse_command("show services sessions | refresh");
  ASSERT_TRUE(refresh);
  EXPECT_EQ(refresh->pipes.at(0).kind, Pipe::Kind::refresh);
  EXPECT_EQ(refresh->pipes.at(0).number, 5U);
  EXPECT_EQ(parse_command("show services sessions | refresh 60")->pipes.at(0).number, 60U);
}

TEST(Pipes, ThatAreWrongAreNamedWithACaret) {
  EXPECT_EQ(refused_pipes("| bogus"),
            "> show services sessions | bogus\n"
            "                           ^\n"
            "syntax error, expecting <command>.\n");
  EXPECT_EQ(refused_pipes("|"),
            "> show services sessions |\n"
            "                          ^\n"
            "syntax error, expecting <command>.\n");
  EXPECT_EQ(refused_pipes("| match"),
            "> show services sessions | match\n"
            "                                ^\n"
            "syntax error, expecting <data>.\n");
  EXPECT_THAT(refused_pipes("| match | count"), HasSubstr("\nsyntax error, expecting <data>.\n"));
  EXPECT_THAT(refused_pipes("| match a b"), HasSubstr("\nsyntax error, expecting <command>.\n"));
  EXPECT_THAT(refused_pipes("| | count"), HasSubstr("\nsyntax error, expecting <command>.\n"));
  EXPECT_THAT(refused_pipes("| match ("), HasSubstr("\ninvalid pattern '('"));
  EXPECT_THAT(refused_pipes("| trim x"), HasSubstr("\nInvalid numeric value: 'x'\n"));
  EXPECT_THAT(refused_pipes("| last 0"), HasSubstr("\nnumber: 0: Value must be a number from 1 to 1000000 at 0\n"));
  EXPECT_EQ(refused_pipes("| ref x | t"),
            "> show services sessions | ref x | t\n"
            "                               ^\n"
            "Invalid numeric value: 'x'\n");
  EXPECT_EQ(refused_pipes("| t"),
            "> show services sessions | t\n"
            "                            ^\n"
            "'t' is ambiguous.\n"
            "Possible completions:\n"
            "  tee                  Write to standard output and file\n"
            "  trim                 Trim specified number of columns from start of line\n");
  EXPECT_THAT(refused_pipes("source-port | count"), HasSubstr("\nsyntax error, expecting <data>.\n"));
  EXPECT_FALSE(parse_command("show | count"));
  EXPECT_FALSE(parse_command("| count"));
}

class PipesToFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "icr-pipes";
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string content(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(path(name)).rdbuf();
    return out.str();
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(PipesToFiles, SaveAppendAndTee) {
  EXPECT_EQ(piped("| match tcp | save " + path("a"), kText), "Wrote 2 lines of output to '" + path("a") + "'\n");
  EXPECT_EQ(content("a"), "TCP one\ntcp three\n");
  EXPECT_EQ(piped("| last 1 | append " + path("a"), kText), "Wrote 1 lines of output to '" + path("a") + "'\n");
  EXPECT_EQ(content("a"), "TCP one\ntcp three\nICMP four\n");
  EXPECT_EQ(piped("| save " + path("a"), "new\n"), "Wrote 1 lines of output to '" + path("a") + "'\n");
  EXPECT_EQ(content("a"), "new\n");
  EXPECT_EQ(piped("| tee \"" + path("b c") + "\" | count", kText), "Count: 5 lines\n");
  EXPECT_EQ(content("b c"), kText);
}

TEST(FileNames, MayBeginWithTheHomeFolder) {
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  ::setenv("HOME", "/home/operator", 1);
  EXPECT_EQ(file_named("~/a b"), "/home/operator/a b");
  for (const char* as_it_is : {"a", "/a", "./~/a", "~", "~other/a", ""}) EXPECT_EQ(file_named(as_it_is), as_it_is);
  ::setenv("HOME", "", 1);
  EXPECT_EQ(file_named("~/a"), "~/a");
  ::setenv("HOME", home.c_str(), 1);
}

TEST_F(PipesToFiles, FilesThatCannotBeWrittenAreNamed) {
  EXPECT_EQ(piped("| save " + path("no/folder"), kText),
            "could not open '" + path("no/folder") + "': No such file or directory");
  EXPECT_EQ(piped("| save /dev/full", kText), "error: could not write '/dev/full': No space left on device");
  EXPECT_EQ(piped("| tee /dev/full", kText),
            std::string(kText) + "error: could not write '/dev/full': No space left on device");
}

}  // namespace
}  // namespace icr::cli
