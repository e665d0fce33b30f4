// The names of XML elements that no public source of Junos has, chosen here after the vocabulary of those that are
// known. docs/xml.md lists them (a test compares the two). All other names in the builders are those of models,
// captures or clients of Junos.
#pragma once

#include <array>
#include <string_view>

namespace icr::cli::inferred {

/// A name, and why it is needed.
struct Name {
  std::string_view name;
  std::string_view meaning;
};

// Sessions of ms- cards: `msp-session-table` is known, what is in it is not.
inline constexpr std::string_view kSessionsOfInterface = "msp-session-table-per-interface";
inline constexpr std::string_view kSession = "msp-session";
inline constexpr std::string_view kSessionId = "session-id";
inline constexpr std::string_view kAlg = "sess-alg";
inline constexpr std::string_view kFlags = "sess-flags";
inline constexpr std::string_view kIpAction = "sess-ip-action";
inline constexpr std::string_view kOffload = "sess-offload";
inline constexpr std::string_view kAsymmetric = "sess-asymmetric";
inline constexpr std::string_view kSessionTimeLeft = "sess-timeout";
inline constexpr std::string_view kTranslation = "sess-nat-type";
inline constexpr std::string_view kGuarantee = "sess-guarantee";
inline constexpr std::string_view kNewestState = "sess-newest-state-at-peer";
inline constexpr std::string_view kThreshold = "sess-replication-threshold";

// Counters of screens.
inline constexpr std::string_view kScreenDrops = "service-set-screen-drops-statistics";
inline constexpr std::string_view kScreenDropsOfSet = "service-set-screen-drops";
inline constexpr std::string_view kScreenLimits = "service-set-screen-session-limit-statistics";
inline constexpr std::string_view kScreenLimitsOfSet = "service-set-screen-session-limits";

inline constexpr std::array kNames = {
    Name{kSessionsOfInterface, "the sessions of one `ms-` card in `msp-session-table`"},
    Name{kSession, "one session of a `ms-` card"},
    Name{kSessionId, "`Session:` of a `ms-` card"},
    Name{kAlg, "`ALG:`"},
    Name{kFlags, "`Flags:` of a `ms-` card"},
    Name{kIpAction, "`IP Action:`"},
    Name{kOffload, "`Offload:`"},
    Name{kAsymmetric, "`Asymmetric:`"},
    Name{kSessionTimeLeft, "`Session timeout:`, seconds"},
    Name{kTranslation, "`Translation Type`"},
    Name{kGuarantee, "`Guarantee:` (not in Junos)"},
    Name{kNewestState, "`newest state at the peer:` (not in Junos)"},
    Name{kThreshold, "`Replication threshold:`, seconds (not in Junos)"},
    Name{kScreenDrops, "the answer of `statistics screen-drops`"},
    Name{kScreenDropsOfSet, "the screens of a service set in it"},
    Name{kScreenLimits, "the answer of `statistics screen-session-limit-counters`"},
    Name{kScreenLimitsOfSet, "the limits of a service set in it"},
};

}  // namespace icr::cli::inferred
