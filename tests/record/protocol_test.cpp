#include "model/record/protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace icr {
namespace {

TEST(Protocol, EveryKeywordReadsBack) {
  ASSERT_FALSE(protocol_names().empty());
  for (const auto& entry : protocol_names()) {
    EXPECT_EQ(parse_protocol(entry.keyword), entry.number);
    EXPECT_EQ(protocol_keyword(entry.number), entry.keyword);
  }
  EXPECT_TRUE(std::is_sorted(protocol_names().begin(), protocol_names().end(),
                             [](const ProtocolName& a, const ProtocolName& b) { return a.keyword < b.keyword; }));
}

TEST(Protocol, EveryNumberReadsBack) {
  for (unsigned number = 0; number < 256; ++number) {
    EXPECT_EQ(parse_protocol(std::to_string(number)), number);
    EXPECT_EQ(parse_protocol(protocol_keyword(static_cast<std::uint8_t>(number))), number);
  }
}

TEST(Protocol, RefusesEverythingElse) {
  for (const char* text : {"", "256", "-1", "6 ", "TCP", "tc", "0x6", "99999999999"}) {
    EXPECT_FALSE(parse_protocol(text)) << text;
  }
}

TEST(Protocol, PortsAreWhereTheyAre) {
  EXPECT_TRUE(has_ports(ip_protocol::tcp));
  EXPECT_TRUE(has_ports(ip_protocol::udp));
  EXPECT_TRUE(has_ports(ip_protocol::sctp));
  EXPECT_FALSE(has_ports(ip_protocol::icmp));
  EXPECT_FALSE(has_ports(ip_protocol::gre));
}

TEST(ApplicationProtocol, EveryKeywordReadsBack) {
  const auto words = application_protocols();
  ASSERT_FALSE(words.empty());
  EXPECT_EQ(words[kNoApplicationProtocol], "none");
  for (std::size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(parse_application_protocol(words[i]), i);
    EXPECT_EQ(application_protocol_keyword(static_cast<ApplicationProtocol>(i)), words[i]);
  }
  EXPECT_EQ(std::set<std::string_view>(words.begin(), words.end()).size(), words.size());
}

TEST(ApplicationProtocol, KnowsTheManualsSpellingAndNothingElse) {
  EXPECT_EQ(parse_application_protocol("sql"), parse_application_protocol("sqlnet"));
  EXPECT_FALSE(parse_application_protocol("HTTP"));
  EXPECT_FALSE(parse_application_protocol(""));
  EXPECT_EQ(application_protocol_keyword(255), "none");
}

}  // namespace
}  // namespace icr
