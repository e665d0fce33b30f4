#include "node/card/worker.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <random>

#include "model/base/clock.h"
#include "model/base/guilt.h"
#include "model/base/log.h"
#include "node/ports/offload.h"
#include "node/ports/queue_watch.h"

namespace icr::node {
namespace {

constexpr std::size_t kBurst = 64;
/// A card that has nothing to do looks for work this often.
constexpr Duration kLongestSleep = 50ms;
/// How long a stopping card tries to get its last checkpoint accepted and its traffic released.
constexpr Duration kShutdownLimit = 5s;

std::uint64_t bytes_of(const MatchConditions& from) {
  const auto ranges = from.source_addresses.size() + from.source_except.size() + from.destination_addresses.size() +
                      from.destination_except.size();
  const auto ports = from.source_ports.size() + from.destination_ports.size();
  return ranges * sizeof(AddressRange) + ports * sizeof(PortRange) + from.applications.size() * sizeof(std::uint16_t);
}

/// What the rules of a service set take as they were configured; what is compiled from them is of the same order.
std::uint64_t bytes_of_rules(const Cluster& cluster, const ServiceSet& service_set) {
  std::uint64_t out = 0;
  for (const auto rule : service_set.firewall_rules) {
    for (const auto& term : cluster.firewall_rules[rule].terms) out += sizeof term + bytes_of(term.from);
  }
  for (const auto rule : service_set.nat_rules) {
    for (const auto& term : cluster.nat_rules[rule].terms) out += sizeof term + bytes_of(term.from);
  }
  return out;
}

}  // namespace

Worker::Worker(const Cluster& cluster, std::uint16_t chassis, std::string name, std::uint32_t workers, WorkerPart part,
               std::uint64_t seed, TimePoint now)
    : cluster_(&cluster),
      name_(std::move(name)),
      workers_(workers),
      ports_(std::move(part.ports)),
      meters_(ports_.size()),
      buffers_(kBurst),
      virtual_now_(now) {
  for (const UnitPort& port : ports_) {
    if (port.unit >= port_of_unit_.size()) port_of_unit_.resize(port.unit + 1, nullptr);
    port_of_unit_[port.unit] = port.port.get();
    captures_ = captures_ || port.port->is_capture();
  }
  std::vector<Shard*> engine_shards;
  for (CardSet& set : part.sets) {
    engine_shards.push_back(set.shard.get());
    sets_.push_back(std::make_unique<SetShell>(cluster, chassis, *set.shard, set.start, set.kernel, now));
    set_views_.push_back(std::make_unique<SetView>(*sets_.back()));
    views_.push_back(set_views_.back().get());
    shards_.push_back(std::move(set.shard));
  }
  engine_ = std::make_unique<Engine>(cluster, std::move(engine_shards), seed);
  sample_.at = now;
  if (!captures_) open_self_tests(chassis, now);
}

Worker::~Worker() { stop(); }

Result<void> Worker::start(std::shared_ptr<transport::Context> context, const WorkerScheduling& scheduling) {
  std::promise<Result<void>> started;
  auto outcome = started.get_future();
  worker_ =
      std::thread([this, context = std::move(context), scheduling, &started] { run(context, scheduling, started); });
  auto result = outcome.get();
  if (!result && worker_.joinable()) worker_.join();
  return result;
}

void Worker::ask_to_stop() {
  stopping_.store(true, std::memory_order_release);
  stop_wakeup_.signal();
}

void Worker::stop() {
  ask_to_stop();
  if (worker_.joinable()) worker_.join();
}

std::unique_ptr<WorkerUpdate> Worker::prepare(const Cluster& cluster,
                                              const std::vector<PoolReservations>& reservations) const {
  auto out = std::make_unique<WorkerUpdate>();
  out->cluster = &cluster;
  for (const auto& shard : shards_) out->shards.push_back(shard->prepare(cluster, reservations));
  out->engine = engine_->prepare(cluster);
  return out;
}

void Worker::give(std::unique_ptr<WorkerUpdate> update) {
  update_ = std::move(update);
  update_taken_.clear();
  update_waits_.store(true, std::memory_order_release);
}

bool Worker::await_update(TimePoint until) {
  while (update_waits_.load(std::memory_order_acquire)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - monotonic_now());
    if (left.count() <= 0) return false;
    pollfd polled{update_taken_.descriptor(), POLLIN, 0};
    (void)::poll(&polled, 1, static_cast<int>(left.count()));
    update_taken_.clear();
  }
  update_.reset();
  return true;
}

