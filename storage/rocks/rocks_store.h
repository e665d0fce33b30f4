// The store on disk: RocksDB in one folder per chassis. The only user of RocksDB.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/store.h"

namespace icr::storage {

namespace rocks {
class FileKeeper;
}

/// Two column families: `meta` (identity, manifests, terms; synced) and `log` (batches under set | sequence, the last
/// in big-endian order; in the write-ahead log at once, synced with the next manifest). Values are sealed records
/// (storage/record.h) on top of RocksDB's own checksums.
///
/// The process must not fork() while a store is open.
class RocksStore final : public Store {
 public:
  /// Opens or makes the store in `folder`. `folder` must be free to be renamed: not a mount point itself.
  ///
  /// A store that cannot be read, belongs to another chassis or cluster, or was written under another cluster
  /// configuration is renamed to "<folder>.set-aside-<UTC time>" (logged as an error, with the reason) and a new one is
  /// begun; it is never written to. In the last case, and where they can still be read, the terms are taken over. An
  /// Error: the folder is in use by another process, cannot be written, cannot be renamed, or holds other things than a
  /// store (those are not touched).
  [[nodiscard]] static Result<std::unique_ptr<RocksStore>> open(const std::filesystem::path& folder,
                                                                const StoreIdentity& identity, WallMillis wall_now);
  ~RocksStore() override;

  Result<void> append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) override;
  Result<void> commit(std::string_view set, const Manifest& manifest) override;
  Result<void> truncate(std::string_view set, std::uint64_t last_good) override;
  Result<void> remember_term(std::string_view set, std::uint64_t term) override;
  Result<std::uint64_t> term(std::string_view set) override;
  Result<std::optional<Manifest>> manifest(std::string_view set) override;
  Result<std::optional<LogRange>> range(std::string_view set) override;
  Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override;
  Result<void> set_aside(std::string_view reason, WallMillis wall_now) override;

  /// An Error if another process has a store open in `folder`. Nothing is changed.
  [[nodiscard]] static Result<void> check_free(const std::filesystem::path& folder);
  /// Where the last store was put aside, empty if none was.
  [[nodiscard]] const std::filesystem::path& put_aside() const { return put_aside_; }

  struct Database;  ///< the open RocksDB (storage/rocks/database.h)

 private:
  RocksStore(std::filesystem::path folder, StoreIdentity identity, WallMillis opened_at);
  /// Writes what `fill(WriteBatch&)` puts into a batch; after a failure, at most once a second, with a database opened
  /// anew.
  template <class Fill>
  Result<void> write(bool sync, Fill&& fill);
  Result<void> reopen();

  std::filesystem::path folder_;
  StoreIdentity identity_;
  WallMillis opened_at_;
  std::unique_ptr<rocks::FileKeeper> keeper_;                 ///< until the first write: the store has proved sound
  std::unique_ptr<Database> db_;                              ///< null after opening anew has failed
  std::vector<std::pair<std::string, std::uint64_t>> terms_;  ///< as they were when the database was closed
  std::chrono::steady_clock::time_point next_reopen_;
  std::filesystem::path put_aside_;
};

}  // namespace icr::storage
