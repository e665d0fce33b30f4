#include "model/base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace icr {
namespace {

/// A file descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool open() const { return number_ >= 0; }

 private:
  int number_;
};

/// Names the file, and says why the last call of the system failed.
tl::unexpected<Error> failed(const std::string& file, std::string_view what) {
  return fail("{}: {}: {}", file, what, error_text(errno));
}

Result<void> write_all(const std::string& file, std::string_view text) {
  const Descriptor opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!opened.open()) return failed(file, "cannot be created");
  while (!text.empty()) {
    const auto written = ::write(opened.number(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(file, "cannot be written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(opened.number()) != 0) return failed(file, "cannot be written to disk");
  return {};
}

}  // namespace

Result<void> replace_file(const std::filesystem::path& file, std::string_view text) {
  const std::string unfinished = file.string() + std::string(kUnfinished);
  auto done = write_all(unfinished, text);
  if (done && ::rename(unfinished.c_str(), file.c_str()) != 0) done = failed(unfinished, "cannot be renamed");
  if (!done) ::unlink(unfinished.c_str());
  return done;
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.open()) return failed(folder.string(), "cannot be opened");
  if (::fsync(opened.number()) != 0) return failed(folder.string(), "cannot be written to disk");
  return {};
}

Result<std::string> read_whole_file(const std::filesystem::path& file, std::size_t limit) {
  // O_NONBLOCK: a pipe is opened without waiting for a writer, and then refused.
  const Descriptor opened(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!opened.open()) {
    if (errno == ELOOP) return fail("it is a link");
    return fail("{}", error_text(errno));
  }
  struct stat status {};
  if (::fstat(opened.number(), &status) != 0) return fail("{}", error_text(errno));
  if (!S_ISREG(status.st_mode)) return fail("it is no regular file");
  // Nothing is reserved beyond the size of the file, which may grow or shrink meanwhile.
  std::string out(std::min(limit, static_cast<std::size_t>(status.st_size)) + 1, '\0');
  std::size_t size = 0;
  while (true) {
    const auto got = ::read(opened.number(), out.data() + size, out.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("it cannot be read: {}", error_text(errno));
    size += static_cast<std::size_t>(got);
    if (size > limit) return fail("it is too long: more than {} octets", limit);
    if (got == 0) break;
    if (size == out.size()) out.resize(std::min(limit, 2 * size) + 1);
  }
  out.resize(size);
  return out;
}

}  // namespace icr
