#include "cli/shell/history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace icr::cli {
namespace {

/// Writes all of `text` to a file of mode 0600.
bool write_private(const std::string& name, int flags, std::string_view text) {
  const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, S_IRUSR | S_IWUSR);
  if (file < 0) return false;
  // A file that was there may be readable by others.
  const bool written = ::fchmod(file, S_IRUSR | S_IWUSR) == 0 &&
                       ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return ::close(file) == 0 && written;
}

}  // namespace

std::string HistoryFile::default_name() {
  if (const char* name = std::getenv("ICR_HISTORY")) return name;
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? std::string() : std::string(home) + "/.icr_history";
}

std::vector<std::string> HistoryFile::read() const {
  std::vector<std::string> lines;
  if (name_.empty()) return lines;
  std::ifstream file(name_);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(std::move(line));
  }
  const bool shorten = lines.size() > 2 * kHistoryLines;
  if (lines.size() > kHistoryLines) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kHistoryLines));
  }
  if (shorten) replace(lines);
  return lines;
}

void HistoryFile::add(std::string_view line) const {
  if (name_.empty() || line.empty()) return;
  // One write() with O_APPEND, so that lines of several shells do not mix.
  (void)write_private(name_, O_APPEND, std::string(line) + "\n");
}

void HistoryFile::replace(const std::vector<std::string>& lines) const {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  const std::string fresh = name_ + ".new";
  if (!write_private(fresh, O_TRUNC, text) || std::rename(fresh.c_str(), name_.c_str()) != 0) {
    (void)std::remove(fresh.c_str());
  }
}

}  // namespace icr::cli
