// Requests as XML: what is read, and what a hostile client sends.
#include "cli/netconf/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace icr::cli::netconf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string error_of(const std::string& text) {
  const auto message = Message::read(text);
  return message ? "" : message.error().message;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(NetconfMessage, IsReadWithAndWithoutPrefixes) {
  const auto message = Message::read(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?><nc:rpc xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" "
      "message-id=\"1\"><!-- asked by hand -->\n <command format=\"text\">\n show &lt;version&gt; &#x41; "
      "</command></nc:rpc>");
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(local_name(message->root()), "rpc");
  const auto command = child_named(message->root(), "command");
  EXPECT_EQ(trimmed_text(command), "show <version> A");
  EXPECT_EQ(elements_of(message->root()).size(), 1U);
  EXPECT_FALSE(child_named(message->root(), "commands"));
  // A short one as well, whose text would move with a small string.
  auto moved = std::move(*Message::read("<a/>"));
  EXPECT_EQ(local_name(moved.root()), "a");
}

TEST(NetconfMessage, IsNotWellFormed) {
  for (const std::string text :
       {"", "x", "<a>", "<a></b>", "<a", "<a b></a>", "<a b=1/>", "</a>", "<a/><a/>", "<!-- a -->"}) {
    EXPECT_THAT(error_of(text), HasSubstr("not well-formed")) << text;
  }
  EXPECT_THAT(error_of(std::string("<a>\0</a>", 8)), HasSubstr("not well-formed"));
}

TEST(NetconfMessage, DeclaresNoEntities) {
  const std::string bomb =
      "<!DOCTYPE rpc [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><rpc message-id=\"1\">&b;</rpc>";
  EXPECT_EQ(error_of(bomb), "a document type is not accepted");
  EXPECT_EQ(error_of("<!DOCTYPE rpc SYSTEM \"file:///etc/passwd\"><rpc/>"), "a document type is not accepted");
  // Without a declaration an entity is not expanded.
  EXPECT_STREQ(Message::read("<a>&b;</a>")->root().text().get(), "&b;");
}

TEST(NetconfMessage, HasLimits) {
  EXPECT_EQ(error_of(repeated("<a>", 32) + repeated("</a>", 32)), "");
  EXPECT_EQ(error_of(repeated("<a>", 33) + repeated("</a>", 33)), "more than 32 levels");
  EXPECT_EQ(error_of("<a>" + repeated("<b/>", 19'000) + "</a>"), "");
  EXPECT_EQ(error_of("<a>" + repeated("<b/>", 20'000) + "</a>"), "more than 20000 tags and attributes");
  std::string attributes;
  for (int i = 0; i < 20'000; ++i) attributes += fmt::format(" a{}=\"\"", i);
  EXPECT_EQ(error_of("<a" + attributes + "/>"), "more than 20000 tags and attributes");
  EXPECT_EQ(error_of(repeated("<a>", 1'000'000)), "more than 20000 tags and attributes");
  EXPECT_EQ(error_of("<a>" + repeated("= ", 30'000) + "</a>"), "") << "text is no markup";
}

// RFC 6241, 4.1: the reply has all attributes of the request.
TEST(NetconfMessage, AttributesOfAReply) {
  const auto of = [](const std::string& text) {
    const auto message = Message::read(text);
    return message ? attributes_for_reply(message->root()) : decltype(attributes_for_reply({}))();
  };
  EXPECT_THAT(
      of("<rpc message-id=\"1 &lt;\" xmlns=\"urn:x\" xmlns:ex=\"urn:ex\" ex:user-id=\"fred\" xmlns:junos=\"y\"/>"),
      ElementsAre(Pair("message-id", "1 <"), Pair("xmlns:ex", "urn:ex"), Pair("ex:user-id", "fred")));
  EXPECT_THAT(
      of("<rpc message-id=\"1\" message-id=\"2\" ex:user-id=\"fred\" xmlns:e=\"\" :a=\"1\" a:=\"1\" a:b:c=\"1\"/>"),
      ElementsAre(Pair("message-id", "1")))
      << "twice, or with a prefix that nothing declares";
}

}  // namespace
}  // namespace icr::cli::netconf
