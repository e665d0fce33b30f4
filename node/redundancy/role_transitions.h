// Every change of role that a member can make: from which role to which, for which cause, and under which condition.
//
// RoleMachine makes no other change. It looks each one up in the table before it makes it, and takes the reason that
// logs and the role history show from here. docs/roles.md is written from the same table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/record/role.h"

namespace icr::node {

/// Why a member changes its role.
enum class RoleCause : std::uint8_t {
  // Mastership is claimed.
  stand_alone,
  hold_time_over,
  elected,
  peer_not_master,
  peer_silent,
  connection_closed,
  master_ill,
  offered,
  higher_term_known,
  // Another member is followed.
  peer_is_master,
  peer_elected,
  new_term,
  handed_over,
  met_higher_term,
  // A claim is withdrawn.
  peer_is_hot,
  master_heard,
  peer_preferred,
  stranger_heard,
  copy_incomplete,
  own_illness,
  illness_over,
  offer_over,
};
inline constexpr std::size_t kRoleCauses = static_cast<std::size_t>(RoleCause::offer_over) + 1;

/// One change of role that is possible.
///
/// `from` is the role in which the member acts, except where a claim is withdrawn: there it is `claiming`. A change to
/// `master` goes by way of `claiming` if the answer to the claim takes time; so it stands for three changes in the
/// table: to CLAIMING, from there to MASTER, and at once to MASTER.
struct RoleRule {
  Role from;
  Role to;
  RoleCause cause;
  std::string_view when;  ///< the condition, in words
};

/// Returns the table.
[[nodiscard]] std::span<const RoleRule> role_rules();
/// Returns true if the table has this change.
[[nodiscard]] bool has_role_rule(Role from, Role to, RoleCause cause);
/// Returns the reason that is shown for the cause: "peer is silent".
[[nodiscard]] std::string_view reason_of(RoleCause cause);

}  // namespace icr::node
