// Both framings of RFC 6242, in pieces of any size, and what hostile clients send in their place.
#include "cli/netconf/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace icr::cli::netconf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Read {
  std::vector<std::string> messages;
  std::string error;
};

/// Feeds `octets` in pieces of `size`.
Read read(std::string_view octets, Framing framing, std::size_t size, std::size_t most = 1000) {
  Read out;
  FrameReader reader(most);
  reader.use(framing);
  for (std::size_t at = 0; at < octets.size(); at += size) {
    reader.feed(octets.substr(at, size));
    for (;;) {
      auto message = reader.next();
      if (!message) {
        out.error = message.error().message;
        EXPECT_FALSE(reader.next()) << "a broken framing stays broken";
        return out;
      }
      if (!*message) break;
      out.messages.push_back(**message);
    }
  }
  return out;
}

TEST(Framing, EndOfMessageAtEachOctet) {
  const std::string octets = "<hello/>]]>]]>\n<rpc>]]>]] ></rpc>]]>]]>]]>]]>";
  for (std::size_t size = 1; size <= octets.size(); ++size) {
    const auto got = read(octets, Framing::end_of_message, size);
    EXPECT_THAT(got.messages, ElementsAre("<hello/>", "\n<rpc>]]>]] ></rpc>", "")) << size;
    EXPECT_EQ(got.error, "");
  }
}

// The example of RFC 6242, 4.2, has line feeds and `#` in the chunks, too.
TEST(Framing, ChunksAtEachOctet) {
  const std::string octets = "\n#4\n<rpc\n#18\n message-id=\"102\"\n\n#7\n#1\n##\n/\n##\n\n#1\nx\n##\n";
  for (std::size_t size = 1; size <= octets.size(); ++size) {
    const auto got = read(octets, Framing::chunked, size);
    EXPECT_THAT(got.messages, ElementsAre("<rpc message-id=\"102\"\n#1\n##\n/", "x")) << size;
    EXPECT_EQ(got.error, "");
  }
}

TEST(Framing, HeadersOfChunksThatAreWrong) {
  for (const std::string octets :
       {"x", "\nx", "\n#x", "\n#0\n", "\n#01\nx", "\n#-1\n", "\n#+1\nx", "\n# 1\nx", "\n#1 \nx", "\n#1\r\nx", "\n##\n",
        "\n#1\nxy", "\n#1\nx\n##x", "\n#1\nx\n#\n", "<rpc/>]]>]]>"}) {
    for (const std::size_t size : {std::size_t{1}, octets.size()}) {
      const auto got = read(octets, Framing::chunked, size);
      EXPECT_EQ(got.error, "a chunk begins with a line feed, # and its length") << octets;
      EXPECT_TRUE(got.messages.empty()) << octets;
    }
  }
}

TEST(Framing, LengthsThatAreTooLong) {
  const auto error = [](const std::string& octets) { return read(octets, Framing::chunked, 1).error; };
  EXPECT_EQ(error("\n#1001\n"), "a message has more than 1000 octets");
  EXPECT_EQ(error("\n#1000\n"), "");
  EXPECT_EQ(error("\n#600\n" + std::string(600, 'x') + "\n#401\n"), "a message has more than 1000 octets");
  EXPECT_EQ(error("\n#600\n" + std::string(600, 'x') + "\n#400\n"), "");
  EXPECT_EQ(error("\n#4294967295\n"), "a message has more than 1000 octets");
  EXPECT_EQ(error("\n#4294967296"), "a chunk has at most 4294967295 octets");
  EXPECT_EQ(error("\n#18446744073709551617\n"), "a chunk has at most 4294967295 octets");
  EXPECT_EQ(error("\n#" + std::string(100'000, '9')), "a chunk has at most 4294967295 octets");
}

TEST(Framing, AMessageThatDoesNotEnd) {
  FrameReader reader(1000);
  std::size_t fed = 0;
  for (;; fed += 100) {
    reader.feed(std::string(100, 'x'));
    const auto message = reader.next();
    if (!message) break;
    ASSERT_FALSE(*message);
    ASSERT_LT(fed, 1100U);
  }
  EXPECT_GE(fed, 900U);
}

TEST(Framing, TheFramingChangesBehindAMessage) {
  FrameReader reader;
  reader.feed("<hello/>]]>]]>\n#1\na\n##\n");
  EXPECT_EQ(**reader.next(), "<hello/>");
  reader.use(Framing::chunked);
  EXPECT_EQ(**reader.next(), "a");
  EXPECT_FALSE(*reader.next());
}

TEST(Framing, TheLineOfTheLastMarkMayEndBeforeTheFirstChunk) {
  for (const std::string blanks : {"\n", "\r\n", " \t\n\n", "\n \n"}) {
    FrameReader reader;
    reader.feed("<hello/>]]>]]>" + blanks + "\n#1\na\n##\n");
    EXPECT_EQ(**reader.next(), "<hello/>");
    reader.use(Framing::chunked);
    const auto message = reader.next();
    ASSERT_TRUE(message && *message) << testing::PrintToString(blanks);
    EXPECT_EQ(**message, "a");
    EXPECT_FALSE(reader.inside());
    reader.feed("\n\n#1\na\n##\n");
    EXPECT_FALSE(reader.next()) << "behind a chunk nothing but the next one comes";
  }
  FrameReader reader;
  reader.feed("<hello/>]]>]]>\n");
  EXPECT_EQ(**reader.next(), "<hello/>");
  reader.use(Framing::chunked);
  EXPECT_FALSE(*reader.next());
  EXPECT_FALSE(reader.inside()) << "no request was cut short";
  reader.feed(" #1\na\n##\n");
  EXPECT_FALSE(reader.next()) << "# is the first of its line";
}

TEST(Framing, WhatIsWrittenIsReadAgain) {
  for (const auto framing : {Framing::end_of_message, Framing::chunked}) {
    std::string octets;
    std::vector<std::size_t> pieces;
    FrameWriter writer([&](std::string_view out) {
      octets += out;
      pieces.push_back(out.size());
    });
    writer.use(framing);
    std::string first;
    for (int i = 0; i < 20'000; ++i) {
      first += "0123456789";
      writer.write("0123456789");
    }
    EXPECT_GT(pieces.size(), 4U) << "an answer is written while it comes";
    writer.end();
    writer.write("second");
    writer.end();
    const auto got = read(octets, framing, 777, 1'000'000);
    EXPECT_THAT(got.messages, ElementsAre(first, "second"));
    EXPECT_EQ(got.error, "");
  }
}

}  // namespace
}  // namespace icr::cli::netconf
