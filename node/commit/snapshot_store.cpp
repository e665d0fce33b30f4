#include "node/commit/snapshot_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

#include "model/base/log.h"
#include "model/base/whole_file.h"
#include "model/config/cluster_file.h"
#include "model/config/snapshot.h"

namespace icr::node {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "icr-commit 1";
constexpr std::string_view kCandidate = "candidate";
constexpr std::string_view kExtension = ".commit";
/// The description of a commit is shorter than this.
constexpr std::size_t kMaxDescriptionBytes = 16 * 1024;

tl::unexpected<Error> failed(const fs::path& path, std::string_view what) {
  return fail("{}: {}: {}", path.string(), what, error_text(errno));
}

/// Takes the rest of the next line of `text`, which must begin with "`name`: ".
Result<std::string_view> take_line(std::string_view& text, std::string_view name) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  if (end == std::string_view::npos || line.substr(0, name.size()) != name || line.substr(name.size(), 2) != ": ") {
    return fail("its line '{}' is missing", name);
  }
  text.remove_prefix(end + 1);
  return line.substr(name.size() + 2);
}

template <class Number>
Result<Number> take_number(std::string_view& text, std::string_view name, int base = 10) {
  const auto digits = take_line(text, name);
  if (!digits) return tl::unexpected(digits.error());
  Number out{};
  const auto [end, error] = std::from_chars(digits->data(), digits->data() + digits->size(), out, base);
  if (error != std::errc() || end != digits->data() + digits->size()) return fail("its line '{}' is no number", name);
  return out;
}

/// Returns the text without line ends and other control characters, so that a value of a description cannot end its
/// line.
std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace

std::string text_of_commit(const StoredCommit& commit) {
  const CommitEntry& entry = commit.entry;
  std::string rest = fmt::format(
      "number: {}\nat: {}\nconfirm-until: {}\nuser: {}\nvia: {}\ncomment: {}\nfile: {:016x}\ndigest: {:016x}\n\n",
      entry.number, entry.at, entry.confirm_until, on_one_line(entry.user), on_one_line(entry.via),
      on_one_line(entry.comment), commit.file_digest, entry.digest);
  rest += commit.text;
  return fmt::format("{}\nsum: {:016x}\n", kMagic, digest_of_text(rest)) + rest;
}

Result<StoredCommit> read_commit(std::string_view file) {
  const std::string first = std::string(kMagic) + "\n";
  if (file.substr(0, first.size()) != first) return fail("it is no commit of icr");
  file.remove_prefix(first.size());
  const auto sum = take_number<std::uint64_t>(file, "sum", 16);
  if (!sum) return tl::unexpected(sum.error());
  if (*sum != digest_of_text(file)) return fail("its checksum is wrong");
  StoredCommit out;
  const auto number = take_number<std::uint64_t>(file, "number");
  if (!number) return tl::unexpected(number.error());
  if (*number == 0 || *number > kMaxCommitNumber) return fail("there is no commit {}", *number);
  const auto at = take_number<WallMillis>(file, "at");
  if (!at) return tl::unexpected(at.error());
  const auto until = take_number<WallMillis>(file, "confirm-until");
  if (!until) return tl::unexpected(until.error());
  const std::array<std::pair<std::string_view, std::string*>, 3> words = {
      {{"user", &out.entry.user}, {"via", &out.entry.via}, {"comment", &out.entry.comment}}};
  for (const auto& [name, into] : words) {
    const auto line = take_line(file, name);
    if (!line) return tl::unexpected(line.error());
    *into = *line;
  }
  const auto file_digest = take_number<std::uint64_t>(file, "file", 16);
  if (!file_digest) return tl::unexpected(file_digest.error());
  const auto digest = take_number<std::uint64_t>(file, "digest", 16);
  if (!digest) return tl::unexpected(digest.error());
  if (file.substr(0, 1) != "\n") return fail("its description has no end");
  out.text = file.substr(1);
  if (digest_of_text(out.text) != *digest) return fail("its text is not the one that was committed");
  out.entry.number = *number;
  out.entry.at = *at;
  out.entry.confirm_until = *until;
  out.entry.digest = *digest;
  out.file_digest = *file_digest;
  return out;
}

