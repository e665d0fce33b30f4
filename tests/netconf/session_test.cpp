// Conversations: what a client says, and what the session answers.
#include "cli/netconf/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pugixml.hpp>

#include "cli/faces/escape.h"
#include "model/config/cluster_file.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::cli::netconf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kHello10 =
    "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>"
    "<capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>";
constexpr std::string_view kHello11 =
    "<nc:hello xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><nc:capabilities>"
    "<nc:capability> urn:ietf:params:netconf:base:1.1 </nc:capability></nc:capabilities></nc:hello>]]>]]>";

std::string chunk(std::string_view text) { return fmt::format("\n#{}\n{}\n##\n", text.size(), text); }

class NetconfSession : public testing::Test {
 protected:
  NetconfSession() {
    host_.session_id = 4711;
    host_.read_cluster = [this]() -> Result<Cluster> { return fake_.cluster; };
    host_.answer = [this](const Command& command, const Result<Cluster>& cluster, const Outlets& outlets) {
      ++answered_;
      Environment environment{*cluster, transport_, std::nullopt, 1'700'000'000'000, outlets.out, outlets.error};
      environment.report = outlets.report;
      return execute(command, environment);
    };
    fake_.put_everywhere(0, test::make_session(3, 0, test::key("192.0.2.10", 40014, "198.51.100.20", 80, 6)));
  }

  /// Returns what the session says to `octets`, without its hello.
  std::string say(std::string_view octets) {
    Session session(host_, [this](std::string_view out) { said_ += out; });
    said_.clear();
    session.begin();
    const std::size_t hello = said_.size();
    goes_on_ = session.take(octets);
    return said_.substr(hello);
  }
  /// Returns the reply to a request of a client of base:1.0.
  pugi::xml_document ask(std::string_view operation) {
    std::string reply =
        say(std::string(kHello10) + "<rpc message-id=\"101\">" + std::string(operation) + "</rpc>]]>]]>");
    EXPECT_THAT(reply, testing::EndsWith("</rpc-reply>\n]]>]]>"));
    pugi::xml_document out;
    EXPECT_TRUE(out.load_buffer(reply.data(), reply.size() - 6)) << reply;
    return out;
  }
  std::vector<std::string> error(std::string_view operation) {
    const auto reply = ask(operation);
    const auto error = reply.child("rpc-reply").child("rpc-error");
    return {error.child("error-type").text().get(), error.child("error-tag").text().get(),
            error.child("error-severity").text().get(), error.child("error-message").text().get(),
            error.child("error-info").first_child().text().get()};
  }

  test::FakeCluster fake_;
  bool dead_[2] = {};
  std::string denied_;  ///< why a chassis refuses
  test::FakeTransport transport_{[this](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    if (dead_[chassis]) return fail("silence");
    if (!denied_.empty() && request.kind != QueryKind::status) {
      QueryReply reply;
      reply.error = QueryError::refused;
      reply.reason = denied_;
      return reply;
    }
    return answer_from(fake_, chassis, request);
  }};
  Host host_;
  int answered_ = 0;
  bool goes_on_ = false;
  std::string said_;
};

TEST_F(NetconfSession, Hello) {
  EXPECT_EQ(say(""), "");
  EXPECT_EQ(said_,
            "<hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n<capabilities>\n"
            "<capability>urn:ietf:params:netconf:base:1.0</capability>\n"
            "<capability>urn:ietf:params:netconf:base:1.1</capability>\n"
            "<capability>urn:ietf:params:netconf:capability:candidate:1.0</capability>\n"
            "<capability>urn:ietf:params:netconf:capability:confirmed-commit:1.0</capability>\n"
            "<capability>urn:ietf:params:netconf:capability:validate:1.0</capability>\n"
            "<capability>http://xml.juniper.net/netconf/junos/1.0</capability>\n"
            "</capabilities>\n<session-id>4711</session-id>\n</hello>\n]]>]]>");
  EXPECT_TRUE(goes_on_);
}

