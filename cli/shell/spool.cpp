#include "cli/shell/spool.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace icr::cli {

Spool::Spool() : file_(std::tmpfile(), std::fclose) {}

void Spool::append(std::string_view text) {
  if (!usable()) return;
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string_view::npos; ++at)
    begins_.push_back(size_ + at + 1);
  while (!text.empty()) {
    const auto written = ::pwrite(::fileno(file_.get()), text.data(), text.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Lines that are not in the file any more do not exist.
      failed_ = true;
      while (begins_.size() > 1 && begins_.back() > size_) begins_.pop_back();
      return;
    }
    size_ += static_cast<std::uint64_t>(written);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Spool::end() {
  if (size_ > begins_.back()) append("\n");
}

std::string Spool::line(std::size_t index) const {
  std::string out(begins_[index + 1] - begins_[index] - 1, '\0');
  std::size_t got = 0;
  while (got < out.size()) {
    const auto part =
        ::pread(::fileno(file_.get()), out.data() + got, out.size() - got, static_cast<off_t>(begins_[index] + got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) break;
    got += static_cast<std::size_t>(part);
  }
  out.resize(got);
  return out;
}

Result<void> Spool::save(const std::string& name) const {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> to(std::fopen(name.c_str(), "we"), std::fclose);
  if (to == nullptr) return fail("could not open '{}': {}", name, error_text(errno));
  for (std::size_t i = 0; i < lines(); ++i) {
    const std::string text = line(i) + "\n";
    if (std::fwrite(text.data(), 1, text.size(), to.get()) != text.size()) {
      return fail("could not write '{}': {}", name, error_text(errno));
    }
  }
  if (std::fflush(to.get()) != 0) return fail("could not write '{}': {}", name, error_text(errno));
  return {};
}

}  // namespace icr::cli