void Worker::take_update(TimePoint now) {
  if (!update_waits_.load(std::memory_order_acquire)) return;
  cluster_ = update_->cluster;
  engine_->take(update_->engine);
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    sets_[i]->core().take(now, *cluster_, update_->shards[i]);
    sets_[i]->take_paths(*cluster_);
    sets_[i]->take_probes(*cluster_);
  }
  update_waits_.store(false, std::memory_order_release);
  update_taken_.signal();
}

void Worker::open_self_tests(std::uint16_t chassis, TimePoint now) {
  const auto& cards = cluster_->chassis[chassis].cards;
  const auto card = std::find_if(cards.begin(), cards.end(), [&](const CardConfig& one) { return one.name == name_; });
  const auto end_of = [&](std::uint32_t unit) {
    SelfTest::End out{unit, unit < port_of_unit_.size() ? port_of_unit_[unit] : nullptr, {}};
    for (const PacketPort& port : card->ports) {
      if (port.unit == unit && port.kind == PacketPort::Kind::tun) out.device = port.device;
    }
    return out;
  };
  std::random_device device;
  const std::uint64_t secret = std::uint64_t{device()} << 32 | device();
  engine_->expect_self_tests(secret);
  for (const auto& set : set_views_) {
    SelfTest& self_test = *self_tests_.emplace_back(std::make_unique<SelfTest>(secret));
    for (const std::uint16_t index : cluster_->redundancy_sets[set->set()].service_sets) {
      const ServiceSet& config = cluster_->service_sets[index];
      const SelfTest::End inside = end_of(config.inside_unit);
      const SelfTest::End outside = end_of(config.outside_unit);
      if (inside.device.empty() || outside.device.empty()) continue;
      if (const auto added = self_test.add(inside, outside, now); !added) {
        log::warn("card", "service-set={} cannot be tested by packets of its own: {}", config.name,
                  added.error().message);
      }
    }
  }
}

void Worker::take_processor(const WorkerScheduling& scheduling) {
  const ThreadScheduling got = schedule_thread(scheduling.wanted, scheduling.rights, scheduling_calls());
  budget_.emplace(got, scheduling_calls());
  const std::string text = got.to_string() + ", " + scheduling.memory;
  for (const auto& set : set_views_) set->set_scheduling(text);
  if (got.missing.empty()) {
    log::info("card", "card={} scheduling: {}", name_, text);
  } else {
    log::warn("card", "card={} scheduling: {}; on a busy machine packets and heartbeats may be late", name_, text);
  }
}

void Worker::run(const std::shared_ptr<transport::Context>& context, const WorkerScheduling& scheduling,
                 std::promise<Result<void>>& started) {
  if (!captures_) take_processor(scheduling);
  const TimePoint now = captures_ ? virtual_now_ : monotonic_now();
  const auto schedule = [this, scheduling] {
    if (!captures_) (void)schedule_thread(scheduling.wanted, scheduling.rights, scheduling_calls());
  };
  for (const auto& set : sets_) {
    if (auto opened = set->open(context, schedule, now); !opened) {
      started.set_value(tl::unexpected(opened.error().in("card " + name_)));
      return;
    }
  }
  started.set_value({});
  if (captures_) {
    run_captures();
  } else {
    run_real();
  }
  finish();
}

