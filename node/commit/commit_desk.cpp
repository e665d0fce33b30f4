#include "node/commit/commit_desk.h"

#include <algorithm>
#include <utility>

#include "model/base/log.h"
#include "model/config/cluster_file.h"
#include "node/commit/boot.h"
#include "node/commit/drains.h"
#include "node/commit/key_step.h"

namespace icr::node {
namespace {

constexpr std::string_view kComponent = "commit";
/// A confirmation reaches the chassis of a cluster one after the other. One that has taken it from a peer already has
/// nothing to confirm when the client's request comes, and the client need not know.
constexpr WallMillis kConfirmedJustNow = 10'000;

bool is_of_file(const CommitEntry& entry) { return entry.via == kViaFile || entry.via == kViaSignal; }

/// Returns when a chassis that holds these commits, newest first, takes back the newest one; 0: never.
WallMillis rollback_time(const std::vector<StoredCommit>& commits) {
  if (commits.empty() || commits[0].entry.confirm_until == 0) return 0;
  const bool has_missed_one = commits.size() > 1 && commits[1].entry.number + 1 != commits[0].entry.number;
  return commits[0].entry.confirm_until + (has_missed_one ? kFollowTime : 0);
}

/// Returns true if the newest of these commits confirms the one before it, and was made a moment ago.
bool is_confirmed(const std::vector<StoredCommit>& commits, WallMillis now) {
  if (commits.size() < 2) return false;
  const CommitEntry& newest = commits[0].entry;
  const CommitEntry& before = commits[1].entry;
  return before.confirm_until != 0 && newest.number == before.number + 1 && newest.digest == before.digest &&
         now - newest.at <= kConfirmedJustNow;
}

/// Returns an error if a commit of this number would leave too few numbers above it.
Result<void> check_number(std::uint64_t number, std::uint64_t newest) {
  const std::uint64_t most = std::min(newest + kMaxCommitStep, kMaxCommitNumber);
  if (number <= most) return {};
  return fail("the number {} is too high: the newest commit is {}, and the next one is {} at most", number, newest,
              most);
}

}  // namespace

CommitDesk::CommitDesk(SnapshotStore store, std::string chassis, FileDigest file_digest)
    : chassis_(std::move(chassis)), file_digest_(std::move(file_digest)), store_(std::move(store)) {}

std::uint64_t CommitDesk::newest_number() const {
  return store_.commits().empty() ? 0 : store_.commits().front().entry.number;
}

Result<std::shared_ptr<const Snapshot>> CommitDesk::read_own(std::string text, std::string_view name) const {
  auto snapshot = make_snapshot(std::move(text), name);
  if (snapshot && !(*snapshot)->cluster.find_chassis(chassis_)) {
    return fail("{}: the file has no chassis '{}', whose icrd runs: end that icrd before you remove the chassis", name,
                chassis_);
  }
  if (!snapshot) return snapshot;
  const Cluster& cluster = (*snapshot)->cluster;
  if (auto is_protected = cluster.check_protected(); !is_protected) {
    return tl::unexpected(is_protected.error().in(name));
  }
  if (!key_check_) return snapshot;
  if (auto has_key = key_check_(cluster); !has_key) return tl::unexpected(has_key.error().in(name));
  return snapshot;
}

Result<std::string> CommitDesk::start(std::string file_text, std::string_view file_name, WallMillis now) {
  std::string why;
  {
    const MutexLock lock(mutex_);
    no_rollback_before_ = now + kStartGrace;
    for (const std::string& damage : store_.damage()) log::error(kComponent, "chassis={} {}", chassis_, damage);
    const BootChoice choice = choose_boot(store_.commits(), digest_of_text(file_text));
    why = choice.why;
    if (choice.stored) {
      auto snapshot = read_own(store_.commits().front().text, fmt::format("commit {}", newest_number()));
      if (snapshot) {
        took(std::move(*snapshot), now);
        return why;
      }
      // This release does not understand a commit that another release has stored. Only the file is left.
      why = fmt::format("commit {} cannot be used ({})", newest_number(), snapshot.error().message);
    }
  }
  CommitEntry entry;
  entry.user = "root";
  entry.via = kViaFile;
  auto taken = take(std::move(file_text), file_name, std::move(entry), now);
  if (!taken) return tl::unexpected(taken.error());
  return why;
}

Result<void> CommitDesk::check_cluster(const Snapshot& snapshot) const {
  if (!newest_ || newest_->cluster.name == snapshot.cluster.name) return {};
  return fail("the cluster is called '{}' and not '{}': a commit cannot change that", newest_->cluster.name,
              snapshot.cluster.name);
}

Result<void> CommitDesk::check_step(const Snapshot& snapshot) const {
  if (auto same = check_cluster(snapshot); !same) return same;
  return running_ ? check_key_step(running_->cluster, snapshot.cluster) : Result<void>();
}

std::shared_ptr<const Snapshot> CommitDesk::drained(std::shared_ptr<const Snapshot> snapshot, std::size_t first,
                                                    WallMillis now, const StoredCommit* candidate) const {
  std::vector<const StoredCommit*> commits;
  if (candidate != nullptr) commits.push_back(candidate);
  for (std::size_t i = first; i < store_.commits().size(); ++i) commits.push_back(&store_.commits()[i]);
  return with_drains(std::move(snapshot), commits, now);
}

void CommitDesk::took(std::shared_ptr<const Snapshot> snapshot, WallMillis now) {
  newest_ = drained(std::move(snapshot), 0, now);
  for (const std::string& drain : describe_drains(newest_->cluster, now)) {
    log::info(kComponent, "chassis={} commit={} {}", chassis_, newest_number(), drain);
  }
  const bool own = is_of_file(store_.commits().front().entry);
  beacon_.number.store(own ? 0 : newest_number(), std::memory_order_relaxed);
  if (running_ && running_->digest != newest_->digest) {
    state_ = CommitState::waiting;
    detail_ = "this chassis to begin with it";
  } else {
    state_ = CommitState::running;
    detail_.clear();
    beacon_.waits.store(false, std::memory_order_relaxed);
  }
}

Result<void> CommitDesk::store_newest(StoredCommit commit, std::shared_ptr<const Snapshot> snapshot, WallMillis now) {
  candidate_ = {};  // the store has room for one
  if (auto prepared = store_.prepare(std::move(commit)); !prepared) return prepared;
  if (auto active = store_.activate(); !active) {
    store_.abort();
    return active;
  }
  took(std::move(snapshot), now);
  return {};
}

Result<void> CommitDesk::check_free() {
  if (candidate_.id == 0) return {};
  counters_[kRefusedLocked].fetch_add(1, std::memory_order_relaxed);
  return fail("{} is committing at this moment (commit {}): try again", candidate_.user, candidate_.number);
}

Result<std::uint64_t> CommitDesk::take(std::string text, std::string_view name, CommitEntry entry, WallMillis now) {
  auto snapshot = read_own(std::move(text), name);
  if (!snapshot) {
    counters_[kRefusedInvalid].fetch_add(1, std::memory_order_relaxed);
    return tl::unexpected(snapshot.error());
  }
  StoredCommit commit;
  commit.file_digest = file_digest_();
  const MutexLock lock(mutex_);
  if (auto same = is_of_file(entry) ? check_step(**snapshot) : check_cluster(**snapshot); !same) {
    counters_[kRefusedInvalid].fetch_add(1, std::memory_order_relaxed);
    return tl::unexpected(same.error());
  }
  // The operator's chassis have all prepared the candidate. If this one gave its number to another text, there would be
  // two commits of one number.
  if (entry.number < candidate_.number) {
    if (auto free = check_free(); !free) return tl::unexpected(free.error());
  }
  if (entry.number == 0) {
    entry.number = newest_number() + 1;
    entry.at = now;
  } else if (entry.number <= newest_number()) {
    return fail("commit {} is not newer than commit {}", entry.number, newest_number());
  } else if (is_of_file(entry)) {
    counters_[kRefusedInvalid].fetch_add(1, std::memory_order_relaxed);
    return fail("commit {} is a cluster file that only one chassis has read", entry.number);
  } else if (auto sound = check_number(entry.number, newest_number()); !sound) {
    counters_[kRefusedInvalid].fetch_add(1, std::memory_order_relaxed);
    return tl::unexpected(sound.error());
  }
  entry.digest = (*snapshot)->digest;
  const bool prepared = entry.number == candidate_.number && entry.digest == candidate_.snapshot->digest;
  if (prepared) overtaken_ = candidate_.id;
  commit.text = (*snapshot)->text;
  commit.entry = std::move(entry);
  const std::uint64_t number = commit.entry.number;
  if (auto stored = store_newest(std::move(commit), std::move(*snapshot), now); !stored) {
    return tl::unexpected(stored.error());
  }
  counters_[kTaken].fetch_add(1, std::memory_order_relaxed);
  return number;
}

CommitDesk::Newest CommitDesk::newest() const {
  const MutexLock lock(mutex_);
  return {newest_number(), newest_};
}

bool CommitDesk::newest_is_of_file() const {
  const MutexLock lock(mutex_);
  return !store_.commits().empty() && is_of_file(store_.commits().front().entry);
}

std::shared_ptr<const Snapshot> CommitDesk::former(WallMillis now) const {
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < store_.commits().size(); ++i) {
    const StoredCommit& each = store_.commits()[i];
    if (each.entry.digest == newest_->digest) continue;
    if (auto snapshot = read_own(each.text, fmt::format("commit {}", each.entry.number))) {
      return drained(*snapshot, i, now);
    }
  }
  return nullptr;
}

