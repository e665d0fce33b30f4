// The way of a question into a card's worker and of its answer back.
//
//   query server thread                     card's worker thread
//     post(task) ---- CardMailbox ----->  run(): a slice of work per call
//     drain() <------ Completions ------  (the finished task)
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "model/base/inheriting_mutex.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "model/query/query.h"
#include "node/query/shard_view.h"

namespace icr::node {

/// An eventfd: wakes a thread that polls it. Any thread may signal.
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  [[nodiscard]] int descriptor() const {
    return descriptor_;
  }  ///< polls readable after signal(); -1: none could be made
  void signal();
  void clear();

 private:
  int descriptor_;
};

class Completions;

/// A question on its way. Owned by one thread at a time: it moves.
struct QueryTask {
  std::string client;    ///< ZeroMQ routing id to answer to
  QueryRequest request;  ///< checked: kind, card and set exist
  std::shared_ptr<Completions> answer_to;

  QueryReply reply;
  BatchEncoder sessions;  ///< page, bindings: what was found; encoded into the reply by the server's thread

  std::uint32_t cursor = 0;  ///< next slot (or service set, or row) to look at
  std::uint32_t found = 0;
  /// clear_bindings: what goes now. A pairing is held by mappings, and both by sessions.
  enum class Stage : std::uint8_t { sessions, mappings, others } stage = Stage::sessions;
};

/// Makes a task ready for a mailbox: its place to begin, and a row of numbers for each service set that is asked for.
/// request.set exists where the kind addresses one.
void prepare(QueryTask& task, const Cluster& cluster);

/// Finished tasks, for the query server's thread.
class Completions {
 public:
  void push(std::unique_ptr<QueryTask> task);                     ///< any thread
  [[nodiscard]] std::vector<std::unique_ptr<QueryTask>> drain();  ///< clears the wake-up
  [[nodiscard]] int descriptor() const { return wakeup_.descriptor(); }

 private:
  InheritingMutex mutex_;
  std::vector<std::unique_ptr<QueryTask>> tasks_;
  Wakeup wakeup_;
};

/// Slots that run() looks at by default: at 100 ns a slot about 50 us.
inline constexpr std::uint32_t kSliceSlots = 512;
/// The same while packets come in, so that none waits long.
inline constexpr std::uint32_t kBusySliceSlots = 32;

/// Questions that the worker has in hand at the same time; the others wait for their turn.
inline constexpr std::size_t kTasksInHand = 8;

/// Shares its places fairly: who asks much makes room for who asks little, so that no client can shut out another.
class CardMailbox {
 public:
  explicit CardMailbox(std::size_t max_tasks = 64) : max_tasks_(max_tasks) {}

  /// Any thread. Hands `task` over. What is left in `task` afterwards has no place here and was not begun: nothing; or,
  /// if too many wait already, the newest question of the client that has the most; or `task` itself where no other
  /// client has more than its own - then the result is false.
  bool post(std::unique_ptr<QueryTask>& task);

  /// The card's next worker: a question about the whole card goes on to it, with what was found here, and is answered
  /// by the last one. Before the first post().
  void hand_on_to(CardMailbox& next) { next_ = &next; }

  /// Polls readable when a task was posted: for the worker that sleeps.
  [[nodiscard]] int descriptor() const { return wakeup_.descriptor(); }

  /// Worker thread, once per round of its loop. Works on one task, for at most `max_slots` slots, then lets the next
  /// task have its turn. True: work remains - do not sleep before the next call. Costs one atomic load when idle.
  bool run(CardView& card, TimePoint now, std::uint32_t max_slots = kSliceSlots);

 private:
  /// Takes waiting tasks in hand: first those of clients that have the fewest there.
  void take_in_hand();
  /// Takes over a task that another worker of the card has done its part of. It has a place already.
  void take_over(std::unique_ptr<QueryTask> task);

  const std::size_t max_tasks_;
  CardMailbox* next_ = nullptr;
  Wakeup wakeup_;
  InheritingMutex mutex_;
  std::vector<std::unique_ptr<QueryTask>> posted_;  // under mutex_, oldest first
  std::atomic<std::size_t> waiting_{0};             // posted and active tasks
  std::deque<std::unique_ptr<QueryTask>> active_;   // worker only
};

}  // namespace icr::node
