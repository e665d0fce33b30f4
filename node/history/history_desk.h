// Answers questions about the sessions of the past, from the history that the store of the chassis keeps.
//
//   query server thread                      thread of the desk
//     take(task) ------- queue -------->  reads the history, or a table that it has read before
//     drain() <------ Completions ------  (the finished task)
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "model/base/result.h"
#include "node/query/mailbox.h"
#include "storage/history.h"

namespace icr::node {

/// The desk keeps the sessions that it found for a question, because the answer is asked for in pages. It keeps few,
/// and forgets them when nobody has asked for a while.
class HistoryDesk {
 public:
  /// Opens the history as it is now. Thread: that of the desk.
  using Open = std::function<Result<std::unique_ptr<storage::HistorySource>>()>;

  struct Limits {
    std::size_t waiting = 32;           ///< questions that wait
    std::size_t waiting_of_client = 4;  ///< of one client
    std::size_t sessions = 100'000;     ///< of one answer; with more, the question is refused
    std::size_t kept = 2;               ///< answers that are kept
    Duration kept_for = 30s;            ///< after the last page that was asked for
  };

  HistoryDesk(Open open, const Limits& limits);
  ~HistoryDesk();
  HistoryDesk(const HistoryDesk&) = delete;
  HistoryDesk& operator=(const HistoryDesk&) = delete;

  /// Starts the thread.
  void start();
  /// Stops and joins the thread. Questions that wait get no answer. Idempotent.
  void stop();

  /// Takes a question of kind past_sessions about `set`. Leaves `task` where it is if too many wait. Thread: any.
  void take(std::unique_ptr<QueryTask>& task, const std::string& set);
  /// Thread: any.
  void append_to(CounterList& out) const;

 private:
  struct Waiting {
    std::unique_ptr<QueryTask> task;
    std::string set;
  };
  /// The sessions of a moment that match a filter, by slot.
  struct Table {
    std::string set;
    WallMillis at = 0;
    SessionFilter filter;
    std::vector<SessionRecord> sessions;
    TimePoint used;
  };
  enum Count : std::size_t { kQuestions, kRefusedBusy, kUnknownMoments, kTablesRead, kCountEnd };

  void work();
  /// Returns the next question, or nothing when the desk is stopped. Forgets tables that nobody asks for.
  [[nodiscard]] std::optional<Waiting> next();
  void answer(QueryTask& task, const std::string& set);
  [[nodiscard]] Result<const Table*> table_of(const QueryRequest& request, const std::string& set);
  void count(Count what) { counters_[what].fetch_add(1, std::memory_order_relaxed); }

  const Open open_;
  const Limits limits_;
  std::array<std::atomic<std::uint64_t>, kCountEnd> counters_{};
  mutable Mutex mutex_;
  ConditionVariable posted_;
  std::deque<Waiting> waiting_ ICR_GUARDED_BY(mutex_);
  bool stopped_ ICR_GUARDED_BY(mutex_) = false;
  std::atomic<bool> ending_{false};
  std::deque<Table> tables_;  ///< used by the thread only; the one that was used last is at the end
  std::thread thread_;
};

}  // namespace icr::node
