#include "tests/sim/commit_host.h"

#include "node/card/live_change.h"
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

void CommitHost::restart() { launch(committed_); }

void CommitHost::launch(std::shared_ptr<const Snapshot> otherwise) {
  if (fails()) follower_.note_failure();
  built_ = fails() ? std::move(otherwise) : newest_.snapshot;
  run(built_, built_);
}

void CommitHost::run(std::shared_ptr<const Snapshot> snapshot, std::shared_ptr<const Snapshot> committed) {
  running_ = std::move(snapshot);
  committed_ = std::move(committed);
  plan_.reset();
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

const CommitHost::Plan& CommitHost::plan() {
  if (plan_ && plan_->newest == newest_.snapshot->digest) return *plan_;
  plan_ = Plan{newest_.snapshot->digest, newest_.snapshot, nullptr};
  node::LivePlan live = node::plan_live(cluster(), newest_.snapshot->cluster, name_);
  if (live.arranged) {
    plan_->arranged = std::make_shared<const Snapshot>(Snapshot{{}, plan_->newest, std::move(*live.arranged)});
  }
  return *plan_;
}

node::Turn CommitHost::advance(TimePoint now) {
  if (!follower_.pending(running_->digest)) return {};
  node::Turn turn = follower_.decide(now, newest_.snapshot->cluster, plan().arranged != nullptr, facts_);
  if (turn.step != node::Turn::Step::take_live) beacon_.waits = turn.waits;
  return turn;
}

void CommitHost::on_taken() { run(plan_->arranged, plan_->committed); }

}  // namespace icr::sim
