// Opens a store: checks its owner, reads it, and sets it aside if it cannot be used.
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "model/base/log.h"
#include "storage/rocks/database.h"
#include "storage/rocks/file_keeper.h"

namespace icr::storage {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLogFamily = "log";

/// Sends the info log of RocksDB to the log of the chassis. If RocksDB wrote it to a file, a full disk would end the
/// process with an assertion.
class LogBridge final : public rocksdb::Logger {
 public:
  LogBridge() : rocksdb::Logger(rocksdb::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, 512> text{};
    (void)std::vsnprintf(text.data(), text.size(), format, arguments);
    log::debug("rocksdb", "{}", text.data());
  }
};

rocksdb::Options database_options() {
  rocksdb::Options options;
  options.info_log = std::make_shared<LogBridge>();
  options.max_background_jobs = 2;
  options.max_total_wal_size = 64U << 20U;
  options.bytes_per_sync = 1U << 20U;
  options.wal_bytes_per_sync = 1U << 20U;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.write_buffer_size = 16U << 20U;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = 32U << 20U;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = rocksdb::kLZ4Compression;
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;  // everything is read only once, at the start
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

/// The reason why a folder cannot be used.
struct Obstacle {
  bool movable =
      false;  ///< true: the store itself is damaged and can be set aside; false: its surroundings are the cause
  std::string what;
};

/// Returns the obstacle for a status of RocksDB. Locks, permissions and full disks are not caused by the store; every
/// status that reports wrong contents is.
Obstacle obstacle(const rocksdb::Status& status) {
  const bool movable = status.IsCorruption() || status.IsNotFound() || status.IsInvalidArgument() ||
                       status.IsNotSupported() ||
                       (status.IsIOError() && status.subcode() == rocksdb::Status::kPathNotFound);
  return {movable, status.ToString()};
}

Result<void> check_lock(const fs::path& folder) {
  rocksdb::Env* env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  const auto status = env->LockFile((folder / "LOCK").string(), &lock);
  if (!status.ok())
    return fail("{}: cannot be locked, is it in use by another process? {}", folder.string(), status.ToString());
  env->UnlockFile(lock);
  return {};
}

/// Renames a folder durably, so that the new name survives the death of the machine.
Result<void> rename_durably(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::rename(from, to, code);
  if (code) return fail("{} cannot be renamed to {}: {}", from.string(), to.string(), code.message());
  const fs::path parent = to.has_parent_path() ? to.parent_path() : fs::path(".");
  std::unique_ptr<rocksdb::Directory> directory;
  auto status = rocksdb::Env::Default()->NewDirectory(parent.string(), &directory);
  if (status.ok()) status = directory->Fsync();
  if (!status.ok()) return fail("{}: cannot be synced: {}", parent.string(), status.ToString());
  return {};
}

/// Lets nobody but its owner enter a folder: checkpoints tell who talks to whom.
Result<void> close_to_others(const fs::path& folder) {
  std::error_code code;
  const auto others = fs::perms::group_all | fs::perms::others_all;
  if ((fs::status(folder, code).permissions() & others) == fs::perms::none) return {};
  fs::permissions(folder, others, fs::perm_options::remove, code);
  if (code) return fail("{}: others may enter it, and that cannot be changed: {}", folder.string(), code.message());
  log::info("storage", "folder={} others may not enter it any more", folder.string());
  return {};
}

using DatabasePtr = std::unique_ptr<RocksStore::Database>;

/// Returns true if RocksDB has ever used the folder, however damaged it is. Any other folder, such as a home folder
/// that was named by mistake, must not be renamed.
bool has_traces_of_a_store(const fs::path& folder) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    const std::string extension = entry.path().extension().string();
    if (name == "CURRENT" || name == "IDENTITY" || name == "LOCK" || name.starts_with("MANIFEST-") ||
        name.starts_with("OPTIONS-") || extension == ".sst" || extension == ".log") {
      return true;
    }
  }
  return false;
}

/// Opens an existing store. Creates nothing, and with `beside` changes nothing.
tl::expected<DatabasePtr, Obstacle> open_existing(const fs::path& folder, bool beside = false) {
  const rocksdb::Options options = database_options();
  std::error_code code;
  if (!fs::exists(folder / "CURRENT", code))
    return tl::unexpected(Obstacle{true, "it holds files, but no RocksDB store"});
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(options, folder.string(), &names);
  if (!status.ok()) return tl::unexpected(obstacle(status));
  if (names.size() != 2 || names[0] != rocksdb::kDefaultColumnFamilyName || names[1] != kLogFamily) {
    return tl::unexpected(Obstacle{true, "a RocksDB store of something else"});
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, options);
  auto out = std::make_unique<RocksStore::Database>();
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  status = beside ? rocksdb::DB::OpenForReadOnly(options, folder.string(), families, &handles, &db)
                  : rocksdb::DB::Open(options, folder.string(), families, &handles, &db);
  if (!status.ok()) return tl::unexpected(obstacle(status));
  out->db.reset(db);
  out->meta = handles[0];
  out->log = handles[1];
  return out;
}