std::shared_ptr<const Snapshot> CommitDesk::running() const {
  const MutexLock lock(mutex_);
  return running_;
}

void CommitDesk::set_running(std::shared_ptr<const Snapshot> snapshot) {
  const MutexLock lock(mutex_);
  running_ = std::move(snapshot);
  beacon_.running.store(running_ ? running_->digest : 0, std::memory_order_relaxed);
}

void CommitDesk::set_state(CommitState state, std::string detail, bool waits) {
  const MutexLock lock(mutex_);
  state_ = state;
  detail_ = std::move(detail);
  beacon_.waits.store(waits, std::memory_order_relaxed);
}

void CommitDesk::set_facts(std::vector<SetFact> facts) {
  const MutexLock lock(mutex_);
  facts_ = std::move(facts);
}

// -- time --

void CommitDesk::expire(WallMillis now) {
  for (auto upload = uploads_.begin(); upload != uploads_.end();) {
    // A clock that was set back does not keep them for ever.
    const bool old = now - upload->second.touched > kUploadLife || now < upload->second.touched;
    upload = old ? uploads_.erase(upload) : std::next(upload);
  }
  if (candidate_.id != 0 && (now >= candidate_.until || candidate_.until - now > kCandidateLife)) {
    log::warn(kComponent, "chassis={} commit {} of {} was prepared and neither activated nor aborted: it is forgotten",
              chassis_, candidate_.number, candidate_.user);
    store_.abort();
    candidate_ = {};
  }
}

