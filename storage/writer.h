// The thread that owns the store while a chassis runs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "model/counters.h"
#include "storage/checkpointer.h"
#include "storage/store.h"

namespace icr::storage {

struct WriterOptions {
  std::size_t max_bytes = 64U << 20U;  ///< of records that wait; more are refused
  std::size_t max_items = 16384;
};

/// A bounded queue between the workers and one thread that writes to the store. Workers never wait: not for the disk
/// and not for the queue's lock. A write that fails is counted, logged once per incident, and reported to the
/// checkpointer of the set as a loss; nothing ever blocks or ends the process.
class Writer {
 public:
  explicit Writer(std::unique_ptr<Store> store, const WriterOptions& options = {});
  ~Writer();  ///< stops
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// The output for the checkpointer of `set`; lives as long as the writer. Before start().
  [[nodiscard]] CheckpointOutput& add_shard(std::string set);

  void start();
  /// Writes what is queued, then ends the thread. Nothing may be offered afterwards.
  void stop();

  /// Any thread.
  void append_to(CounterList& out) const;

 private:
  class Shard;
  struct Item {
    enum class Kind : std::uint8_t { record, manifest, term };
    Kind kind = Kind::record;
    Shard* shard = nullptr;
    std::uint64_t number = 0;  ///< sequence of a record, or the term
    RecordBytes record;
    Manifest manifest;
  };

  /// Takes the item and answers true, or leaves it as it is.
  bool push(Item& item);
  void run();
  void write(Item& item);
  void note(Shard& shard, const char* what, const Result<void>& result);

  std::unique_ptr<Store> store_;
  WriterOptions options_;
  std::vector<std::unique_ptr<Shard>> shards_;

  std::mutex mutex_;  ///< held for moments only; workers only try it
  std::condition_variable wake_;
  std::deque<Item> queue_;
  bool stopping_ = false;
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
