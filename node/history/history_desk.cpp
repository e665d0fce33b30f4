#include "node/history/history_desk.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "model/base/clock.h"

namespace icr::node {
namespace {

/// A history that cannot be read any more once `ending` is true, so that the chassis need not wait for the end of a
/// log.
class Leavable final : public storage::HistorySource {
 public:
  Leavable(storage::HistorySource& inner, const std::atomic<bool>& ending) : inner_(inner), ending_(ending) {}
  Result<std::vector<storage::Manifest>> bases(std::string_view set) override { return inner_.bases(set); }
  Result<std::optional<storage::LogRange>> range(std::string_view set) override { return inner_.range(set); }
  Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override {
    if (ending_.load(std::memory_order_relaxed)) return fail("the chassis ends");
    return inner_.read(set, sequence, out, size);
  }

 private:
  storage::HistorySource& inner_;
  const std::atomic<bool>& ending_;
};

}  // namespace

HistoryDesk::HistoryDesk(Open open, const Limits& limits) : open_(std::move(open)), limits_(limits) {}

HistoryDesk::~HistoryDesk() { stop(); }

void HistoryDesk::start() {
  thread_ = std::thread([this] { work(); });
}

void HistoryDesk::stop() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  ending_ = true;
  posted_.notify_all();
  thread_.join();
}

void HistoryDesk::take(std::unique_ptr<QueryTask>& task, const std::string& set) {
  {
    const MutexLock lock(mutex_);
    const auto of_client = std::count_if(waiting_.begin(), waiting_.end(),
                                         [&](const Waiting& each) { return each.task->client == task->client; });
    if (waiting_.size() >= limits_.waiting || static_cast<std::size_t>(of_client) >= limits_.waiting_of_client) {
      count(kRefusedBusy);
      return;
    }
    waiting_.push_back({std::move(task), set});
  }
  posted_.notify_one();
}

void HistoryDesk::append_to(CounterList& out) const {
  static constexpr std::array<const char*, kCountEnd> kNames = {"history-questions", "history-refused-busy",
                                                                "history-unknown-moments", "history-tables-read"};
  for (std::size_t i = 0; i < kNames.size(); ++i) out.push_back({kNames[i], counters_[i].load()});
}

std::optional<HistoryDesk::Waiting> HistoryDesk::next() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      if (stopped_) return std::nullopt;
      if (waiting_.empty()) {
        if (tables_.empty()) {
          posted_.wait(mutex_);
        } else {
          (void)posted_.wait_until(mutex_, monotonic_now() + limits_.kept_for);
        }
      }
      if (stopped_) return std::nullopt;
      if (!waiting_.empty()) {
        Waiting out = std::move(waiting_.front());
        waiting_.pop_front();
        return out;
      }
    }
    const TimePoint now = monotonic_now();
    while (!tables_.empty() && now - tables_.front().used >= limits_.kept_for) tables_.pop_front();
  }
}

void HistoryDesk::work() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // the main thread handles signals
  while (auto question = next()) {
    count(kQuestions);
    answer(*question->task, question->set);
    const auto answer_to = question->task->answer_to;
    answer_to->push(std::move(question->task));
  }
}

Result<const HistoryDesk::Table*> HistoryDesk::table_of(const QueryRequest& request, const std::string& set) {
  const auto known = std::find_if(tables_.begin(), tables_.end(), [&](const Table& each) {
    return each.set == set && each.at == request.at && each.filter == request.filter;
  });
  if (known != tables_.end()) {
    std::rotate(known, known + 1, tables_.end());
  } else {
    count(kTablesRead);
    auto history = open_();
    if (!history) return tl::unexpected(history.error().in("its history cannot be read"));
    while (tables_.size() >= limits_.kept) tables_.pop_front();
    Table table{set, request.at, request.filter, {}, {}};
    bool too_many = false;
    Leavable source(**history, ending_);
    const auto read = storage::sessions_at(source, set, request.at, [&](const SessionRecord& record) {
      if (record.kind != RecordKind::session || !request.filter.matches(record)) return true;
      too_many = table.sessions.size() >= limits_.sessions;
      if (!too_many) table.sessions.push_back(record);
      return !too_many;
    });
    if (read && read->unknown != 0) {
      return fail("{} records of that time are of a later release", read->unknown);
    }
    if (!read) {
      count(kUnknownMoments);
      return tl::unexpected(read.error());
    }
    if (too_many) return fail("more than {} sessions match; a filter makes fewer of them", limits_.sessions);
    std::sort(table.sessions.begin(), table.sessions.end(),
              [](const SessionRecord& a, const SessionRecord& b) { return a.ref.slot < b.ref.slot; });
    tables_.push_back(std::move(table));
  }
  tables_.back().used = monotonic_now();
  return &tables_.back();
}

void HistoryDesk::answer(QueryTask& task, const std::string& set) {
  task.reply.request_id = task.request.request_id;
  const auto table = table_of(task.request, set);
  if (!table) {
    task.reply.error = QueryError::refused;
    task.reply.reason = table.error().message;
    return;
  }
  const auto& sessions = (*table)->sessions;
  auto each = std::lower_bound(sessions.begin(), sessions.end(), task.request.cursor,
                               [](const SessionRecord& record, std::uint32_t slot) { return record.ref.slot < slot; });
  for (; each != sessions.end() && task.found < task.request.limit; ++each, ++task.found) task.sessions.add(*each);
  task.reply.done = each == sessions.end();
  task.reply.next_cursor = task.reply.done ? kMaxRecordSlots : each->ref.slot;
}

}  // namespace icr::node
