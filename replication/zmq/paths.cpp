#include "replication/zmq/paths.h"

#include <algorithm>
#include <utility>

#include "model/base/clock.h"
#include "model/base/log.h"

namespace icr::replication {
namespace {

/// How often the log says that a path was lost.
constexpr Duration kPathLogPause = 10s;

}  // namespace

/// One link, and what is known of the path that it uses.
class Paths::Path final : private LinkVisitor {
 public:
  Path(Paths& paths, std::unique_ptr<Link> opened, const IpAddress& local, const IpAddress& remote)
      : link(std::move(opened)), status{local, remote, PathState::down, false}, paths_(paths) {}

  /// Hands over at most `budget` messages. Returns true if there is more.
  bool drain(LinkVisitor& visitor, std::size_t budget, TimePoint now) {
    visitor_ = &visitor;
    now_ = now;
    return link->drain(*this, budget);
  }
  [[nodiscard]] bool up() const { return status.state == PathState::up; }
  /// Takes the present state. Returns true if the path was up until now.
  bool change(PathState state, TimePoint now) {
    const PathState former = std::exchange(status.state, state);
    if (state == PathState::up && state != former) up_since = now;
    if (state == former || paths_.paths_.size() == 1) return former == PathState::up && state != former;
    if (state == PathState::up) {
      if (std::exchange(told_, true)) return false;
      log::info("link", "set={} the inter-chassis path from {} to {} is up", paths_.name_, status.local.to_string(),
                status.remote.to_string());
    } else if (former == PathState::up) {
      if (now < log_again_) return true;
      log_again_ = now + kPathLogPause;
      told_ = false;
      log::warn("link", "set={} the inter-chassis path from {} to {} is {}", paths_.name_, status.local.to_string(),
                status.remote.to_string(), to_string(state));
    }
    return former == PathState::up;
  }

  const std::unique_ptr<Link> link;
  PathStatus status;
  bool connected = false;
  TimePoint heard;     ///< when the connection was made, or something came last
  TimePoint up_since;  ///< if it is up

 private:
  void on_control(std::span<const std::uint8_t> message) override {
    heard = now_;
    visitor_->on_control(message);
  }
  void on_data(std::span<const std::uint8_t> message) override {
    heard = now_;
    visitor_->on_data(message);
  }
  void on_former(std::span<const std::uint8_t> message) override { visitor_->on_former(message); }
  void on_connected() override {
    connected = true;
    heard = now_;
    paths_.judge(*visitor_, now_);
  }
  void on_disconnected() override {
    connected = false;
    paths_.judge(*visitor_, now_);
  }

  Paths& paths_;
  LinkVisitor* visitor_ = nullptr;  ///< of the call of drain() that is under way
  TimePoint now_;
  TimePoint log_again_;
  bool told_ = false;  ///< the log says that the path is up
};

Paths::Paths(std::string name, const PathTiming& timing) : name_(std::move(name)), timing_(timing) {}
Paths::~Paths() = default;

Result<std::unique_ptr<Paths>> Paths::open(const std::shared_ptr<transport::Context>& context, const Cluster& cluster,
                                           std::uint16_t set, std::uint16_t chassis, const PathTiming& timing) {
  std::unique_ptr<Paths> out(new Paths(cluster.redundancy_sets[set].name, timing));
  const std::size_t number = cluster.inter_chassis_paths(set);
  for (std::size_t i = 0; i < number; ++i) {
    auto link = Link::open(context, cluster, set, chassis, i);
    if (!link) return tl::unexpected(link.error());
    const auto& members = cluster.redundancy_sets[set].members;
    const std::uint16_t peer = members[members[0].chassis == chassis ? 1 : 0].chassis;
    out->paths_.push_back(std::make_unique<Path>(*out, std::move(*link),
                                                 cluster.control_endpoint(set, chassis, i).address,
                                                 cluster.control_endpoint(set, peer, i).address));
  }
  out->paths_.front()->status.active = true;
  out->collect_descriptors();
  return out;
}

bool Paths::send_heartbeat(std::span<const std::uint8_t> message) {
  bool sent = false;
  for (const auto& path : paths_) sent |= path->link->send_control(message);
  return sent;
}

bool Paths::send_control(std::span<const std::uint8_t> message) { return paths_[active_]->link->send_control(message); }

bool Paths::send_data(std::span<const std::uint8_t> message) { return paths_[active_]->link->send_data(message); }

bool Paths::send_former(std::span<const std::uint8_t> message) { return paths_.front()->link->send_former(message); }

void Paths::set_peer_keys(const std::vector<std::string>& keys) {
  for (const auto& path : paths_) path->link->set_peer_keys(keys);
}

bool Paths::drain(LinkVisitor& visitor, std::size_t budget) {
  const TimePoint now = monotonic_now();
  bool more = false;
  for (const auto& path : paths_) more |= path->drain(visitor, budget, now);
  if (paths_.size() > 1) judge(visitor, now);
  collect_descriptors();  // a link may have made a connection again
  return more;
}

bool Paths::pending() {
  bool any = false;
  for (const auto& path : paths_) any |= path->link->pending();
  return any;
}

void Paths::judge(LinkVisitor& visitor, TimePoint now) {
  const auto heard_before = [](const auto& a, const auto& b) { return a->heard < b->heard; };
  const TimePoint newest = (*std::max_element(paths_.begin(), paths_.end(), heard_before))->heard;
  const auto state_of = [&](const Path& path) {
    if (!path.connected) return PathState::down;
    return newest - path.heard > timing_.silence ? PathState::silent : PathState::up;
  };
  for (const auto& path : paths_) losses_ += path->change(state_of(*path), now) ? 1U : 0U;
  if (const std::size_t next = best(now); next != active_) {
    paths_[active_]->status.active = false;
    active_ = next;
    paths_[active_]->status.active = true;
    ++changes_;
  }
  const bool connected = paths_[active_]->up();
  if (std::exchange(connected_, connected) == connected) return;
  connected ? visitor.on_connected() : visitor.on_disconnected();
}

std::size_t Paths::best(TimePoint now) const {
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const Path& path = *paths_[i];
    // One that has just come back may go again.
    if (path.up() && (!paths_[active_]->up() || i == active_ || now - path.up_since >= timing_.stable)) return i;
  }
  return active_;
}

void Paths::collect_descriptors() {
  descriptors_.clear();
  for (const auto& path : paths_) {
    const auto& of_link = path->link->descriptors();
    descriptors_.insert(descriptors_.end(), of_link.begin(), of_link.end());
  }
}

std::vector<PathStatus> Paths::status() const {
  std::vector<PathStatus> out;
  for (const auto& path : paths_) out.push_back(path->status);
  return out;
}

void Paths::append_to(CounterList& out) const {
  for (const auto& path : paths_) {
    CounterList of_link;
    path->link->append_to(of_link);
    add_counters(out, of_link);
  }
  out.push_back({"link-paths-lost", losses_});
  out.push_back({"link-active-path-changes", changes_});
}

}  // namespace icr::replication
