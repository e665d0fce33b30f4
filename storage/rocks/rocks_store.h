// The store on disk: RocksDB in one folder per chassis. The only user of RocksDB.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/history.h"
#include "storage/store.h"

namespace icr::storage {

namespace rocks {
class FileKeeper;
}

/// The store has two column families. `meta` holds identity, manifests and terms, which are synced. `log` holds batches
/// under set and sequence (big-endian), which are in the write-ahead log at once and synced with the next manifest.
/// Values are sealed records (storage/record.h), in addition to RocksDB's own checksums.
///
/// REQUIRES: the process does not fork() while a store is open.
class RocksStore final : public Store {
 public:
  /// Opens the store in `folder`, or creates it. REQUIRES: `folder` can be renamed, so it is not a mount point itself.
  ///
  /// A store that cannot be read, belongs to another chassis or cluster, or was written under another cluster
  /// configuration is renamed to "<folder>.set-aside-<UTC time>", logged as an error with the reason, and never written
  /// to again. A new store is created in its place; it gets the terms of a store of another configuration, if they can
  /// be read. Returns an error if the folder is in use by another process, cannot be written, cannot be renamed, or
  /// holds files that are no store (which are not touched). `history` says how much of the log commit() keeps.
  [[nodiscard]] static Result<std::unique_ptr<RocksStore>> open(const std::filesystem::path& folder,
                                                                const StoreIdentity& identity, WallMillis wall_now,
                                                                HistoryLimits history = {});
  ~RocksStore() override;

  Result<void> append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) override;
  Result<void> commit(std::string_view set, const Manifest& manifest) override;
  Result<void> truncate(std::string_view set, std::uint64_t last_good) override;
  Result<void> remember_terms(std::string_view set, const Terms& terms) override;
  Result<Terms> terms(std::string_view set) override;
  Result<std::optional<Manifest>> manifest(std::string_view set) override;
  Result<std::optional<LogRange>> range(std::string_view set) override;
  Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override;
  Result<void> set_aside(std::string_view reason, WallMillis wall_now) override;

  /// Returns an error if another process has a store open in `folder`. Changes nothing.
  [[nodiscard]] static Result<void> check_free(const std::filesystem::path& folder);
  /// Returns the folder to which the last store was set aside, or an empty path if none was.
  [[nodiscard]] const std::filesystem::path& set_aside_to() const { return set_aside_to_; }

  struct Database;  ///< the open RocksDB (storage/rocks/database.h)

 private:
  RocksStore(std::filesystem::path folder, StoreIdentity identity, WallMillis opened_at, HistoryLimits history);
  /// Returns the first record that the history needs once `newest` is committed, after `kept`.
  [[nodiscard]] std::uint64_t first_needed(std::string_view set, const std::vector<Manifest>& kept,
                                           const Manifest& newest) const;
  /// Writes what `fill(WriteBatch&)` adds to a batch. After a failure it opens the database again first, at most once a
  /// second.
  template <class Fill>
  Result<void> write(bool sync, Fill&& fill);
  Result<void> reopen();

  std::filesystem::path folder_;
  StoreIdentity identity_;
  WallMillis opened_at_;
  HistoryLimits history_;
  std::unique_ptr<rocks::FileKeeper> keeper_;  ///< kept until the first write, which proves that the store is sound
  std::unique_ptr<Database> db_;               ///< null after the database could not be opened again
  std::vector<std::pair<std::string, Terms>> terms_;  ///< the terms at the time at which the database was closed
  std::chrono::steady_clock::time_point next_reopen_;
  std::filesystem::path set_aside_to_;
};

}  // namespace icr::storage
