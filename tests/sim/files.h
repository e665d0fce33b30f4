// The cluster files of the simulation, and what they have in common.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "model/config/cluster.h"
#include "model/config/snapshot.h"
#include "model/record/session.h"

namespace icr::sim {

/// Who owns what the sessions of the simulated cluster use outside.
enum class NatFlavour : std::uint8_t { ports, blocks, mappings, mappings_in_blocks, addresses };
inline constexpr std::uint8_t kNatFlavourCount = 5;

/// Number of edits.
inline constexpr std::uint32_t kEditCount = 12;
/// What a cluster file has otherwise than the first one.
enum Edit : std::uint32_t {
  kEditOrder = 1U << 0U,          ///< every list has another order
  kEditRules = 1U << 1U,          ///< further terms and applications
  kEditTimeouts = 1U << 2U,       ///< sessions live longer
  kEditHeartbeat = 1U << 3U,      ///< heartbeats come more often
  kEditChassis = 1U << 4U,        ///< a third chassis, which is in no redundancy set
  kEditPriority = 1U << 5U,       ///< the other member has the higher priority
  kEditRefuses = 1U << 6U,        ///< one host is admitted no more, and its sessions end (policy-rematch)
  kEditMoreSlots = 1U << 7U,      ///< there is room for more sessions
  kEditService = 1U << 8U,        ///< another service set, with a pool and a rule
  kEditPoolMoves = 1U << 9U,      ///< the pool keeps its name and its second address
  kEditPoolReplaced = 1U << 10U,  ///< the rule uses another pool, and the former one is gone
  kEditFewerPorts = 1U << 11U,    ///< the pool has fewer ports
  kEditAll = (1U << kEditCount) - 1,
  kEditLive = (1U << 7U) - 1,                       ///< a chassis takes these while it runs
  kEditKeepsAll = ((1U << 9U) - 1) & ~kEditRefuses  ///< with these, every session lives on
};

/// Cluster files that differ by edits. Each is made once.
class Files {
 public:
  /// `guarantee` is a text of the service set `cgn`, as "guarantee: output-commit" or "replication-threshold: 2", or
  /// empty.
  /// `by_term`: the guarantee is one of the firewall term that admits the sessions.
  Files(bool preempt, NatFlavour flavour, std::string guarantee = "", bool by_term = false)
      : preempt_(preempt), flavour_(flavour), guarantee_(std::move(guarantee)), by_term_(by_term) {}
  /// Returns the file with these edits (of Edit); 0 is the first one. A file that the reader refuses fails the test.
  [[nodiscard]] std::shared_ptr<const Snapshot> with(std::uint32_t edits);

 private:
  bool preempt_;
  NatFlavour flavour_;
  std::string guarantee_;
  bool by_term_;
  std::map<std::uint32_t, std::shared_ptr<const Snapshot>> made_;
};

/// The cluster that is simulated: few slots and few ports, blocks and addresses, so that they run out.
[[nodiscard]] Cluster simulated_cluster(bool preempt, NatFlavour flavour = NatFlavour::ports, std::uint32_t edits = 0,
                                        const std::string& guarantee = "", bool by_term = false);

/// Returns the pool that translates the sessions of the service set `cgn`, and the NAT term that says so.
[[nodiscard]] const NatPool& pool_of(const Cluster& cluster);
[[nodiscard]] const NatTerm& term_of(const Cluster& cluster);

/// Returns true if a chassis that runs `cluster` can have this session: its service set, its external address and its
/// port are there. The judgement is made from the file alone.
[[nodiscard]] bool has_place(const Cluster& cluster, const SessionRecord& session);
/// Returns true if a session lives on under `cluster`: there is a place for it, and its host is still admitted. A
/// chassis that takes `cluster` ends the others within the time of a review.
[[nodiscard]] bool lives_on(const Cluster& cluster, const SessionRecord& session);

}  // namespace icr::sim