void Worker::run_real() {
  std::vector<Packet>& packets = buffers_.packets();
  TimePoint present = monotonic_now();  // when the worker last had the processor
  while (!stopping_.load(std::memory_order_acquire)) {
    const TimePoint begun = monotonic_now();
    TimePoint now = begun;
    if (now - present > QueueWatch::kLimit) note_absence(now - present, now);
    take_update(now);
    bool packets_came = false;
    for (const auto& [unit, port] : ports_) {
      const std::size_t n = port->rx_burst(packets);
      if (n == 0) continue;
      // The process may have been stopped before it took these packets, and the right of a shard to act may be over.
      now = monotonic_now();
      engine_->refuse_new_sessions(port->waited() > QueueWatch::kRelief);
      engine_->process(std::span(packets.data(), n), now, *this);
      for (const UnitPort& each : ports_) each.port->flush();
      packets_came = true;
    }
    engine_->tick(now);
    bool more = packets_came;
    more |= poll_sets(now, packets_came);
    more |= handle_relayed_packets(now);
    release_packets(now);
    // A question may take about as long as a burst, so packets that come meanwhile wait no longer than for a burst.
    more |= mailbox_.run(*this, now, packets_came ? kBusySliceSlots : kSliceSlots);
    const TimePoint done = monotonic_now();
    account(done - begun, done);
    present = begun;
    if (budget_->rest_due(done)) {
      rest();
    } else if (!more) {
      // Whether an event woke the thread late cannot be known; only the end of its sleep is known.
      const TimePoint until = wait(done);
      present = std::min(until, monotonic_now());
    }
  }
  // The rest of the work waits for ordinary threads.
  budget_->end();
}

void Worker::run_captures() {
  std::vector<Packet>& packets = buffers_.packets();
  // Time is what the captures say: the port whose next packet is the oldest has its turn.
  for (;;) {
    Port* next = nullptr;
    TimePoint earliest = TimePoint::max();
    for (const auto& [unit, port] : ports_) {
      const auto arrival = port->next_arrival();
      if (arrival && *arrival < earliest) {
        earliest = *arrival;
        next = port.get();
      }
    }
    if (next == nullptr || stopping_.load(std::memory_order_acquire)) break;
    virtual_now_ = earliest;
    for (const auto& [unit, port] : ports_) port->set_time(virtual_now_);
    take_update(virtual_now_);
    for (bool more = true; more;) {
      more = poll_sets(virtual_now_, false);
      more |= handle_relayed_packets(virtual_now_);
    }
    release_packets(virtual_now_);
    engine_->tick(virtual_now_);
    const std::size_t n = next->rx_burst(packets);
    if (n != 0) engine_->process(std::span(packets.data(), n), virtual_now_, *this);
    (void)mailbox_.run(*this, virtual_now_);
  }
  log_counters();
  at_end_.store(true, std::memory_order_release);
  // The captures are over and their time stands still; questions are still answered.
  while (!stopping_.load(std::memory_order_acquire)) {
    take_update(virtual_now_);
    if (!mailbox_.run(*this, virtual_now_)) (void)wait(monotonic_now());
  }
}

bool Worker::poll_sets(TimePoint now, bool busy) {
  const WallMillis wall = wall_now();
  bool more = false;
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    if (!captures_ && self_tests_[i]->poll(now)) sets_[i]->core().on_self_test(now, self_tests_[i]->wrong());
    more |= sets_[i]->poll(now, wall, busy);
  }
  return more;
}

bool Worker::handle_relayed_packets(TimePoint now) {
  bool any = false;
  for (const auto& set : sets_) {
    for (Packet& packet : set->take_packets()) {
      any = true;
      // A port that receives such a packet has made sure of this.
      const bool sound = !packet.partial_checksum || offload::find_transport(packet.data, packet.length);
      if (!ICR_PEER_MUST(sound, relayed_unsound_)) continue;
      engine_->process_relayed(std::span(&packet, 1), now, *this);
    }
  }
  if (!any) return false;
  for (const UnitPort& each : ports_) each.port->flush();
  return true;
}

void Worker::release_packets(TimePoint now) {
  if (!engine_->holds_packets()) return;
  engine_->release(now, *this);
  for (const UnitPort& each : ports_) each.port->flush();
}

void Worker::rest() {
  std::this_thread::sleep_for(RealTimeBudget::kRest);
  budget_->rested(monotonic_now());
}

void Worker::note_absence(Duration absence, TimePoint now) {
  ++absences_;
  for (const auto& [unit, port] : ports_) port->was_away(absence, now);
  for (const auto& self_test : self_tests_) self_test->was_away(now);
}