void CommitDesk::tick(WallMillis now) {
  const MutexLock lock(mutex_);
  expire(now);
  const WallMillis due = rollback_due(now);
  if (due != 0 && now >= due) roll_back(now);
}

WallMillis CommitDesk::rollback_due(WallMillis now) const {
  WallMillis due = rollback_time(store_.commits());
  if (due == 0) return 0;
  // A clock that was set back does not make it wait longer than this.
  if (no_rollback_before_ - now <= kStartGrace) due = std::max(due, no_rollback_before_);
  if (candidate_.id != 0) due = std::max(due, candidate_.until);
  return due;
}

WallMillis CommitDesk::next_tick(WallMillis now) const {
  const MutexLock lock(mutex_);
  WallMillis next = now + kUploadLife;
  if (candidate_.id != 0) next = std::min(next, candidate_.until);
  if (const WallMillis due = rollback_due(now); due != 0) next = std::min(next, due);
  return next;
}

void CommitDesk::give_up_rollback(std::string_view why) {
  log::error(kComponent, "chassis={} commit {} was not confirmed and cannot be rolled back: {}", chassis_,
             newest_number(), why);
  if (auto stays = store_.clear_confirm_until(); !stays) log::error(kComponent, "{}", stays.error().message);
}

void CommitDesk::roll_back(WallMillis now) {
  const CommitEntry over = store_.commits().front().entry;
  if (store_.commits().size() < 2) return give_up_rollback("there is no commit before it");
  StoredCommit back = store_.commits()[1];
  auto snapshot = read_own(back.text, fmt::format("commit {}", back.entry.number));
  if (!snapshot) return give_up_rollback(snapshot.error().message);
  back.entry = {over.number + 1,
                back.entry.digest,
                now,
                "root",
                "other",
                fmt::format("rolled back to commit {}: commit {} was not confirmed", back.entry.number, over.number),
                0};
  back.file_digest = file_digest_();
  if (auto stored = store_newest(back, *snapshot, now); !stored) {
    log::error(kComponent,
               "chassis={} commit {} cannot be stored and is kept in memory only; after a restart the chassis rolls "
               "commit {} back again: {}",
               chassis_, back.entry.number, over.number, stored.error().message);
    store_.add_in_memory(std::move(back));
    took(std::move(*snapshot), now);
  }
  counters_[kRolledBack].fetch_add(1, std::memory_order_relaxed);
  log::warn(kComponent, "chassis={} commit {} was not confirmed: rolled back", chassis_, over.number);
}

