// The options of `icr serve`, the names of this machine, and the counters.
#include "cli/http/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/http/counters.h"

namespace icr::cli::http {
namespace {

using testing::HasSubstr;

std::string error_of(const std::vector<std::string>& words) {
  const auto options = read_options(words);
  EXPECT_FALSE(options);
  return options ? "" : options.error().message;
}

TEST(HttpOptions, AreRead) {
  EXPECT_EQ(read_options({})->address.to_string(), "127.0.0.1");
  EXPECT_EQ(read_options({})->port, 8080);
  const auto v6 = read_options({"--listen", "[::1]:0"});
  ASSERT_TRUE(v6) << v6.error().message;
  EXPECT_EQ(v6->address.to_string(), "::1");
  EXPECT_EQ(v6->port, 0);
  const auto far = read_options({"--tokens=file", "--listen=192.0.2.1:443"});
  ASSERT_TRUE(far) << far.error().message;
  EXPECT_EQ(far->address.to_string(), "192.0.2.1");
  EXPECT_EQ(far->port, 443);
  EXPECT_EQ(far->tokens, "file");
}

TEST(HttpOptions, SayWhatIsWrong) {
  for (const auto* listen : {"", "8080", "localhost:8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x",
                             "::1:8080", "[127.0.0.1]:8080", "127.0.0.1:-1"}) {
    EXPECT_THAT(error_of({"--listen", listen}), HasSubstr("an address and a port are needed")) << listen;
  }
  EXPECT_THAT(error_of({"--listen"}), HasSubstr("needs a value"));
  EXPECT_THAT(error_of({"--tokens", ""}), HasSubstr("needs a value"));
  EXPECT_THAT(error_of({"--port", "1"}), HasSubstr("--port is no option"));
  EXPECT_THAT(error_of({"--tokens", "a", "--tokens", "b"}), HasSubstr("twice"));
}

TEST(HttpOptions, WithoutTokensOnlyThisMachineIsAnswered) {
  for (const auto* listen : {"0.0.0.0:8080", "192.0.2.1:8080", "[::]:8080", "[2001:db8::1]:8080"}) {
    EXPECT_THAT(error_of({"--listen", listen}), HasSubstr("without --tokens")) << listen;
    EXPECT_TRUE(read_options({"--listen", listen, "--tokens", "file"})) << listen;
  }
  EXPECT_TRUE(read_options({"--listen", "127.0.0.9:8080"}));
}

TEST(HttpOptions, NamesOfThisMachine) {
  for (const auto* host : {"localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080"}) {
    EXPECT_TRUE(names_this_machine(host)) << host;
  }
  for (const auto* host : {"", ":", "example.com", "example.com:8080", "localhost.example.com", "127.0.0.1.example.com",
                           "192.0.2.1:8080", "[2001:db8::1]:80", "[", "]"}) {
    EXPECT_FALSE(names_this_machine(host)) << host;
  }
}

TEST(HttpCounters, ALineSaysWhatWasRefusedSinceTheLastOne) {
  Counters counters;
  RefusalLog log(counters);
  counters.note(Event::connected);
  counters.note(Event::answered);
  counters.note(Event::client_left);
  EXPECT_EQ(log.next_line(), "");
  counters.note(Event::no_token);
  counters.note(Event::no_token);
  counters.note(Event::slow_reader);
  EXPECT_EQ(log.next_line(), "icr serve: refused-without-token +2, cut-off-slow-readers +1");
  EXPECT_EQ(log.next_line(), "");
  counters.note(event_of(404));
  EXPECT_EQ(log.next_line(), "icr serve: refused-unknown-paths +1");
}

}  // namespace
}  // namespace icr::cli::http
