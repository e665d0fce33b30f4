// The faces of a tree: well-formed whatever the values are, and text by templates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <random>

#include "cli/faces/escape.h"
#include "cli/faces/text.h"
#include "cli/result/element.h"
#include "cli/result/junos.h"
#include "tests/cli/golden.h"

namespace icr::test {
namespace {

using testing::HasSubstr;

std::string xml_text(std::string_view value) {
  std::string out;
  cli::append_xml_text(value, out);
  return out;
}

std::string json_text(std::string_view value) {
  std::string out;
  cli::append_json_text(value, out);
  return out;
}

template <class Build>
std::string in_xml(Build build) {
  std::string out;
  const auto face = cli::make_xml_face([&](std::string_view text) { out += text; });
  build(*face);
  face->finish();
  return out;
}

template <class Build>
std::string in_json(Build build) {
  std::string out;
  const auto face = cli::make_json_face([&](std::string_view text) { out += text; });
  build(*face);
  face->finish();
  return out;
}

void build_count(cli::Tree& tree) {
  tree.begin("service-msp-sess-count-information");
  for (const int count : {120, 7}) {
    const cli::Scope row(tree, "service-msp-sess-count");
    tree.leaf("interface-name", "ms-4/0/0");
    tree.leaf("sess-count", count);
  }
  tree.end();
}

// The envelope and the indent are those of the captures TT-SVC.
TEST(XmlFace, IsAReplyOfJunos) {
  EXPECT_EQ(in_xml(build_count),
            "<rpc-reply xmlns:junos=\"http://xml.juniper.net/junos/21.2R3/junos\">\n"
            "    <service-msp-sess-count-information>\n"
            "        <service-msp-sess-count>\n"
            "            <interface-name>ms-4/0/0</interface-name>\n"
            "            <sess-count>120</sess-count>\n"
            "        </service-msp-sess-count>\n"
            "        <service-msp-sess-count>\n"
            "            <interface-name>ms-4/0/0</interface-name>\n"
            "            <sess-count>7</sess-count>\n"
            "        </service-msp-sess-count>\n"
            "    </service-msp-sess-count-information>\n"
            "    <cli>\n"
            "        <banner></banner>\n"
            "    </cli>\n"
            "</rpc-reply>\n");
}

// The shape of id 33843351944: arrays of objects, the value of a leaf in `data`.
TEST(JsonFace, HasTheFormOfJunos) {
  EXPECT_EQ(in_json(build_count),
            "{\n"
            "    \"service-msp-sess-count-information\" : [\n"
            "    {\n"
            "        \"service-msp-sess-count\" : [\n"
            "        {\n"
            "            \"interface-name\" : [\n"
            "            {\n"
            "                \"data\" : \"ms-4/0/0\"\n"
            "            }\n"
            "            ],\n"
            "            \"sess-count\" : [\n"
            "            {\n"
            "                \"data\" : \"120\"\n"
            "            }\n"
            "            ]\n"
            "        },\n"
            "        {\n"
            "            \"interface-name\" : [\n"
            "            {\n"
            "                \"data\" : \"ms-4/0/0\"\n"
            "            }\n"
            "            ],\n"
            "            \"sess-count\" : [\n"
            "            {\n"
            "                \"data\" : \"7\"\n"
            "            }\n"
            "            ]\n"
            "        }\n"
            "        ]\n"
            "    }\n"
            "    ]\n"
            "}\n");
}

TEST(Faces, WriteAttributesAndEmptyElements) {
  const auto build = [](cli::Tree& tree) {
    tree.begin("a", {{"junos:style", "brief"}, {"xmlns", "x\"<"}});
    tree.leaf("uptime", "1:02", {{"junos:seconds", "62"}});
    tree.empty("nat");
    tree.end();
  };
  const std::string xml = in_xml(build);
  EXPECT_THAT(xml, HasSubstr("<a junos:style=\"brief\" xmlns=\"x&quot;&lt;\">"));
  EXPECT_THAT(xml, HasSubstr("<uptime junos:seconds=\"62\">1:02</uptime>\n        <nat/>\n"));
  const auto json = nlohmann::json::parse(in_json(build));
  EXPECT_EQ(json["a"][0]["attributes"]["xmlns"], "x\"<");
  EXPECT_EQ(json["a"][0]["uptime"][0]["data"], "1:02");
  EXPECT_EQ(json["a"][0]["uptime"][0]["attributes"]["junos:seconds"], "62");
  EXPECT_TRUE(json["a"][0]["nat"][0]["data"].is_null());
  EXPECT_EQ(expect_same_tree(xml, in_json(build)), 2U);
  const auto nothing = [](cli::Tree&) {};
  EXPECT_EQ(expect_same_tree(in_xml(nothing), in_json(nothing)), 0U);
}

TEST(Faces, AnErrorIsPartOfTheTree) {
  const std::string xml = in_xml([](cli::Tree& tree) { cli::add_error(tree, "chassis a did not answer: <timeout>"); });
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(xml.c_str()));
  const auto error = document.child("rpc-reply").child("rpc-error");
  EXPECT_STREQ(error.child("error-message").text().get(), "chassis a did not answer: <timeout>");
  EXPECT_STREQ(error.child("error-severity").text().get(), "error");
}

TEST(Escape, KnownValues) {
  EXPECT_EQ(xml_text("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
  EXPECT_EQ(xml_text("tab\tline\nreturn\r"), "tab\tline\nreturn&#13;");
  EXPECT_EQ(json_text("a\"b\\c\n\t\x01"), "\"a\\\"b\\\\c\\n\\t\\u0001\"");
  const std::string replaced = "\xEF\xBF\xBD";
  for (const std::string bad : {"\x80", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"}) {
    EXPECT_THAT(xml_text(bad), testing::StartsWith(replaced)) << testing::PrintToString(bad);
    EXPECT_THAT(json_text(bad), testing::StartsWith("\"" + replaced)) << testing::PrintToString(bad);
  }
  for (const std::string good : {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    EXPECT_EQ(xml_text(good), good);
    EXPECT_EQ(json_text(good), "\"" + good + "\"");
  }
  // XML has no way to say these; JSON has.
  EXPECT_EQ(xml_text(std::string("\0\x1F\xEF\xBF\xBE", 5)), replaced + replaced + replaced);
  EXPECT_EQ(json_text(std::string("\0", 1)), "\"\\u0000\"");
}

TEST(Escape, NamesAreNames) {
  const auto name = [](std::string_view text) {
    std::string out;
    cli::append_name(text, out);
    return out;
  };
  EXPECT_EQ(name("tcp-first-pkt-rst"), "tcp-first-pkt-rst");
  EXPECT_EQ(name("drop_counters"), "drop_counters");
  EXPECT_EQ(name("junos:style"), "junos:style");
  EXPECT_EQ(name("xmlns:junos"), "xmlns:junos");
  EXPECT_EQ(name("a b<c:d"), "a_b_c_d");
  EXPECT_EQ(name("3des"), "_3des");
  EXPECT_EQ(name(""), "_");
}

/// Octets that are often near what matters: special characters, parts of UTF-8, and any.
std::string random_octets(std::mt19937& random) {
  static constexpr char kSpecial[] = "&<>\"'\\]]>\r\n\t\0\x7F\xC2\xE2\xED\xA0\x80\xEF\xBF\xBE\xBF\xF0\xF4\xFF";
  std::string out;
  for (std::size_t size = random() % 40; size != 0; --size) {
    out += random() % 2 == 0 ? kSpecial[random() % (sizeof kSpecial - 1)] : static_cast<char>(random() % 256);
  }
  return out;
}

TEST(Escape, AnyOctetsAreReadAgainByParsersOfOthers) {
  std::mt19937 random(10);
  for (int i = 0; i < 3000; ++i) {
    const std::string value = random_octets(random);
    const std::string name = random_octets(random);
    const auto build = [&](cli::Tree& tree) {
      tree.begin("a", {{"b", value}});
      tree.leaf(name, value);
      tree.end();
    };
    const auto json = nlohmann::json::parse(in_json(build));
    const std::string back = json["a"][0][json["a"][0].begin().key()].is_array()
                                 ? json["a"][0].begin().value()[0]["data"].get<std::string>()
                                 : json["a"][0]["attributes"]["b"].get<std::string>();
    pugi::xml_document document;
    const std::string xml = in_xml(build);
    const auto parsed = document.load_string(xml.c_str(), pugi::parse_full | pugi::parse_ws_pcdata_single);
    ASSERT_TRUE(parsed) << parsed.description() << "\n" << testing::PrintToString(value) << "\n" << xml;
    const auto element = document.child("rpc-reply").child("a");
    const std::string text = element.first_child().text().get();
    // What both forms can say is the same in both, whatever the octets are.
    std::string expected;
    for (const char c : back) {
      const auto octet = static_cast<unsigned char>(c);
      if (octet < 0x20 && c != '\t' && c != '\n' && c != '\r') {
        expected += "\xEF\xBF\xBD";
      } else {
        expected += c;
      }
    }
    for (std::size_t at = 0; (at = expected.find("\xEF\xBF\xBE")) != std::string::npos;) expected[at + 2] = '\xBD';
    for (std::size_t at = 0; (at = expected.find("\xEF\xBF\xBF")) != std::string::npos;) expected[at + 2] = '\xBD';
    ASSERT_EQ(text, expected) << testing::PrintToString(value);
    // XML of any octets has no octet that XML does not allow.
    for (const char c : xml) {
      const auto octet = static_cast<unsigned char>(c);
      ASSERT_TRUE(octet >= 0x20 || c == '\n' || c == '\t') << testing::PrintToString(xml);
    }
  }
}

std::string by_template(std::string_view text, const cli::Element& element) {
  std::string out;
  cli::Template(text).append({&element, 1, element.size()}, out);
  return out;
}

TEST(Templates, PutLeavesIntoColumnsAndSections) {
  cli::Element row;
  row.begin("row");
  row.leaf("name", "ss1");
  row.leaf("port", 80);
  for (const char* direction : {"In", "Out"}) {
    const cli::Scope flow(row, "flow");
    row.leaf("direction", direction);
  }
  row.leaf("umlaut", "\xC3\xA4");
  row.end();
  EXPECT_EQ(by_template("{name}|{name:<5}|{name:>5}|{name:>2}|{nosuch:>3}|", row), "ss1|ss1  |  ss1|ss1|   |");
  EXPECT_EQ(by_template("{port:<6|:}|{nosuch:<6|:}|", row), ":80   |      |");
  EXPECT_EQ(by_template("{umlaut:>3}|", row), "  \xC3\xA4|");
  EXPECT_EQ(by_template("{#flow}{direction} of {name}\n{/flow}", row), "In of ss1\nOut of ss1\n");
  EXPECT_EQ(by_template("{#port}port {.}{/port}{#nosuch}never{/nosuch}{^nosuch}none{/nosuch}{^port}never{/port}", row),
            "port 80none");
  // Fields may be asked for in any order.
  EXPECT_EQ(by_template("{umlaut}{name}{port}{name}", row), "\xC3\xA4ss180ss1");
}

TEST(TextFace, HeadingsComeWithTheFirstRow) {
  cli::Layout layout;
  cli::GroupLayout group;
  group.element = "card";
  group.heading = cli::Template("[{interface-name}]\n");
  group.between = "--\n";
  cli::RowLayout row;
  row.element = "row";
  row.text = cli::Template("{x}\n");
  group.rows = {row};
  layout.groups = {group};
  std::string out;
  const auto face = cli::make_text_face([&](std::string_view text) { out += text; }, layout);
  face->begin("answer");
  for (const int rows : {0, 2, 1}) {
    const cli::Scope card(*face, "card");
    face->leaf("interface-name", fmt::format("ms-{}", rows));
    for (int i = 0; i < rows; ++i) {
      const cli::Scope one(*face, "row");
      face->leaf("x", i);
    }
  }
  face->end();
  cli::add_error(*face, "is not text");
  face->finish();
  EXPECT_EQ(out, "[ms-2]\n0\n1\n--\n[ms-1]\n0\n");
}

TEST(Faces, WriteWhileTheTreeGrows) {
  std::size_t written = 0;
  std::size_t largest = 0;
  const auto count = [&](std::string_view text) {
    written += text.size();
    largest = std::max(largest, text.size());
  };
  for (const bool json : {false, true}) {
    written = largest = 0;
    const auto face = json ? cli::make_json_face(count) : cli::make_xml_face(count);
    face->begin("all");
    for (int i = 0; i < 100'000; ++i) {
      const cli::Scope one(*face, "one");
      face->leaf("number", i);
    }
    EXPECT_GT(written, 1'000'000U);
    EXPECT_LT(largest, 70'000U) << "memory does not grow with the answer";
    face->end();
    face->finish();
  }
}

}  // namespace
}  // namespace icr::test