// -- clients --

void CommitDesk::answer(const CommitRequest& request, WallMillis now, QueryReply& reply) {
  auto done = carry_out(request, now, reply.commit);
  if (!done) {
    reply.error = QueryError::refused;
    reply.reason = done.error().message;
  }
  const bool newer = request.operation == CommitOperation::activate || request.operation == CommitOperation::confirm;
  if (done && newer && on_newer_) on_newer_();
}

Result<void> CommitDesk::carry_out(const CommitRequest& request, WallMillis now, CommitReply& out) {
  const MutexLock lock(mutex_);
  expire(now);
  Result<void> done;
  switch (request.operation) {
    case CommitOperation::list:
      break;
    case CommitOperation::fetch:
      done = fetch(request, out);
      break;
    case CommitOperation::put:
      done = put(request, now);
      break;
    case CommitOperation::check: {
      const auto snapshot = read_candidate(request.candidate);
      if (!snapshot) {
        done = tl::unexpected(snapshot.error());
        break;
      }
      StoredCommit candidate;
      candidate.entry.at = now;
      candidate.entry.digest = (*snapshot)->digest;
      candidate.text = (*snapshot)->text;
      const auto next = drained(*snapshot, 0, now, &candidate);
      out.lines =
          describe_changes((running_ ? running_ : newest_)->cluster, next->cluster, chassis_, facts_, live_check_);
      for (std::string& drain : describe_drains(next->cluster, now)) out.lines.push_back(std::move(drain));
      break;
    }
    case CommitOperation::prepare:
      done = prepare(request, now);
      break;
    case CommitOperation::activate:
      done = activate(request, now);
      break;
    case CommitOperation::abort:
      uploads_.erase(request.candidate);
      if (candidate_.id == request.candidate && request.candidate != 0) {
        store_.abort();
        candidate_ = {};
      }
      break;
    case CommitOperation::confirm:
      done = confirm(request, now);
      break;
  }
  if (!done) return done;
  describe(out);
  if (request.operation == CommitOperation::list) {
    for (const StoredCommit& each : store_.commits()) out.entries.push_back(each.entry);
    if (running_) out.lines = describe_drains(running_->cluster, now);
  }
  return {};
}

void CommitDesk::describe(CommitReply& out) const {
  out.newest = newest_number();
  out.newest_digest = newest_->digest;
  out.running_digest = running_ ? running_->digest : 0;
  out.state = state_;
  out.detail = detail_;
  out.durable = store_.durable();
}

Result<void> CommitDesk::put(const CommitRequest& request, WallMillis now) {
  if (request.candidate == 0) return fail("the request does not say which candidate it is about");
  if (request.total == 0 || request.total > max_cluster_file_bytes()) {
    return fail("the cluster file has {} octets; it must have 1 to {}", request.total, max_cluster_file_bytes());
  }
  if (uploads_.count(request.candidate) == 0 && uploads_.size() >= kMaxUploads) {
    counters_[kRefusedLocked].fetch_add(1, std::memory_order_relaxed);
    return fail("this chassis receives {} other commits at this moment: try again", uploads_.size());
  }
  Upload& upload = uploads_[request.candidate];
  if (request.offset == 0) {
    upload.text.clear();
    upload.total = request.total;
  }
  const bool fits = request.total == upload.total && request.offset == upload.text.size() &&
                    request.text.size() <= upload.total - upload.text.size();
  if (!fits) {
    uploads_.erase(request.candidate);
    return fail("this piece of the cluster file does not follow the one before it: send the file again");
  }
  upload.text += request.text;
  upload.touched = now;
  return {};
}

Result<std::shared_ptr<const Snapshot>> CommitDesk::read_candidate(std::uint64_t id) const {
  const auto upload = uploads_.find(id);
  if (upload == uploads_.end() || upload->second.text.size() != upload->second.total) {
    return fail("the cluster file of this commit has not arrived");
  }
  auto snapshot = read_own(upload->second.text, "candidate");
  if (!snapshot) return snapshot;
  if (auto same = check_step(**snapshot); !same) return tl::unexpected(same.error());
  return snapshot;
}

