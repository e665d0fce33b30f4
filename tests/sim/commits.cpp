// Commits in the simulated world: who gets them, and what the chassis do to take them.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/world.h"

namespace icr::sim {
namespace {

/// As ChassisHost waits after it has asked a peer for its commit.
constexpr Duration kFetchPause = 2s;

/// Returns true if a client that asks the chassis of `to` (bits by index) has an answer of this one.
bool hears(const Chassis& c, unsigned to) { return (to >> c.index() & 1U) != 0 && c.up() && !c.paused; }

}  // namespace

void World::make_commits(std::uint32_t edits) {
  edits_ = edits;
  next_commit_ = now_ + 3s;
}

void World::make_strict() { strict_ = true; }

std::uint32_t World::random_edits() {
  // Any of them, or one more or less than at the last time.
  const auto mask = static_cast<std::uint32_t>(commit_random_());
  last_edits_ = edits_ & (commit_random_() % 4 != 0 ? mask : last_edits_ ^ (1U << mask % kEditCount));
  return last_edits_;
}

bool World::committed() const {
  return std::all_of(chassis_.begin(), chassis_.end(), [this](const Chassis& c) {
    return c.up() && c.commits.running().digest == chassis_[0].commits.newest().snapshot->digest &&
           c.commits.newest().number == chassis_[0].commits.newest().number;
  });
}

bool World::agreed() const {
  const Commit& one = chassis_[0].commits.newest();
  const Commit& other = chassis_[1].commits.newest();
  const bool same_text = one.snapshot->digest == other.snapshot->digest;
  return (one.number != other.number || same_text) &&
         std::none_of(chassis_.begin(), chassis_.end(),
                      [](const Chassis& c) { return c.commits.fails() || c.commits.has_given_up(); });
}

void World::commit(std::uint32_t edits, unsigned to) {
  const auto snapshot = files_->with(edits);
  std::vector<Chassis*> answering;
  std::uint64_t number = 0;
  for (Chassis& c : chassis_) {
    if (!hears(c, to)) continue;
    answering.push_back(&c);
    number = std::max(number, c.commits.newest().number + 1);
  }
  if (answering.empty()) return;
  ++totals_.commits;
  if (answering.size() == 1 && chassis_[0].up() && chassis_[1].up()) ++totals_.commits_of_one;
  note(fmt::format("commit {} with edits {:x} comes to chassis {}{}", number, edits, answering.front()->index(),
                   answering.size() == 2 ? " and the other one" : " only"));
  for (Chassis* c : answering) {
    oracle_.on_commit(*c);
    c->commits.take({number, snapshot});
  }
}

void World::commit_something() {
  next_commit_ = now_ + 1ms * (200 + commit_random_() % 8000);
  const std::uint32_t edits = random_edits();
  const std::uint64_t roll = commit_random_() % 16;
  const unsigned to = roll < 11 ? 3U : 1U << (roll % 2);
  const bool heard = std::any_of(chassis_.begin(), chassis_.end(), [&](const Chassis& c) { return hears(c, to); });
  if (!heard) return;
  // A chassis may lack what a file asks for.
  const std::uint64_t digest = files_->with(edits)->digest;
  for (Chassis& c : chassis_) {
    const bool lacks = !strict_ && roll / 2 == c.index() && c.commits.running().digest != digest;
    c.commits.refuse(lacks ? digest : 0);
  }
  commit(edits, to);
}

void World::look(Chassis& c) {
  if (!files_ || c.given() || now_ < c.commits.next_look()) return;
  Chassis& peer = chassis_[1U - c.index()];
  const std::uint64_t number = c.commits.look(now_, c.core());
  if (number > c.commits.newest().number && now_ >= next_fetch_[c.index()]) {
    next_fetch_[c.index()] = now_ + kFetchPause;
    if (peer.up() && !peer.paused) {
      note(fmt::format("chassis {} takes commit {} from its peer", c.index(), peer.commits.newest().number));
      ++totals_.fetched;
      oracle_.on_commit(c);
      c.commits.take(peer.commits.newest());
      return;
    }
  }
  const node::Turn turn = c.commits.advance(now_);
  switch (turn.step) {
    case node::Turn::Step::wait:
      break;
    case node::Turn::Step::take_live:
      // What the chassis' thread compiles for a large file takes it some time.
      c.give(now_ + 100us * (commit_random_() % 500));
      break;
    case node::Turn::Step::hand_over:
      if (!c.core().request_switchover(now_)) break;
      note(fmt::format("chassis {} hands over, to take commit {}", c.index(), c.commits.newest().number));
      ++totals_.handed_over;
      break;
    case node::Turn::Step::restart:
      restart(c);
      break;
  }
}

void World::take(Chassis& c) {
  note(fmt::format("chassis {} takes commit {} while it runs", c.index(), c.commits.newest().number));
  ++totals_.adopted_commits;
  if (c.active()) ++totals_.adopted_by_master;
  if (strict_) excuse(c.commits.next()->cluster);
  oracle_.before_take(c, now_);
  c.take(now_);
  oracle_.on_take(c, now_);
}

void World::restart(Chassis& c) {
  note(fmt::format("chassis {} stops, to take commit {}", c.index(), c.commits.newest().number));
  ++totals_.restarts;
  count_of(c);
  oracle_.before_stop(c, now_);
  const bool taken = c.stop(now_);
  oracle_.on_stop(c, taken && now_ >= disk_bad_until_[c.index()], now_);
  Chassis& other = chassis_[1U - c.index()];
  other.peer_answers = true;  // the machine lives
  if (link_up_ && other.up()) other.core().on_disconnected(now_);
  later_.push_back({now_ + 1ms * (5 + commit_random_() % 1000), kRestart, c.index()});
}

void World::begin_again(Chassis& c) {
  c.restart(now_);
  on_started(c);
}

void World::excuse(const Cluster& cluster) {
  SessionRecord record;
  for (const Chassis& c : chassis_) {
    if (!c.up()) continue;
    for (std::uint32_t slot = 0; slot < c.shard().table().high_water(); ++slot) {
      if (!c.shard().read(slot, now_, record) || lives_on(cluster, record)) continue;
      if (excused_.insert(conversation_of(record)).second) ++totals_.homeless;
    }
  }
}

void World::check_interrupted() {
  for (const std::uint32_t conversation : traffic_.take_interrupted()) {
    if (!strict_ || excused_.contains(conversation)) continue;
    violations_.push_back(fmt::format("{} ms: a packet of conversation {} is lost, or translated anew",
                                      now_.time_since_epoch() / Duration(1ms), conversation));
  }
}

}  // namespace icr::sim
