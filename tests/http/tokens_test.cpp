// Files of tokens, and who has one.
#include "cli/http/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace icr::cli::http {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kText =
    "# for the monitoring\nview 0123456789abcdef\n\noperator  QmFzZTY0LW9mLXJhbmRvbS1vY3RldHM=\r\n";

std::string error_of(std::string_view text) {
  const auto tokens = Tokens::parse(text);
  EXPECT_FALSE(tokens) << text;
  return tokens ? "" : tokens.error().message;
}

TEST(HttpTokens, HaveClasses) {
  const auto tokens = Tokens::parse(kText);
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(tokens->size(), 2U);
  EXPECT_EQ(tokens->class_of("Bearer 0123456789abcdef"), ClientClass::view);
  EXPECT_EQ(tokens->class_of("bEARER QmFzZTY0LW9mLXJhbmRvbS1vY3RldHM="), ClientClass::operate);
  for (const auto* given : {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0",
                            "Bearer 0123456789abcdeF", "Bearer  0123456789abcdef", "Basic 0123456789abcdef",
                            "0123456789abcdef", "Bearer QmFzZTY0LW9mLXJhbmRvbS1vY3RldHM"}) {
    EXPECT_EQ(tokens->class_of(given), std::nullopt) << given;
  }
  // What is longer than every token may be is none, also if it begins with one.
  EXPECT_EQ(tokens->class_of("Bearer 0123456789abcdef" + std::string(1000, '\0')), std::nullopt);
  EXPECT_EQ(Tokens().class_of("Bearer 0123456789abcdef"), std::nullopt);
}

TEST(HttpTokens, SayWhatIsWrongWithALineAndNoToken) {
  EXPECT_THAT(error_of("view 0123456789abcde"), HasSubstr("line 1: a token has 16 to 256 octets, and this one 15"));
  EXPECT_THAT(error_of("view " + std::string(257, 'a')), HasSubstr("and this one 257"));
  EXPECT_THAT(error_of("# x\nviewer 0123456789abcdef"), HasSubstr("line 2: it begins with no class"));
  EXPECT_THAT(error_of("0123456789abcdef"), HasSubstr("line 1: it begins with no class"));
  EXPECT_THAT(error_of("view"), HasSubstr("this one 0"));
  EXPECT_THAT(error_of("view 0123456789 abcdef"), HasSubstr("a token consists of"));
  EXPECT_THAT(error_of("view 0123456789abcdef\nclear 0123456789abcdef"),
              HasSubstr("line 2: this token is there twice"));
  EXPECT_THAT(error_of("# none\n"), HasSubstr("there is no token"));
  EXPECT_THAT(error_of("view secret-secret-secret!"), Not(HasSubstr("secret")));
}

TEST(HttpTokens, AreReadFromAPrivateFileOnly) {
  const auto file = (std::filesystem::path(testing::TempDir()) / "icr-http-tokens").string();
  std::filesystem::remove(file);
  EXPECT_THAT(Tokens::read(file).error().message, HasSubstr("cannot be read: No such file"));
  std::ofstream(file) << kText;
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0644U}) {
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
    const auto tokens = Tokens::read(file);
    ASSERT_FALSE(tokens) << mode;
    EXPECT_THAT(tokens.error().message, HasSubstr("chmod 600"));
  }
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  const auto tokens = Tokens::read(file);
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(tokens->class_of("Bearer 0123456789abcdef"), ClientClass::view);
  std::ofstream(file, std::ios::app) << std::string(100'000, '#');
  EXPECT_THAT(Tokens::read(file).error().message, HasSubstr("too long"));
  std::filesystem::remove(file);
  EXPECT_THAT(Tokens::read(testing::TempDir()).error().message, HasSubstr("is no file"));
}

}  // namespace
}  // namespace icr::cli::http
