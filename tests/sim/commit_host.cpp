#include "tests/sim/commit_host.h"

#include "model/config/difference.h"
#include "node/set/set_status.h"

namespace icr::sim {
namespace {

/// As ChassisHost looks.
constexpr Duration kIdle = 500ms, kBusy = 50ms;

}  // namespace

CommitHost::CommitHost(std::string name, std::shared_ptr<const Snapshot> first)
    : name_(std::move(name)), newest_{1, first}, former_(std::move(first)), follower_(name_) {
  boot();
}

void CommitHost::take(Commit commit) {
  if (commit.number <= newest_.number) return;
  former_ = newest_.snapshot;
  newest_ = std::move(commit);
  beacon_.number = newest_.number;
  next_look_ = TimePoint::min();
}

void CommitHost::boot() {
  follower_ = node::CommitFollower(name_);
  follower_.note_newest(newest_.number, newest_.snapshot->digest);
  beacon_.number = newest_.number;
  launch(former_);
}

void CommitHost::restart() { launch(built_); }

void CommitHost::launch(std::shared_ptr<const Snapshot> otherwise) {
  if (fails()) follower_.note_failure();
  run(fails() ? std::move(otherwise) : newest_.snapshot);
  built_ = running_;
}

void CommitHost::run(std::shared_ptr<const Snapshot> snapshot) {
  running_ = std::move(snapshot);
  beacon_.running = running_->digest;
  beacon_.waits = false;
  next_look_ = TimePoint::min();
}

std::uint64_t CommitHost::look(TimePoint now, const node::SetCore& core) {
  follower_.note_newest(newest_.number, newest_.snapshot->digest);
  next_look_ = now + (follower_.pending(running_->digest) ? kBusy : kIdle);
  SetStatus status;
  node::describe(core, now, status);
  status.set = core.shard().set();
  facts_ = {node::fact_of(status, cluster(), *cluster().find_chassis(name_), 0)};
  follower_.remember(now, facts_);
  return facts_[0].peer_number;
}

node::Turn CommitHost::advance(TimePoint now) {
  if (!follower_.pending(running_->digest)) return {};
  const Cluster& newest = newest_.snapshot->cluster;
  // A chassis takes more than this without a restart. Here only a commit that changes nothing of it is taken so; one
  // that would be handed to the running core (SetCore::take) restarts it instead.
  const bool live = changes_of_chassis(difference(cluster(), newest), cluster(), newest, name_).empty();
  node::Turn turn = follower_.decide(now, newest, live, facts_);
  if (turn.step == node::Turn::Step::take_live) {
    run(newest_.snapshot);
  } else {
    beacon_.waits = turn.waits;
  }
  return turn;
}

}  // namespace icr::sim
