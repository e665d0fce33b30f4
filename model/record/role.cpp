#include "model/record/role.h"

namespace icr {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::initializing:
      return "INITIALIZING";
    case Role::standby:
      return "STANDBY";
    case Role::master:
      return "MASTER";
    case Role::claiming:
      return "CLAIMING";
  }
  return "INITIALIZING";
}

std::string_view to_string(Sync sync) {
  switch (sync) {
    case Sync::off:
      return "Off";
    case Sync::cold:
      return "Cold";
    case Sync::hot:
      return "Hot";
  }
  return "Off";
}

}  // namespace icr
