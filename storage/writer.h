// The thread that owns the store while a chassis runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "storage/checkpointer.h"
#include "storage/store.h"

namespace icr::storage {

struct WriterOptions {
  std::size_t max_bytes = 64U << 20U;  ///< size of the records that wait; more are refused
  std::size_t max_items = 16384;
};

/// A bounded queue between the workers and the one thread that writes to the store. Workers wait neither for the disk
/// nor for the lock of the queue. A write that fails is counted, logged once per incident, and reported to the
/// checkpointer of the set as a loss. It neither blocks nor ends the process. A claimed term overtakes everything that
/// waits, because a takeover waits for it.
class Writer {
 public:
  /// Owns `store`.
  explicit Writer(std::unique_ptr<Store> store, const WriterOptions& options = {});
  ~Writer();  ///< calls stop()
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Returns the output for the checkpointer of `set`, which lives as long as the writer. REQUIRES: start() was not
  /// called yet.
  [[nodiscard]] CheckpointOutput& add_set(std::string set);

  /// Starts the thread that writes.
  void start();
  /// Writes what is queued, then ends the thread. REQUIRES: nothing is offered afterwards.
  void stop();

  /// Thread: any.
  void append_to(CounterList& out) const;

 private:
  class SetOutput;
  struct Item {
    enum class Kind : std::uint8_t { record, manifest, term, claim };
    Kind kind = Kind::record;
    SetOutput* output = nullptr;
    std::uint64_t number = 0;  ///< sequence of a record, or the term; not that of a claim (SetOutput::take_claim)
    RecordBytes record;
    Manifest manifest;
  };

  /// Takes the item and returns true, or returns false and leaves it unchanged.
  bool push(Item& item);
  void wait_for_room(TimePoint until);
  [[nodiscard]] bool has_room() const ICR_REQUIRES(mutex_);
  /// Wakes the workers that wait for room, if there is enough.
  void tell_of_room();
  void run();
  void write(Item& item);
  /// Writes the terms that members claim at the moment, whatever else waits.
  void write_claims();
  /// Counts a failed write, and logs the beginning and the end of an incident.
  void record_result(SetOutput& output, const char* what, const Result<void>& result);

  std::unique_ptr<Store> store_;
  WriterOptions options_;
  std::vector<std::unique_ptr<SetOutput>> outputs_;

  Mutex mutex_;  ///< held for moments only; workers only try it
  ConditionVariable wake_;
  ConditionVariable room_;                 ///< has_room() has become true
  std::atomic<std::uint32_t> waiting_{0};  ///< workers that wait for room
  std::deque<Item> queue_ ICR_GUARDED_BY(mutex_);
  bool stopping_ ICR_GUARDED_BY(mutex_) = false;
  std::thread thread_;

  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> manifests_{0};
  std::atomic<std::uint64_t> manifests_refused_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> refused_full_{0};
  std::atomic<std::uint64_t> refused_busy_{0};
};

}  // namespace icr::storage
