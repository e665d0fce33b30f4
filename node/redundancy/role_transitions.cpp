#include "node/redundancy/role_transitions.h"

#include <algorithm>
#include <array>

namespace icr::node {
namespace {

constexpr Role kInitializing = Role::initializing;
constexpr Role kStandby = Role::standby;
constexpr Role kClaiming = Role::claiming;
constexpr Role kMaster = Role::master;
using Cause = RoleCause;

constexpr std::array kRules = {
    RoleRule{kInitializing, kMaster, Cause::stand_alone, "The set has one member."},
    RoleRule{kInitializing, kMaster, Cause::hold_time_over,
             "The hold time is over, no peer is heard, and no stranger is heard in its place."},
    RoleRule{kInitializing, kMaster, Cause::elected,
             "The peer is neither MASTER nor a hot standby, and this member has the better claim."},
    RoleRule{kStandby, kMaster, Cause::peer_not_master,
             "The peer is not MASTER, and this member has the better claim."},
    RoleRule{kStandby, kMaster, Cause::peer_silent, "The peer is silent for longer than the detector tolerates."},
    RoleRule{kStandby, kMaster, Cause::connection_closed,
             "The connection of the peer is closed, and this member's copy is complete (hot)."},
    RoleRule{kStandby, kMaster, Cause::master_ill,
             "The master has been ill for 200 ms; this member is hot, healthy and not warned, and claims nothing yet."},
    RoleRule{kStandby, kMaster, Cause::offered,
             "The master offers mastership in the term in force; this member is hot and healthy, and has applied "
             "everything that the offer names."},
    RoleRule{kMaster, kMaster, Cause::higher_term_known,
             "The peer is not MASTER, and knows a term above that of this member, which goes on in a term above it."},
    RoleRule{kInitializing, kStandby, Cause::peer_is_master, "The peer is MASTER."},
    RoleRule{kInitializing, kStandby, Cause::peer_elected,
             "The peer is neither MASTER nor a hot standby, and has the better claim."},
    RoleRule{kStandby, kStandby, Cause::new_term,
             "The peer is MASTER in a term that is higher than every term heard of before."},
    RoleRule{kMaster, kStandby, Cause::handed_over,
             "The peer is MASTER in a higher term, and this member is handing over."},
    RoleRule{kMaster, kStandby, Cause::met_higher_term,
             "The peer is MASTER in a higher term, and this member is not handing over."},
    RoleRule{kClaiming, kInitializing, Cause::peer_is_hot,
             "The peer is a hot standby, which takes over when it hears that its master is gone."},
    RoleRule{
        kClaiming, kInitializing, Cause::stranger_heard,
        "The claim was made at the end of the hold time, and messages come that cannot be decoded; the reason that "
        "is shown names what is wrong with them."},
    RoleRule{kClaiming, kStandby, Cause::master_heard,
             "The claim was made because the master was lost or because of an election, and a MASTER is heard."},
    RoleRule{kClaiming, kStandby, Cause::peer_preferred, "The peer is not MASTER, and has the better claim."},
    RoleRule{kClaiming, kStandby, Cause::copy_incomplete, "The copy of this member is not complete any more."},
    RoleRule{kClaiming, kStandby, Cause::own_illness, "The master offered mastership, and this member is ill."},
    RoleRule{kClaiming, kStandby, Cause::illness_over,
             "The claim was made because the master was ill, and that is over; or this member is ill or warned."},
    RoleRule{kClaiming, kStandby, Cause::offer_over,
             "The master offered mastership, and has not repeated its offer for 200 ms."},
};

constexpr std::array<std::string_view, kRoleCauses> kReasons = {
    "stand-alone",
    "no peer within the hold time",
    "elected",
    "peer is not master any more",
    "peer is silent",
    "connection to the peer closed",
    "the master's health is Failed",
    "switchover",
    "a higher term was known to the peer",
    "peer is master",
    "peer is elected",
    "peer is master in a new term",
    "switchover",
    "met a master in a higher term",
    "peer is a hot standby",
    "the master is heard again",
    "peer is elected",
    "peer cannot be understood",
    "the copy is not complete any more",
    "this member's health is Failed",
    "the master is well again, or this member is not",
    "the master offers mastership no more",
};
static_assert(!kReasons.back().empty(), "each cause has a reason");

}  // namespace

std::span<const RoleRule> role_rules() { return kRules; }

bool has_role_rule(Role from, Role to, RoleCause cause) {
  return std::any_of(kRules.begin(), kRules.end(),
                     [&](const RoleRule& rule) { return rule.from == from && rule.to == to && rule.cause == cause; });
}

std::string_view reason_of(RoleCause cause) { return kReasons[static_cast<std::size_t>(cause)]; }

}  // namespace icr::node
