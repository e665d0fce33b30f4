// Text for a terminal.
#include "model/base/text.h"

#include <gtest/gtest.h>

namespace icr {
namespace {

TEST(Text, WhatSteersATerminalIsNotPrinted) {
  EXPECT_EQ(printable_text("plain ~ text"), "plain ~ text");
  EXPECT_EQ(printable_text("\x1b[2J\x07\x7f"), "?[2J??");
  EXPECT_EQ(printable_text("a\tb\r\nc"), "a b  c");
  EXPECT_EQ(printable_text("a\nb\r", true), "a\nb ");
  EXPECT_EQ(printable_text("\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"), "\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80");
  // U+0080 to U+009F: a terminal takes U+009B for the beginning of a sequence, as it does the octet 0x9B.
  EXPECT_EQ(printable_text("\xc2\x9b"
                           "2J\xc2\x80\xc2\x9f\xc2\xa0"),
            "?2J??\xc2\xa0");
  EXPECT_EQ(printable_text("\x9b"
                           "2J"),
            "?2J");
  // The direction of writing, and lines that are no newlines.
  EXPECT_EQ(printable_text("a\xe2\x80\xae"
                           "b\xe2\x81\xa6\xe2\x80\xa8"),
            "a?b??");
  EXPECT_EQ(printable_text(std::string_view("a\0b", 3)), "a?b");
}

TEST(Text, OctetsThatAreNotUtf8AreNotPrinted) {
  EXPECT_EQ(printable_text("\xff\xfe"), "??");
  EXPECT_EQ(printable_text("a\xc3"), "a?") << "cut off";
  EXPECT_EQ(printable_text("\xc3("), "?(");
  EXPECT_EQ(printable_text("\xe2\x82"), "??");
  EXPECT_EQ(printable_text("\xc0\x9b"), "??") << "longer than it need be";
  EXPECT_EQ(printable_text("\xe0\x82\x9b"), "???");
  EXPECT_EQ(printable_text("\xf0\x80\x82\x9b"), "????");
  EXPECT_EQ(printable_text("\xed\xa0\x80"), "???") << "half of a pair";
  EXPECT_EQ(printable_text("\xf4\x90\x80\x80"), "????") << "behind the last character";
}

TEST(Text, ColumnsOfALine) {
  EXPECT_EQ(columns_of(""), 0U);
  EXPECT_EQ(columns_of("abc"), 3U);
  EXPECT_EQ(columns_of("\xc3\xbc\xe2\x82\xac"), 2U);
  EXPECT_EQ(columns_of("a\tb"), 9U);
  for (const char* text : {"\xff\xbf\xbf", "a\xc3", "\xc2\x9b\xe2\x80\xae", "\x80\x80"}) {
    EXPECT_EQ(columns_of(text), columns_of(printable_text(text))) << text;
  }
}

}  // namespace
}  // namespace icr
