#include "node/card/chassis.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "model/base/clock.h"
#include "model/base/guilt.h"
#include "model/base/log.h"
#include "model/config/reserved_endpoints.h"
#include "node/ports/factory.h"
#include "storage/restore.h"
#include "storage/rocks/rocks_history.h"
#include "storage/rocks/rocks_store.h"

namespace icr::node {
namespace {

/// Captures must give the same result every run, so their hashes and ports are not secret.
constexpr std::uint64_t kCaptureSeed = 0x1c9e5c0de5eed001ULL;

/// How long a worker has time to take another configuration. It needs one round, so a worker that takes longer is
/// stuck.
constexpr Duration kTakeLimit = 5s;

std::uint64_t random_word() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

/// Applies the scheduling settings of the whole process, before its threads are created.
WorkerScheduling take_machine(const ChassisConfig& config) {
  WorkerScheduling out;
  out.wanted = config.scheduling;
  out.rights = SchedulingRights::of_this_process();
  const auto real = [](const PacketPort& port) { return port.kind != PacketPort::Kind::pcap; };
  const auto carries_traffic = [&](const CardConfig& card) {
    return std::any_of(card.ports.begin(), card.ports.end(), real);
  };
  if (std::none_of(config.cards.begin(), config.cards.end(), carries_traffic)) {
    out.wanted.policy = Scheduling::Policy::ordinary;  // replayed captures have no deadlines
    return out;
  }
  if (out.wanted.policy == Scheduling::Policy::ordinary) {
    out.memory = "memory not locked";
    return out;
  }
  out.memory = lock_memory(out.rights);
  if (out.memory.empty()) out.memory = "memory locked";
  return out;
}

/// The I/O thread carries the workers' heartbeats, so it is scheduled like them: it inherits its scheduling from the
/// thread that creates it. (ZeroMQ has options for this, but ends the process if the kernel refuses.)
Result<std::shared_ptr<transport::Context>> make_context(const WorkerScheduling& scheduling,
                                                         const std::optional<transport::KeyPair>& identity) {
  Result<std::shared_ptr<transport::Context>> out;
  std::thread([&] {
    const auto got = schedule_thread(scheduling.wanted, scheduling.rights, scheduling_calls(), true);
    if (got.policy == Scheduling::Policy::nice) favour_session(scheduling.rights);
    out = transport::Context::create(identity);
  }).join();
  return out;
}

storage::HistoryLimits history_limits(const ChassisConfig& config) {
  return {static_cast<std::uint64_t>(config.history / 1s), std::uint64_t{config.history_megabytes} << 20U};
}

/// Reports of takeovers stand beside the store, as commits do (chassis_host.cpp).
std::filesystem::path folder_of_failovers(const std::string& data_folder) {
  return (std::filesystem::path(data_folder) / "").parent_path().string() + ".failovers";
}

}  // namespace

Result<Chassis::Prepared> Chassis::open_ports(const CardConfig& config, const std::function<void()>& schedule) {
  Prepared out;
  out.config = &config;
  out.now = monotonic_now();
  TimePoint first = TimePoint::max();
  std::size_t captures = 0;
  for (const PacketPort& port : config.ports) {
    auto opened = open_port(port, schedule);
    if (!opened) return tl::unexpected(opened.error().in("card " + config.name));
    captures += (*opened)->is_capture() ? 1U : 0U;
    if (const auto arrival = (*opened)->next_arrival()) first = std::min(first, *arrival);
    out.ports.push_back({port.unit, std::move(*opened)});
  }
  if (captures != 0 && captures != config.ports.size()) {
    return fail("card {}: has ports of type pcap and of other types; make all of them captures, or none", config.name);
  }
  out.seed = captures != 0 ? kCaptureSeed : random_word();
  if (captures != 0 && first != TimePoint::max()) out.now = first;
  return out;
}

Chassis::Chassis(const Cluster& cluster, std::uint16_t index, CommitDesk* desk,
                 std::optional<transport::KeyPair> identity)
    : cluster_(cluster), index_(index), desk_(desk), identity_(std::move(identity)) {
  while (boot_id_ == 0) boot_id_ = random_word();
}

Chassis::~Chassis() { stop(); }

Result<void> Chassis::start() {
  auto started = start_parts();
  if (!started) stop();
  return started;
}

Result<void> Chassis::start_parts() {
  const ChassisConfig& config = cluster_.chassis[index_];
  // Ports before the store: a file with a wrong device in it must not put the store of the right one aside.
  if (!config.data_folder.empty()) {
    if (auto free = storage::RocksStore::check_free(config.data_folder); !free) return free;
  }
  const WorkerScheduling scheduling = take_machine(config);
  // The guard is installed before any port is opened: from here on no packet bypasses the cards, even if a later step
  // fails.
  auto guard = KernelGuard::open(cluster_, index_);
  if (!guard) return tl::unexpected(guard.error().in("chassis " + config.name));
  kernel_guard_ = std::move(*guard);
  std::vector<Prepared> prepared;
  const auto schedule = [scheduling] {
    (void)schedule_thread(scheduling.wanted, scheduling.rights, scheduling_calls());
  };
  for (const CardConfig& card : config.cards) {
    auto opened = open_ports(card, schedule);
    if (!opened) return tl::unexpected(opened.error());
    prepared.push_back(std::move(*opened));
  }
  if (kernel_guard_) kernel_guard_->start();
  std::unique_ptr<storage::RocksStore> store;
  if (!config.data_folder.empty()) {
    auto opened = storage::RocksStore::open(config.data_folder, {config.name, cluster_.name, cluster_.digest},
                                            wall_now(), history_limits(config));
    if (!opened) return tl::unexpected(opened.error());
    store = std::move(*opened);
    auto reports = FailoverFiles::open(folder_of_failovers(config.data_folder));
    if (!reports) return tl::unexpected(reports.error().in("reports of takeovers"));
    failover_files_ = std::move(*reports);
  }

  // Time of captures is that of their packets.
  const auto look_at_the_clock = [](Prepared& card) {
    if (card.seed != kCaptureSeed) card.now = monotonic_now();
  };

  // Tables, filled from the checkpoints, while nothing else runs.
  std::string damage;
  for (Prepared& card : prepared) {
    look_at_the_clock(card);
    for (std::uint16_t set = 0; set < cluster_.redundancy_sets.size(); ++set) {
      const auto member = cluster_.member_on(set, index_);
      if (!member || cluster_.redundancy_sets[set].members[*member].card != card.config->name) continue;
      if (card.seed == kCaptureSeed && !cluster_.redundancy_sets[set].stand_alone()) {
        return fail(
            "card {}: its ports are captures, so redundancy set {} cannot have two members; use a stand-alone service "
            "set",
            card.config->name, cluster_.redundancy_sets[set].name);
      }
      auto made = make_set(set, card, store.get(), damage);
      if (!made) return tl::unexpected(made.error());
      made->start.whole &= store == nullptr || store->set_aside_to().empty();
      card.sets.push_back(std::move(*made));
    }
  }
  if (store && !damage.empty()) {
    if (auto aside = store->set_aside(damage, wall_now()); !aside) return tl::unexpected(aside.error());
  }

  // Then the disk, the links and the workers.
  if (store) writer_ = std::make_unique<storage::Writer>(std::move(store));
  auto context = make_context(scheduling, identity_);
  if (!context) return tl::unexpected(context.error());
  context_ = std::move(*context);
  std::size_t workers = 0;
  for (Prepared& card : prepared) {
    look_at_the_clock(card);  // the hold time for a peer begins now: what opening and restoring took is not part of it
    for (CardSet& set : card.sets) {
      set.start.boot_id = boot_id_;
      set.start.checkpoints.run = boot_id_;
      if (history_limits(config).wanted()) set.start.checkpoints.mark_interval = 1s;
      if (failover_files_) {
        set.start.failovers = failover_files_->reports_of(cluster_.redundancy_sets[set.shard->set()].name);
        set.start.failover_files = failover_files_.get();
      }
      if (desk_ != nullptr) set.start.commits = &desk_->beacon();
      if (const RedundancySet& each = cluster_.redundancy_sets[set.shard->set()];
          cluster_.witness && each.witness && !each.stand_alone()) {
        keys_.push_back(std::make_unique<EtcdKey>(*cluster_.witness,
                                                  EtcdKey::Names{cluster_.name, each.name, config.name, boot_id_}));
        set.start.key = keys_.back().get();
      }
      if (kernel_guard_) set.kernel = &kernel_guard_->watch(set.shard->set());
      if (writer_) set.start.disk = &writer_->add_set(cluster_.redundancy_sets[set.shard->set()].name);
    }
    cards_.push_back(std::make_unique<Card>(cluster_, index_, *card.config, std::move(card.ports), std::move(card.sets),
                                            card.seed, card.now));
    doors_.push_back(cards_.back()->door());
    workers += cards_.back()->workers();
  }
  if (writer_) writer_->start();
  if (failover_files_) failover_files_->start();
  QueryServer::Past past;
  if (history_limits(config).wanted()) {
    const auto open_history = [this, &config]() -> Result<std::unique_ptr<storage::HistorySource>> {
      return storage::RocksHistory::open(config.data_folder, {config.name, cluster_.name, cluster_.digest});
    };
    history_ = std::make_unique<HistoryDesk>(open_history, HistoryDesk::Limits{});
    history_->start();
    past = [this](std::unique_ptr<QueryTask>& task, const std::string& set) { history_->take(task, set); };
  }
  for (const auto& each : keys_) each->start();
  const auto more_counters = [this](CounterList& out) {
    guilt::append_to(out);
    if (writer_) writer_->append_to(out);
    if (failover_files_) failover_files_->append_to(out);
    if (kernel_guard_) kernel_guard_->append_to(out);
    if (history_) history_->append_to(out);
    if (desk_ != nullptr) desk_->append_to(out);
  };
  QueryServer::Commits commits;
  if (desk_ != nullptr) {
    commits = [this](const CommitRequest& request, QueryReply& reply) { desk_->answer(request, wall_now(), reply); };
  }
  query_ = std::make_unique<QueryServer>(cluster_, index_, doors_, more_counters, std::move(commits), identity_,
                                         std::move(past));
  if (auto serving = query_->start(); !serving) return serving;
  for (const auto& card : cards_) {
    if (auto running = card->start(context_, scheduling); !running) return running;
  }
  log::info("chassis", "chassis={} cluster={} cards={} workers={} query={} chassis ready", config.name, cluster_.name,
            cards_.size(), workers, query_->endpoint());
  return {};
}

Result<CardSet> Chassis::make_set(std::uint16_t set, const Prepared& card, storage::Store* store, std::string& damage) {
  const RedundancySet& config = cluster_.redundancy_sets[set];
  CardSet out;
  out.shard =
      std::make_unique<Shard>(cluster_, set, icr::detail::mix(card.seed, 0x9e3779b97f4a7c15ULL + set), card.now);
  if (store == nullptr) return out;
  auto restored = storage::restore(*store, config.name, cluster_.digest, *out.shard, *out.shard, card.now, wall_now());
  if (!restored) return tl::unexpected(restored.error().in("redundancy set " + config.name));
  out.start.term = restored->term;
  out.start.claimed = restored->claimed;
  out.start.next_sequence = restored->next_sequence;
  out.start.age = restored->age;
  log::info("checkpoint", "set={} restored sessions={} expired={} term={} records={} from-the-future={} took={}ms",
            config.name, restored->sessions, restored->expired, restored->term, restored->batches,
            restored->clock_went_back, restored->took / 1ms);
  if (restored->other_configuration != 0) {
    log::warn(
        "checkpoint",
        "set={} the checkpoint was written under another cluster file (records={} of {}): what it says of service "
        "sets, pools and addresses that are not in the present one is not restored; refused sessions and "
        "bindings: {}",
        config.name, restored->other_configuration, restored->batches, restored->refused);
  }
  if (restored->unknown != 0) {
    log::warn("checkpoint",
              "set={} {} sessions that a later release wrote were not restored, because they have values that this "
              "release does not know",
              config.name, restored->unknown);
  }
  if (!restored->damage.empty()) {
    out.start.whole = false;
    log::error("checkpoint", "set={} damaged: {} (records bad={} cut off={})", config.name, restored->damage,
               restored->bad_records, restored->cut_off);
    if (!damage.empty()) damage += "; ";
    damage += config.name + ": " + restored->damage;
  }
  return out;
}

void Chassis::stop() {
  if (query_) query_->stop();
  if (history_) history_->stop();
  if (kernel_guard_) kernel_guard_->stop();  // its nftables rules stay
  for (const auto& card : cards_) card->stop();
  if (writer_) writer_->stop();
  if (failover_files_) failover_files_->stop();
  for (const auto& each : keys_) each->stop();
  doors_.clear();
  cards_.clear();
  keys_.clear();
  writer_.reset();
  failover_files_.reset();
  query_.reset();
  history_.reset();
  context_.reset();
}

std::optional<QueryReply> Chassis::ask(const QueryRequest& request, Duration limit) {
  if (request.card >= doors_.size()) return std::nullopt;
  const auto completions = std::make_shared<Completions>();
  if (completions->descriptor() < 0) return std::nullopt;
  auto task = std::make_unique<QueryTask>();
  task->client = "chassis";
  task->of_host = true;
  task->request = request;
  task->answer_to = completions;
  prepare(*task, taken_ ? *taken_ : cluster_, index_);
  const CardDoor& card = doors_[request.card];
  CardMailbox& worker = addresses_a_set(request.kind) ? card.of_set(request.set) : *card.workers.front();
  if (!worker.post(task)) return std::nullopt;
  if (task) {
    // The mailbox has made room by giving back the question of a client that has several. It gets the answer that the
    // query server gives when a card has no room.
    task->reply.request_id = task->request.request_id;
    task->reply.error = QueryError::busy;
    task->reply.reason = "too many questions wait for this card";
    const auto answer_to = task->answer_to;
    answer_to->push(std::move(task));
  }
  pollfd polled{completions->descriptor(), POLLIN, 0};
  if (::poll(&polled, 1, static_cast<int>(limit / 1ms)) <= 0) return std::nullopt;
  const auto done = completions->drain();
  if (done.empty()) return std::nullopt;
  return std::move(done.front()->reply);
}

Result<void> Chassis::take(std::shared_ptr<const Cluster> cluster) {
  const auto reservations = reserved_endpoints(*cluster);
  const auto former = std::exchange(taken_, std::move(cluster));
  for (const auto& card : cards_) card->give(*taken_, reservations);
  const TimePoint until = monotonic_now() + kTakeLimit;
  for (const auto& card : cards_) {
    if (card->await_update(until)) continue;
    former_ = former;  // a worker may use it until it ends
    return fail("a worker does not take the configuration");
  }
  query_->set_cluster(taken_);
  return {};
}

bool Chassis::at_end() const {
  return !cards_.empty() && std::all_of(cards_.begin(), cards_.end(), [](const auto& card) { return card->at_end(); });
}

}  // namespace icr::node