/// Creates a store with an identity in a folder of its own, then renames that folder into place, so that a store either
/// is complete or does not exist.
Result<DatabasePtr> create(const fs::path& folder, const StoreIdentity& identity,
                           const std::vector<std::pair<std::string, Terms>>& terms, WallMillis wall_now) {
  const fs::path unfinished = folder.string() + ".new";
  std::error_code code;
  fs::create_directories(folder.has_parent_path() ? folder.parent_path() : fs::path("."), code);
  if (code) return fail("{}: cannot be created: {}", folder.parent_path().string(), code.message());
  fs::remove_all(unfinished, code);  // left by an interrupted start; it never held a session
  if (code) return fail("{}: cannot be removed: {}", unfinished.string(), code.message());
  if (::mkdir(unfinished.c_str(), 0700) != 0) {
    return fail("{}: cannot be created: {}", unfinished.string(), error_text(errno));
  }
  {
    rocksdb::Options options = database_options();
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.error_if_exists = true;
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const auto status =
        rocksdb::DB::Open(options, unfinished.string(),
                          {{rocksdb::kDefaultColumnFamilyName, options}, {kLogFamily, options}}, &handles, &db);
    if (!status.ok()) return fail("{}: cannot be created: {}", unfinished.string(), status.ToString());
    RocksStore::Database made;
    made.db.reset(db);
    made.meta = handles[0];
    made.log = handles[1];
    rocksdb::WriteBatch batch;
    rocks::put_sealed(batch, made.meta, rocks::kIdentityKey, bytes_of(encode_identity(identity, wall_now)));
    for (const auto& [set, known] : terms) {
      rocks::put_sealed(batch, made.meta, rocks::term_key(set), bytes_of(encode_terms(set, known)));
    }
    if (auto ok = made.write(batch, true); !ok) return tl::unexpected(ok.error().in(unfinished.string()));
  }
  if (auto renamed = rename_durably(unfinished, folder); !renamed) return tl::unexpected(renamed.error());
  auto opened = open_existing(folder);
  if (!opened) return fail("{}: {}", folder.string(), opened.error().what);
  return std::move(*opened);
}

Result<fs::path> move_aside(const fs::path& folder, std::string_view reason, WallMillis wall_now) {
  const std::string stem = folder.string() + ".set-aside-" + rocks::utc_stamp(wall_now);
  fs::path target = stem;
  std::error_code code;
  for (int copy = 2; fs::exists(fs::symlink_status(target, code)); ++copy) target = fmt::format("{}-{}", stem, copy);
  if (auto renamed = rename_durably(folder, target); !renamed) {
    return fail("the store cannot be used ({}) and cannot be set aside: {}", reason, renamed.error().message);
  }
  log::error("storage", "store set aside, a new one is created folder={} moved-to={} reason=\"{}\"", folder.string(),
             target.string(), reason);
  return target;
}

/// Returns the terms that can be read, and omits those that cannot.
std::vector<std::pair<std::string, Terms>> read_terms(RocksStore::Database& database) {
  std::vector<std::pair<std::string, Terms>> out;
  const std::string prefix = rocks::term_key("");
  const std::unique_ptr<rocksdb::Iterator> it(database.db->NewIterator(rocksdb::ReadOptions(), database.meta));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    const std::string set = it->key().ToString().substr(prefix.size());
    std::vector<std::uint64_t> words;
    std::size_t size = 0;
    const auto* data = reinterpret_cast<const std::uint8_t*>(it->value().data());
    if (!unseal({data, it->value().size()}, words, size)) continue;
    if (const auto terms = decode_terms(bytes_of(words, size), set)) out.emplace_back(set, *terms);
  }
  return out;
}

/// Returns the reason why the store cannot be used by this chassis with this configuration, or an empty text if it can.
std::string objection(RocksStore::Database& database, const StoreIdentity& ours, bool& terms_are_ours) {
  terms_are_ours = false;
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  const auto found = database.get(database.meta, rocks::kIdentityKey, words, size);
  if (!found) return found.error().in("identity").message;
  if (!*found) return "it has no identity";
  const auto theirs = decode_identity(bytes_of(words, size));
  if (!theirs) return theirs.error().in("identity").message;
  if (auto why = rocks::not_ours(*theirs, ours); !why.empty()) return why;
  terms_are_ours = true;
  if (theirs->schema < kFirstSchemaWithNames) {
    return "it was written by a release whose records name service sets and pools by their places in the cluster file";
  }
  return {};
}

}  // namespace

