// Asks the disk to keep a term before the member acts in it, so that no later life of this chassis acts in it again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/base/time.h"
#include "node/redundancy/claimant.h"
#include "storage/checkpointer.h"

namespace icr::node {

/// Grants a term when the disk has made it durable.
///
/// A disk that fails, or does not answer within the limit, does not stop a takeover: the term is granted without it,
/// counted (`claims-waived-*`) and logged. That is safe. Members take only terms of their own parity, so no disk is
/// needed to keep the two apart; all that a lost term can cost is that this chassis, after its machine died as well,
/// acts in the same term once more, as another process, which its peer tells from the former one (peer_boots.h).
///
/// Thread: the worker of the set. Nothing blocks.
class StoreClaimant final : public Claimant {
 public:
  /// `disk` must outlive the claimant. `limit` 0: the disk is told, and not waited for.
  StoreClaimant(std::string set, storage::CheckpointOutput& disk, Duration limit);

  void set_limit(Duration limit) { limit_ = limit; }
  [[nodiscard]] std::string_view awaited() const override { return "its term on disk"; }
  void ask(TimePoint now, std::uint64_t term) override;
  [[nodiscard]] ClaimAnswer answer(TimePoint now) override;
  void withdraw() override { term_ = 0; }
  [[nodiscard]] TimePoint next_deadline() const override { return next_look_; }
  void append_to(CounterList& out) const override;

 private:
  void waive(std::uint64_t& counter, std::string_view why);

  const std::string set_;
  storage::CheckpointOutput& disk_;
  Duration limit_;
  std::uint64_t term_ = 0;  ///< the term that was asked for; 0: none
  bool taken_ = false;      ///< the disk has taken it
  bool waived_ = false;     ///< it was granted without the disk
  TimePoint until_;
  TimePoint next_look_;
  std::uint64_t counted_ = 0;  ///< the last term that was counted as kept
  std::uint64_t kept_ = 0;
  std::uint64_t waived_failing_ = 0;
  std::uint64_t waived_slow_ = 0;
};

}  // namespace icr::node
