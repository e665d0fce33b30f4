// Carries a question to the worker of a card, and its answer back.
//
//   query server thread                     card's worker thread
//     post(task) ---- CardMailbox ----->  run(): a slice of work per call
//     drain() <------ Completions ------  (the finished task)
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/mutex.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "model/query/query.h"
#include "node/query/shard_view.h"

namespace icr::node {

/// An eventfd that wakes a thread that polls it. Thread: any may call signal().
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  /// Returns a descriptor that polls readable after signal(), or -1 if none could be created.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  void signal();
  void clear();

 private:
  int descriptor_;
};

class Completions;

/// A question with its answer so far. It moves between threads, and one thread owns it at a time.
struct QueryTask {
  std::string client;    ///< ZeroMQ routing id of the client
  bool of_host = false;  ///< the chassis itself asks, one question at a time
  QueryRequest request;  ///< checked: kind, card and set exist
  std::shared_ptr<Completions> answer_to;

  QueryReply reply;
  BatchEncoder sessions;  ///< for page, bindings and largest: the records that were found; the thread of the server
                          ///< encodes them into the reply

  std::uint32_t cursor = 0;  ///< next slot (or service set, or row) to examine
  std::uint32_t found = 0;
  /// For clear_bindings: what is removed now. Sessions hold mappings and pairings, and mappings hold pairings.
  enum class Stage : std::uint8_t { sessions, mappings, others } stage = Stage::sessions;
  std::optional<LargestSessions> largest;  ///< for largest: what was found
  std::optional<SessionGroups> groups;     ///< for groups: the sums so far
  bool scanned = false;                    ///< for largest: all slots of the range were examined
};

/// Prepares a task for a mailbox: sets where it begins, and adds a row of counts for each selected service set, and for
/// a question about status the names that a client with another cluster file may not know. REQUIRES: request.card
/// exists, and request.set if the kind addresses a set.
void prepare(QueryTask& task, const Cluster& cluster, std::uint16_t chassis);

/// The queue of finished tasks for the thread of the query server.
class Completions {
 public:
  void push(std::unique_ptr<QueryTask> task);                     ///< Thread: any.
  [[nodiscard]] std::vector<std::unique_ptr<QueryTask>> drain();  ///< clears the wake-up
  [[nodiscard]] int descriptor() const { return wakeup_.descriptor(); }

 private:
  InheritingMutex mutex_;
  std::vector<std::unique_ptr<QueryTask>> tasks_ ICR_GUARDED_BY(mutex_);
  Wakeup wakeup_;
};

/// Number of slots that run() examines by default; about 50 us at 100 ns per slot.
inline constexpr std::uint32_t kSliceSlots = 512;
/// Number of slots that run() examines while packets arrive, so that no packet waits long.
inline constexpr std::uint32_t kBusySliceSlots = 32;

/// Number of questions that the worker processes at the same time; the others wait.
inline constexpr std::size_t kTasksInHand = 8;

/// A bounded mailbox for the questions to one worker. It divides its places fairly: a client with many questions makes
/// room for clients with few, so that no client can shut out another.
class CardMailbox {
 public:
  explicit CardMailbox(std::size_t max_tasks = 64) : max_tasks_(max_tasks) {}

  /// Takes `task`. If too many questions wait already, `task` becomes the newest question of the client that has most
  /// of them, which was not begun and has no place any more. If no other client has more questions than that of `task`,
  /// `task` is unchanged and the result is false. A question of the host has a place of its own beyond those, so that
  /// clients cannot keep a chassis from looking at itself. Thread: any.
  bool post(std::unique_ptr<QueryTask>& task);

  /// Sets the next worker of the card, to which a question about the whole card goes on with what was found here. The
  /// last worker answers it. REQUIRES: called before the first post().
  void hand_on_to(CardMailbox& next) { next_ = &next; }

  /// Returns a descriptor that polls readable when a task was posted, for a worker that sleeps.
  [[nodiscard]] int descriptor() const { return wakeup_.descriptor(); }

  /// Works on one task, for at most `max_slots` slots, and then moves on to the next task. Returns true if work
  /// remains, so the caller must not sleep before the next call. Costs one atomic load when idle. Thread: the worker,
  /// once per round of its loop.
  bool run(CardView& card, TimePoint now, std::uint32_t max_slots = kSliceSlots);

 private:
  /// Begins waiting tasks; first those of clients with the fewest tasks in progress.
  void take_in_hand();
  /// Takes over a task on which another worker of the card has done its part. It has a place already.
  void take_over(std::unique_ptr<QueryTask> task);

  const std::size_t max_tasks_;
  CardMailbox* next_ = nullptr;
  Wakeup wakeup_;
  InheritingMutex mutex_;
  std::vector<std::unique_ptr<QueryTask>> posted_ ICR_GUARDED_BY(mutex_);  ///< oldest first
  std::atomic<std::size_t> waiting_{0};                                    ///< number of posted and active tasks
  std::deque<std::unique_ptr<QueryTask>> active_;                          ///< used by the worker only
};

}  // namespace icr::node
