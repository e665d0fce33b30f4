#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace icr::sim {

/// Keeps what the engine lets out.
class World::Catch final : public node::PacketSink {
 public:
  void send(const node::Packet& packet) override {
    out = Passed{Bytes(packet.data, packet.data + packet.length), packet.unit};
  }
  std::optional<Passed> out;
};

World::World(Cluster cluster, std::uint64_t seed)
    : World(std::make_shared<const Snapshot>(Snapshot{{}, 1, std::move(cluster)}), seed) {}

World::World(Files files, std::uint64_t seed) : World(files.with(0), seed) { files_ = std::move(files); }

World::World(const std::shared_ptr<const Snapshot>& snapshot, std::uint64_t seed)
    : random_(seed),
      chassis_{Chassis(snapshot, 0, random_, *this), Chassis(snapshot, 1, random_, *this)},
      traffic_(random_, [this](std::uint32_t unit, const Bytes& packet, std::uint32_t conversation) {
        return carry(unit, packet, conversation);
      }) {
  commit_random_.seed(~seed);
  weather(false);
  next_fault_ = now_ + 3s;
}

bool World::chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }

Duration World::between(Duration low, Duration high) {
  return Duration(std::uniform_int_distribution<Duration::rep>(low.count(), high.count())(random_));
}

void World::note(const std::string& event) {
  events_.push_back(fmt::format("{} ms: {}", now_.time_since_epoch() / Duration(1ms), event));
  if (events_.size() > 40) events_.pop_front();
}

void World::on_master(Chassis& chassis, std::uint64_t term) {
  note(fmt::format("chassis {} is master in term {}: {}", chassis.index(), term, chassis.status().reason));
  ++totals_.masterships;
  oracle_.on_master(chassis, chassis_[1U - chassis.index()], term, now_);
  if (std::string wrong = check_report(chassis, chassis_[1U - chassis.index()], now_, totals_); !wrong.empty()) {
    violations_.push_back(fmt::format("{} ms: {}", now_.time_since_epoch() / Duration(1ms), wrong));
  }
  if (strict_) excuse(chassis.cluster());
}

void World::on_standby(Chassis& chassis, std::uint64_t term) {
  note(fmt::format("chassis {} is standby in term {}: {}", chassis.index(), term, chassis.status().reason));
  oracle_.on_standby(chassis, chassis_[1U - chassis.index()], now_);
}

void World::on_claim(Chassis& chassis, std::uint64_t term) {
  if (term == 0) {
    note(fmt::format("chassis {} claims no more: {}", chassis.index(),
                     chassis.core().history().entries().front().reason));
    return;
  }
  ++totals_.claims_waited;
  note(fmt::format("chassis {} claims term {}: {}; it waits for {}", chassis.index(), term, chassis.member().reason(),
                   chassis.core().awaited()));
}

void World::on_draw(Chassis& chassis) { drawn_to_ = chassis.index(); }

/// For its conversation the packet is lost: the client sends another one.
void World::on_release(Chassis& chassis, const node::Packet& packet) {
  const Passed left{Bytes(packet.data, packet.data + packet.length), packet.unit};
  oracle_.on_leave(chassis, chassis_[1U - chassis.index()], left, true, now_);
}

void World::start(std::size_t index, bool damaged) {
  chassis_[index].start(now_, damaged);
  if (!chassis_[index].whole()) ++totals_.damaged;
  on_started(chassis_[index]);
}

void World::on_started(Chassis& chassis) {
  note(fmt::format("chassis {} starts with commit {}{}{}", chassis.index(), chassis.commits.newest().number,
                   chassis.commits.fails() ? ", cannot, and runs the former one" : "",
                   chassis.whole() ? "" : ", its store is damaged"));
  if (chassis.commits.fails()) ++totals_.failed_starts;
  chassis_[1U - chassis.index()].peer_answers = true;
  oracle_.on_start(chassis, now_);
  if (link_up_) connect();
}

void World::connect() {
  for (Chassis& c : chassis_) {
    if (c.up() && chassis_[1U - c.index()].up()) c.core().on_connected(now_);
  }
}

