// The first round of every command: how is each redundancy set, and who is to be asked about it?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/client/transport.h"
#include "cli/grammar/command.h"
#include "model/cluster.h"

namespace icr::cli {

/// A chassis (or a part of its answer) that is missing from the result, and why.
struct Silence {
  std::uint16_t chassis = 0;
  std::string why;
};

/// Remembers each chassis once, with the first reason.
void note(std::vector<Silence>& silent, std::uint16_t chassis, const std::string& why);
[[nodiscard]] bool is_silent(const std::vector<Silence>& silent, std::uint16_t chassis);

/// Status of one redundancy set as one chassis sees it.
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
  std::vector<Silence> silent;
};

/// Asks every card of every chassis (or of one) at once.
[[nodiscard]] Survey take_survey(const Cluster& cluster, Transport& transport, std::optional<std::uint16_t> only);

/// Where the sessions of one redundancy set are read.
struct Source {
  std::uint16_t chassis = 0;
  std::uint16_t card = 0;
  std::uint16_t set = 0;
  std::string interface;
  CardFamily family = CardFamily::ms;
  SetRole role = SetRole::unknown;
  bool stand_alone = false;
};

/// One source for each redundancy set that was reported: its master of the highest term; without one the most complete
/// twin. With `every_copy` each report is a source. In the order of the output: interface, set, chassis.
[[nodiscard]] std::vector<Source> choose_sources(const Cluster& cluster, const Survey& survey, bool every_copy);

/// What the words of a command select: conditions on sessions, and on where they are.
struct Selection {
  SessionFilter filter;
  std::string card;      ///< interface name; empty: any
  bool nothing = false;  ///< nothing can match
  /// True if the source may hold sessions that match.
  [[nodiscard]] bool includes(const Cluster& cluster, const Source& source) const;
};
[[nodiscard]] Selection select(const Cluster& cluster, const Command& command);

}  // namespace icr::cli
