// Parts of the tree that several commands share. Inside of cli/grammar.
#pragma once

#include <vector>

#include "cli/grammar/grammar.h"

namespace icr::cli {

/// Marks of options; a node's options must differ in them.
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
};

using Options = std::vector<GrammarOption>;
[[nodiscard]] Options operator+(Options a, const Options& b);

/// Those of brief, detail, extensive, summary and terse that `bits` names; one excludes the others.
[[nodiscard]] Options levels(std::uint32_t bits, std::uint32_t excluded = 0);
[[nodiscard]] Options interface_option();
[[nodiscard]] Options service_set_option();
/// The filters that `show` and `clear` of sessions and flows share.
[[nodiscard]] Options session_filters();
[[nodiscard]] Options limit_option(std::string_view help);
/// A word without a value that changes the verb.
[[nodiscard]] GrammarOption verb_option(std::string_view word, std::string_view help, std::uint32_t bit,
                                        std::uint32_t excluded,
                                        Result<void> (*take)(Command& command, std::string_view value));
/// The name of a pool or rule, as a word of its own; "all" is every one. `required`: bits of which one must stand
/// before.
[[nodiscard]] Options bare_name(NameOf what, std::uint32_t required = 0);

/// The options for a translated address and port.
[[nodiscard]] Options xlated_options(std::uint32_t excluded = 0);

[[nodiscard]] GrammarNode keyword(std::string_view word, std::string_view help, std::vector<GrammarNode> children);
/// A node where the line may end.
[[nodiscard]] GrammarNode command(std::string_view word, std::string_view help, void (*enter)(Command&),
                                  Options options);

/// `show services nat`, `clear services nat`.
[[nodiscard]] GrammarNode show_nat();
[[nodiscard]] GrammarNode clear_nat();

}  // namespace icr::cli