void World::crash(std::size_t index, bool everything_durable, bool connection_closes) {
  Chassis& victim = chassis_[index];
  note(fmt::format("chassis {} crashes, connection closes {}", index, connection_closes));
  count_of(victim);
  ++totals_.crashes;
  const bool written =
      everything_durable && now_ >= disk_bad_until_[index] && !victim.paused && victim.checkpoint_backlog() == 0;
  oracle_.on_crash(victim, written, now_);
  victim.crash(everything_durable ? std::numeric_limits<std::size_t>::max()
                                  : random_() % (victim.store().unsynced() + 1));
  Chassis& other = chassis_[1U - index];
  // Where no connection closes, the machine is gone with its process.
  other.peer_answers = connection_closes;
  if (connection_closes && link_up_ && other.up()) other.core().on_disconnected(now_);
}

void World::count_of(Chassis& c) {
  totals_.took_over_hot += c.counter("took-over-hot");
  totals_.took_over_cold += c.counter("took-over-cold");
  totals_.moved_ill += c.counter("mastership-given-up-ill") + c.counter("mastership-taken-from-ill");
  totals_.gaps += c.counter("gaps");
  totals_.duplicates += c.counter("duplicate-messages");
  totals_.attempts_after_loss += c.counter("attempts-after-loss");
  totals_.copies += c.counter("copies-completed");
  totals_.ranges_compared += c.counter("digests-compared");
  totals_.ranges_equal += c.counter("digests-equal");
  totals_.split_brains += c.counter("met-another-master");
  totals_.adopted += c.counter("merge-created");
  totals_.claims_refused += c.counter("claims-refused");
  totals_.rematched += c.counter("sessions-ended-by-policy-rematch");
  totals_.claims_withdrawn += c.counter("claims-withdrawn");
  totals_.claims_waived += c.counter("claims-waived-disk-slow") + c.counter("claims-waived-disk-failing");
  if (keys_) totals_.fenced += c.counter("masters-fenced");
  if (c.counter("audits-failed") != 0) {
    violations_.push_back(fmt::format("chassis {}: {} audits failed", c.index(), c.counter("audits-failed")));
  }
}

void World::deliver(Chassis& from, Chassis& to) {
  if (to.up() && to.paused) return;  // they wait in its sockets
  // Control messages come first; those that a round does not take wait in the sockets.
  std::size_t budget = messages_per_round_;
  for (const auto channel : {replication::Channel::control, replication::Channel::data}) {
    test::VirtualWire& wire = channel == replication::Channel::control ? from.control : from.data;
    while (budget != 0) {
      const auto bytes = wire.take(now_);
      if (!bytes) break;
      if (!to.up()) continue;
      --budget;
      to.on_message(now_, channel, *bytes);
      watch(to, std::nullopt);
    }
  }
}

void World::watch(Chassis& chassis, std::optional<std::uint32_t> sent_by) {
  for (const std::uint32_t ended : oracle_.look(chassis, now_, sent_by)) traffic_.end(ended);
}

std::optional<Passed> World::carry(std::uint32_t unit, const Bytes& bytes, std::uint32_t conversation) {
  if (!drawn_to_) return std::nullopt;
  const bool both = pinned_ && chassis_[0].active() && chassis_[1].active();
  Chassis& chassis = chassis_[both ? conversation & 1U : *drawn_to_];
  if (!chassis.up() || chassis.paused) return std::nullopt;
  node::Packet& packet = buffers_.packets()[0];
  std::copy(bytes.begin(), bytes.end(), packet.data);
  packet.length = static_cast<std::uint32_t>(bytes.size());
  packet.unit = unit;
  Catch out;
  const bool may_forward = chassis.shard().forwards(now_);
  const std::uint64_t waited = chassis.engine().counters().waits_for_peer;
  chassis.process(now_, packet, out);
  if (out.out && !may_forward) {
    violations_.push_back(fmt::format("chassis {} forwards a packet, and may not", chassis.index()));
  }
  watch(chassis, conversation);
  if (chassis.engine().counters().waits_for_peer != waited) oracle_.on_wait(chassis, conversation, now_);
  if (out.out) oracle_.on_leave(chassis, chassis_[1U - chassis.index()], *out.out, false, now_);
  return std::move(out.out);
}

