// Parts of the grammar tree that several commands share. Only cli/grammar uses them.
#pragma once

#include <vector>

#include "cli/grammar/grammar.h"

namespace icr::cli {

/// Identify the options of a node. REQUIRES: each option of a node has another bit.
enum OptionBit : std::uint64_t {
  kBrief = std::uint64_t{1} << 0U,
  kExtensive = std::uint64_t{1} << 1U,
  kTerse = std::uint64_t{1} << 2U,
  kCount = std::uint64_t{1} << 3U,
  kUtilization = std::uint64_t{1} << 4U,
  kApplicationProtocol = std::uint64_t{1} << 5U,
  kDestinationPort = std::uint64_t{1} << 6U,
  kDestinationPrefix = std::uint64_t{1} << 7U,
  kInterface = std::uint64_t{1} << 8U,
  kLimit = std::uint64_t{1} << 9U,
  kProtocol = std::uint64_t{1} << 10U,
  kServiceSet = std::uint64_t{1} << 11U,
  kSourcePort = std::uint64_t{1} << 12U,
  kSourcePrefix = std::uint64_t{1} << 13U,
  kNat = std::uint64_t{1} << 14U,
  kSourceNatPool = std::uint64_t{1} << 15U,
  kOverloadIndex = std::uint64_t{1} << 16U,
  kDetail = std::uint64_t{1} << 17U,
  kSummary = std::uint64_t{1} << 18U,
  kName = std::uint64_t{1} << 19U,
  kPrivate = std::uint64_t{1} << 20U,
  kPublic = std::uint64_t{1} << 21U,
  kPort = std::uint64_t{1} << 22U,
  kSubscriber = std::uint64_t{1} << 23U,
  kAll = std::uint64_t{1} << 24U,
  kGroupId = std::uint64_t{1} << 25U,
  kHostIp = std::uint64_t{1} << 26U,
  kXlatedIp = std::uint64_t{1} << 27U,
  kXlatedPort = std::uint64_t{1} << 28U,
  kForce = std::uint64_t{1} << 29U,
  kCancel = std::uint64_t{1} << 30U,
  kMember = std::uint64_t{1} << 31U,
  kTop = std::uint64_t{1} << 32U,
  kBy = std::uint64_t{1} << 33U,
  kSortBy = std::uint64_t{1} << 34U,
  kGroupBy = std::uint64_t{1} << 35U,
  kConcentrator = std::uint64_t{1} << 36U,
  kInitiator = std::uint64_t{1} << 37U,
  kDsLite = std::uint64_t{1} << 38U,
  kV6rd = std::uint64_t{1} << 39U,
  kStatistics = std::uint64_t{1} << 40U,
  kAsOf = std::uint64_t{1} << 41U,
};

/// The `enter` of a node that decides what the command does.
template <Verb verb>
void enter(Command& c) {
  c.verb = verb;
}

using Options = std::vector<GrammarOption>;
[[nodiscard]] Options operator+(Options a, const Options& b);

/// Returns the options among brief, detail, extensive, summary and terse that are in `bits`. Each excludes the others.
[[nodiscard]] Options levels(std::uint64_t bits, std::uint64_t excluded = 0);
[[nodiscard]] Options interface_option();
/// Returns the option `statistics`, which excludes the levels in `others`.
[[nodiscard]] Options statistics_option(std::uint64_t others);
/// Returns the levels of `show interfaces`.
[[nodiscard]] Options interface_levels();
/// Returns the option that is the name of an interface without a keyword.
[[nodiscard]] Options bare_interface();
[[nodiscard]] Options service_set_option();
[[nodiscard]] Options application_protocol_option();
/// Returns source-prefix and destination-prefix.
[[nodiscard]] Options prefix_options();
/// Returns the filters that `show` and `clear` of sessions and flows share.
[[nodiscard]] Options session_filters();
[[nodiscard]] Options limit_option(std::string_view help);
/// Returns `top`, `by` and `sort-by`, which show the largest sessions or groups only, and `group-by`.
[[nodiscard]] Options order_options();
/// Returns the option that asks for the sessions of the past.
[[nodiscard]] Options past_option();
/// Returns the option that asks one chassis, or one after the other.
[[nodiscard]] Options member_option();
/// Returns an option without a value, whose `take` changes the verb.
[[nodiscard]] GrammarOption verb_option(std::string_view word, std::string_view help, std::uint64_t bit,
                                        std::uint64_t excluded,
                                        Result<void> (*take)(Command& command, std::string_view value));
/// Returns the option that is the name of a pool or rule without a keyword; "all" selects every one. If `required` is
/// not 0, one of these options must stand before.
[[nodiscard]] Options bare_name(NameOf what, std::uint64_t required = 0);

/// Returns the options for a translated address and port.
[[nodiscard]] Options xlated_options(std::uint64_t excluded = 0);

/// Returns a node at which the command may not end.
[[nodiscard]] GrammarNode keyword(std::string_view word, std::string_view help, std::vector<GrammarNode> children);
/// Returns a node at which the command may end.
[[nodiscard]] GrammarNode command(std::string_view word, std::string_view help, void (*enter)(Command&),
                                  Options options);

/// Return the nodes of `show services nat` and `clear services nat`.
[[nodiscard]] GrammarNode show_nat();
[[nodiscard]] GrammarNode clear_nat();
/// Return the commands about things that icr does not have, whose answers are empty (cli/absent.h): `show services
/// alg`, `service-sets plug-ins`, two of `service-sets statistics`, `tcp-log`, two of `sessions`, and `softwire`.
[[nodiscard]] GrammarNode show_alg();
[[nodiscard]] GrammarNode show_plug_ins();
[[nodiscard]] std::vector<GrammarNode> show_log_statistics();
[[nodiscard]] GrammarNode show_tcp_log();
[[nodiscard]] std::vector<GrammarNode> show_absent_sessions();
[[nodiscard]] GrammarNode show_softwire();
/// Returns the commands about the program itself, and those that read files of this machine.
[[nodiscard]] std::vector<GrammarNode> local_commands();
/// Returns the node of `show configuration`.
[[nodiscard]] GrammarNode show_configuration();

}  // namespace icr::cli
