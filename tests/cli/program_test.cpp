// The program itself: options, cluster file, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace icr::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Run {
  std::string text;  ///< standard output and error
  int code = -1;
};

Run run(const std::string& arguments, const std::string& environment = "ICR_CLUSTER=") {
  Run out;
  const std::string command = "{ " + environment + " " + ICR_PROGRAM + " " + arguments + "; } 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) != 0;) out.text.append(buffer, got);
  const int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

const std::string kGoodFile = "cluster-configs/two-chassis.yaml";

TEST(Program, ChecksAClusterFile) {
  const auto good = run("check " + kGoodFile);
  EXPECT_EQ(good.code, 0);
  EXPECT_THAT(good.text, StartsWith(kGoodFile + ": ok, 2 chassis, 2 cards, 1 redundancy sets, 1 service sets\n"));
  const auto missing = run("check /nonexistent/cluster.yaml");
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.text, HasSubstr("/nonexistent/cluster.yaml"));
  EXPECT_EQ(run("check").code, 1);
}

TEST(Program, CommandsWithoutAnAnswerTakeNoPipes) {
  const std::string message = "\nthis command takes no pipes.\n";
  for (const std::string& arguments :
       {"check " + kGoodFile + " '|' count", "'check " + kGoodFile + " | count'",
        "commit check " + kGoodFile + " '|' count", std::string("keys show x '| count'")}) {
    const auto done = run(arguments);
    EXPECT_EQ(done.code, 1) << arguments;
    EXPECT_THAT(done.text, testing::EndsWith(message)) << arguments;
  }
}