void World::step(Duration by) {
  now_ += by;
  std::vector<Later> due;
  std::erase_if(later_, [this, &due](const Later& l) {
    if (l.at > now_) return false;
    due.push_back(l);
    return true;
  });
  for (const Later& l : due) happen(l);
  deliver(chassis_[0], chassis_[1]);
  deliver(chassis_[1], chassis_[0]);
  for (Chassis& c : chassis_) {
    if (!c.up()) continue;
    if (!c.paused && c.take_due(now_)) take(c);
    if (!c.paused) c.run(now_);
    watch(c, std::nullopt);
    check_acting();
    oracle_.check_term(c, now_);
    if (!c.paused) look(c);
  }
  for (Chassis& c : chassis_) oracle_.check_merge(c, now_);
  if (per_second_ > 0) traffic_.run(now_, per_second_);
  check_interrupted();
  if (now_ >= next_port_check_) {
    next_port_check_ = now_ + 50ms;
    for (const Chassis& c : chassis_) oracle_.check_ports(c, now_);
  }
}

void World::weather(bool bad) {
  for (Chassis& c : chassis_) {
    for (test::VirtualWire* wire : {&c.control, &c.data}) {
      const bool cut = wire->faults.cut;
      wire->faults = {0, 0, 50us, 300us, cut};
      if (!bad) continue;
      wire->faults.loss = chance(0.5) ? 0.2 * std::uniform_real_distribution<>(0, 1)(random_) : 0;
      wire->faults.duplicate = chance(0.5) ? 0.3 : 0;
      wire->faults.delay_max = between(1ms, 150ms);
    }
  }
}

void World::split() {
  for (Chassis& c : chassis_) c.control.faults.cut = c.data.faults.cut = true;
  link_up_ = false;
  pinned_ = true;
}

void World::heal() {
  for (Chassis& c : chassis_) c.control.faults.cut = c.data.faults.cut = false;
  if (!link_up_) {
    link_up_ = true;
    connect();
  }
}

void World::happen(const Later& later) {
  static constexpr std::array kNames = {"start",   "the link heals", "resume",
                                        "unblock", "the disk works", "good weather",
                                        "health",  "restart",        "the witness is reached"};
  note(fmt::format("{} ({})", kNames[static_cast<std::size_t>(later.what)], later.index));
  Chassis& c = chassis_[later.index];
  switch (later.what) {
    case kStart:
      if (!c.up()) start(later.index, hard_ && chance(0.25));
      break;
    case kHeal:
      heal();
      break;
    case kResume:
      c.paused = false;
      break;
    case kUnblock:
      c.data_blocked = c.control_blocked = false;
      break;
    case kDiskWorks:
      c.set_disk(now_, true);
      disk_bad_until_[later.index] = now_ + 2s;
      break;
    case kCalm:
      weather(false);
      break;
    case kWitness:
      keys_->set_up(now_, true);
      c.key->cut = false;
      c.key->slowest = 2ms;
      break;
    case kRestart:
      if (!c.up()) begin_again(c);
      break;
    case kWell:
      if (chassis_[later.index].up()) chassis_[later.index].set_ill(now_, false);
      break;
    default:
      break;
  }
}

