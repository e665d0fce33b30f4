#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "model/config/reader/yaml_reader.h"

namespace icr {
namespace {

using testing::HasSubstr;

std::string mistakes_of(std::string_view text) {
  Mistakes mistakes("f");
  const auto tree = parse_yaml(text, mistakes);
  EXPECT_EQ(tree.has_value(), mistakes.empty());
  return mistakes.to_string();
}

TEST(YamlTree, KnowsPlacesAndQuotes) {
  Mistakes mistakes("f");
  const auto tree = parse_yaml("a: 1\nb:\n  - 'x'\n  - {c: y}\n", mistakes);
  ASSERT_TRUE(tree);
  ASSERT_EQ(tree->entries.size(), 2U);
  EXPECT_EQ(tree->entries[0].key, "a");
  EXPECT_EQ(tree->entries[0].value.text, "1");
  EXPECT_FALSE(tree->entries[0].value.quoted);
  EXPECT_EQ(tree->entries[0].value.place, (YamlPlace{1, 4}));
  EXPECT_EQ(tree->entries[1].place, (YamlPlace{2, 1}));
  const auto& items = tree->entries[1].value.items;
  ASSERT_EQ(items.size(), 2U);
  EXPECT_TRUE(items[0].quoted);
  EXPECT_EQ(items[0].place, (YamlPlace{3, 5}));
  EXPECT_EQ(items[1].entries[0].value.place, (YamlPlace{4, 9}));
}

TEST(YamlTree, RefusesWhatOnlyYamlCanDo) {
  EXPECT_THAT(mistakes_of("a: &x 1\nb: *x\n"), HasSubstr("f:1:4: YAML anchors are not accepted"));
  EXPECT_THAT(mistakes_of("a: !!str 1\n"), HasSubstr("f:1:4: YAML tags are not accepted"));
  EXPECT_THAT(mistakes_of("[a]: 1\n"), HasSubstr("a key must be a word"));
  EXPECT_THAT(mistakes_of("a: 1\n---\nb: 1\n"), HasSubstr("a second YAML document"));
  EXPECT_THAT(mistakes_of("a: [1\n"), HasSubstr("not YAML"));
  EXPECT_THAT(mistakes_of("a:\n\t- 1\n"), HasSubstr("f:2:1: not YAML: a tab in the indentation"));
  EXPECT_THAT(mistakes_of(""), HasSubstr("f:1:1: the file is empty"));
  EXPECT_THAT(mistakes_of("# nothing but words\n"), HasSubstr("f:1:1: the file is empty"));
}

TEST(YamlTree, BoundsSizeDepthAndNumber) {
  EXPECT_THAT(mistakes_of(std::string(kMaxYamlBytes + 1, ' ')), HasSubstr("the file has more than 33554432 bytes"));
  EXPECT_EQ(mistakes_of("a: " + std::string(kMaxYamlDepth - 1, '[') + std::string(kMaxYamlDepth - 1, ']')), "");
  EXPECT_THAT(mistakes_of("a: " + std::string(100'000, '[')), HasSubstr("nested more than 32 deep"));
  std::string deep;
  for (std::size_t i = 0; i < 200; ++i) deep += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(mistakes_of(deep), HasSubstr("nested more than 32 deep"));
  std::string many = "a: [";
  for (std::size_t i = 0; i < kMaxYamlNodes; ++i) many += "1,";
  EXPECT_THAT(mistakes_of(many + "]"), HasSubstr("more than 2000000 values"));
}

TEST(YamlTree, AnyBytesAreReadOrRefused) {
  std::mt19937 random(23);
  constexpr std::string_view kAlphabet = "ab1:- \n\t[]{},'\"#&*!|>%@`?\\~.\x80\xff\x01";
  std::size_t good = 0;
  for (unsigned run = 0; run < 20'000; ++run) {
    std::string text;
    const std::size_t size = random() % 60;
    for (std::size_t i = 0; i < size; ++i) text += kAlphabet[random() % kAlphabet.size()];
    Mistakes mistakes("f");
    const auto tree = parse_yaml(text, mistakes);
    ASSERT_EQ(tree.has_value(), mistakes.empty()) << text;
    good += tree ? 1U : 0U;
  }
  EXPECT_GT(good, 0U);
}

TEST(Mistakes, AreInOrderOfTheFileAndAtMostTwenty) {
  Mistakes mistakes("f");
  EXPECT_EQ(mistakes.to_string(), "");
  for (std::uint32_t line = 30; line >= 1; --line) mistakes.add({line, 2}, "path", "wrong");
  const auto text = mistakes.to_string();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 19);
  EXPECT_THAT(text, testing::StartsWith("f:1:2: path: wrong\nf:2:2: path: wrong\n"));
  EXPECT_THAT(text, testing::EndsWith("f:20:2: path: wrong"));
}

TEST(Nearest, FindsTyposAndNothingElse) {
  constexpr std::array<std::string_view, 3> kWords = {"heartbeat-interval", "heartbeat-count", "id"};
  EXPECT_EQ(nearest("hartbeat-interval", kWords), "heartbeat-interval");
  EXPECT_EQ(nearest("heartbeat-cuont", kWords), "heartbeat-count");
  EXPECT_EQ(nearest("colour", kWords), "");
  EXPECT_EQ(nearest("xy", kWords), "");
  EXPECT_EQ(alternatives(kWords), "heartbeat-interval, heartbeat-count or id");
}

YamlNode scalar(std::string text, bool quoted = false) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

TEST(YamlField, NumbersAreDecimalDigits) {
  Mistakes mistakes("f");
  const auto number = [&](const YamlNode& node) { return YamlField(node, "p", mistakes).number(0, 65535); };
  const auto good = scalar("0");
  const auto most = scalar("65535");
  EXPECT_EQ(number(good), 0U);
  EXPECT_EQ(number(most), 65535U);
  EXPECT_TRUE(mistakes.empty());
  for (const char* text :
       {"", "65536", "-1", "+1", "01", "0x1", "1_000", "1.0", "1e3", " 1", "1:30", "18446744073709551616"}) {
    const auto node = scalar(text);
    EXPECT_FALSE(number(node)) << text;
  }
  const auto quoted = scalar("5", true);
  EXPECT_FALSE(number(quoted));
}

TEST(YamlField, SecondsMayHaveThreeDecimals) {
  Mistakes mistakes("f");
  const auto seconds = [&](std::string text) {
    const auto node = scalar(std::move(text));
    return YamlField(node, "p", mistakes).seconds(0s, 1800s);
  };
  EXPECT_EQ(seconds("0"), Duration(0));
  EXPECT_EQ(seconds("0.5"), Duration(500ms));
  EXPECT_EQ(seconds("2.25"), Duration(2250ms));
  EXPECT_EQ(seconds("1800"), Duration(1800s));
  EXPECT_TRUE(mistakes.empty());
  for (const char* text : {"", ".5", "5.", "1.2345", "-1", "1800.001", "1e3", "05", "1,5", "inf", "9999999999"}) {
    EXPECT_FALSE(seconds(text)) << text;
  }
}

TEST(YamlField, OnlyFourWordsAreYesOrNo) {
  Mistakes mistakes("f");
  const auto read = [&](const YamlNode& node) { return YamlField(node, "p", mistakes).yes_no(); };
  const auto yes = scalar("yes");
  const auto no = scalar("false");
  EXPECT_EQ(read(yes), true);
  EXPECT_EQ(read(no), false);
  for (const char* text : {"y", "on", "Yes", "TRUE", "1", ""}) {
    const auto node = scalar(text);
    EXPECT_FALSE(read(node).has_value()) << text;
  }
  const auto quoted = scalar("yes", true);
  EXPECT_FALSE(read(quoted).has_value());
}

}  // namespace
}  // namespace icr
