// The interface of a store of checkpoints: it has one log of batches, one manifest and one term for each redundancy
// set.
//
// docs/checkpoints.md explains the log. Each record holds the newest state of some slots at the moment at which it was
// encoded, and records are encoded and appended in one order. So the last record that names a slot is right about it,
// whether it was written as a delta or as part of a base checkpoint. A base checkpoint is a stretch of the log in which
// every used slot was named. Its manifest says where the stretch begins; the log before it is not needed any more.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "model/base/time.h"
#include "model/record/record_schema.h"

namespace icr::storage {

/// An encoded record (storage/record.h), without its checksum.
using RecordBytes = flatbuffers::DetachedBuffer;

/// Identifies the chassis whose sessions a store holds. The names of chassis and cluster must match, and the records
/// must name things by their identities. The digest of the cluster file, under which the store was made, may differ.
struct StoreIdentity {
  std::string chassis;
  std::string cluster;
  std::uint64_t cluster_digest = 0;
  std::uint32_t schema = kSchemaGeneration;  ///< generation of the record schema with which the store was made
};

/// Describes a committed base checkpoint: the log from `from_sequence` on is complete.
struct Manifest {
  std::uint64_t from_sequence = 0;
  std::uint64_t to_sequence = 0;  ///< last record of the base
  std::uint64_t term = 0;
  WallMillis written_ms = 0;
  std::uint64_t cluster_digest = 0;
  std::uint64_t sessions = 0;
  std::uint64_t tombstones = 0;
};

/// The terms that a store keeps for a redundancy set. Each of the two only grows.
struct Terms {
  std::uint64_t seen = 0;     ///< highest term in which the member has acted, or of which it has heard; 0: none
  std::uint64_t claimed = 0;  ///< highest term that the member has claimed; it may never have acted in it
  friend bool operator==(const Terms&, const Terms&) = default;
};

/// The first and the last sequence in the log of a set.
struct LogRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

/// A store of checkpoints. Thread: one at a time. `set` is the name of a redundancy set. Functions return an error if
/// the store cannot be read or written; the store stays usable, and a write that failed has had no effect.
class Store {
 public:
  virtual ~Store() = default;

  /// Appends a record, which survives the death of the process, but not necessarily that of the machine (see commit()).
  virtual Result<void> append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) = 0;
  /// Makes the manifest and all records before it durable, and removes the log before `manifest.from_sequence`. Either
  /// all of this happens or nothing.
  virtual Result<void> commit(std::string_view set, const Manifest& manifest) = 0;
  /// Removes the log after `last_good`, which a hole separates from the rest.
  virtual Result<void> truncate(std::string_view set, std::uint64_t last_good) = 0;

  /// Makes the terms durable before it returns. One that is below the stored one has no effect.
  virtual Result<void> remember_terms(std::string_view set, const Terms& terms) = 0;
  /// Returns the stored terms.
  virtual Result<Terms> terms(std::string_view set) = 0;

  /// Returns the newest manifest, or nothing if no base checkpoint was ever completed. Returns an error if the manifest
  /// is damaged.
  virtual Result<std::optional<Manifest>> manifest(std::string_view set) = 0;
  /// Returns the range of the log, or nothing if the log is empty. Returns an error if the log is damaged.
  virtual Result<std::optional<LogRange>> range(std::string_view set) = 0;
  /// Reads one record into `out` (8-aligned, with verified checksum, not decoded). Returns false if there is no such
  /// record, and an error if it is damaged.
  virtual Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                            std::size_t& size) = 0;

  /// Sets the store aside, so that a person can examine it, and goes on with an empty store that keeps the terms. Used
  /// for damage that was found while reading. Logs `reason`.
  virtual Result<void> set_aside(std::string_view reason, WallMillis wall_now) = 0;
};

}  // namespace icr::storage
