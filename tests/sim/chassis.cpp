#include "tests/sim/chassis.h"

#include <gtest/gtest.h>

#include <limits>

#include "model/config/reserved_endpoints.h"
#include "storage/restore.h"

namespace icr::sim {
namespace {

/// Small enough that a copy and a checkpoint take several rounds, and changes several messages, of which some are lost.
constexpr node::RoundLimits kLimits{16, 1U << 16U, 64, 64, 4096, 64};
constexpr std::size_t kRowsOfABatch = 4;
constexpr std::uint32_t kSlotsOfARange = 2;
constexpr std::uint32_t kRangesOfAMessage = 8;
/// A chassis that stops tries so often to write its last checkpoint.
constexpr int kPatience = 100;

}  // namespace

WallMillis wall(TimePoint now) {
  return 1'700'000'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

Chassis::Chassis(std::shared_ptr<const Snapshot> snapshot, std::uint16_t index, std::mt19937_64& random,
                 ChassisWatcher& watcher)
    : commits(snapshot->cluster.chassis[index].name, snapshot),
      control(random),
      data(random),
      witness(random),
      index_(index),
      random_(random),
      watcher_(watcher) {}

void Chassis::start(TimePoint now, bool damaged) {
  commits.boot();
  begin(now, damaged);
}

void Chassis::restart(TimePoint now) {
  commits.restart();
  begin(now, false);
}

void Chassis::begin(TimePoint now, bool damaged) {
  now_ = now;
  boot_ = random_() | 1U;
  const Cluster& cluster = this->cluster();
  const std::string& set = cluster.redundancy_sets[0].name;
  damaged = damaged && store_.damage_one(set, random_);
  shard_ = std::make_unique<node::Shard>(cluster, std::uint16_t{0}, random_(), now);
  const auto restored = storage::restore(store_, set, cluster.digest, *shard_, *shard_, now, wall(now));
  ASSERT_TRUE(restored) << restored.error().message;
  whole_ = restored->damage.empty();
  EXPECT_EQ(whole_, !damaged) << restored->damage;
  if (!whole_) {
    ASSERT_TRUE(store_.set_aside(restored->damage, wall(now)));
  }
  engine_ = std::make_unique<node::Engine>(cluster, std::vector<node::Shard*>{shard_.get()}, random_());
  disk_ = std::make_unique<SlowDisk>(store_, set, random_, slowest_claim);
  disk_->run(now);
  node::SetStart start{boot_, restored->term, disk_.get(), restored->next_sequence, whole_, {}, {}};
  start.claimed = restored->claimed;
  start.age = restored->age;
  start.commits = &commits.beacon();
  start.claimants = {&witness};
  if (key) key->forget();
  start.key = key.get();
  start.checkpoints.base_interval = 5s;
  start.checkpoints.refresh_interval = 1s;
  start.checkpoints.retry_interval = 500ms;
  start.stream.batch_rows = kRowsOfABatch;
  start.stream.range_slots = kSlotsOfARange;
  start.stream.message_ranges = kRangesOfAMessage;
  core_ = std::make_unique<node::SetCore>(cluster, *cluster.find_chassis(commits.name()), *shard_, start,
                                          static_cast<node::SetOutput&>(*this), now);
  shard_->add_observer(*this);
  life_.begin(boot_, cluster.digest);
  table_size_ = shard_->table().capacity();
  changed_slots_.clear();
  data_blocked = control_blocked = paused = false;
  probed_.reset();
  blocks_reported = 0;
}

bool Chassis::stop(TimePoint now) {
  now_ = now;
  bool written = false;
  for (int i = 0; i < kPatience && !written; ++i) written = core_->shut_down(now, wall(now));
  end(written ? std::numeric_limits<std::size_t>::max() : random_() % (store_.unsynced() + 1));
  return written;
}

void Chassis::crash(std::size_t keep) { end(keep); }

void Chassis::give(TimePoint at) {
  const Cluster& next = commits.next()->cluster;
  update_ = Update{at, shard_->prepare(next, reserved_endpoints(next)), engine_->prepare(next)};
}

void Chassis::take(TimePoint now) {
  now_ = now;
  engine_->take(update_->engine);
  core_->take(now, commits.next()->cluster, update_->shard);
  update_.reset();  // the former parts; they name the former file, which is still there
  commits.on_taken();
  life_.set_cluster_digest(cluster().digest);
}

void Chassis::end(std::size_t keep) {
  life_.end(*shard_, table_size_, now_);
  update_.reset();
  core_.reset();
  engine_.reset();
  disk_.reset();
  shard_.reset();
  changed_slots_.clear();
  store_.crash(keep);
}

void Chassis::run(TimePoint now) {
  now_ = now;
  if (const auto nonce = std::exchange(probed_, std::nullopt); nonce && peer_answers) {
    core_->on_probe_answer(now, *nonce);
  }
  disk_->run(now);
  if (key) key->run(now);
  (void)core_->round(now, wall(now), kLimits);
  engine_->release(now, *this);
}

void Chassis::on_message(TimePoint now, replication::Channel channel, std::span<const std::uint8_t> message) {
  now_ = now;
  core_->on_message(now, channel, message);
}

void Chassis::set_ill(TimePoint now, bool ill) {
  node::KernelReport report;
  if (ill) report.interfaces = {"interface a1 has no carrier"};
  core_->on_kernel_report(now, report);
}

void Chassis::process(TimePoint now, node::Packet& packet, node::PacketSink& out) {
  now_ = now;
  engine_->process(std::span(&packet, 1), now, out);
}

std::uint64_t Chassis::counter(std::string_view name) const {
  CounterList list;
  core_->append_to(list);
  for (const auto& c : list) {
    if (c.name == name) return c.value;
  }
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

void Chassis::set_disk(TimePoint now, bool works) {
  store_.fail_writes(!works);
  disk_works_since_ = works ? now : TimePoint::max();
}

bool Chassis::term_persisted(std::uint64_t term) const {
  return store_.terms(cluster().redundancy_sets[0].name)->seen >= term;
}

bool Chassis::term_kept(std::uint64_t term) const {
  return term_persisted(term) || store_.terms(cluster().redundancy_sets[0].name)->claimed >= term;
}

bool Chassis::send(replication::Channel channel, std::span<const std::uint8_t> message) {
  if (channel == replication::Channel::former) return false;  // both programs are of this release
  const bool on_control = channel != replication::Channel::data;
  life_.on_send(message);
  if (on_control ? control_blocked : data_blocked) return false;
  (on_control ? control : data).send(now_, message);
  return true;
}

void Chassis::probe(const IpAddress&, std::uint64_t nonce) { probed_ = nonce; }

bool Chassis::acquire_traffic() {
  watcher_.on_draw(*this);
  return false;
}

void Chassis::announce_again(std::uint64_t) { watcher_.on_draw(*this); }

void Chassis::report_role(Role role, std::uint64_t term) {
  role == Role::master ? watcher_.on_master(*this, term) : watcher_.on_standby(*this, term);
}

void Chassis::changed(std::uint32_t slot, Change change) {
  changed_slots_.insert(slot);
  life_.on_change(slot, change);
}

}  // namespace icr::sim
