// Parts of the grammar tree that several commands share. Only cli/grammar uses them.
#pragma once

#include <vector>

#include "cli/grammar/grammar.h"

namespace icr::cli {

/// Identify the options of a node. REQUIRES: each option of a node has another bit.
enum OptionBit : std::uint32_t {
  kBrief = 1U << 0U,
  kExtensive = 1U << 1U,
  kTerse = 1U << 2U,
  kCount = 1U << 3U,
  kUtilization = 1U << 4U,
  kApplicationProtocol = 1U << 5U,
  kDestinationPort = 1U << 6U,
  kDestinationPrefix = 1U << 7U,
  kInterface = 1U << 8U,
  kLimit = 1U << 9U,
  kProtocol = 1U << 10U,
  kServiceSet = 1U << 11U,
  kSourcePort = 1U << 12U,
  kSourcePrefix = 1U << 13U,
  kNat = 1U << 14U,
  kSourceNatPool = 1U << 15U,
  kOverloadIndex = 1U << 16U,
  kDetail = 1U << 17U,
  kSummary = 1U << 18U,
  kName = 1U << 19U,
  kPrivate = 1U << 20U,
  kPublic = 1U << 21U,
  kPort = 1U << 22U,
  kSubscriber = 1U << 23U,
  kAll = 1U << 24U,
  kGroupId = 1U << 25U,
  kHostIp = 1U << 26U,
  kXlatedIp = 1U << 27U,
  kXlatedPort = 1U << 28U,
  kForce = 1U << 29U,
  kCancel = 1U << 30U,
  kMember = 1U << 31U,
};

/// The `enter` of a node that decides what the command does.
template <Verb verb>
void enter(Command& c) {
  c.verb = verb;
}

using Options = std::vector<GrammarOption>;
[[nodiscard]] Options operator+(Options a, const Options& b);

/// Returns the options among brief, detail, extensive, summary and terse that are in `bits`. Each excludes the others.
[[nodiscard]] Options levels(std::uint32_t bits, std::uint32_t excluded = 0);
[[nodiscard]] Options interface_option();
[[nodiscard]] Options service_set_option();
/// Returns the filters that `show` and `clear` of sessions and flows share.
[[nodiscard]] Options session_filters();
[[nodiscard]] Options limit_option(std::string_view help);
/// Returns the option that asks one chassis, or one after the other.
[[nodiscard]] Options member_option();
/// Returns an option without a value, whose `take` changes the verb.
[[nodiscard]] GrammarOption verb_option(std::string_view word, std::string_view help, std::uint32_t bit,
                                        std::uint32_t excluded,
                                        Result<void> (*take)(Command& command, std::string_view value));
/// Returns the option that is the name of a pool or rule without a keyword; "all" selects every one. If `required` is
/// not 0, one of these options must stand before.
[[nodiscard]] Options bare_name(NameOf what, std::uint32_t required = 0);

/// Returns the options for a translated address and port.
[[nodiscard]] Options xlated_options(std::uint32_t excluded = 0);

/// Returns a node at which the command may not end.
[[nodiscard]] GrammarNode keyword(std::string_view word, std::string_view help, std::vector<GrammarNode> children);
/// Returns a node at which the command may end.
[[nodiscard]] GrammarNode command(std::string_view word, std::string_view help, void (*enter)(Command&),
                                  Options options);

/// Return the nodes of `show services nat` and `clear services nat`.
[[nodiscard]] GrammarNode show_nat();
[[nodiscard]] GrammarNode clear_nat();
/// Returns the commands about the program itself, and those that read files of this machine.
[[nodiscard]] std::vector<GrammarNode> local_commands();
/// Returns the node of `show configuration`.
[[nodiscard]] GrammarNode show_configuration();

}  // namespace icr::cli
