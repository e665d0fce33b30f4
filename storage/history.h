// Which sessions a store knows of a moment in the past.
//
// The log of a redundancy set (storage/store.h) is a history as long as it is kept: a base checkpoint that was complete
// by then, and the records behind it that were written by then, are the table of that moment. Only a log without a gap
// up to a later record proves that: whoever asks for another moment gets the reason why nothing is known of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "model/base/time.h"
#include "model/record/session.h"
#include "storage/store.h"

namespace icr::storage {

/// How much of the log a store keeps behind the newest base checkpoint.
struct HistoryLimits {
  std::uint64_t seconds = 0;        ///< 0: none
  std::uint64_t bytes_per_set = 0;  ///< size on disk of the log of one redundancy set; the oldest goes first
  [[nodiscard]] bool wanted() const { return seconds != 0; }
};

/// A store that can be read while another thread writes to it. Thread: one at a time.
class HistorySource {
 public:
  virtual ~HistorySource() = default;
  /// Returns the base checkpoints of `set` that are kept, oldest first.
  virtual Result<std::vector<Manifest>> bases(std::string_view set) = 0;
  /// As in Store.
  virtual Result<std::optional<LogRange>> range(std::string_view set) = 0;
  virtual Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                            std::size_t& size) = 0;
};

/// What was read for an answer.
struct PastCounts {
  std::uint64_t batches = 0;
  std::uint64_t unknown = 0;  ///< records of a later release with values that this one does not know
};

/// Calls `visit` for each session and binding that `set` had at the moment `at`, in no particular order, until it
/// returns false. Idle time and age are those of that moment.
///
/// Returns an error with the reason if it is not known which sessions these were: the history does not go back so far,
/// the moment is not over yet, records of that time are damaged or could not be written, or the chassis was not
/// running. Thread: the one that owns `source`.
[[nodiscard]] Result<PastCounts> sessions_at(HistorySource& source, const std::string& set, WallMillis at,
                                             const std::function<bool(const SessionRecord& record)>& visit);

}  // namespace icr::storage
