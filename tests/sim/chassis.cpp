#include "sim/chassis.h"

#include <gtest/gtest.h>

#include "storage/restore.h"

namespace icr::sim {

WallMillis wall(TimePoint now) {
  return 1'700'000'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

Chassis::Chassis(const Cluster& cluster, std::uint16_t index, std::mt19937_64& random, ChassisWatcher& watcher)
    : control(random), data(random), cluster_(cluster), index_(index), random_(random), watcher_(watcher) {}

void Chassis::start(TimePoint now) {
  now_ = now;
  boot_ = random_() | 1U;
  const std::string& set = cluster_.redundancy_sets[0].name;
  shard_ = std::make_unique<node::Shard>(cluster_, std::uint16_t{0}, random_(), now);
  const auto restored = storage::restore(store_, set, cluster_.digest, shard_->capacity(), *shard_, now, wall(now));
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->bad_records, 0U) << restored->damage;
  engine_ = std::make_unique<node::Engine>(cluster_, std::vector<node::Shard*>{shard_.get()}, random_());
  member_ = std::make_unique<node::RedundancyMember>(cluster_, std::uint16_t{0}, index_, boot_, restored->term, *shard_,
                                                     *shard_, static_cast<node::MemberOutput&>(*this), now);
  disk_ = std::make_unique<storage::DirectOutput>(store_, set);
  storage::CheckpointOptions options;
  options.base_interval = 5s;
  options.refresh_interval = 1s;
  options.retry_interval = 500ms;
  checkpointer_ = std::make_unique<storage::Checkpointer>(set, cluster_.digest, *shard_, *disk_, options,
                                                          restored->next_sequence, restored->term);
  shard_->add_listener(*member_);
  shard_->add_observer(*checkpointer_);
  shard_->add_observer(*this);
  changed_slots_.clear();
  next_shard_tick_ = now;
  data_blocked = paused = false;
  probed_.reset();
}

void Chassis::crash(std::size_t keep) {
  member_.reset();
  engine_.reset();
  checkpointer_.reset();
  disk_.reset();
  shard_.reset();
  changed_slots_.clear();
  store_.crash(keep);
}

void Chassis::run(TimePoint now) {
  now_ = now;
  if (const auto nonce = std::exchange(probed_, std::nullopt); nonce && peer_answers) {
    member_->on_probe_answer(now, *nonce);
  }
  member_->tick(now, 1U << 16U);
  if (now >= next_shard_tick_ && shard_->tick(now, 64)) next_shard_tick_ = now + 50ms;
  (void)checkpointer_->tick(now, wall(now), member_->term(), 64);
}

void Chassis::on_control(TimePoint now, std::span<const std::uint8_t> message) {
  now_ = now;
  member_->on_control(now, message);
}

void Chassis::on_data(TimePoint now, std::span<const std::uint8_t> message) {
  now_ = now;
  member_->on_data(now, message);
}

void Chassis::process(TimePoint now, node::Packet& packet, node::PacketSink& out) {
  engine_->process(std::span(&packet, 1), now, out);
}

std::uint64_t Chassis::counter(std::string_view name) const {
  CounterList list;
  member_->append_to(list);
  for (const auto& c : list) {
    if (c.name == name) return c.value;
  }
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

bool Chassis::send_control(std::span<const std::uint8_t> message) {
  control.send(now_, message);
  return true;
}

bool Chassis::send_data(std::span<const std::uint8_t> message) {
  if (data_blocked) return false;
  data.send(now_, message);
  return true;
}

void Chassis::persist_term(std::uint64_t term) { term_persisted_ = disk_->remember_term(term); }

void Chassis::become_master(std::uint64_t term) {
  if (shard_->active()) {
    shard_->set_term(term);
  } else {
    shard_->activate(now_, term);
  }
  watcher_.on_master(*this, term);
  watcher_.on_draw(*this);
}

void Chassis::become_standby(std::uint64_t term) {
  shard_->deactivate(now_);
  watcher_.on_standby(*this, term);
}

void Chassis::reassert_master(std::uint64_t) { watcher_.on_draw(*this); }

void Chassis::handing_over(bool active) { shard_->refuse_new_sessions(active); }

void Chassis::probe(const IpAddress&, std::uint64_t nonce) { probed_ = nonce; }

void Chassis::changed(std::uint32_t slot, Change) { changed_slots_.insert(slot); }

}  // namespace icr::sim