namespace rocks {

std::string not_ours(const StoreIdentity& theirs, const StoreIdentity& ours) {
  if (theirs.chassis == ours.chassis && theirs.cluster == ours.cluster) return {};
  return fmt::format("it belongs to chassis {} of cluster {}, this is chassis {} of cluster {}", theirs.chassis,
                     theirs.cluster, ours.chassis, ours.cluster);
}

Result<std::unique_ptr<RocksStore::Database>> open_beside(const fs::path& folder) {
  auto opened = open_existing(folder, true);
  if (!opened) return fail("{}", opened.error().what);
  return std::move(*opened);
}

}  // namespace rocks

Result<void> RocksStore::check_free(const fs::path& folder) {
  std::error_code code;
  return fs::exists(folder / "LOCK", code) ? check_lock(folder) : Result<void>{};
}

Result<std::unique_ptr<RocksStore>> RocksStore::open(const fs::path& folder_given, const StoreIdentity& identity,
                                                     WallMillis wall_now, HistoryLimits history) {
  fs::path folder = folder_given.lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code code;
  // If the folder is a symbolic link, its target is renamed, not the link.
  if (fs::is_symlink(folder, code)) folder = fs::weakly_canonical(folder, code);
  if (code && code != std::errc::no_such_file_or_directory) {
    return fail("{}: {}", folder_given.string(), code.message());
  }
  std::unique_ptr<RocksStore> store(new RocksStore(folder, identity, wall_now, history));
  std::vector<std::pair<std::string, Terms>> terms;
  const auto status = fs::status(folder, code);
  if (status.type() == fs::file_type::none) return fail("{}: {}", folder.string(), code.message());
  if (fs::exists(status)) {
    if (!fs::is_directory(status)) return fail("{}: is not a folder", folder.string());
    const bool empty = fs::is_empty(folder, code);
    if (code) return fail("{}: {}", folder.string(), code.message());
    if (!empty) {
      if (!has_traces_of_a_store(folder)) {
        return fail("{}: holds files, but no store; name an empty or a new folder as data-folder", folder.string());
      }
      if (auto free = check_lock(folder); !free) return tl::unexpected(free.error());
      if (auto closed = close_to_others(folder); !closed) return tl::unexpected(closed.error());
      std::string reason;
      store->keeper_ = std::make_unique<rocks::FileKeeper>(folder);
      auto opened = open_existing(folder);
      if (opened) {
        bool terms_are_ours = false;
        reason = objection(**opened, identity, terms_are_ours);
        if (reason.empty()) {
          store->db_ = std::move(*opened);
          return store;
        }
        if (terms_are_ours) terms = read_terms(**opened);
        opened->reset();
      } else {
        reason = opened.error().what;
        if (!opened.error().movable) {
          store->keeper_->put_back();
          return fail("{}: {}", folder.string(), reason);
        }
      }
      store->keeper_->put_back();
      store->keeper_.reset();
      auto moved = move_aside(folder, reason, wall_now);
      if (!moved) return tl::unexpected(moved.error());
      store->set_aside_to_ = *moved;
    }
  }
  auto made = create(folder, identity, terms, wall_now);
  if (!made) return tl::unexpected(made.error());
  store->db_ = std::move(*made);
  return store;
}

Result<void> RocksStore::set_aside(std::string_view reason, WallMillis wall_now) {
  if (db_) terms_ = read_terms(*db_);
  db_.reset();
  if (keeper_) keeper_->put_back();
  keeper_.reset();
  auto moved = move_aside(folder_, reason, wall_now);
  if (!moved) {
    if (auto again = open_existing(folder_)) db_ = std::move(*again);
    return tl::unexpected(moved.error());
  }
  set_aside_to_ = *moved;
  auto made = create(folder_, identity_, terms_, wall_now);
  if (!made) return tl::unexpected(made.error());
  db_ = std::move(*made);
  return {};
}

Result<void> RocksStore::reopen() {
  if (db_) terms_ = read_terms(*db_);
  db_.reset();
  std::error_code code;
  if (fs::exists(folder_, code)) {
    auto opened = open_existing(folder_);
    if (opened) {
      db_ = std::move(*opened);
      return {};
    }
    if (!opened.error().movable) return fail("{}: {}", folder_.string(), opened.error().what);
    auto moved = move_aside(folder_, opened.error().what, opened_at_);
    if (!moved) return tl::unexpected(moved.error());
    set_aside_to_ = *moved;
  }
  auto made = create(folder_, identity_, terms_, opened_at_);
  if (!made) return tl::unexpected(made.error());
  db_ = std::move(*made);
  return {};
}

}  // namespace icr::storage
