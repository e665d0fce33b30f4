#include "node/query/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace icr::node {
namespace {

bool addresses_a_set(QueryKind kind) {
  return kind == QueryKind::page || kind == QueryKind::count || kind == QueryKind::clear ||
         kind == QueryKind::switchover;
}

}  // namespace

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
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wakeup_.signal();
}

std::vector<std::unique_ptr<QueryTask>> Completions::drain() {
  wakeup_.clear();
  std::vector<std::unique_ptr<QueryTask>> out;
  const std::lock_guard lock(mutex_);
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
    const std::lock_guard lock(mutex_);
    if (waiting_.load(std::memory_order_relaxed) < max_tasks_) {
      posted_.push_back(std::move(task));
      waiting_.fetch_add(1, std::memory_order_release);
    } else {
      // Places move only to who has fewer of them even afterwards.
      const std::size_t own = tasks_of(posted_, task->client) + 1;
      auto most = posted_.end();
      std::size_t count = own + 1;
      for (auto each = posted_.begin(); each != posted_.end(); ++each) {
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
  const std::lock_guard lock(mutex_);
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
    const std::lock_guard lock(mutex_);
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
  if (work(*task, card, now, max_slots)) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    if (next_ != nullptr && !addresses_a_set(task->request.kind) && task->reply.error == QueryError::none) {
      next_->take_over(std::move(task));
      return !active_.empty();
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

/// Collects a page.
class PageVisitor final : public SessionVisitor {
 public:
  PageVisitor(BatchEncoder& out, std::uint32_t& found, std::uint32_t limit) : out_(out), found_(found), limit_(limit) {}
  bool visit(const SessionRecord& record) override {
    out_.add(record);
    return ++found_ < limit_;
  }

 private:
  BatchEncoder& out_;
  std::uint32_t& found_;
  const std::uint32_t limit_;
};

/// Adds one to the row of the session's service set.
void count_in(std::vector<ServiceSetCount>& rows, const SessionRecord& record, SessionState state) {
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const ServiceSetCount& r) { return r.service_set == record.service_set; });
  if (row != rows.end()) ++row->by_state[static_cast<std::size_t>(state)];
}

class CountVisitor final : public SessionVisitor {
 public:
  CountVisitor(std::vector<ServiceSetCount>& rows, bool by_state) : rows_(rows), by_state_(by_state) {}
  bool visit(const SessionRecord& record) override {
    count_in(rows_, record, by_state_ ? state_of(record) : SessionState::valid);
    return true;
  }

 private:
  std::vector<ServiceSetCount>& rows_;
  const bool by_state_;
};

/// Remembers what to delete: a table is not changed while it is scanned.
class ClearVisitor final : public SessionVisitor {
 public:
  bool visit(const SessionRecord& record) override {
    doomed.push_back({record.ref.slot, record.service_set});
    return true;
  }
  struct Doomed {
    std::uint32_t slot;
    std::uint16_t service_set;
  };
  std::vector<Doomed> doomed;
};

void refuse(QueryTask& task, QueryError error, std::string reason) {
  task.reply.error = error;
  task.reply.reason = std::move(reason);
}

/// Looks at the next slots of the task's set. True: the scan is complete.
bool scan_slice(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots,
                SessionVisitor& visitor) {
  const std::uint32_t end = shard.sessions().high_water();
  if (task.cursor >= end) return true;
  const std::uint32_t slice_end = std::min(end, task.cursor + std::min(max_slots, end - task.cursor));
  task.cursor = shard.scan(task.request.filter, task.cursor, slice_end, now, visitor);
  return task.cursor >= end;
}

bool work_on_page(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  PageVisitor visitor(task.sessions, task.found, task.request.limit);
  const bool scanned = scan_slice(task, shard, now, max_slots, visitor);
  task.reply.next_cursor = task.cursor;
  task.reply.done = scanned;
  return scanned || task.found >= task.request.limit;
}

bool work_on_count(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  if (task.request.filter.only_service_sets() && !task.request.by_state) {
    for (auto& row : task.reply.counts) row.by_state[0] = shard.sessions_of(row.service_set);
    return true;
  }
  CountVisitor visitor(task.reply.counts, task.request.by_state);
  return scan_slice(task, shard, now, max_slots, visitor);
}

bool work_on_clear(QueryTask& task, ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  if (!shard.is_master()) {
    refuse(task, QueryError::refused, "not master: sessions are cleared where they are used");
    return true;
  }
  ClearVisitor visitor;
  // A deletion costs more than a look.
  const bool scanned = scan_slice(task, shard, now, std::max(1U, max_slots / 4), visitor);
  for (const auto& doomed : visitor.doomed) {
    if (!shard.remove(doomed.slot, now)) continue;
    SessionRecord record;
    record.service_set = doomed.service_set;
    count_in(task.reply.counts, record, SessionState::valid);
  }
  return scanned;
}

ShardView* find_shard(CardView& card, std::uint16_t set) {
  for (auto* shard : card.shards()) {
    if (shard->set() == set) return shard;
  }
  return nullptr;
}

void answer_status(QueryTask& task, CardView& card, TimePoint now) {
  for (const auto* shard : card.shards()) {
    SetStatus status;
    shard->status(now, status);
    status.set = shard->set();
    task.reply.status.push_back(std::move(status));
  }
  // Parts of several workers: sets in the order of the cluster file.
  std::sort(task.reply.status.begin(), task.reply.status.end(),
            [](const SetStatus& a, const SetStatus& b) { return a.set < b.set; });
  task.reply.utilization.add(card.utilization(now));
}

void answer_switchover(QueryTask& task, ShardView& shard, TimePoint now) {
  auto done = shard.switchover(now);
  if (done) {
    task.reply.text = std::move(*done);
  } else {
    refuse(task, QueryError::refused, std::move(done.error().message));
  }
}

}  // namespace

bool CardMailbox::work(QueryTask& task, CardView& card, TimePoint now, std::uint32_t max_slots) {
  ShardView* shard = nullptr;
  if (addresses_a_set(task.request.kind)) {
    shard = find_shard(card, task.request.set);
    if (shard == nullptr) {
      refuse(task, QueryError::unknown_target, "the card does not run this redundancy set");
      return true;
    }
  }
  switch (task.request.kind) {
    case QueryKind::status:
      answer_status(task, card, now);
      return true;
    case QueryKind::page:
      return work_on_page(task, *shard, now, max_slots);
    case QueryKind::count:
      return work_on_count(task, *shard, now, max_slots);
    case QueryKind::clear:
      return work_on_clear(task, *shard, now, max_slots);
    case QueryKind::switchover:
      answer_switchover(task, *shard, now);
      return true;
    case QueryKind::counters:
      card.counters(task.reply.counters);
      return true;
    case QueryKind::server_counters:
      break;
  }
  refuse(task, QueryError::unknown_kind, "a card does not answer this kind of question");
  return true;
}

}  // namespace icr::node
