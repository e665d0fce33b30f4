#include "node/card/chassis_host.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <utility>

#include "model/base/clock.h"
#include "model/base/log.h"
#include "model/config/arrangement.h"
#include "model/config/cluster_file.h"
#include "node/card/live_change.h"
#include "node/commit/peer_client.h"
#include "storage/rocks/rocks_store.h"

namespace icr::node {
namespace {

constexpr std::string_view kComponent = "commit";
constexpr int kIdleMillis = 500;
constexpr int kBusyMillis = 50;
constexpr Duration kAnswerLimit = 500ms;
constexpr std::chrono::milliseconds kFetchLimit{2000};
constexpr std::int64_t kFetchPauseMillis = 2000;

std::int64_t monotonic_millis() { return monotonic_now().time_since_epoch() / 1ms; }

std::uint64_t digest_of_file(const std::string& file) {
  const auto text = read_cluster_text(file);
  return text ? digest_of_text(*text) : 0;
}

/// The folder of the commits stands beside that of the checkpoints, which holds a database and nothing else, and which
/// is renamed when it is damaged.
Result<SnapshotStore> open_store(const icr::ChassisConfig& config) {
  if (config.data_folder.empty()) return SnapshotStore();
  if (auto free = storage::RocksStore::check_free(config.data_folder); !free) return tl::unexpected(free.error());
  std::filesystem::path folder = std::filesystem::path(config.data_folder) / "";
  return SnapshotStore::open(folder.parent_path().string() + ".commits");
}

}  // namespace

ChassisHost::ChassisHost(std::string file, std::shared_ptr<const Snapshot> snapshot, std::string chassis,
                         std::string key_file)
    : file_(std::move(file)),
      name_(std::move(chassis)),
      key_file_(std::move(key_file)),
      given_(std::move(snapshot)),
      follower_(name_) {}

ChassisHost::~ChassisHost() { stop(); }

Result<void> ChassisHost::start() {
  if (newer_.descriptor() < 0) return fail("the process has no file descriptor left");
  const icr::ChassisConfig& config = given_->cluster.chassis[*given_->cluster.find_chassis(name_)];
  auto store = open_store(config);
  if (!store) return tl::unexpected(store.error());
  if (!store->durable()) {
    log::info(kComponent, "chassis={} commits are kept in memory only: there is no data-folder", name_);
  }
  desk_ = std::make_unique<CommitDesk>(std::move(*store), name_, [this] { return digest_of_file(file_); });
  desk_->on_newer([this] { newer_.signal(); });
  desk_->set_live_check([name = name_](const Cluster& running, const Cluster& next) {
    return live_obstacles(running, arranged(running, next), name);
  });
  desk_->set_key_check([this](const Cluster& next) -> Result<void> {
    if (auto own = read_identity(next); !own) return tl::unexpected(own.error());
    return {};
  });
  const auto why = desk_->start(given_->text, file_, wall_now());
  if (!why) return tl::unexpected(why.error());
  const auto newest = desk_->newest();
  log::info(kComponent, "chassis={} starts with commit={}: {}", name_, newest.number, *why);
  follower_.note_newest(newest.number, newest.snapshot->digest);
  newer_.signal();  // so that the first look comes at once
  auto started = launch(newest.snapshot);
  if (started) return {};
  // A file that was just changed is not replaced by a former commit: its author is there, and sees the error.
  const auto former = desk_->newest_is_of_file() ? nullptr : desk_->former(wall_now());
  if (!former) return started;
  log::error(kComponent, "chassis={} cannot start with commit={}: {}; it starts with the one before", name_,
             newest.number, started.error().message);
  follower_.note_failure();
  const std::string reason = started.error().message;
  if (auto back = launch(former); !back) return back;
  desk_->set_state(CommitState::failed, reason, false);
  return {};
}

Result<std::optional<transport::KeyPair>> ChassisHost::read_identity(const Cluster& cluster) const {
  if (!cluster.encrypted()) return std::nullopt;
  const auto own = cluster.find_chassis(name_);
  if (!own) return fail("the cluster file has no chassis '{}'", name_);
  auto keys = transport::read_secret_keys(key_file_);
  if (!keys) return tl::unexpected(keys.error().in(fmt::format("secret key of chassis {}", name_)));
  const std::string& wanted = cluster.chassis[*own].public_keys.front();
  const transport::KeyPair* const found = transport::find_pair(*keys, {wanted});
  if (found != nullptr) return *found;
  return fail(
      "{} does not hold the secret key of {}, which the cluster file gives chassis {} as the first of its "
      "public-keys",
      key_file_, wanted, name_);
}

Result<void> ChassisHost::launch(const std::shared_ptr<const Snapshot>& snapshot) {
  const auto index = snapshot->cluster.find_chassis(name_);
  if (!index) return fail("the cluster file has no chassis '{}'", name_);
  auto identity = read_identity(snapshot->cluster);
  if (!identity) return tl::unexpected(identity.error());
  identity_ = std::move(*identity);
  for (const std::string& warning : snapshot->cluster.warnings) log::warn("cluster-file", "{}", warning);
  desk_->set_running(snapshot);
  built_ = running_ = committed_ = snapshot;
  plan_.reset();
  if (!snapshot->cluster.encrypted()) {
    log::warn("security", "chassis={} its sockets are neither encrypted nor authenticated", name_);
  }
  chassis_ = std::make_unique<Chassis>(snapshot->cluster, *index, desk_.get(), identity_);
  auto started = chassis_->start();
  if (!started) {
    end_chassis();
    return started;
  }
  desk_->set_state(CommitState::running, {}, false);
  return {};
}

void ChassisHost::end_chassis() {
  if (chassis_) chassis_->stop();
  chassis_.reset();
}

void ChassisHost::stop() { end_chassis(); }

std::optional<std::vector<SetFact>> ChassisHost::facts() {
  const auto& cluster = running_->cluster;
  const auto own = *cluster.find_chassis(name_);
  std::vector<SetFact> out;
  for (std::uint16_t card = 0; card < cluster.chassis[own].cards.size(); ++card) {
    QueryRequest request;
    request.kind = QueryKind::status;
    request.card = card;
    const auto reply = chassis_->ask(request, kAnswerLimit);
    if (!reply || reply->error != QueryError::none) return std::nullopt;
    for (const SetStatus& status : reply->status) out.push_back(fact_of(status, cluster, own, card));
  }
  return out;
}

int ChassisHost::next_look() const {
  const bool busy = follower_.pending(desk_->running()->digest);
  const WallMillis due = desk_->next_tick(wall_now()) - wall_now();
  return static_cast<int>(std::clamp<WallMillis>(due, 0, busy ? kBusyMillis : kIdleMillis));
}

Result<void> ChassisHost::look() {
  newer_.clear();
  desk_->tick(wall_now());
  const auto newest = desk_->newest();
  follower_.note_newest(newest.number, newest.snapshot->digest);
  auto seen = facts();
  if (!seen) return {};  // a worker that is busy, or ends; the next look sees more
  follower_.remember(monotonic_now(), *seen);
  desk_->set_facts(*seen);
  // What is newer comes first: it may end what this chassis waits for.
  if (fetch_from_peers(newest.number, *seen)) return {};
  if (follower_.pending(desk_->running()->digest)) return advance(newest, *seen);
  return {};
}

const ChassisHost::Plan& ChassisHost::plan(const CommitDesk::Newest& newest) {
  if (plan_ && plan_->newest == newest.snapshot->digest) return *plan_;
  plan_ = Plan{newest.snapshot->digest, nullptr};
  LivePlan live = plan_live(running_->cluster, newest.snapshot->cluster, name_);
  for (const std::string& obstacle : live.obstacles) {
    log::info(kComponent, "chassis={} commit={} needs a restart: {}", name_, newest.number, obstacle);
  }
  if (live.arranged) {
    plan_->arranged = std::make_shared<const Snapshot>(
        Snapshot{newest.snapshot->text, newest.snapshot->digest, std::move(*live.arranged)});
  }
  return *plan_;
}

Result<void> ChassisHost::take_live(const CommitDesk::Newest& newest) {
  told_.clear();
  const auto next = plan_->arranged;
  if (auto taken = chassis_->take({next, &next->cluster}); !taken) {
    log::error(kComponent, "chassis={} commit={} cannot be taken while the chassis runs: {}", name_, newest.number,
               taken.error().message);
    return restart(newest);
  }
  for (const std::string& warning : next->cluster.warnings) log::warn("cluster-file", "{}", warning);
  running_ = next;
  committed_ = newest.snapshot;
  plan_.reset();
  desk_->set_running(next);
  desk_->set_state(CommitState::running, {}, false);
  log::info(kComponent, "chassis={} commit={} runs, without a restart", name_, newest.number);
  return {};
}

Result<void> ChassisHost::advance(const CommitDesk::Newest& newest, const std::vector<SetFact>& facts) {
  const bool live = plan(newest).arranged != nullptr;
  const Turn turn = follower_.decide(monotonic_now(), newest.snapshot->cluster, live, facts);
  if (turn.step == Turn::Step::take_live) return take_live(newest);
  desk_->set_state(CommitState::waiting, turn.why, turn.waits);
  if (turn.step == Turn::Step::restart) {
    told_.clear();
    return restart(newest);
  }
  if (turn.why != told_) {
    told_ = turn.why;
    log::info(kComponent, "chassis={} commit={} waits for {}", name_, newest.number, turn.why);
  }
  for (const std::size_t i : turn.sets) {
    QueryRequest request;
    request.kind = QueryKind::switchover;
    request.card = facts[i].card;
    request.set = facts[i].set;
    const auto reply = chassis_->ask(request, kAnswerLimit);
    if (reply && reply->error == QueryError::none) continue;
    log::warn(kComponent, "chassis={} redundancy set {} is not handed over yet: {}", name_, facts[i].name,
              reply ? reply->reason : "its worker does not answer");
  }
  return {};
}

Result<void> ChassisHost::restart(const CommitDesk::Newest& newest) {
  log::info(kComponent, "chassis={} commit={} the chassis restarts with it", name_, newest.number);
  const auto before = committed_;
  end_chassis();
  auto started = launch(newest.snapshot);
  if (started) {
    log::info(kComponent, "chassis={} commit={} runs", name_, newest.number);
    return {};
  }
  log::error(kComponent, "chassis={} cannot start with commit={}: {}; it goes back to the former one", name_,
             newest.number, started.error().message);
  follower_.note_failure();
  if (auto back = launch(before); !back)
    return tl::unexpected(back.error().in("the former commit does not start either"));
  desk_->set_state(CommitState::failed, started.error().message, false);
  return {};
}

bool ChassisHost::fetch_from_peers(std::uint64_t own, const std::vector<SetFact>& facts) {
  const std::int64_t now = monotonic_millis();
  if (now < next_fetch_) return false;
  std::map<std::string, std::uint64_t> numbers;  // by chassis, which may be the peer in several sets
  for (const SetFact& fact : facts) numbers[fact.peer] = std::max(numbers[fact.peer], fact.peer_number);
  for (const auto& each : numbers) {
    const std::string& peer = each.first;  // clang 14 cannot capture a structured binding
    const std::uint64_t number = each.second;
    const auto index = running_->cluster.find_chassis(peer);
    if (number <= own || !index) continue;
    next_fetch_ = now + kFetchPauseMillis;
    const icr::ChassisConfig& config = running_->cluster.chassis[*index];
    auto fetched = fetch_newest_commit({config.query, identity_, config.public_keys}, own, kFetchLimit);
    auto taken = fetched.and_then([&](FetchedCommit& commit) {
      return desk_->take(std::move(commit.text), fmt::format("commit {} of chassis {}", commit.entry.number, peer),
                         std::move(commit.entry), wall_now());
    });
    if (taken) {
      fetch_error_.clear();
      log::info(kComponent, "chassis={} commit={} taken from chassis {}", name_, *taken, peer);
      newer_.signal();
      return true;
    }
    if (taken.error().message == fetch_error_) continue;
    fetch_error_ = taken.error().message;
    log::warn(kComponent, "chassis={} commit={} of chassis {} cannot be taken: {}", name_, number, peer, fetch_error_);
  }
  return false;
}

void ChassisHost::read_file_again() {
  auto text = read_cluster_text(file_);
  if (!text) {
    log::error(kComponent, "chassis={} {}", name_, text.error().message);
    return;
  }
  if (digest_of_text(*text) == desk_->newest().snapshot->digest) {
    log::info(kComponent, "chassis={} {} is the newest commit already", name_, file_);
    return;
  }
  CommitEntry entry;
  entry.user = "root";
  entry.via = kViaSignal;
  const auto taken = desk_->take(std::move(*text), file_, std::move(entry), wall_now());
  if (taken) {
    log::info(kComponent, "chassis={} commit={} is {}", name_, *taken, file_);
    newer_.signal();
  } else {
    log::error(kComponent, "chassis={} {} is not taken: {}", name_, file_, taken.error().message);
  }
}

}  // namespace icr::node
