// What an operator should look at in a redundancy set, and since when it is so.
#pragma once

#include <string>
#include <vector>

#include "model/base/time.h"
#include "model/query/system.h"
#include "model/record/path.h"
#include "node/set/set_core.h"

namespace icr::node {

/// Something that is wrong now.
struct Trouble {
  bool major = false;
  std::string what;
  friend bool operator==(const Trouble&, const Trouble&) = default;
};

/// Returns everything that is wrong with a member of a redundancy set, in words that stay the same while it is so.
/// `paths` are those to its peer; `steering_warning` is what is wrong with the addresses and routes that draw traffic.
[[nodiscard]] std::vector<Trouble> troubles_of(const SetCore& core, const std::vector<PathStatus>& paths,
                                               const std::string& steering_warning);

/// Remembers since when each trouble is there.
class AlarmBook {
 public:
  /// Takes all that is wrong now. A trouble that was there the last time keeps its time.
  void note(TimePoint now, std::vector<Trouble> troubles);
  /// Returns the troubles that were noted last as alarms, the oldest first. `now` is `wall_now` by the clock of note().
  [[nodiscard]] std::vector<Alarm> alarms(TimePoint now, WallMillis wall_now) const;

 private:
  struct Noted {
    TimePoint since;
    Trouble trouble;
  };
  std::vector<Noted> noted_;  ///< the oldest first
};

}  // namespace icr::node
