#include "storage/writer.h"

#include <utility>

#include "model/base/log.h"
#include "storage/record.h"

namespace icr::storage {

/// The output of one set. Thread: the worker of the set offers; `lost_up_to_` belongs to the thread of the writer.
class Writer::SetOutput final : public CheckpointOutput {
 public:
  SetOutput(Writer& writer, std::string set) : writer_(writer), set_(std::move(set)) {}

  bool offer(std::uint64_t sequence, RecordBytes&& record) override;
  bool commit(const Manifest& manifest) override;
  bool remember_term(std::uint64_t term) override;
  bool claim_term(std::uint64_t term) override;
  [[nodiscard]] std::uint64_t claimed_term() const override { return claimed_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t losses() const override { return losses_.load(std::memory_order_acquire); }

  [[nodiscard]] const std::string& set() const { return set_; }
  void lost(std::uint64_t sequence) {
    if (sequence > lost_up_to_) lost_up_to_ = sequence;
    losses_.fetch_add(1, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t lost_up_to() const { return lost_up_to_; }
  [[nodiscard]] bool failing() const override { return failing_.load(std::memory_order_relaxed); }
  void wait_for_room(TimePoint until) override { writer_.wait_for_room(until); }
  /// Returns the term that is to be made durable, and forgets it; 0 if there is none. Thread: the writer.
  [[nodiscard]] std::uint64_t take_claim() { return wanted_claim_.exchange(0, std::memory_order_acq_rel); }
  void set_claimed(std::uint64_t term) { claimed_.store(term, std::memory_order_release); }
  /// Marks that an incident has begun (and was logged) or has ended.
  void set_failing(bool failing) { failing_.store(failing, std::memory_order_relaxed); }

 private:
  Writer& writer_;
  std::string set_;
  std::uint64_t lost_up_to_ = 0;
  std::atomic<bool> failing_{false};
  std::atomic<std::uint64_t> losses_{0};
  std::atomic<std::uint64_t> wanted_claim_{0};
  std::atomic<std::uint64_t> claimed_{0};
};

bool Writer::SetOutput::offer(std::uint64_t sequence, RecordBytes&& record) {
  Item item{Item::Kind::record, this, sequence, std::move(record), {}};
  if (writer_.push(item)) return true;
  record = std::move(item.record);
  return false;
}

bool Writer::SetOutput::commit(const Manifest& manifest) {
  Item item{Item::Kind::manifest, this, 0, {}, manifest};
  return writer_.push(item);
}

bool Writer::SetOutput::remember_term(std::uint64_t term) {
  Item item{Item::Kind::term, this, term, {}, {}};
  return writer_.push(item);
}

bool Writer::SetOutput::claim_term(std::uint64_t term) {
  wanted_claim_.store(term, std::memory_order_release);
  // The item only wakes the thread.
  Item item{Item::Kind::claim, this, 0, {}, {}};
  return writer_.push(item);
}

Writer::Writer(std::unique_ptr<Store> store, const WriterOptions& options)
    : store_(std::move(store)), options_(options) {}

Writer::~Writer() { stop(); }

CheckpointOutput& Writer::add_set(std::string set) {
  outputs_.push_back(std::make_unique<SetOutput>(*this, std::move(set)));
  return *outputs_.back();
}

void Writer::start() {
  thread_ = std::thread([this] { run(); });
}

void Writer::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Writer::push(Item& item) {
  const std::size_t size = item.record.size();
  if (waiting_bytes_.load(std::memory_order_relaxed) + size > options_.max_bytes) {
    refused_full_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  {
    if (!mutex_.try_lock()) {
      refused_busy_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    const MutexLock lock(mutex_, std::adopt_lock);
    if (stopping_ || queue_.size() >= options_.max_items) {
      refused_full_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    waiting_bytes_.fetch_add(size, std::memory_order_relaxed);
    queue_.push_back(std::move(item));
  }
  wake_.notify_one();
  return true;
}

bool Writer::has_room() const {
  // Half of the bytes, so that a worker does not wake for each record.
  return queue_.size() < options_.max_items && waiting_bytes_.load() <= options_.max_bytes / 2;
}

void Writer::wait_for_room(TimePoint until) {
  const MutexLock lock(mutex_);
  ++waiting_;  // before it looks: tell_of_room() looks at it after it has made room
  while (!has_room() && room_.wait_until(mutex_, until)) {
  }
  --waiting_;
}

void Writer::tell_of_room() {
  if (waiting_.load() == 0) return;
  const MutexLock lock(mutex_);
  if (has_room()) room_.notify_all();
}

void Writer::run() {
  std::deque<Item> work;
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && queue_.empty()) wake_.wait(mutex_);
      if (queue_.empty()) return;
      work.swap(queue_);
    }
    for (Item& item : work) {
      const std::size_t size = item.record.size();
      write_claims();
      write(item);
      item.record = RecordBytes();
      waiting_bytes_.fetch_sub(size);
      tell_of_room();
    }
    work.clear();
  }
}

void Writer::write(Item& item) {
  SetOutput& output = *item.output;
  switch (item.kind) {
    case Item::Kind::record: {
      const auto result = store_->append(output.set(), item.number, bytes_of(item.record));
      record_result(output, "append", result);
      if (!result) {
        output.lost(item.number);
        return;
      }
      batches_.fetch_add(1, std::memory_order_relaxed);
      bytes_.fetch_add(item.record.size(), std::memory_order_relaxed);
      return;
    }
    case Item::Kind::manifest: {
      if (output.lost_up_to() >= item.manifest.from_sequence) {
        // A part of this base was lost. losses() has shown that to the checkpointer, which begins another base.
        manifests_refused_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      const auto result = store_->commit(output.set(), item.manifest);
      record_result(output, "commit", result);
      if (!result) {
        output.lost(0);
        return;
      }
      manifests_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    case Item::Kind::term:
      record_result(output, "remember term", store_->remember_terms(output.set(), {item.number, 0}));
      return;
    case Item::Kind::claim:
      return;  // write_claims() has done it
  }
}

void Writer::write_claims() {
  for (const auto& output : outputs_) {
    const std::uint64_t term = output->take_claim();
    if (term == 0) continue;
    const auto result = store_->remember_terms(output->set(), {0, term});
    record_result(*output, "claim term", result);
    if (result) output->set_claimed(term);
  }
}

void Writer::record_result(SetOutput& output, const char* what, const Result<void>& result) {
  if (result) {
    if (output.failing()) log::info("storage", "writing again set={}", output.set());
    output.set_failing(false);
    return;
  }
  errors_.fetch_add(1, std::memory_order_relaxed);
  if (!output.failing()) {
    log::error("storage", "checkpoints suspended set={} operation=\"{}\" error=\"{}\"", output.set(), what,
               result.error().message);
  }
  output.set_failing(true);
}

void Writer::append_to(CounterList& out) const {
  const auto add = [&out](const char* name, const std::atomic<std::uint64_t>& value) {
    out.push_back({name, value.load(std::memory_order_relaxed)});
  };
  add("storage-batches-written", batches_);
  add("storage-bytes-written", bytes_);
  add("storage-manifests-written", manifests_);
  add("storage-manifests-refused", manifests_refused_);
  add("storage-write-errors", errors_);
  add("storage-refused-queue-full", refused_full_);
  add("storage-refused-queue-busy", refused_busy_);
  out.push_back({"storage-bytes-waiting", waiting_bytes_.load(std::memory_order_relaxed)});
}

}  // namespace icr::storage
