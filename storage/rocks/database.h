// An open RocksDB with the column families of the store. Only storage/rocks uses it.
#pragma once

#include <rocksdb/db.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "storage/record.h"
#include "storage/rocks/rocks_store.h"

namespace icr::storage {

struct RocksStore::Database {
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::ColumnFamilyHandle* meta = nullptr;
  rocksdb::ColumnFamilyHandle* log = nullptr;

  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  Result<void> write(rocksdb::WriteBatch& batch, bool sync);
  /// As in Store.
  Result<std::optional<LogRange>> range(std::string_view set) const;
  /// Returns the base checkpoints of `set` that a history keeps, oldest first, and at most `most` of them. The newest
  /// one of all is one of those that are kept.
  Result<std::vector<Manifest>> kept_bases(std::string_view set, std::size_t most) const;
  /// Reads the value of `key`. Returns false if there is no such key, and an error if the database is damaged.
  Result<bool> get(rocksdb::ColumnFamilyHandle* family, std::string_view key, std::vector<std::uint64_t>& out,
                   std::size_t& size);
};

namespace rocks {

inline constexpr std::string_view kIdentityKey = "identity";
[[nodiscard]] std::string manifest_key(std::string_view set);
/// Returns the key of a base checkpoint that is kept: "base/" and its first record, as log_key() has it.
[[nodiscard]] std::string base_key(std::string_view set, std::uint64_t from_sequence);
[[nodiscard]] std::string term_key(std::string_view set);
/// Returns the key of a record: the length of the name, the name, and the sequence. Numbers are big-endian, so the log
/// of a set is one ascending range of keys.
[[nodiscard]] std::string log_key(std::string_view set, std::uint64_t sequence);

[[nodiscard]] inline rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
/// Returns why a store is not that of a chassis and cluster, or an empty text if it is.
[[nodiscard]] std::string not_ours(const StoreIdentity& theirs, const StoreIdentity& ours);
/// Opens the store in a folder for reading, beside the process that writes to it. Changes nothing. Returns an error
/// also if the writer removed a file meanwhile: the caller may try again.
[[nodiscard]] Result<std::unique_ptr<RocksStore::Database>> open_beside(const std::filesystem::path& folder);
/// Adds the record to `batch`, with its checksum in front.
void put_sealed(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* family, std::string_view key,
                std::span<const std::uint8_t> record);
/// Returns the time as "20231114T221320Z".
[[nodiscard]] std::string utc_stamp(WallMillis wall);

}  // namespace rocks
}  // namespace icr::storage
