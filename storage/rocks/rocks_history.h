// The history of a store on disk, which is read beside the process, or the thread, that writes to it.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/history.h"
#include "storage/rocks/rocks_store.h"

namespace icr::storage {

/// The log of a RocksStore as it was when it was opened for reading. What is written later is not seen, and what is
/// removed later can still be read.
class RocksHistory final : public HistorySource {
 public:
  /// Opens the store in `folder` for reading. Changes nothing, and takes no lock. Returns an error if there is no
  /// store, if it belongs to another chassis or cluster, or if it cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<RocksHistory>> open(const std::filesystem::path& folder,
                                                                  const StoreIdentity& identity);
  ~RocksHistory() override;

  Result<std::vector<Manifest>> bases(std::string_view set) override;
  Result<std::optional<LogRange>> range(std::string_view set) override;
  Result<bool> read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                    std::size_t& size) override;

 private:
  explicit RocksHistory(std::unique_ptr<RocksStore::Database> db);
  std::unique_ptr<RocksStore::Database> db_;
};

}  // namespace icr::storage
