// Every file of tests/config/wrong is refused, at the place and with the words that its first lines announce, and with
// no other mistake reported: one mistake must not make a second one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "model/config/cluster_file.h"

namespace icr {
namespace {

const std::filesystem::path kFolder = "tests/config/wrong";
constexpr std::string_view kExpect = "# expect: ";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

std::vector<std::filesystem::path> wrong_files() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(WrongFiles, ThereAreAtLeastFifty) { EXPECT_GE(wrong_files().size(), 50U); }

TEST(WrongFiles, EachIsRefusedWhereAndWhyItSays) {
  for (const auto& file : wrong_files()) {
    SCOPED_TRACE(file.string());
    std::ifstream stream(file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    std::vector<std::string> expected;
    for (const auto& line : lines_of(text)) {
      if (line.compare(0, kExpect.size(), kExpect) != 0) break;
      expected.push_back(line.substr(kExpect.size()));
    }
    ASSERT_FALSE(expected.empty()) << "the file does not say what is wrong with it";

    const auto cluster = load_cluster_file(file);
    ASSERT_FALSE(cluster.has_value());
    const auto found = lines_of(cluster.error().message);
    ASSERT_EQ(found.size(), expected.size()) << cluster.error().message;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto blank = expected[i].find(' ');
      EXPECT_THAT(found[i], testing::StartsWith(file.string() + ":" + expected[i].substr(0, blank) + " "));
      EXPECT_THAT(found[i], testing::HasSubstr(expected[i].substr(blank + 1)));
    }
  }
}

}  // namespace
}  // namespace icr