void World::fault() {
  next_fault_ = now_ + between(100ms, 3s);
  // Some commits come while the cluster reacts to a fault.
  if (edits_ != 0 && commit_random_() % 4 == 0) {
    const TimePoint soon = now_ + 1ms * (commit_random_() % 500);
    next_commit_ = std::min(next_commit_, soon);
  }
  if (hard_) messages_per_round_ = chance(0.5) ? 1 + random_() % 4 : 16;
  if (keys_ && chance(0.4)) fault_of_witness();
  const std::size_t index = random_() % 2;
  Chassis& c = chassis_[index];
  switch (random_() % 11) {
    case 0:
    case 1:
    case 2:
      if (c.up()) crash(index, chance(0.5), chance(0.7));
      if (chance(0.1) && chassis_[1U - index].up()) {
        crash(1U - index, chance(0.5), false);
        later_.push_back({now_ + between(1ms, 3s), kStart, 1U - index});
      }
      later_.push_back({now_ + between(1ms, 5s), kStart, index});
      break;
    case 3: {
      ++totals_.cuts;
      pinned_ = chance(0.5);
      const bool one_way = chance(0.3);
      note(fmt::format("the link is cut{}", one_way ? fmt::format(", from chassis {} only", index) : ""));
      for (Chassis& side : chassis_) {
        if (one_way && side.index() != index) continue;
        side.control.faults.cut = side.data.faults.cut = true;
      }
      link_up_ = false;
      if (chance(0.3)) {
        for (Chassis& side : chassis_) {
          if (side.up()) side.core().on_disconnected(now_);
        }
      }
      later_.push_back({now_ + between(20ms, 3s), kHeal, 0});
      break;
    }
    case 4:
      note(fmt::format("chassis {} pauses", index));
      ++totals_.pauses;
      c.paused = true;
      later_.push_back({now_ + between(10ms, 1500ms), kResume, index});
      break;
    case 5:
    case 6:
      note("bad weather");
      ++totals_.storms;
      weather(true);
      later_.push_back({now_ + between(200ms, 5s), kCalm, 0});
      break;
    case 7:
      c.control_blocked = chance(0.3);
      note(fmt::format("chassis {} cannot send {}", index, c.control_blocked ? "anything" : "data"));
      c.data_blocked = true;
      later_.push_back({now_ + between(10ms, 2s), kUnblock, index});
      break;
    case 8:
      ++totals_.disk_failures;
      c.set_disk(now_, false);
      disk_bad_until_[index] = TimePoint::max();
      later_.push_back({now_ + between(50ms, 2s), kDiskWorks, index});
      break;
    case 9:
      // The links of the chassis fail, or come back before anybody reacts.
      if (!c.up()) break;
      ++totals_.illnesses;
      note(fmt::format("chassis {} is ill", index));
      c.set_ill(now_, true);
      later_.push_back({now_ + between(1ms, 3s), kWell, index});
      break;
    default:
      // The network may believe either of two masters.
      if (chassis_[0].active() && chassis_[1].active()) drawn_to_ = index;
      if (c.up() && !c.paused && c.core().request_switchover(now_)) {
        note(fmt::format("switchover asked for on chassis {}", index));
        ++totals_.switchovers_begun;
      }
      break;
  }
}

void World::make_witnessed(std::uint64_t seed) {
  keys_.emplace();
  for (Chassis& c : chassis_) c.key = std::make_unique<KeyClient>(*keys_, seed + c.index());
}

void World::fault_of_witness() {
  const std::size_t index = random_() % 2;
  Chassis& c = chassis_[index];
  switch (random_() % 4) {
    case 0:
      note("the witness ends");
      keys_->set_up(now_, false);
      break;
    case 1:
      note(fmt::format("the witness is slow for chassis {}", index));
      c.key->slowest = 300ms;
      break;
    default:
      note(fmt::format("chassis {} is cut off from the witness", index));
      c.key->cut = true;
      break;
  }
  later_.push_back({now_ + between(20ms, 4s), kWitness, index});
}

/// Never do two members act at once.
void World::check_acting() {
  if (!keys_ || !chassis_[0].up() || !chassis_[1].up()) return;
  const auto masters = [](const Chassis& c) { return c.member().wants_to_act(); };
  if (masters(chassis_[0]) && masters(chassis_[1])) ++totals_.two_masters;
  if (chassis_[0].shard().acts(now_) && chassis_[1].shard().acts(now_)) violations_.emplace_back("two members act");
}

void World::make_hard() {
  hard_ = true;
  for (Chassis& c : chassis_) {
    c.witness.moody = true;
    c.slowest_claim = between(1ms, 200ms);
  }
}

void World::run(Duration time) {
  for (const TimePoint end = now_ + time; now_ < end && violations().empty();) {
    if (now_ >= next_fault_ && !strict_) fault();
    if (now_ >= next_commit_) commit_something();
    step(between(200us, 4ms));
  }
}

std::optional<std::size_t> World::master() const {
  std::optional<std::size_t> out;
  for (const Chassis& c : chassis_) {
    if (!c.active()) continue;
    if (out) return std::nullopt;
    out = c.index();
  }
  return out;
}

bool World::twins() const {
  const auto m = master();
  if (!m || !chassis_[0].up() || !chassis_[1].up()) return false;
  return chassis_[1U - *m].status().sync == Sync::hot && chassis_[0].shard().digest() == chassis_[1].shard().digest() &&
         chassis_[0].shard().sessions() == chassis_[1].shard().sessions();
}

