// Logs how the copy of the sessions on the standby proceeds, and when it makes no progress (replication/sender.h,
// receiver.h).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "model/base/time.h"
#include "node/redundancy/stall_watch.h"
#include "replication/receiver.h"
#include "replication/sender.h"

namespace icr::node {

/// The master watches what the standby acknowledges, and the standby what it applies of the copy. Each writes one line
/// with numbers when nothing has moved for kLimit, and one when it goes on. The master also writes how far a copy is,
/// every kTellAfter if it has moved, and that it is complete. Thread: the one of the member.
class CopyWatch {
 public:
  static constexpr Duration kLimit = 5s;
  static constexpr Duration kTellAfter = 2s;

  /// `set` is the name of the redundancy set, and must outlive this object.
  explicit CopyWatch(std::string set) : set_(std::move(set)) {}

  /// Looks at the copy that this master sends; `sender` is null if it sends nothing to a standby. `slots` is the size
  /// of the whole copy.
  void look_at(TimePoint now, const replication::Sender* sender, std::uint32_t slots);
  /// Looks at the copy that this standby receives; `receiver` is null if it follows no master.
  void look_at(TimePoint now, const replication::Receiver* receiver);

 private:
  void tell_progress(TimePoint now, const replication::Sender& sender, std::uint32_t slots);

  const std::string set_;
  std::uint64_t stream_ = 0;  ///< whose copy the next three are about; 0: there was none
  TimePoint tell_at_;         ///< when the log says next how far its copy is
  std::uint32_t told_slots_ = 0;
  bool told_end_ = false;
  StallWatch sending_{kLimit};
  StallWatch receiving_{kLimit};
  std::uint64_t sent_ = 0;      ///< progress of the sender at the last look
  std::uint64_t received_ = 0;  ///< progress of the receiver at the last look
};

}  // namespace icr::node
