// A store in memory that can fail and crash, for the simulation and for tests.
#pragma once

#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "storage/checkpointer.h"
#include "storage/store.h"

namespace icr::storage {

class MemoryStore final : public Store {
 public:
  Result<void> append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) override;
  Result<void> commit(std::string_view set, const Manifest& manifest) override;
  Result<void> truncate(std::string_view set, std::uint64_t last_good) override;
  Result<void> remember_terms(std::string_view set, const Terms& terms) override;
  Result<Terms> terms(std::string_view set) override;
  Result<std::optional<Manifest>> manifest(std::string_view set) override;
  Result<std::optional<LogRange>> range(std::string_view set) override;
  Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override;
  Result<void> set_aside(std::string_view reason, WallMillis wall_now) override;

  /// Returns the number of records that were appended since the last durable write.
  [[nodiscard]] std::size_t unsynced() const { return unsynced_.size(); }
  /// Simulates the death of the machine: of the records that were not durable yet, only the first `keep` remain. (If
  /// all of them remain, only the process died.)
  void crash(std::size_t keep);

  // Simulate failures.
  void flip_bit(std::string_view set, std::uint64_t sequence, std::size_t bit);
  /// Changes a bit of one record, whichever. Returns false if there is no record.
  bool damage_one(std::string_view set, std::mt19937_64& random);
  void lose(std::string_view set, std::uint64_t sequence);
  void fail_writes(bool fail) { failing_ = fail; }
  /// The next `count` writes fail, and later ones succeed.
  void fail_next(std::uint32_t count) { fail_next_ = count; }
  [[nodiscard]] std::uint64_t times_set_aside() const { return times_set_aside_; }

 private:
  /// What the store holds of one redundancy set.
  struct SetLog {
    std::map<std::uint64_t, std::vector<std::uint8_t>> log;  ///< sealed records
    std::vector<std::uint8_t> manifest;
    Terms terms;
  };
  struct Position {
    std::string set;
    std::uint64_t sequence = 0;
  };
  SetLog& log_of(std::string_view set);
  [[nodiscard]] bool fails();

  std::map<std::string, SetLog, std::less<>> sets_;
  std::vector<Position> unsynced_;
  bool failing_ = false;
  std::uint32_t fail_next_ = 0;
  std::uint64_t times_set_aside_ = 0;
};

/// Writes to a store in the thread of the caller, for a process that simulates several chassis.
class DirectOutput final : public CheckpointOutput {
 public:
  DirectOutput(Store& store, std::string set) : store_(store), set_(std::move(set)) {}
  bool offer(std::uint64_t sequence, RecordBytes&& record) override;
  bool commit(const Manifest& manifest) override;
  bool remember_term(std::uint64_t term) override;
  bool claim_term(std::uint64_t term) override;
  [[nodiscard]] std::uint64_t claimed_term() const override { return claimed_; }
  [[nodiscard]] std::uint64_t losses() const override { return losses_; }
  [[nodiscard]] bool failing() const override { return failing_; }

 private:
  /// Notes whether the last write failed.
  bool noted(bool written);

  Store& store_;
  std::string set_;
  std::uint64_t losses_ = 0;
  std::uint64_t lost_up_to_ = 0;
  std::uint64_t claimed_ = 0;
  bool failing_ = false;
};

}  // namespace icr::storage
