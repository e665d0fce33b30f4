#include "node/query/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "node/query/work.h"

namespace icr::node {

Wakeup::Wakeup() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Wakeup::~Wakeup() {
  if (descriptor_ >= 0) close(descriptor_);
}

void Wakeup::signal() {
  // Fails only when the counter is full, and then the descriptor is readable anyway.
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(descriptor_, &one, sizeof one);
}

void Wakeup::clear() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(descriptor_, &count, sizeof count);
}

void Completions::push(std::unique_ptr<QueryTask> task) {
  {
    const MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wakeup_.signal();
}

std::vector<std::unique_ptr<QueryTask>> Completions::drain() {
  wakeup_.clear();
  std::vector<std::unique_ptr<QueryTask>> out;
  const MutexLock lock(mutex_);
  out.swap(tasks_);
  return out;
}

namespace {

template <class Tasks>
std::size_t tasks_of(const Tasks& tasks, const std::string& client) {
  return static_cast<std::size_t>(
      std::count_if(tasks.begin(), tasks.end(), [&](const auto& task) { return task->client == client; }));
}

}  // namespace

bool CardMailbox::post(std::unique_ptr<QueryTask>& task) {
  {
    const MutexLock lock(mutex_);
    if (waiting_.load(std::memory_order_relaxed) < max_tasks_ + (task->of_host ? 1 : 0)) {
      posted_.push_back(std::move(task));
      waiting_.fetch_add(1, std::memory_order_release);
    } else {
      // Places move only to who has fewer of them even afterwards.
      const std::size_t own = tasks_of(posted_, task->client) + 1;
      auto most = posted_.end();
      std::size_t count = own + 1;
      for (auto each = posted_.begin(); each != posted_.end(); ++each) {
        if ((*each)->of_host) continue;
        const std::size_t of_client = tasks_of(posted_, (*each)->client);
        if (of_client < count) continue;
        count = of_client;
        most = each;  // the last one, hence the newest, of that client
      }
      if (most == posted_.end()) return false;
      std::unique_ptr<QueryTask> displaced = std::move(*most);
      posted_.erase(most);
      posted_.push_back(std::move(task));
      task = std::move(displaced);
    }
  }
  wakeup_.signal();
  return true;
}

void CardMailbox::take_in_hand() {
  // The server holds this lock for a short walk over few tasks.
  const MutexLock lock(mutex_);
  if (posted_.empty()) return;
  wakeup_.clear();
  while (active_.size() < kTasksInHand && !posted_.empty()) {
    const auto next = std::min_element(posted_.begin(), posted_.end(), [&](const auto& a, const auto& b) {
      return tasks_of(active_, a->client) < tasks_of(active_, b->client);
    });
    active_.push_back(std::move(*next));
    posted_.erase(next);
  }
}

void CardMailbox::take_over(std::unique_ptr<QueryTask> task) {
  {
    const MutexLock lock(mutex_);
    posted_.push_back(std::move(task));
    waiting_.fetch_add(1, std::memory_order_release);
  }
  wakeup_.signal();
}

bool CardMailbox::run(CardView& card, TimePoint now, std::uint32_t max_slots) {
  if (waiting_.load(std::memory_order_acquire) == 0) return false;
  if (active_.size() < kTasksInHand) take_in_hand();
  std::unique_ptr<QueryTask> task = std::move(active_.front());
  active_.pop_front();
  if (work_on(*task, card, now, max_slots)) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    if (next_ != nullptr && !addresses_a_set(task->request.kind) && task->reply.error == QueryError::none) {
      next_->take_over(std::move(task));
      return waiting_.load(std::memory_order_relaxed) != 0;
    }
    // A task that waits in Completions must not own a share of them: neither would ever be freed.
    const auto answer_to = std::move(task->answer_to);
    answer_to->push(std::move(task));
  } else {
    active_.push_back(std::move(task));
  }
  return waiting_.load(std::memory_order_relaxed) != 0;
}

namespace {

/// Adds the names of the service sets that run on the card, and of the pools that they use.
void tell_names(QueryReply& reply, const Cluster& cluster, std::uint16_t chassis, const CardConfig& card) {
  std::vector<std::uint16_t> pools;
  for (const auto& set : cluster.redundancy_sets) {
    const bool runs_here = std::any_of(set.members.begin(), set.members.end(), [&](const auto& member) {
      return member.chassis == chassis && member.card == card.name;
    });
    if (!runs_here) continue;
    for (const auto index : set.service_sets) {
      const ServiceSet& service_set = cluster.service_sets[index];
      reply.names.emplace_back(service_set.stable_id, service_set.name);
      for (const auto rule : service_set.nat_rules) {
        for (const auto& term : cluster.nat_rules[rule].terms) {
          pools.insert(pools.end(), term.source_pools.begin(), term.source_pools.end());
          if (term.overload_pool) pools.push_back(*term.overload_pool);
          if (term.destination_pool) pools.push_back(*term.destination_pool);
        }
      }
      for (const DrainedUse& each : cluster.drained) {
        if (each.service_set == index) pools.push_back(each.term.source_pools[0]);
      }
    }
  }
  std::sort(pools.begin(), pools.end());
  pools.erase(std::unique(pools.begin(), pools.end()), pools.end());
  for (const auto pool : pools)
    reply.names.emplace_back(cluster.nat_pools[pool].stable_id, cluster.nat_pools[pool].name);
}

}  // namespace

void prepare(QueryTask& task, const Cluster& cluster, std::uint16_t chassis) {
  const QueryRequest& request = task.request;
  task.reply.request_id = request.request_id;
  if (request.kind == QueryKind::status) {
    task.reply.cluster_digest = cluster.digest;
    if (request.cluster_digest != cluster.digest) {
      tell_names(task.reply, cluster, chassis, cluster.chassis[chassis].cards[request.card]);
    }
  }
  if (!addresses_a_set(request.kind)) return;
  // What is cleared is cleared from the beginning.
  const bool from_the_start = request.kind == QueryKind::clear_bindings ||
                              request.kind == QueryKind::clear_statistics || request.kind == QueryKind::clear ||
                              request.kind == QueryKind::count || request.kind == QueryKind::live;
  task.cursor = from_the_start ? 0 : request.cursor;
  if (request.kind == QueryKind::largest) {
    task.largest.emplace(request.order.value_or(SessionOrder::bytes), request.limit, request.floor);
    return;
  }
  if (request.kind == QueryKind::groups) {
    const GroupingRule rule{request.grouping.value_or(SessionGrouping::source), request.prefix_length};
    task.groups.emplace(rule, kPageGroups);
    return;
  }
  for (const auto service_set : cluster.redundancy_sets[request.set].service_sets) {
    const StableId id = cluster.service_sets[service_set].stable_id;
    if (!request.filter.has_service_set(id)) continue;
    ServiceSetCount row;
    row.service_set = id;
    task.reply.counts.push_back(row);
  }
}

}  // namespace icr::node
