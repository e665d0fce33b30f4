#include "tests/cli/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <sstream>

namespace icr::test {
namespace {

using Json = nlohmann::ordered_json;

/// Compares `text` with a file of tests/golden, or rewrites the file.
void expect_file(const std::string& text, const std::string& name, const std::string& line) {
  const std::string path = "tests/golden/" + name;
  if (std::getenv("ICR_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  std::stringstream golden;
  golden << in.rdbuf();
  EXPECT_EQ(text, golden.str()) << line << " against " << path;
}

/// Reads JSON, in which no object has a name twice: a reader would lose the first of them.
Json parse_json(const std::string& text) {
  std::vector<std::set<std::string>> names;
  return Json::parse(text, [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key) {
      EXPECT_TRUE(names.back().insert(value.get<std::string>()).second) << value << " is there twice";
    }
    return true;
  });
}

std::size_t expect_same(const pugi::xml_node& xml, const Json& json);

/// Compares an element with an object of the array that has its name.
std::size_t expect_same_element(const pugi::xml_node& element, const Json& object) {
  std::size_t attributes = 0;
  for (const auto& attribute : element.attributes()) {
    ++attributes;
    EXPECT_EQ(object.at("attributes").at(attribute.name()), attribute.value()) << element.name();
  }
  EXPECT_EQ(object.contains("attributes") ? object["attributes"].size() : 0, attributes) << element.name();
  if (!object.contains("data")) return expect_same(element, object);
  EXPECT_EQ(object["data"].is_null() ? std::string() : object["data"].get<std::string>(), element.text().get())
      << element.name();
  EXPECT_TRUE(element.first_child().empty() || element.first_child().type() == pugi::node_pcdata) << element.name();
  return 1;
}

/// Compares what is in an element with the members of an object. Returns the number of leaves.
std::size_t expect_same(const pugi::xml_node& xml, const Json& json) {
  std::size_t leaves = 0;
  auto element = xml.first_child();
  for (const auto& [name, array] : json.items()) {
    if (name == "attributes") continue;
    EXPECT_TRUE(array.is_array()) << name;
    for (const auto& object : array) {
      EXPECT_STREQ(element.name(), name.c_str());
      leaves += expect_same_element(element, object);
      element = element.next_sibling();
    }
  }
  EXPECT_STREQ(element.name(), "") << "in " << xml.name();
  return leaves;
}

}  // namespace

Output answer(FakeCluster& fake, const std::string& line, std::optional<std::uint16_t> only) {
  FakeTransport transport([&](std::uint16_t chassis, const QueryRequest& request) -> Result<QueryReply> {
    return answer_of_chassis(fake, chassis, request);
  });
  return run_line(line, fake.cluster, transport, only);
}

void expect_text(const std::string& text, const std::string& file) { expect_file(text, file, "a screen"); }

std::size_t expect_same_tree(const std::string& xml, const std::string& json) {
  pugi::xml_document document;
  const auto parsed = document.load_string(xml.c_str(), pugi::parse_full | pugi::parse_ws_pcdata_single);
  EXPECT_TRUE(parsed) << parsed.description() << " at " << parsed.offset << " of\n" << xml;
  auto reply = document.child("rpc-reply");
  EXPECT_EQ(std::distance(document.begin(), document.end()), 1) << xml;
  EXPECT_STREQ(reply.last_child().name(), "cli");
  EXPECT_TRUE(reply.last_child().child("banner"));
  reply.remove_child("cli");
  return expect_same(reply, parse_json(json));
}

void expect_forms(FakeCluster& fake, const std::string& line, const std::string& file,
                  std::optional<std::uint16_t> only) {
  const auto xml = answer(fake, line + " | display xml", only);
  const auto json = answer(fake, line + " | display json", only);
  const auto rpc = answer(fake, line + " | display xml rpc", only);
  EXPECT_EQ(xml.error + json.error, "") << line;
  expect_same_tree(xml.out, json.out);
  expect_file(xml.out, file + ".xml", line);
  expect_file(json.out, file + ".json", line);
  if (rpc.code == cli::ExitCode::ok) {
    expect_file(rpc.out, file + ".rpc.xml", line);
  } else {
    EXPECT_EQ(rpc.error, "error: xml rpc equivalent of this command is not available\n") << line;
  }
}

void expect_golden(FakeCluster& fake, const std::string& line, const std::string& file,
                   std::optional<std::uint16_t> only) {
  if (line.starts_with("show ")) {
    const auto xml = answer(fake, line + " | display xml", only);
    if (xml.code == cli::ExitCode::ok) {
      expect_same_tree(xml.out, answer(fake, line + " | display json", only).out);
    } else {
      EXPECT_THAT(xml.error, testing::HasSubstr("has no form but text")) << line;
    }
  }
  const auto output = answer(fake, line, only);
  EXPECT_EQ(output.error, "") << line;
  EXPECT_EQ(output.code, cli::ExitCode::ok) << line;
  expect_file(output.out, file + ".txt", line);
}

}  // namespace icr::test
