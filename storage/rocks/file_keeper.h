// Keeps the files of a store that RocksDB deletes when it opens it.
#pragma once

#include <filesystem>

namespace icr::storage::rocks {

/// Opening a store, RocksDB deletes what its manifest does not name. After a crash that is rubbish; where it is the
/// manifest that is damaged, it is every session. Therefore tables, logs and manifests get second names (hard links) in
/// "<folder>.kept" until the store has proved to be sound, and get their places back before a store is put aside.
///
/// Does what it can: a file system without hard links, or a full one, is no reason not to open a store.
class FileKeeper {
 public:
  /// Before the store in `folder` is opened. What an opening that was cut short left behind is put back first.
  explicit FileKeeper(const std::filesystem::path& folder);
  /// The store is sound, or has what it needs: the second names go.
  ~FileKeeper();
  FileKeeper(const FileKeeper&) = delete;
  FileKeeper& operator=(const FileKeeper&) = delete;

  /// Gives the files that are gone from the folder their places back. The store must be closed.
  void put_back();

 private:
  std::filesystem::path folder_;
  std::filesystem::path kept_;
};

}  // namespace icr::storage::rocks