TEST_F(NetconfSession, AConversationInEitherFraming) {
  const std::string rpc =
      "<nc:rpc xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"urn:uuid:1\">"
      "<get-service-msp-sess-count-information><service-set>ss1</service-set></get-service-msp-sess-count-information>"
      "</nc:rpc>";
  const std::string reply =
      "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" "
      "xmlns:junos=\"http://xml.juniper.net/junos/21.2R3/junos\" "
      "xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"urn:uuid:1\">\n"
      "<service-msp-sess-count-information>\n    <service-msp-sess-count>\n"
      "        <interface-name>ms-0/0/0</interface-name>\n        <service-set-name>ss1</service-set-name>\n"
      "        <sess-count>1</sess-count>\n    </service-msp-sess-count>\n</service-msp-sess-count-information>\n"
      "</rpc-reply>\n";
  EXPECT_EQ(say(std::string(kHello10) + rpc + "]]>]]>"), reply + "]]>]]>");
  EXPECT_EQ(say(std::string(kHello11) + chunk(rpc)), chunk(reply));
  const std::string close = "<rpc message-id=\"2\"><close-session/></rpc>";
  EXPECT_THAT(say(std::string(kHello11) + chunk(close)), HasSubstr("message-id=\"2\">\n<ok/>\n</rpc-reply>\n\n##\n"));
  EXPECT_FALSE(goes_on_);
}

TEST_F(NetconfSession, CommandsInEveryForm) {
  const std::string line = "show services sessions count";
  const auto text = ask("<command format=\"text\">" + line + "</command>");
  EXPECT_THAT(text.child("rpc-reply").child("output").text().get(), HasSubstr("ms-0/0/0"));
  const auto ascii = ask("<command format=\"ascii\">" + line + "</command>");
  EXPECT_STREQ(ascii.child("rpc-reply").child("output").text().get(),
               text.child("rpc-reply").child("output").text().get());
  const auto json = ask("<command format=\"JSON\">" + line + "</command>");
  EXPECT_THAT(json.child("rpc-reply").text().get(), HasSubstr("\"service-msp-sess-count-information\" : ["));
  const auto xml = ask("<command>" + line + "</command>");
  EXPECT_TRUE(xml.child("rpc-reply").child("service-msp-sess-count-information"));
  EXPECT_TRUE(ask("<get-nat-mapping-summary/>").child("rpc-reply").child("service-nat-mapping-summary-information"));
  EXPECT_TRUE(ask("<get-msp-session-table format=\"text\"/>").child("rpc-reply").child("output"));
  const auto call = ask("<command>" + line + " | display xml rpc</command>");
  EXPECT_TRUE(call.child("rpc-reply").child("rpc").child("get-service-msp-sess-count-information"));
  EXPECT_EQ(error("<command format=\"yaml\">" + line + "</command>"),
            (std::vector<std::string>{"protocol", "bad-attribute", "error", "the format is xml, text, ascii or json",
                                      "format"}));
  // What has no form but text is text.
  EXPECT_THAT(ask("<command>request services redundancy-set rs1 switchover</command>")
                  .child("rpc-reply")
                  .child("output")
                  .text()
                  .get(),
              HasSubstr("switchover started"));
}