TimePoint Worker::wait(TimePoint now) {
  TimePoint until = now + kLongestSleep;
  if (!captures_) {
    for (const auto& set : sets_) until = std::min(until, set->next_deadline(now));
    for (const auto& self_test : self_tests_) until = std::min(until, self_test->next_deadline());
    until = std::min(until, engine_->next_release());
  }
  if (until <= now) return now;
  descriptors_.assign({stop_wakeup_.descriptor(), mailbox_.descriptor()});
  for (const auto& set : sets_) set->append_descriptors(now, descriptors_);
  for (const auto& [unit, port] : ports_) {
    if (port->descriptor() >= 0) descriptors_.push_back(port->descriptor());
  }
  polled_.clear();
  for (const int descriptor : descriptors_) polled_.push_back(pollfd{descriptor, POLLIN, 0});
  const Duration sleep = until - now;
  const timespec timeout{static_cast<time_t>(sleep / 1s), static_cast<long>((sleep % 1s).count())};
  // An interrupted sleep is only a short one.
  (void)::ppoll(polled_.data(), polled_.size(), &timeout, nullptr);
  return until;
}

bool Worker::write_last_checkpoints(TimePoint until) {
  for (;;) {
    const TimePoint now = monotonic_now();
    SetShell* refused = nullptr;
    for (const auto& set : sets_) {
      if (!set->shut_down(captures_ ? virtual_now_ : now, wall_now())) refused = set.get();
    }
    if (refused == nullptr) return true;
    if (now >= until) return false;
    // The sets of a card have one storage thread, so room for one is room for all.
    refused->wait_for_room(until);
  }
}

void Worker::finish() {
  const TimePoint until = monotonic_now() + kShutdownLimit;
  bool done = write_last_checkpoints(until);
  for (const auto& set : sets_) done &= set->wait_released(until);
  if (!done) {
    log::warn("card", "card={} within {} s, the last checkpoint was not accepted or the virtual addresses not released",
              name_, kShutdownLimit / 1s);
  }
}

void Worker::send(const Packet& packet) {
  Port* const port = packet.unit < port_of_unit_.size() ? port_of_unit_[packet.unit] : nullptr;
  if (port == nullptr) {
    ++unknown_egress_;
    return;
  }
  port->tx(packet);
}

void Worker::account(Duration busy, TimePoint now) {
  busy_ += busy;
  const Duration elapsed = now - sample_.at;
  if (elapsed < 1s) return;
  Sample next{now, 0, 0, engine_->counters().dropped(), {}};
  for (const auto& shard : shards_) {
    next.created += shard->sessions_created();
    next.removed += shard->sessions_removed();
  }
  const auto rate = [&](std::uint64_t after, std::uint64_t before) {
    return (after - before) * 1000 / static_cast<std::uint64_t>(elapsed / 1ms);
  };
  utilization_.setup_rate = rate(next.created, sample_.created);
  utilization_.teardown_rate = rate(next.removed, sample_.removed);
  utilization_.drop_rate = rate(next.dropped, sample_.dropped);
  utilization_.cpu_permyriad = static_cast<std::uint32_t>(std::min<Duration::rep>(10000, busy_ * 10000 / elapsed));
  busy_ = {};
  sample_ = next;
  // One sample a second: a longer gap (a worker that slept) is one sample as well.
  analysis_.peak_sessions = std::max(analysis_.peak_sessions, live_sessions());
  analysis_.peak_created_per_second = std::max(analysis_.peak_created_per_second, utilization_.setup_rate);
  analysis_.peak_deleted_per_second = std::max(analysis_.peak_deleted_per_second, utilization_.teardown_rate);
  analysis_.created.add(utilization_.setup_rate);
  analysis_.deleted.add(utilization_.teardown_rate);
  ++analysis_.samples;
  for (const auto& view : set_views_) view->watch(now);
  for (std::size_t i = 0; i < ports_.size(); ++i) meters_[i].sample(*ports_[i].port, elapsed);
}

CardUtilization Worker::utilization(TimePoint /*now*/) const {
  CardUtilization out = utilization_;
  out.cpu_permyriad /= workers_;  // of the card: each worker adds its share
  for (const auto& shard : shards_) {
    out.sessions += shard->sessions();
    out.slots += shard->table().capacity();  // bindings have slots of their own
    for (const std::uint16_t index : cluster_->redundancy_sets[shard->set()].service_sets) {
      out.setup_rate_limit += cluster_->service_sets[index].max_session_setup_rate.value_or(0);
    }
  }
  return out;
}