TEST(Program, AValueIsNoPipe) {
  const auto file = std::filesystem::path(testing::TempDir()) / "icr-injected";
  std::filesystem::remove(file);
  const auto done = run("show services sessions source-prefix '198.18.0.10 | save " + file.string() + "'");
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.text, HasSubstr("invalid ip address"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(Program, AnAnswerThatCannotBeWrittenIsNoSuccess) {
  EXPECT_EQ(run("check " + kGoodFile + " > /dev/full").code, 3);
  EXPECT_EQ(run("check " + kGoodFile + " > /dev/null").code, 0);
}

TEST(Program, WhatIsPrintedGoesIntoNoOtherFile) {
  // The first file that is opened gets the lowest number that is free, which is that of the closed one.
  const auto folder = std::filesystem::path(testing::TempDir()) / "icr-closed-files";
  std::filesystem::create_directories(folder);
  const auto file = (folder / "out").string();
  const auto text_of = [&] {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  };
  const std::string line = "--cluster " + kGoodFile + " 'show version | match model | tee " + file + "'";
  for (const std::string closed : {">&-", "2>&-", "<&-", "<&- >&- 2>&-"}) {
    // The test sees the answer of a program with a closed standard error, and the error of one with a closed output.
    const auto done = run(line + " " + closed);
    const bool no_output = closed.find(">&-") == 0 || closed.find(" >&-") != std::string::npos;
    EXPECT_EQ(done.code, no_output ? 3 : 0) << closed;
    EXPECT_EQ(text_of(), "Model: icr\n") << closed;
  }
  const auto plain = (folder / "cluster.yaml").string();
  std::ofstream(plain) << std::ifstream(kGoodFile).rdbuf() << "security: none\n";
  const std::string sessions = "--cluster " + plain + " --timeout 300 'show services sessions | save " + file + "'";
  EXPECT_THAT(run(sessions).text, HasSubstr("error: chassis left did not answer"));
  EXPECT_EQ(run(sessions + " 2>&-").code, 3);
  EXPECT_EQ(text_of(), "") << "the errors are in no file";
  std::filesystem::remove_all(folder);
}

TEST(Program, SettingsAreForAShell) {
  for (const std::string how : {"set cli screen-length 5", "set cli timestamp", "'set cli complete-on-space off'"}) {
    const auto done = run(how);
    EXPECT_EQ(done.code, 1) << how;
    EXPECT_EQ(done.text, "error: only in a shell\n") << how;
  }
  const auto file = std::filesystem::path(testing::TempDir()) / "icr-commands";
  std::ofstream(file) << "set cli screen-width 10\n";
  const auto piped = run("< " + file.string());
  std::filesystem::remove(file);
  EXPECT_EQ(piped.code, 1);
  EXPECT_EQ(piped.text, "error: only in a shell\n");
}

TEST(Program, AWrongClusterFileStopsEverything) {
  const auto file = std::filesystem::path(testing::TempDir()) / "icr-wrong-cluster.yaml";
  std::ofstream(file) << "cluster: x\nchasis: []\n";
  const auto wrong = run("--cluster " + file.string() + " show services sessions");
  std::filesystem::remove(file);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.text, HasSubstr(file.string() + ":2:"));
}

TEST(Program, BadInputIsAnsweredBeforeTheFileIsRead) {
  const auto bad = run("--cluster /nonexistent show services sessions prot bogus");
  EXPECT_EQ(bad.code, 1);
  EXPECT_EQ(bad.text,
            "user@icr> show services sessions prot bogus\n"
            "                                      ^\n"
            "invalid value 'bogus' for protocol\n");
  EXPECT_EQ(run("< /dev/null").code, 0) << "a shell without commands";
  EXPECT_EQ(run("--timeout 0 show services sessions").code, 1);
  EXPECT_EQ(run("--help").code, 0);
}

// sshd runs what a client asks for as `SHELL -c LINE`.
TEST(Program, CanBeALoginShell) {
  const auto shown = run("-c 'show version | match model'");
  EXPECT_EQ(shown.code, 0);
  EXPECT_EQ(shown.text, "Model: icr\n");
  EXPECT_EQ(run("-c 'show versions'").code, 1);
  EXPECT_THAT(run("-c netconf < /dev/null").text, StartsWith("<hello xmlns="));
}

TEST(Program, ItsReleaseNeedsNoClusterFile) {
  const auto version = run("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.text, StartsWith("icr "));
  const std::string release = version.text.substr(4);
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  const auto file = std::filesystem::path(testing::TempDir()) / "icr-broken-cluster.yaml";
  std::ofstream(file) << "chasis: []\n";
  for (const std::string& each : {std::string("/nonexistent"), file.string()}) {
    const auto shown = run("show version", "ICR_CLUSTER=" + each);
    EXPECT_EQ(shown.code, 0) << each;
    EXPECT_EQ(shown.text, "Hostname: " + std::string(host) + "\nModel: icr\nicr: " + release);
  }
  std::filesystem::remove(file);
  EXPECT_EQ(run("show version", "ICR_CLUSTER=" + kGoodFile).text, "Hostname: two-chassis\nModel: icr\nicr: " + release);
  EXPECT_EQ(run("'show version | count'").text, "Count: 3 lines\n");
  // The model of software-information (Y); programs choose by junos-version which forms they expect.
  const auto xml = run("'show version | display xml'", "ICR_CLUSTER=" + kGoodFile);
  EXPECT_EQ(xml.code, 0);
  EXPECT_THAT(xml.text, HasSubstr("<host-name>two-chassis</host-name>\n        <product-model>icr</product-model>\n"));
  EXPECT_THAT(xml.text, HasSubstr("<junos-version>21.2R3</junos-version>\n"));
  EXPECT_THAT(xml.text, HasSubstr("<comment>icr [" + release.substr(0, release.size() - 1) + "]</comment>\n"));
  EXPECT_THAT(run("'show version | display xml rpc'").text, HasSubstr("<get-software-information>"));
  const auto refused = run("'show configuration | display xml'", "ICR_CLUSTER=" + kGoodFile);
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.text, "error: this command has no form but text: `| display` is not possible\n");
  EXPECT_EQ(run("'show version | display set'").code, 1);
  EXPECT_EQ(run("'show version | compare rollback 0'").code, 1);
  EXPECT_EQ(run("show configuration", "ICR_CLUSTER=/nonexistent").code, 2);
}

TEST(Program, TheClusterFileComesFromTheEnvironment) {
  // Nobody listens on the addresses of the example: each chassis is named.
  const auto file = std::filesystem::path(testing::TempDir()) / "icr-plain-cluster.yaml";
  std::ofstream(file) << std::ifstream(kGoodFile).rdbuf() << "security: none\n";
  const std::string plain = "ICR_CLUSTER=" + file.string();
  const auto out = run("--timeout 300 show services sessions", plain);
  EXPECT_EQ(out.code, 3);
  EXPECT_THAT(out.text, HasSubstr("error: chassis left did not answer: "));
  EXPECT_THAT(out.text, HasSubstr("error: chassis right did not answer: "));
  const auto one = run("--timeout 300 --chassis right show services sessions", plain);
  EXPECT_EQ(one.code, 3);
  EXPECT_THAT(one.text, StartsWith("error: chassis right did not answer: "));
  const auto unknown = run("--chassis middle show services sessions", plain);
  EXPECT_EQ(unknown.code, 1);
  EXPECT_EQ(unknown.text, "error: chassis middle not found in " + file.string() + "\n");
  const auto both = run("--chassis left show services sessions member right", plain);
  EXPECT_EQ(both.code, 1);
  EXPECT_EQ(both.text, "error: --chassis left and member right contradict each other\n");
  EXPECT_EQ(run("--chassis left show services sessions member all", plain).code, 1);
  EXPECT_EQ(run("--timeout 300 --chassis left show services sessions member left", plain).code, 3);
  std::filesystem::remove(file);
  const auto unprotected = run("show services sessions", "ICR_CLUSTER=" + kGoodFile);
  EXPECT_EQ(unprotected.code, 1);
  EXPECT_THAT(unprotected.text, StartsWith("error: " + kGoodFile + ": no chassis has public-keys"));
}

TEST(Program, AComparisonIsRefusedBeforeAChassisIsAsked) {
  const auto file = std::filesystem::path(testing::TempDir()) / "icr-compared-cluster.yaml";
  std::ofstream(file) << std::ifstream(kGoodFile).rdbuf() << "security: none\n";
  const auto shown = [&](const std::string& pipes) {
    return run("--timeout 300 'show configuration services nat " + pipes + "'", "ICR_CLUSTER=" + file.string());
  };
  const auto alone = shown("| compare rollback 0");
  EXPECT_EQ(alone.code, 3) << "no chassis answers";
  EXPECT_THAT(alone.text, HasSubstr("did not answer: "));
  for (const auto& [pipes, text] : {
           std::pair{"| compare rollback 0 | compare rollback 1", "error: `| compare` is possible once\n"},
           std::pair{"| compare rollback 0 | display set",
                     "error: a comparison has no form but text: `| display` is not possible\n"},
           std::pair{"| display xml | compare rollback 0",
                     "error: a comparison has no form but text: `| display` is not possible\n"},
           std::pair{"| compare rollback 0 | save /nonexistent/file",
                     "error: could not open '/nonexistent/file': No such file or directory\n"},
       }) {
    const auto refused = shown(pipes);
    EXPECT_EQ(refused.code, 1) << pipes;
    EXPECT_EQ(refused.text, text) << pipes;
  }
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace icr::test
