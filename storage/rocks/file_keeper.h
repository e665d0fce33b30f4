// Keeps the files of a store that RocksDB would delete when it opens the store.
#pragma once

#include <filesystem>

namespace icr::storage::rocks {

/// When RocksDB opens a store, it deletes files that its manifest does not name. After a crash these are garbage, but
/// if the manifest is damaged, they contain every session. So tables, logs and manifests get second names (hard links)
/// in "<folder>.kept" until the store has proved to be sound, and are put back before a store is set aside.
///
/// Failures are ignored: a file system that is full or has no hard links does not keep a store from being opened.
class FileKeeper {
 public:
  /// Gives the files in `folder` second names. Files that an interrupted opening left behind are put back first.
  /// REQUIRES: the store in `folder` is not open yet.
  explicit FileKeeper(const std::filesystem::path& folder);
  /// Removes the second names, because the store is sound or put_back() was called.
  ~FileKeeper();
  FileKeeper(const FileKeeper&) = delete;
  FileKeeper& operator=(const FileKeeper&) = delete;

  /// Puts back the files that are missing in the folder. REQUIRES: the store is closed.
  void put_back();

 private:
  std::filesystem::path folder_;
  std::filesystem::path kept_;
};

}  // namespace icr::storage::rocks
