// Standard files that a program was started without.
#include "model/base/standard_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace icr {
namespace {

bool is_null_device(int number) {
  struct stat is {};
  struct stat null {};
  return ::fstat(number, &is) == 0 && ::stat("/dev/null", &null) == 0 && is.st_rdev == null.st_rdev;
}

/// Closes some files in a process of its own. Returns 0, or the number of what was wrong after that.
int after_closing(const std::vector<int>& closed) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int number : closed) ::close(number);
    if (!hold_standard_files()) ::_exit(1);
    const int next = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (next <= STDERR_FILENO) ::_exit(2);
    for (const int number : closed) {
      if (!is_null_device(number)) ::_exit(3);
      const bool writes = ::write(number, "x", 1) == 1;
      if (writes != (number == STDERR_FILENO)) ::_exit(4);
    }
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST(StandardFiles, WhatIsClosedIsTakenByNoOtherFile) {
  EXPECT_EQ(after_closing({}), 0);
  EXPECT_EQ(after_closing({STDIN_FILENO}), 0);
  EXPECT_EQ(after_closing({STDOUT_FILENO}), 0);
  EXPECT_EQ(after_closing({STDERR_FILENO}), 0);
  EXPECT_EQ(after_closing({STDIN_FILENO, STDERR_FILENO}), 0);
  EXPECT_EQ(after_closing({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}), 0);
}

}  // namespace
}  // namespace icr
