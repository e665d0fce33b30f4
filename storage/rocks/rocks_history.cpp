#include "storage/rocks/rocks_history.h"

#include <limits>
#include <utility>

#include "storage/rocks/database.h"

namespace icr::storage {

RocksHistory::RocksHistory(std::unique_ptr<RocksStore::Database> db) : db_(std::move(db)) {}
RocksHistory::~RocksHistory() = default;

Result<std::unique_ptr<RocksHistory>> RocksHistory::open(const std::filesystem::path& folder,
                                                         const StoreIdentity& identity) {
  // The writer may remove a file between the moment at which its name is read and that at which it is opened.
  constexpr int kTries = 5;
  auto opened = rocks::open_beside(folder);
  for (int tries = 1; !opened && tries < kTries; ++tries) opened = rocks::open_beside(folder);
  if (!opened) return tl::unexpected(opened.error());
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  const auto found = (*opened)->get((*opened)->meta, rocks::kIdentityKey, words, size);
  if (!found) return tl::unexpected(found.error().in("identity"));
  if (!*found) return fail("it has no identity");
  const auto theirs = decode_identity(bytes_of(words, size));
  if (!theirs) return tl::unexpected(theirs.error().in("identity"));
  if (auto why = rocks::not_ours(*theirs, identity); !why.empty()) return fail("{}", why);
  return std::unique_ptr<RocksHistory>(new RocksHistory(std::move(*opened)));
}

Result<std::vector<Manifest>> RocksHistory::bases(std::string_view set) {
  return db_->kept_bases(set, std::numeric_limits<std::size_t>::max());
}

Result<std::optional<LogRange>> RocksHistory::range(std::string_view set) { return db_->range(set); }

Result<bool> RocksHistory::read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                                std::size_t& size) {
  return db_->get(db_->log, rocks::log_key(set, sequence), out, size);
}

}  // namespace icr::storage