Result<void> CommitDesk::prepare(const CommitRequest& request, WallMillis now) {
  if (candidate_.id != request.candidate) {
    if (auto free = check_free(); !free) return free;
  }
  auto snapshot = read_candidate(request.candidate);
  if (!snapshot) {
    counters_[kRefusedInvalid].fetch_add(1, std::memory_order_relaxed);
    return tl::unexpected(snapshot.error());
  }
  if (request.number <= newest_number()) {
    counters_[kRefusedLocked].fetch_add(1, std::memory_order_relaxed);
    return fail("commit {} was made in the meantime: try again", newest_number());
  }
  if (auto sound = check_number(request.number, newest_number()); !sound) {
    counters_[kRefusedInvalid].fetch_add(1, std::memory_order_relaxed);
    return sound;
  }
  StoredCommit commit;
  commit.entry = {request.number, (*snapshot)->digest, now, request.user, "cli", request.comment, 0};
  if (request.confirm_seconds != 0) commit.entry.confirm_until = now + WallMillis{1000} * request.confirm_seconds;
  commit.file_digest = file_digest_();
  commit.text = (*snapshot)->text;
  if (auto prepared = store_.prepare(std::move(commit)); !prepared) return prepared;
  candidate_ = {request.candidate, request.number, request.user, std::move(*snapshot), now + kCandidateLife};
  uploads_.erase(request.candidate);
  return {};
}

Result<void> CommitDesk::activate(const CommitRequest& request, WallMillis now) {
  // The peer of a redundancy set was asked first, and told this chassis of the commit before the client did.
  if (request.candidate != 0 && request.candidate == overtaken_) return {};
  if (request.candidate == 0 || candidate_.id != request.candidate) {
    return fail("this chassis has not prepared this commit, or has forgotten it after {} s", kCandidateLife / 1000);
  }
  if (auto active = store_.activate(); !active) return active;
  log::info(kComponent, "chassis={} commit={} user={} taken", chassis_, candidate_.number, candidate_.user);
  auto snapshot = std::move(candidate_.snapshot);
  candidate_ = {};
  took(std::move(snapshot), now);
  counters_[kTaken].fetch_add(1, std::memory_order_relaxed);
  return {};
}

Result<void> CommitDesk::confirm(const CommitRequest& request, WallMillis now) {
  const StoredCommit& newest = store_.commits().front();
  if (newest.entry.confirm_until == 0) {
    if (is_confirmed(store_.commits(), now)) return {};
    return fail("there is nothing to confirm: commit {} is not rolled back by itself", newest_number());
  }
  if (auto free = check_free(); !free) return free;
  StoredCommit commit = newest;
  commit.entry.number = newest.entry.number + 1;
  commit.entry.at = now;
  commit.entry.user = request.user.empty() ? newest.entry.user : request.user;
  commit.entry.via = "cli";
  commit.entry.comment = fmt::format("confirms commit {}", newest.entry.number);
  commit.entry.confirm_until = 0;
  commit.file_digest = file_digest_();
  if (auto stored = store_newest(std::move(commit), newest_, now); !stored) return stored;
  log::info(kComponent, "chassis={} commit={} confirms the one before it", chassis_, newest_number());
  counters_[kTaken].fetch_add(1, std::memory_order_relaxed);
  return {};
}

Result<void> CommitDesk::fetch(const CommitRequest& request, CommitReply& out) const {
  const auto& commits = store_.commits();
  const auto found = std::find_if(commits.begin(), commits.end(),
                                  [&](const StoredCommit& each) { return each.entry.number == request.number; });
  if (found == commits.end()) return fail("this chassis has no commit {}", request.number);
  if (request.offset > found->text.size())
    return fail("the text of commit {} ends before the place that was asked for", request.number);
  out.total = static_cast<std::uint32_t>(found->text.size());
  out.text = found->text.substr(request.offset, kCommitPieceBytes);
  out.entries.push_back(found->entry);
  return {};
}

void CommitDesk::append_to(CounterList& out) const {
  static constexpr std::array<const char*, kCountEnd> kNames = {"commits-taken", "commits-refused-locked",
                                                                "commits-refused-invalid", "commits-rolled-back"};
  for (std::size_t i = 0; i < kCountEnd; ++i) {
    out.push_back({kNames[i], counters_[i].load(std::memory_order_relaxed)});
  }
}

}  // namespace icr::node