TEST_F(NetconfSession, ErrorsOfRequests) {
  EXPECT_THAT(error("<get-no-such/>"), ElementsAre("protocol", "operation-not-supported", "error",
                                                   "syntax error, expecting <rpc>", "get-no-such"));
  EXPECT_THAT(error("<get-msp-session-table><nosuch/></get-msp-session-table>"),
              ElementsAre("protocol", "bad-element", "error", "syntax error", "nosuch"));
  EXPECT_THAT(error("<get-msp-session-table><limit><nosuch/></limit></get-msp-session-table>"),
              ElementsAre("protocol", "bad-element", "error", "syntax error", "limit"));
  EXPECT_THAT(error("<get-msp-session-table><count/></get-msp-session-table>"),
              ElementsAre("protocol", "bad-element", "error", "an argument makes another call of this",
                          "get-msp-session-table"));
  EXPECT_THAT(
      error("<get-msp-session-table><limit>none</limit></get-msp-session-table>"),
      ElementsAre("protocol", "operation-failed", "error", testing::StartsWith("Invalid numeric value"), "\"none\""));
  EXPECT_THAT(error("<command>show nonsense</command>"),
              ElementsAre("protocol", "operation-failed", "error", "syntax error, expecting <command>.", "nonsense"));
  for (const std::string line : {"commit check /etc/passwd", "keys show /root/x", "check /etc/passwd", "netconf",
                                 "exit", "show services sessions | save /tmp/x", "show services sessions | tee /tmp/x",
                                 "show services sessions | append /tmp/x", "show services sessions | refresh"}) {
    EXPECT_EQ(error("<command>" + line + "</command>").at(1), "operation-not-supported") << line;
  }
  EXPECT_EQ(error("<command>show " + std::string(8192, 'x') + "</command>").at(3), "a command has at most 8192 octets");
  EXPECT_EQ(error("<get-msp-session-table><limit>" + std::string(100'000, 'x') + "</limit></get-msp-session-table>")
                .at(4)
                .size(),
            2048U)
      << "an error does not repeat all that a client sent";
  EXPECT_EQ(error("<a/><b/>").at(1), "bad-element");
  EXPECT_EQ(error("").at(1), "bad-element");
  EXPECT_EQ(answered_, 0) << "nothing was asked";
  EXPECT_THAT(say(std::string(kHello10) + "<rpc><command>show version</command></rpc>]]>]]>"),
              HasSubstr("<error-tag>missing-attribute</error-tag>"));
  EXPECT_THAT(say(std::string(kHello10) + "<hello message-id=\"1\"/>]]>]]>"), HasSubstr("<error-tag>unknown-element"));
  EXPECT_TRUE(goes_on_);
}

TEST_F(NetconfSession, MalformedMessages) {
  EXPECT_THAT(say(std::string(kHello11) + chunk("<rpc message-id=\"1\"><a></rpc>")),
              HasSubstr("<error-tag>malformed-message</error-tag>"));
  EXPECT_TRUE(goes_on_) << "the next message begins at a known place";
  // RFC 6241, appendix A: clients of base:1.0 do not know this tag.
  EXPECT_THAT(say(std::string(kHello10) + "<rpc message-id=\"1\"><a></rpc>]]>]]>"),
              Not(HasSubstr("malformed-message")));
  EXPECT_THAT(say(std::string(kHello11) + "<rpc message-id=\"1\"/>]]>]]>"), HasSubstr("a chunk begins with"));
  EXPECT_FALSE(goes_on_) << "nobody knows where the next message begins";
}

TEST_F(NetconfSession, HelloThatIsNone) {
  for (const std::string& hello :
       {std::string("<rpc message-id=\"1\"><close-session/></rpc>"), std::string("<hello/>"), std::string("no XML"),
        std::string("<hello><capabilities><capability>urn:x</capability></capabilities></hello>"),
        std::string("<hello><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities>"
                    "<session-id>1</session-id></hello>")}) {
    EXPECT_THAT(say(hello + "]]>]]>"), HasSubstr("<rpc-error>")) << hello;
    EXPECT_FALSE(goes_on_) << hello;
  }
}

TEST_F(NetconfSession, AChassisThatIsSilent) {
  dead_[0] = true;
  const std::string call = "<get-service-msp-sess-count-information/>";
  const auto reply = ask(call);
  EXPECT_TRUE(reply.child("rpc-reply").child("service-msp-sess-count-information"));
  EXPECT_THAT(error(call),
              ElementsAre("application", "operation-failed", "warning", "chassis left did not answer: silence", ""));
  EXPECT_THAT(error("<command format=\"text\">show services sessions</command>").at(3), HasSubstr("chassis left"));
  EXPECT_THAT(error("<command format=\"json\">show services sessions</command>").at(3), HasSubstr("chassis left"));
  dead_[1] = true;
  EXPECT_EQ(error(call).at(2), "error") << "nobody answers";
}

TEST_F(NetconfSession, WhatTheClassDoesNotPermit) {
  denied_ = "client bob is of class view, and this takes class clear";
  // Clients of Junos know this text.
  const std::string call = "<clear-service-msp-session-table-information/>";
  EXPECT_THAT(error(call), ElementsAre("protocol", "access-denied", "error", "permission denied", HasSubstr(denied_)));
  const auto reply = ask(call);
  const auto errors = reply.child("rpc-reply").children("rpc-error");
  EXPECT_EQ(std::distance(errors.begin(), errors.end()), 1) << "once, however many chassis refuse";
}

TEST_F(NetconfSession, AnAnswerIsWrittenWhileItComes) {
  for (std::uint32_t slot = 0; slot < 5000; ++slot) {
    fake_.put_everywhere(
        0, test::make_session(slot, 0,
                              test::key("192.0.2.10", static_cast<std::uint16_t>(slot), "198.51.100.20", 80, 17)));
  }
  std::size_t most = 0;
  std::size_t all = 0;
  Session session(host_, [&](std::string_view out) {
    most = std::max(most, out.size());
    all += out.size();
  });
  session.begin();
  EXPECT_TRUE(session.take(std::string(kHello11) + chunk("<rpc message-id=\"1\"><get-msp-session-table/></rpc>")));
  EXPECT_GT(all, 2'000'000U);
  EXPECT_LT(most, 200'000U);
}

std::string cluster_text() { return *read_cluster_text("cluster-configs/two-chassis.yaml"); }

std::string as_xml(const std::string& text) {
  std::string out;
  append_xml_text(text, out);
  return out;
}

/// A session that goes on, with chassis that take every commit.
class NetconfConfiguration : public NetconfSession {
 protected:
  NetconfConfiguration() : session_(host_, [this](std::string_view out) { said_ += out; }) {
    host_.commit = [this](const CommitCommand& command, const Printer& out, const Printer& error) {
      commits_.push_back(command);
      out(committed_);
      error(complaint_);
      return code_;
    };
    host_.former = [](std::uint32_t rollback) -> Result<std::string> {
      if (rollback == 1) return cluster_text();
      return fail("there is no rollback {}", rollback);
    };
    host_.lock = [this] { return holder_; };
    host_.unlock = [this] { ++unlocked_; };
    host_.kill = [](std::uint32_t session) { return session == 5; };
    session_.begin();
    EXPECT_TRUE(session_.take(kHello10));
  }
  /// Returns the reply, without its envelope.
  std::string go_on(const std::string& operation) {
    said_.clear();
    EXPECT_TRUE(session_.take("<rpc message-id=\"1\">" + operation + "</rpc>]]>]]>"));
    const std::size_t begin = said_.find(">\n") + 2;
    return said_.substr(begin, said_.rfind("</rpc-reply>") - begin);
  }
  std::string load(const std::string& text, const std::string& action = "override") {
    return go_on("<load-configuration action=\"" + action + "\" format=\"text\"><configuration-text>" + as_xml(text) +
                 "</configuration-text></load-configuration>");
  }

  std::vector<CommitCommand> commits_;
  std::string committed_ = "left: commit complete\n";
  std::string complaint_;
  ExitCode code_ = ExitCode::ok;
  std::optional<std::uint32_t> holder_;  ///< of the lock, other than this session
  int unlocked_ = 0;
  Session session_;
};

TEST_F(NetconfConfiguration, IsLoadedCheckedAndCommitted) {
  EXPECT_EQ(go_on("<open-configuration><private/></open-configuration>"), "<ok/>\n");
  EXPECT_EQ(load(cluster_text()), "<load-configuration-results>\n<ok/>\n</load-configuration-results>\n");
  EXPECT_THAT(go_on("<commit-configuration><check/></commit-configuration>"), testing::EndsWith("<ok/>\n"));
  EXPECT_THAT(go_on("<validate><source><candidate/></source></validate>"), testing::EndsWith("<ok/>\n"));
  EXPECT_EQ(go_on("<commit-configuration><log>why</log><confirmed/><confirm-timeout>3</confirm-timeout><synchronize/>"
                  "</commit-configuration>"),
            "<commit-results>\n<output>\nleft: commit complete\n</output>\n</commit-results>\n<ok/>\n");
  ASSERT_EQ(commits_.size(), 3U);
  EXPECT_EQ(commits_[0].kind, CommitCommand::Kind::check);
  EXPECT_EQ(commits_[1].kind, CommitCommand::Kind::check);
  EXPECT_EQ(commits_[2].kind, CommitCommand::Kind::commit);
  EXPECT_EQ(commits_[2].text, cluster_text());
  EXPECT_EQ(commits_[2].comment, "why");
  EXPECT_EQ(commits_[2].confirm_minutes, 3U);
  // The candidate is gone; the next commit confirms.
  EXPECT_THAT(go_on("<commit/>"), testing::EndsWith("<ok/>\n"));
  EXPECT_EQ(commits_.back().kind, CommitCommand::Kind::confirm);
  // RFC 6241 counts seconds.
  EXPECT_THAT(go_on("<load-configuration rollback=\"1\"/>"), HasSubstr("<ok/>"));
  EXPECT_THAT(go_on("<commit><confirmed/><confirm-timeout>61</confirm-timeout></commit>"), HasSubstr("<ok/>"));
  EXPECT_EQ(commits_.back().confirm_minutes, 2U);
}

TEST_F(NetconfConfiguration, WhatIsNoConfiguration) {
  EXPECT_THAT(load("chasis: []\n"), HasSubstr("candidate"));
  EXPECT_THAT(load(cluster_text(), "merge"), HasSubstr("operation-not-supported"));
  EXPECT_THAT(go_on("<load-configuration rollback=\"2\"/>"), HasSubstr("there is no rollback 2"));
  EXPECT_THAT(go_on("<load-configuration rollback=\"-1\"/>"), HasSubstr("bad-attribute"));
  EXPECT_THAT(go_on("<commit><confirmed/></commit>"), HasSubstr("no configuration was loaded"));
  load(cluster_text());
  for (const std::string inside :
       {"<at-time>now</at-time>", "<confirmed/><confirm-timeout>x</confirm-timeout>",
        "<confirmed/><confirm-timeout>0</confirm-timeout>", "<confirmed/><confirm-timeout>65536</confirm-timeout>",
        "<confirm-timeout>3</confirm-timeout>", "<source><candidate/></source>"}) {
    EXPECT_THAT(go_on("<commit-configuration>" + inside + "</commit-configuration>"), HasSubstr("<rpc-error>"))
        << inside;
  }
  EXPECT_THAT(go_on("<commit-configuration><log>" + std::string(513, 'x') + "</log></commit-configuration>"),
              HasSubstr("<rpc-error>"));
  for (const std::string source : {"<url>x</url>", "<config/>", "<candidate/><running/>", ""}) {
    EXPECT_THAT(go_on("<validate><source>" + source + "</source></validate>"), HasSubstr("operation-not-supported"))
        << source;
  }
  EXPECT_TRUE(commits_.empty());
}

TEST_F(NetconfConfiguration, ACandidateIsComparedWithWhatTheChassisOfTheClusterFileHave) {
  std::string moved = cluster_text();
  const std::string port = "port: 7300";
  ASSERT_NE(moved.find(port), std::string::npos);
  for (std::size_t at = 0; (at = moved.find(port, at)) != std::string::npos;)
    moved.replace(at, port.size(), "port: 7999");
  EXPECT_THAT(load(moved), HasSubstr("<ok/>"));
  const std::string differs = go_on("<get-configuration compare=\"rollback\" rollback=\"1\" format=\"text\"/>");
  EXPECT_THAT(differs, HasSubstr("7999"));
  EXPECT_THAT(differs, Not(HasSubstr("<rpc-error>")));
  EXPECT_THAT(go_on("<get-configuration compare=\"rollback\" rollback=\"2\" format=\"text\"/>"),
              HasSubstr("there is no rollback 2"));
}

TEST_F(NetconfConfiguration, ACommitThatFailsOrLacksAChassis) {
  load(cluster_text());
  committed_ = "";
  complaint_ = "error: left: a and b\nerror: nothing was changed on any chassis\n";
  code_ = ExitCode::command_error;
  const std::string failed = go_on("<commit-configuration/>");
  EXPECT_THAT(failed, HasSubstr("<error-message>left: a and b</error-message>"));
  EXPECT_THAT(failed, Not(HasSubstr("<ok/>")));
  EXPECT_THAT(failed, Not(HasSubstr("warning")));
  // The candidate is still there.
  committed_ = "left: commit complete\n";
  complaint_ = "error: right: cannot connect\n";
  code_ = ExitCode::incomplete;
  const std::string lacking = go_on("<commit-configuration/>");
  EXPECT_EQ(commits_.back().kind, CommitCommand::Kind::commit);
  EXPECT_THAT(lacking, HasSubstr("<error-severity>warning</error-severity>"));
  EXPECT_THAT(lacking, Not(HasSubstr("<ok/>")));
  complaint_ = "error: left: client bob is of class view, and this takes class super-user\n";
  code_ = ExitCode::command_error;
  EXPECT_THAT(go_on("<commit-configuration/>"), HasSubstr("<error-message>permission denied</error-message>"));
}

TEST_F(NetconfConfiguration, TheLock) {
  EXPECT_EQ(go_on("<lock><target><candidate/></target></lock>"), "<ok/>\n");
  EXPECT_THAT(go_on("<lock-configuration/>"), HasSubstr("lock-denied"));
  load(cluster_text());
  EXPECT_THAT(go_on("<commit-configuration/>"), HasSubstr("<ok/>"));
  EXPECT_EQ(unlocked_, 0) << "a commit keeps the lock of the session";
  EXPECT_EQ(go_on("<unlock-configuration/>"), "<ok/>\n");
  EXPECT_EQ(unlocked_, 1);
  EXPECT_THAT(go_on("<unlock/>"), HasSubstr("not locked"));
  EXPECT_THAT(go_on("<open-configuration><exclusive/><foo/></open-configuration>"), HasSubstr("bad-element"));
  EXPECT_THAT(go_on("<unlock/>"), HasSubstr("not locked")) << "what is refused locks nothing";
  holder_ = 99;
  EXPECT_THAT(go_on("<open-configuration><exclusive/></open-configuration>"), HasSubstr("<session-id>99</session-id>"));
  load(cluster_text());
  EXPECT_THAT(go_on("<commit-configuration/>"), HasSubstr("locked by session 99"));
  EXPECT_EQ(commits_.size(), 1U);
  holder_.reset();
  go_on("<commit-configuration/>");
  EXPECT_EQ(commits_.size(), 2U);
  EXPECT_EQ(unlocked_, 2) << "a commit has the lock while it runs";
}

TEST_F(NetconfConfiguration, OtherSessions) {
  EXPECT_EQ(go_on("<kill-session><session-id>5</session-id></kill-session>"), "<ok/>\n");
  for (const std::string session : {"", "0", "6", "x", "4711", "5x", "99999999999"}) {
    EXPECT_THAT(go_on("<kill-session><session-id>" + session + "</session-id></kill-session>"),
                HasSubstr("invalid-value"))
        << session;
  }
  const std::string system = go_on("<get-system-information/>");
  EXPECT_THAT(system, HasSubstr("<os-name>icr</os-name>"));
  EXPECT_THAT(go_on("<get-system-information format=\"json\"/>"), HasSubstr("os-name"));
}

}  // namespace
}  // namespace icr::cli::netconf