void World::settle(Duration limit) {
  per_second_ = 0;
  hard_ = false;
  messages_per_round_ = std::numeric_limits<std::size_t>::max();
  for (Chassis& c : chassis_) c.witness.moody = false;
  const std::vector<Later> open = std::exchange(later_, {});
  for (const Later& l : open) happen(l);
  for (std::size_t i = 0; i < 2; ++i) {
    chassis_[i].paused = chassis_[i].data_blocked = chassis_[i].control_blocked = false;
    chassis_[i].set_disk(now_, true);
    if (!chassis_[i].up()) start(i);
  }
  weather(false);
  heal();
  for (std::size_t i = 0; keys_ && i < 2; ++i) happen({now_, kWitness, i});
  next_commit_ = TimePoint::max();
  // Commits of both sides of a cut may have the same number, and a chassis does not try a commit again that failed.
  const bool again = !agreed();
  for (Chassis& c : chassis_) c.commits.refuse(0);
  if (again) commit(random_edits(), 3);
  const TimePoint end = now_ + limit;
  while (now_ < end && !(twins() && committed())) step(between(500us, 4ms));
  if (!twins() || !committed()) {
    std::string text = "the chassis do not agree after quiet:";
    for (Chassis& c : chassis_) {
      const auto s = c.status();
      text += fmt::format(
          " [{}: {} {} term {} sessions {} digest {:x} pending {} unacknowledged {} peer {} {} commit {} runs "
          "{:x} of {:x}]",
          c.index(), to_string(s.role), to_string(s.sync), s.term, c.shard().sessions(), c.shard().digest(),
          s.pending_state, s.unacknowledged_bytes, s.peer_present, to_string(s.peer_role), c.commits.newest().number,
          c.commits.running().digest, c.commits.newest().snapshot->digest);
    }
    violations_.push_back(text);
  }
}

void World::check_timeouts() {
  const node::Shard& shard = chassis_[*master()].shard();
  for (const TimePoint end = now_ + 1s; now_ < end && shard.reviews();) step(1ms);
  const Cluster& cluster = chassis_[*master()].cluster();
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < shard.table().high_water(); ++slot) {
    if (!shard.read(slot, now_, record) || record.protocol() == ip_protocol::tcp) continue;
    const std::uint32_t wanted =
        cluster.service_sets[*cluster.service_set_ids.find(record.service_set)].timeouts.inactivity_s;
    if (record.timeout_s == wanted) continue;
    violations_.push_back(
        fmt::format("the session in slot {} has a timeout of {} s instead of {} s", slot, record.timeout_s, wanted));
  }
}

void World::prove_alive() {
  const auto before = traffic_.round_trips();
  per_second_ = 20;
  for (const TimePoint end = now_ + 2s; now_ < end;) step(between(500us, 4ms));
  // Ports and slots may all be taken by sessions whose ends are gone; they must not stay so.
  for (const TimePoint end = now_ + 60s; now_ < end && traffic_.round_trips() == before;) step(10ms);
  if (traffic_.round_trips() == before) violations_.push_back("no packet passes after everything is mended");
  settle(10s);
}

std::vector<std::string> World::violations() const {
  std::vector<std::string> out = violations_;
  out.insert(out.end(), oracle_.violations().begin(), oracle_.violations().end());
  out.insert(out.end(), traffic_.violations().begin(), traffic_.violations().end());
  return out;
}

Totals World::finish() {
  for (Chassis& c : chassis_) {
    if (c.up()) count_of(c);
    totals_.messages_lost += c.control.lost() + c.data.lost();
  }
  if (keys_) totals_.keys_given = keys_->given();
  totals_.births = oracle_.births();
  totals_.deaths = oracle_.deaths();
  totals_.only_there = oracle_.only_there();
  totals_.kept = oracle_.kept();
  totals_.conflicts = oracle_.conflicts();
  totals_.bindings = oracle_.bindings();
  totals_.round_trips = traffic_.round_trips();
  totals_.mapping_changes = traffic_.mapping_changes();
  totals_.left_known = oracle_.left_known();
  totals_.left_waited = oracle_.left_waited();
  totals_.left_alone = oracle_.left_alone();
  totals_.survived = oracle_.survived();
  return totals_;
}

}  // namespace icr::sim
