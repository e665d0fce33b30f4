#include "node/card/card.h"

#include <algorithm>

namespace icr::node {

Card::Card(const Cluster& cluster, std::uint16_t chassis, const CardConfig& config, std::vector<UnitPort> ports,
           std::vector<CardSet> sets, std::uint64_t seed, TimePoint now) {
  const std::size_t count = std::clamp<std::size_t>(sets.size(), 1, std::max<std::size_t>(config.workers, 1));
  std::vector<WorkerPart> parts(count);
  std::map<std::uint32_t, std::size_t> worker_of_unit;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const std::uint16_t set = sets[i].shard->set();
    const std::size_t worker = i % count;
    worker_of_set_[set] = worker;
    for (const std::uint16_t index : cluster.redundancy_sets[set].service_sets) {
      worker_of_unit[cluster.service_sets[index].inside_unit] = worker;
      worker_of_unit[cluster.service_sets[index].outside_unit] = worker;
    }
    parts[worker].sets.push_back(std::move(sets[i]));
  }
  for (UnitPort& port : ports) {
    // No service set uses this unit, but a worker has to receive and count what arrives at it.
    const auto found = worker_of_unit.find(port.unit);
    parts[found == worker_of_unit.end() ? 0 : found->second].ports.push_back(std::move(port));
  }
  for (WorkerPart& part : parts) {
    workers_.push_back(std::make_unique<Worker>(cluster, chassis, config.name, static_cast<std::uint32_t>(count),
                                                std::move(part), seed, now));
  }
  for (std::size_t i = 1; i < count; ++i) workers_[i - 1]->mailbox().hand_on_to(workers_[i]->mailbox());
}

Result<void> Card::start(const std::shared_ptr<transport::Context>& context, const WorkerScheduling& scheduling) {
  for (const auto& worker : workers_) {
    if (auto running = worker->start(context, scheduling); !running) return running;
  }
  return {};
}

void Card::stop() {
  // All at once: each of them may have a checkpoint to write.
  for (const auto& worker : workers_) worker->ask_to_stop();
  for (const auto& worker : workers_) worker->stop();
}

bool Card::at_end() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const auto& worker) { return worker->at_end(); });
}

void Card::give(const Cluster& cluster, const std::vector<PoolReservations>& reservations) {
  for (const auto& worker : workers_) worker->give(worker->prepare(cluster, reservations));
}

bool Card::await_update(TimePoint until) {
  return std::all_of(workers_.begin(), workers_.end(), [&](const auto& worker) { return worker->await_update(until); });
}

CardDoor Card::door() const {
  CardDoor out;
  for (const auto& worker : workers_) out.workers.push_back(&worker->mailbox());
  out.sets = worker_of_set_;
  return out;
}

}  // namespace icr::node
