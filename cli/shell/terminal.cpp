#include "cli/shell/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace icr::cli {
namespace {

constexpr int kEscapeMillis = 50;      // the rest of a key's sequence comes at once
constexpr int kInterruptMillis = 200;  // a signal may come just before poll() waits

/// Reads one octet. Returns -1 at the end of the input, after an interrupt, and with `soon` if nothing comes at once.
int read_octet(const volatile bool& interrupted, bool soon) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (!interrupted) {
    const int ready = ::poll(&input, 1, soon ? kEscapeMillis : kInterruptMillis);
    if (ready == 0 && soon) return -1;
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    if (ready < 0) return -1;
    unsigned char octet = 0;
    const auto got = ::read(STDIN_FILENO, &octet, 1);
    if (got < 0 && errno == EINTR) continue;
    return got == 1 ? octet : -1;
  }
  return -1;
}

}  // namespace

ScreenSize screen_size() {
  ScreenSize out;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return out;
  if (size.ws_row != 0) out.rows = size.ws_row;
  if (size.ws_col != 0) out.columns = size.ws_col;
  return out;
}

bool write_out(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

struct RawKeys::Saved {
  termios attributes{};
  bool known = false;
};

RawKeys::RawKeys(const volatile bool& interrupted) : saved_(std::make_unique<Saved>()), interrupted_(interrupted) {
  if (::tcgetattr(STDIN_FILENO, &saved_->attributes) != 0) return;
  saved_->known = true;
  termios raw = saved_->attributes;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

RawKeys::~RawKeys() {
  if (saved_->known) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_->attributes);
}

int RawKeys::next_or(int other) const {
  pollfd inputs[2] = {{STDIN_FILENO, POLLIN, 0}, {other, POLLIN, 0}};
  while (!interrupted_) {
    const int ready = ::poll(inputs, 2, kInterruptMillis);
    if (ready < 0 && errno != EINTR) return -1;
    if (ready <= 0) continue;
    if (inputs[0].revents != 0) return next();
    std::uint64_t count = 0;
    return ::read(other, &count, sizeof count) > 0 ? kReady : -1;
  }
  return -1;
}

int RawKeys::next() const {
  const int key = read_octet(interrupted_, false);
  if (key != kEscape) return key;
  if (read_octet(interrupted_, true) != '[') return kEscape;
  const int which = read_octet(interrupted_, true);
  switch (which) {
    case 'A':
      return kUp;
    case 'B':
      return kDown;
    case '5':
    case '6':
      (void)read_octet(interrupted_, true);  // '~'
      return which == '5' ? kPageUp : kPageDown;
    default:
      return kEscape;
  }
}

}  // namespace icr::cli
