// The description of what is answered: docs/openapi.json. With ICR_UPDATE_GOLDEN=1 it is written.
#include "cli/http/openapi.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/http/target.h"

namespace icr::cli::http {
namespace {

TEST(OpenApi, IsUpToDate) {
  const std::string name = "docs/openapi.json";
  if (std::getenv("ICR_UPDATE_GOLDEN") != nullptr) std::ofstream(name) << openapi();
  std::ostringstream is;
  is << std::ifstream(name).rdbuf();
  EXPECT_EQ(is.str(), openapi()) << name << " is not what the grammar says: run this test with ICR_UPDATE_GOLDEN=1";
}

TEST(OpenApi, DescribesEveryCommandWithItsParameters) {
  const auto all = nlohmann::json::parse(openapi());
  EXPECT_EQ(all["openapi"], "3.0.3");
  EXPECT_EQ(all["paths"].size(), routes().size() + 2);
  const auto& parameters = all["components"]["parameters"];
  std::set<std::string> ids;
  for (const auto& [path, item] : all["paths"].items()) {
    EXPECT_TRUE(ids.insert(item["get"]["operationId"]).second) << path;
  }
  for (const auto& route : routes()) {
    ASSERT_TRUE(all["paths"].contains(route.path)) << route.path;
    const auto& get = all["paths"][route.path]["get"];
    EXPECT_EQ(get["responses"]["200"]["content"].size(), 1U) << route.path;
    std::set<std::string> names;
    std::size_t in_path = 0;
    for (const auto& each : get.value("parameters", nlohmann::json::array())) {
      if (!each.contains("$ref")) {
        ++in_path;
        EXPECT_NE(route.path.find("{" + each["name"].get<std::string>() + "}"), std::string::npos) << route.path;
        continue;
      }
      const std::string place = each["$ref"];
      const std::string key = place.substr(place.rfind('/') + 1);
      ASSERT_TRUE(parameters.contains(key)) << key;
      EXPECT_TRUE(names.insert(parameters[key]["name"]).second) << route.path << " " << key;
    }
    EXPECT_EQ(in_path, route.values.size()) << route.path;
    std::set<std::string> expected;
    for (const auto& option : route.node->options) expected.emplace(parameter_of(option));
    EXPECT_EQ(names, expected) << route.path;
  }
}

}  // namespace
}  // namespace icr::cli::http
