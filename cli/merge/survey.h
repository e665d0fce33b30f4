// The survey at the beginning of every command: the status of each redundancy set, and the chassis to ask about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/client/transport.h"
#include "cli/grammar/command.h"
#include "model/config/cluster.h"

namespace icr::cli {

/// The sum of weights from which on a member's health is Failed, as in Junos interface monitoring.
inline constexpr std::uint32_t kIllWeight = 255;

/// A chassis whose answer, or a part of it, is missing from the result, with the reason.
struct Unreachable {
  std::uint16_t chassis = 0;
  std::string why;
};

/// Adds a chassis to `unreachable`, unless it is there already: the first reason counts.
void add_unreachable(std::vector<Unreachable>& unreachable, std::uint16_t chassis, const std::string& why);
[[nodiscard]] bool is_unreachable(const std::vector<Unreachable>& unreachable, std::uint16_t chassis);

/// The status of one redundancy set as one chassis reports it.
struct SetReport {
  std::uint16_t chassis = 0;
  std::uint16_t card = 0;  ///< index into Chassis::cards
  SetStatus status;
};

struct CardReport {
  std::uint16_t chassis = 0;
  std::uint16_t card = 0;
  CardUtilization utilization;
};

struct Survey {
  std::vector<SetReport> sets;    ///< by chassis, card, set
  std::vector<CardReport> cards;  ///< by chassis, card
  std::vector<Unreachable> unreachable;
  std::vector<std::uint16_t> other_configuration;       ///< chassis that run another cluster file, sorted
  std::vector<std::pair<StableId, std::string>> names;  ///< what they call their service sets and pools
};

/// Asks every card of every chassis at once, or of the chassis `only`. Without `counters`, those of the redundancy
/// sets, which are most of such an answer, are not asked for.
[[nodiscard]] Survey take_survey(const Cluster& cluster, Transport& transport, std::optional<std::uint16_t> only,
                                 bool counters);

/// The card from which the sessions of one redundancy set are read.
struct Source {
  std::uint16_t chassis = 0;
  std::uint16_t card = 0;
  std::uint16_t set = 0;
  std::string interface;
  CardFamily family = CardFamily::ms;
  Role role = Role::initializing;
  bool stand_alone = false;
  bool other_configuration = false;  ///< the chassis runs another cluster file
};

/// Returns one source for each redundancy set in the survey: the master of the highest term, or without a master the
/// member with the most complete copy. With `every_copy`, each report is a source. Sources are in the order of the
/// output: interface, set, chassis.
[[nodiscard]] std::vector<Source> choose_sources(const Cluster& cluster, const Survey& survey, bool every_copy);

/// The conditions of a command on sessions, and on the cards that hold them.
struct Selection {
  SessionFilter filter;
  std::string card;      ///< interface name; empty: any
  bool nothing = false;  ///< nothing can match
  /// Returns true if the source may hold sessions that match.
  [[nodiscard]] bool includes(const Cluster& cluster, const Source& source) const;
};
/// Returns the selection that the options of `command` describe.
[[nodiscard]] Selection select(const Cluster& cluster, const Command& command);

}  // namespace icr::cli
