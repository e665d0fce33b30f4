// What takes its time before a chassis of the simulation may become master: a disk, and a witness.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "node/redundancy/claimant.h"
#include "tests/support/memory_store.h"

namespace icr::sim {

/// Writes to a store in memory at once, except claimed terms, which take up to `longest`.
class SlowDisk final : public storage::CheckpointOutput {
 public:
  SlowDisk(storage::Store& store, const std::string& set, std::mt19937_64& random, Duration longest)
      : direct_(store, set), random_(random), longest_(longest) {}

  bool offer(std::uint64_t sequence, storage::RecordBytes&& record) override {
    return direct_.offer(sequence, std::move(record));
  }
  bool commit(const storage::Manifest& manifest) override { return direct_.commit(manifest); }
  bool remember_term(std::uint64_t term) override { return direct_.remember_term(term); }
  bool claim_term(std::uint64_t term) override;
  [[nodiscard]] std::uint64_t claimed_term() const override { return direct_.claimed_term(); }
  [[nodiscard]] std::uint64_t losses() const override { return direct_.losses(); }
  [[nodiscard]] bool failing() const override { return direct_.failing(); }

  /// Writes what is due. Call it before each round.
  void run(TimePoint now);
  /// Returns when the present claim was made.
  [[nodiscard]] TimePoint asked_at() const { return asked_at_; }

 private:
  storage::DirectOutput direct_;
  std::mt19937_64& random_;
  Duration longest_;
  TimePoint now_;
  TimePoint asked_at_;
  TimePoint due_;
  std::uint64_t claim_ = 0;  ///< on its way; 0: none
};

/// A third party that must agree. In a bad mood it answers late, never, or with a refusal.
class Witness final : public node::Claimant {
 public:
  explicit Witness(std::mt19937_64& random) : random_(random) {}

  [[nodiscard]] std::string_view awaited() const override { return "the witness"; }
  void ask(TimePoint now, std::uint64_t term) override;
  [[nodiscard]] node::ClaimAnswer answer(TimePoint now) override;
  void withdraw() override { term_ = 0; }
  [[nodiscard]] TimePoint next_deadline() const override { return at_; }
  void append_to(CounterList&) const override {}

  /// Returns true if it has ever granted `term` to this chassis.
  [[nodiscard]] bool granted(std::uint64_t term) const { return granted_.contains(term); }
  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }

  bool moody = false;

 private:
  std::mt19937_64& random_;
  std::uint64_t term_ = 0;
  node::ClaimAnswer word_ = node::ClaimAnswer::granted;
  TimePoint at_;  ///< when it answers
  std::set<std::uint64_t> granted_;
  std::uint64_t refusals_ = 0;
};

}  // namespace icr::sim
