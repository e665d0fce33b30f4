#include "node/set/failover_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

#include "model/base/log.h"
#include "model/base/whole_file.h"
#include "node/set/failover_json.h"

namespace icr::node {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kComponent = "failover";
constexpr std::string_view kExtension = ".json";
/// The file of a report is shorter than this.
constexpr std::size_t kMaxBytes = 64 * 1024;

/// Returns the name of a set with only such characters as a file name may have. Two sets never get the same.
std::string as_file_name(std::string_view set) {
  std::string out;
  for (const char c : set) {
    if (c == '/' || c == ':') {
      out += fmt::format("%{:02X}", c);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<FailoverFiles>> FailoverFiles::open(const fs::path& folder) {
  std::error_code code;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), code);
  if (code) return fail("{}: cannot be created: {}", folder.string(), code.message());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail("{}: cannot be created: {}", folder.string(), error_text(errno));
  }
  if (!fs::is_directory(folder, code)) return fail("{}: is no folder", folder.string());
  std::unique_ptr<FailoverFiles> out(new FailoverFiles(folder));
  out->read_folder();
  return out;
}

FailoverFiles::~FailoverFiles() { stop(); }

fs::path FailoverFiles::file_of(std::string_view set, std::uint64_t number) const {
  return folder_ / fmt::format("{}-{}{}", as_file_name(set), number, kExtension);
}

void FailoverFiles::read_folder() {
  std::error_code code;
  for (fs::directory_iterator each(folder_, code); !code && each != fs::directory_iterator(); each.increment(code)) {
    const fs::path& path = each->path();
    if (path.extension() == kUnfinished) {
      std::error_code ignored;
      fs::remove(path, ignored);  // if it stays, the next report writes over it
      continue;
    }
    if (path.extension() != kExtension) continue;
    auto report =
        read_whole_file(path, kMaxBytes).and_then([](const std::string& text) { return failover_from_json(text); });
    if (report && file_of(report->set, report->number) != path) report = fail("it is the report of another takeover");
    if (!report) {
      ++unreadable_;
      log::warn(kComponent, "{} is skipped: {}", path.string(), report.error().message);
      continue;
    }
    found_.push_back(std::move(*report));
  }
  if (code) log::warn(kComponent, "{} cannot be read: {}", folder_.string(), code.message());
}

std::vector<FailoverReport> FailoverFiles::reports_of(std::string_view set) const {
  std::vector<FailoverReport> out;
  std::copy_if(found_.begin(), found_.end(), std::back_inserter(out),
               [set](const FailoverReport& report) { return report.set == set; });
  return out;
}

void FailoverFiles::start() {
  thread_ = std::thread([this] { run(); });
}

void FailoverFiles::stop() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void FailoverFiles::keep(const FailoverReport& report) {
  {
    const MutexLock lock(mutex_);
    const Key key(report.set, report.number);
    if (waiting_.size() >= kMostWaiting && !waiting_.contains(key)) {
      ++not_written_;
      return;
    }
    waiting_.insert_or_assign(key, report);
  }
  wake_.notify_one();
}

void FailoverFiles::run() {
  for (;;) {
    FailoverReport next;
    {
      const MutexLock lock(mutex_);
      while (waiting_.empty() && !stopping_) wake_.wait(mutex_);
      if (waiting_.empty()) return;
      next = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
    }
    write(next);
  }
}

void FailoverFiles::write(const FailoverReport& report) {
  const auto done = replace_file(file_of(report.set, report.number), failover_to_json(report));
  if (done) {
    ++written_;
    failing_ = false;
    remove_old(report);
    return;
  }
  ++not_written_;
  if (std::exchange(failing_, true)) return;
  log::error(kComponent, "set={} the report of a takeover cannot be written: {}", report.set, done.error().message);
}

void FailoverFiles::remove_old(const FailoverReport& newest) const {
  if (newest.number <= kMaxFailovers) return;
  // Numbers grow by one, so each report displaces one; a file that could not be removed is removed with the next.
  std::error_code ignored;
  for (std::uint64_t number = newest.number - kMaxFailovers; number != 0; --number) {
    if (!fs::remove(file_of(newest.set, number), ignored)) return;
  }
}

void FailoverFiles::append_to(CounterList& out) const {
  out.push_back({"failover-reports-written", written_});
  out.push_back({"failover-reports-not-written", not_written_});
  out.push_back({"failover-reports-unreadable", unreadable_});
}

}  // namespace icr::node