Result<SnapshotStore> SnapshotStore::open(const fs::path& folder) {
  SnapshotStore out;
  out.folder_ = folder;
  std::error_code code;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), code);
  if (code) return fail("{}: cannot be created: {}", folder.string(), code.message());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed(folder, "cannot be created");
  if (::chmod(folder.c_str(), 0700) != 0) return failed(folder, "others may enter it, and that cannot be changed");
  fs::directory_iterator each(folder, code);
  if (code) return fail("{}: cannot be read: {}", folder.string(), code.message());
  for (; each != fs::directory_iterator(); each.increment(code)) {
    if (code) return fail("{}: cannot be read: {}", folder.string(), code.message());
    const fs::path& path = each->path();
    if (path.extension() == kUnfinished || path.filename() == kCandidate) {
      fs::remove(path, code);  // if it stays, the next prepare() writes over it
      continue;
    }
    if (path.extension() != kExtension) continue;
    auto commit =
        read_whole_file(path, max_cluster_file_bytes() + kMaxDescriptionBytes).and_then([](const std::string& text) {
          return read_commit(text);
        });
    if (!commit) {
      out.damage_.push_back(fmt::format("{} is damaged and was skipped: {}", path.string(), commit.error().message));
    } else if (out.file_of(commit->entry.number).filename() != path.filename()) {
      out.damage_.push_back(fmt::format("{} was skipped: it holds commit {}", path.string(), commit->entry.number));
    } else {
      out.commits_.push_back(std::move(*commit));
    }
  }
  std::sort(out.commits_.begin(), out.commits_.end(),
            [](const StoredCommit& a, const StoredCommit& b) { return a.entry.number > b.entry.number; });
  if (out.commits_.size() > kMaxCommits) out.commits_.resize(kMaxCommits);
  return out;
}

fs::path SnapshotStore::file_of(std::uint64_t number) const {
  return folder_ / fmt::format("{:020}{}", number, kExtension);
}

Result<void> SnapshotStore::write(const StoredCommit& commit, const std::string& name) const {
  if (auto written = replace_file(folder_ / name, text_of_commit(commit)); !written) return written;
  return sync_folder(folder_);
}

Result<void> SnapshotStore::prepare(StoredCommit commit) {
  abort();
  if (durable()) {
    if (auto written = write(commit, std::string(kCandidate)); !written) return written;
  }
  candidate_.push_back(std::move(commit));
  return {};
}

Result<void> SnapshotStore::activate() {
  if (candidate_.empty()) return fail("there is no candidate");
  if (durable()) {
    const fs::path candidate = folder_ / kCandidate;
    if (::rename(candidate.c_str(), file_of(candidate_.front().entry.number).c_str()) != 0) {
      return failed(candidate, "cannot be renamed");
    }
    // It counts from here on. If the folder cannot be synced, the new name may be lost, but only with the machine.
    if (auto synced = sync_folder(folder_); !synced) log::error("commit", "{}", synced.error().message);
  }
  insert(std::move(candidate_.front()));
  candidate_.clear();
  return {};
}

void SnapshotStore::insert(StoredCommit commit) {
  commits_.insert(commits_.begin(), std::move(commit));
  while (commits_.size() > kMaxCommits) {
    std::error_code ignored;  // open() leaves out what is too much, so a file that stays does no harm
    if (durable()) fs::remove(file_of(commits_.back().entry.number), ignored);
    commits_.pop_back();
  }
}

void SnapshotStore::abort() {
  if (candidate_.empty()) return;
  candidate_.clear();
  std::error_code ignored;  // the next prepare() writes over it, and open() removes it
  if (durable()) fs::remove(folder_ / kCandidate, ignored);
}

void SnapshotStore::add_in_memory(StoredCommit commit) {
  abort();
  insert(std::move(commit));
}

Result<void> SnapshotStore::clear_confirm_until() {
  if (commits_.empty()) return fail("there is no commit");
  commits_.front().entry.confirm_until = 0;
  if (!durable()) return {};
  return write(commits_.front(), file_of(commits_.front().entry.number).filename().string());
}

}  // namespace icr::node