void Worker::counters(std::vector<CounterGroup>& out) const {
  CounterList own;
  engine_->counters().append_to(own);
  own.push_back({"unknown-egress-interface", unknown_egress_});
  own.push_back({"relayed-refused-checksum", relayed_unsound_});
  own.push_back({"worker-absences", absences_});
  own.push_back({"worker-rests", budget_ ? budget_->rests() : 0});
  // The card's own group comes first; what the workers before this one counted is there already.
  if (out.empty()) out.emplace_back();
  add_counters(out.front().counters, own);
  for (const auto& [unit, port] : ports_) {
    CounterList counters;
    port->append_to(counters);
    for (const NamedCounter& counter : counters) {
      out.front().counters.push_back({fmt::format("unit-{}-{}", unit, counter.name), counter.value});
    }
  }
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const auto& set = set_views_[i];
    CounterGroup group;
    for (const std::uint16_t index : cluster_->redundancy_sets[set->set()].service_sets) {
      if (!group.service_set.empty()) group.service_set += ", ";
      group.service_set += cluster_->service_sets[index].name;
    }
    set->append_to(group.counters);
    if (!captures_) self_tests_[i]->append_to(group.counters);
    out.push_back(std::move(group));
  }
}

std::uint64_t Worker::live_sessions() const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->sessions();
  return sum;
}

void Worker::analysis(CardAnalysis& out) const {
  CardAnalysis own = analysis_;
  const EngineCounters& engine = engine_->counters();
  own.peak_sessions = std::max(own.peak_sessions, live_sessions());  // it is sampled once a second
  own.packets_received = engine.packets_in - cleared_.packets_received;
  own.packets_transmitted = engine.packets_out - cleared_.packets_transmitted;
  own.slow_path_forward = engine.sessions_created - cleared_.slow_path_forward;
  own.slow_path_discard = engine.dropped() - cleared_.slow_path_discard;
  out.add(own);
}

void Worker::clear_analysis() {
  const EngineCounters& engine = engine_->counters();
  cleared_.packets_received = engine.packets_in;
  cleared_.packets_transmitted = engine.packets_out;
  cleared_.slow_path_forward = engine.sessions_created;
  cleared_.slow_path_discard = engine.dropped();
  analysis_ = {};
  analysis_.peak_sessions = live_sessions();  // a peak is never below what is there
}

void Worker::usage(CardUsage& out) const {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  out.machine = pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) : 0;
  for (const auto& shard : shards_) {
    const std::uint64_t tables = shard->memory();
    const std::uint64_t slots = shard->table().capacity();
    const std::uint64_t each = slots == 0 ? 0 : tables / slots;
    out.used += tables;
    out.sessions += shard->sessions() * each;
    out.sessions_max += tables;
    for (const std::uint16_t index : cluster_->redundancy_sets[shard->set()].service_sets) {
      const std::uint64_t rules = bytes_of_rules(*cluster_, cluster_->service_sets[index]);
      out.policies += rules;
      out.used += rules;
      out.service_sets.push_back({cluster_->service_sets[index].stable_id, shard->sessions_of(index) * each + rules});
    }
  }
}

void Worker::traffic(std::vector<PortTraffic>& out) const {
  for (std::size_t i = 0; i < ports_.size(); ++i) out.push_back(meters_[i].traffic(ports_[i].unit, *ports_[i].port));
}

void Worker::statistics(StableId service_set, ServiceSetStatus& out) const {
  if (const auto index = cluster_->service_set_ids.find(service_set)) engine_->statistics(*index, out);
}

void Worker::clear_statistics(StableId service_set, std::optional<StatisticsGroup> group) {
  if (const auto index = cluster_->service_set_ids.find(service_set)) engine_->clear_statistics(*index, group);
  for (const auto& set : set_views_) {
    if (!group || *group == StatisticsGroup::stateful_firewall) set->clear_term_hits(service_set, TermKind::firewall);
    if (!group || *group == StatisticsGroup::nat) set->clear_term_hits(service_set, TermKind::nat);
  }
  if (group && *group != StatisticsGroup::nat) return;
  for (const auto& set : set_views_) set->clear_nat_statistics(service_set);
}

void Worker::log_counters() const {
  std::vector<CounterGroup> groups;
  counters(groups);
  std::string text;
  for (const CounterGroup& group : groups) {
    for (const NamedCounter& counter : group.counters) {
      if (counter.value != 0) text += fmt::format(" {}={}", counter.name, counter.value);
    }
  }
  log::info("card", "card={} captures read to the end:{}", name_, text);
}

}  // namespace icr::node
