// Tests that a thread that logs never waits for a slow reader: lines go through a bounded queue that drops the oldest
// ones.
#include "model/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

namespace icr {
namespace {

/// Standard error is a pipe while it lives.
class CapturedErrors {
 public:
  CapturedErrors() : kept_(::dup(STDERR_FILENO)) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_ = ends[0];
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    ::fcntl(STDERR_FILENO, F_SETPIPE_SZ, 4096);
  }
  ~CapturedErrors() {
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
    ::close(read_);
  }
  /// Reads for as long as something comes within `limit`.
  std::string read(std::chrono::milliseconds limit) const {
    std::string out;
    for (;;) {
      pollfd waiting{read_, POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return out;
      char data[4096];
      const ssize_t got = ::read(read_, data, sizeof data);
      if (got <= 0) return out;
      out.append(data, static_cast<std::size_t>(got));
    }
  }

 private:
  int kept_;
  int read_ = -1;
};

TEST(Log, AThreadThatHasJustBegunWritesAndGoesOnWriting) {
  const CapturedErrors errors;
  for (int round = 0; round < 300; ++round) {
    log::begin_thread();
    log::info("test", "round={}", round);
    std::string text;
    // Before flush(), which writes what is left, by itself.
    for (int i = 0; i < 200 && text.find("round=") == std::string::npos; ++i) {
      text += errors.read(std::chrono::milliseconds(5));
    }
    log::flush();
    ASSERT_NE(text.find("round=" + std::to_string(round)), std::string::npos);
  }
}

TEST(Log, AReaderThatDoesNotReadStopsNobodyAndLosesTheOldestLines) {
  const CapturedErrors errors;
  log::begin_thread();
  const auto begun = std::chrono::steady_clock::now();
  // This is far more than the pipe and the queue hold, and nobody reads. Without the queue it would block for ever.
  constexpr int kLines = 3 * static_cast<int>(log::kWaitingLines);
  for (int i = 0; i < kLines; ++i) log::info("test", "line={} {}", i, std::string(80, 'x'));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  std::string text;
  std::thread reader([&] { text = errors.read(std::chrono::seconds(1)); });
  log::flush();
  log::info("test", "the last, without a thread");
  reader.join();
  // The text is too long to be shown when one of these fails.
  const auto has = [&text](const std::string& part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(has("lines before this one were lost"));
  EXPECT_TRUE(has("test: line=" + std::to_string(kLines - 1) + " "));
  EXPECT_TRUE(has("test: the last, without a thread"));
  int written = 0;
  for (auto at = text.find("test: line="); at != std::string::npos; at = text.find("test: line=", at + 1)) ++written;
  EXPECT_GE(written, static_cast<int>(log::kWaitingLines));
  EXPECT_LT(written, kLines) << "which of them are lost depends on how fast the thread is";
}

TEST(Log, LinesKeepTheirOrderAndTheirTime) {
  const CapturedErrors errors;
  log::begin_thread();
  log::begin_thread();
  log::warn("test", "first");
  log::error("test", "second");
  log::flush();
  const std::string text = errors.read(std::chrono::milliseconds(10));
  const auto first = text.find("warning test: first");
  EXPECT_NE(first, std::string::npos) << text;
  EXPECT_GT(text.find("error test: second"), first);
}

}  // namespace
}  // namespace icr
