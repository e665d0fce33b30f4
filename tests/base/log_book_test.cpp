// The lines of the log that are kept in memory.
#include "model/base/log_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/base/log.h"

namespace icr::log {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(LogBook, KeepsTheNewestLines) {
  LogBook book;
  EXPECT_EQ(book.read(0, 10).end, 0U);
  for (std::size_t i = 0; i < LogBook::kLines + 5; ++i) {
    book.add(Level::warn, static_cast<WallMillis>(i), "line " + std::to_string(i));
  }
  auto all = book.read(0, LogBook::kLines * 2);
  EXPECT_EQ(all.first, 5U);
  EXPECT_EQ(all.end, LogBook::kLines + 5);
  ASSERT_THAT(all.lines, SizeIs(LogBook::kLines));
  EXPECT_EQ(all.lines.front(), (KeptLine{Level::warn, 5, "line 5"}));
  EXPECT_EQ(all.lines.back().text, "line " + std::to_string(LogBook::kLines + 4));
}

TEST(LogBook, IsReadInPages) {
  LogBook book;
  for (int i = 0; i < 10; ++i) book.add(Level::info, i, std::to_string(i));
  const auto page = book.read(4, 3);
  EXPECT_EQ(page.first, 4U);
  EXPECT_EQ(page.end, 10U);
  ASSERT_THAT(page.lines, SizeIs(3));
  EXPECT_EQ(page.lines[0].text, "4");
  EXPECT_EQ(page.lines[2].text, "6");
  EXPECT_THAT(book.read(8, 100).lines, SizeIs(2));
  EXPECT_THAT(book.read(10, 3).lines, IsEmpty());
  EXPECT_THAT(book.read(~std::uint64_t{0}, 3).lines, IsEmpty()) << "a number that no line has had";
  EXPECT_EQ(book.read(~std::uint64_t{0}, 3).first, 10U);
}

TEST(LogBook, CutsALongLine) {
  LogBook book;
  book.add(Level::error, 1, std::string(LogBook::kOctets, 'a'));
  book.add(Level::error, 1, std::string(LogBook::kOctets + 1, 'b'));
  const auto kept = book.read(0, 2).lines;
  EXPECT_EQ(kept[0].text, std::string(LogBook::kOctets, 'a'));
  EXPECT_EQ(kept[1].text, std::string(LogBook::kOctets - 3, 'b') + "...");
}

TEST(LogBook, HasWhatWasLogged) {
  const auto before = book().read(~std::uint64_t{0}, 0).end;
  set_level(Level::warn);
  info("test", "not written, so not kept");
  set_level(Level::info);
  info("test", "by its caller");
  begin_thread();
  warn("test", "by the thread {}", 7);
  flush();
  const auto kept = book().read(before, 10);
  ASSERT_THAT(kept.lines, SizeIs(2));
  EXPECT_EQ(kept.lines[0].text, "test: by its caller");
  EXPECT_EQ(kept.lines[0].level, Level::info);
  EXPECT_EQ(kept.lines[1].text, "test: by the thread 7");
  EXPECT_EQ(kept.lines[1].level, Level::warn);
  EXPECT_GT(kept.lines[0].at, 1'600'000'000'000) << "since 2020";
  EXPECT_GE(kept.lines[1].at, kept.lines[0].at);
}

}  // namespace
}  // namespace icr::log
