#include "cli/shell/history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace icr::cli {
namespace {

/// What is read of a file that is longer, from its end.
constexpr std::size_t kHistoryBytes = 4 << 20;

/// An open file, or none.
class OwnFile {
 public:
  /// Opens a file if it is a regular one that belongs to the user. A device, a FIFO, a link, and the file of somebody
  /// else are left as they are: the name may be /dev/null, which nobody else could use any more if its mode changed.
  OwnFile(const std::string& name, int flags)
      : file_(::open(name.c_str(), O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags, S_IRUSR | S_IWUSR)) {
    struct stat is {};
    if (file_ < 0 || (::fstat(file_, &is) == 0 && S_ISREG(is.st_mode) && is.st_uid == ::geteuid())) {
      size_ = static_cast<std::size_t>(is.st_size);
      return;
    }
    ::close(file_);
    file_ = -1;
  }
  ~OwnFile() {
    if (file_ >= 0) ::close(file_);
  }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

  [[nodiscard]] int get() const { return file_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  int file_;
  std::size_t size_ = 0;
};

/// Writes all of `text` to a file of mode 0600, behind what is in it with O_APPEND, and instead of that without.
bool write_private(const std::string& name, int flags, std::string_view text) {
  const OwnFile file(name, O_WRONLY | O_CREAT | flags);
  // A file that was there may be readable by others.
  return file.get() >= 0 && ::fchmod(file.get(), S_IRUSR | S_IWUSR) == 0 &&
         ((flags & O_APPEND) != 0 || ::ftruncate(file.get(), 0) == 0) &&
         ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// Returns the last kHistoryBytes of a file.
std::string read_end(const OwnFile& file) {
  std::string text(std::min(file.size(), kHistoryBytes), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const auto part =
        ::pread(file.get(), text.data() + got, text.size() - got, static_cast<off_t>(file.size() - text.size() + got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) break;
    got += static_cast<std::size_t>(part);
  }
  text.resize(got);
  return text;
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
  bool shorten = false;
  {
    const OwnFile file(name_, O_RDONLY);
    if (file.get() < 0) return lines;
    std::istringstream text(read_end(file));
    std::string line;
    if (file.size() > kHistoryBytes) std::getline(text, line);  // its beginning was not read
    while (std::getline(text, line)) {
      if (!line.empty()) lines.push_back(std::move(line));
    }
    shorten = file.size() > kHistoryBytes || lines.size() > 2 * kHistoryLines;
  }
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
  if (!write_private(fresh, 0, text) || std::rename(fresh.c_str(), name_.c_str()) != 0) {
    (void)std::remove(fresh.c_str());
  }
}

}  // namespace icr::cli
