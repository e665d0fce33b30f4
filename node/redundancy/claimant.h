// Who must agree before a member becomes master of a term: its disk, and whoever else is asked.
//
//   RoleMachine --claim(term)--> Claims --ask--> each Claimant
//   RoleMachine <--on_claim(term, granted)-- Claims <--answer-- each Claimant
//
// Nothing here blocks: a claimant whose answer takes time says `pending`, and is asked for it again with each round.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/counters.h"
#include "model/base/time.h"

namespace icr::node {

/// The answer to a claim. `pending`: it is not known yet.
enum class ClaimAnswer : std::uint8_t { pending, granted, refused };

/// One who must agree. Thread: the one that owns the member. No function blocks.
class Claimant {
 public:
  virtual ~Claimant() = default;
  /// Returns for what the member waits, as `show services redundancy-group extensive` prints it: "its term on disk".
  [[nodiscard]] virtual std::string_view awaited() const = 0;
  /// Asks for `term`, in place of the term that was asked for before. The same term is asked for again after a refusal.
  virtual void ask(TimePoint now, std::uint64_t term) = 0;
  /// Returns the answer to the last ask(). One that is not `pending` stays until the next ask() or withdraw().
  [[nodiscard]] virtual ClaimAnswer answer(TimePoint now) = 0;
  /// Tells that the term is not wanted any more, whether it was granted or not.
  virtual void withdraw() = 0;
  /// Returns when answer() may say something new; max if only an event can tell.
  [[nodiscard]] virtual TimePoint next_deadline() const = 0;
  virtual void append_to(CounterList& out) const = 0;
};

/// All claimants of a member. A claim is granted when all of them grant it, and refused when one refuses it. Without
/// claimants every claim is granted at once. Thread: the one that owns the member.
class Claims {
 public:
  /// `claimant` must outlive the claims. REQUIRES: nothing is asked for yet.
  void add(Claimant& claimant) { claimants_.push_back(&claimant); }

  /// Asks all claimants for `term`, which is not 0, and returns what is known at once.
  [[nodiscard]] ClaimAnswer ask(TimePoint now, std::uint64_t term);
  /// Returns the answer to the open claim. REQUIRES: term() != 0.
  [[nodiscard]] ClaimAnswer answer(TimePoint now);
  /// Tells the claimants that the term is not wanted any more.
  void withdraw();

  /// Returns the term whose answer is pending, 0 if there is none.
  [[nodiscard]] std::uint64_t term() const { return term_; }
  /// Returns what has not been granted, in words; empty if everything was.
  [[nodiscard]] std::string awaited() const;
  /// Returns when answer() may say something new.
  [[nodiscard]] TimePoint next_deadline() const;
  void append_to(CounterList& out) const;

 private:
  std::vector<Claimant*> claimants_;
  std::vector<const Claimant*> pending_;  ///< those whose last answer was `pending`
  std::uint64_t term_ = 0;
  std::string awaited_;  ///< what the claimants said last
};

}  // namespace icr::node
