// Where checkpoints are kept: one log of batches per redundancy set, a manifest per set, and the terms.
//
// The log is the whole idea (docs/checkpoints.md). Each record holds the newest state of some slots at the moment it
// was encoded, and records are encoded and appended in one order, so the last record that names a slot is the truth
// about it - whether it was written as a delta or as part of a base checkpoint. A base checkpoint is a stretch of the
// log in which every used slot was named; its manifest says from where on, and what lies before is not needed any more.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.h"
#include "model/time.h"

namespace icr::storage {

/// An encoded record (storage/record.h), without its checksum.
using RecordBytes = flatbuffers::DetachedBuffer;

/// Whose sessions a store holds. Chassis and cluster name must match; under another digest the indices in the records
/// mean something else.
struct StoreIdentity {
  std::string chassis;
  std::string cluster;
  std::uint64_t cluster_digest = 0;
};

/// A committed base checkpoint: the log from `from_sequence` on tells everything.
struct Manifest {
  std::uint64_t from_sequence = 0;
  std::uint64_t to_sequence = 0;  ///< last record of the base
  std::uint64_t term = 0;
  WallMillis written_ms = 0;
  std::uint64_t cluster_digest = 0;
  std::uint64_t sessions = 0;
  std::uint64_t tombstones = 0;
};

/// First and last sequence in the log of a set.
struct LogRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

/// Used by one thread at a time. `set` is the name of a redundancy set. Failures leave the store usable; a write that
/// failed is not there.
class Store {
 public:
  virtual ~Store() = default;

  /// Appends a record. It survives the death of the process, not that of the machine (see commit()).
  virtual Result<void> append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) = 0;
  /// Makes the manifest and everything that was appended before it durable, then forgets the log before
  /// `manifest.from_sequence`. All or nothing.
  virtual Result<void> commit(std::string_view set, const Manifest& manifest) = 0;
  /// Forgets the log after `last_good`: what a hole has cut off.
  virtual Result<void> truncate(std::string_view set, std::uint64_t last_good) = 0;

  /// Durable on return. A lower term than the one remembered changes nothing.
  virtual Result<void> remember_term(std::string_view set, std::uint64_t term) = 0;
  /// 0: none was ever remembered.
  virtual Result<std::uint64_t> term(std::string_view set) = 0;

  /// The newest manifest, if a base checkpoint was ever completed. An Error means damage.
  virtual Result<std::optional<Manifest>> manifest(std::string_view set) = 0;
  /// Nothing if the log is empty. An Error means damage.
  virtual Result<std::optional<LogRange>> range(std::string_view set) = 0;
  /// Reads one record into `out` (8-aligned, checksum verified, not yet looked into). False: there is none. An Error
  /// means that it is damaged.
  virtual Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                            std::size_t& size) = 0;

  /// Puts everything aside, where a person can look at it, and goes on empty but for the terms. For damage that was
  /// found while reading. `reason` goes to the log.
  virtual Result<void> set_aside(std::string_view reason, WallMillis wall_now) = 0;
};

}  // namespace icr::storage
