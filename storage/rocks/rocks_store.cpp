#include "storage/rocks/rocks_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <limits>
#include <utility>

#include "model/base/log.h"
#include "storage/rocks/database.h"
#include "storage/rocks/file_keeper.h"

namespace icr::storage {
namespace {

using rocks::log_key;
using rocks::slice;

/// A commit looks at so many of the oldest bases of a history at most, because a takeover may wait behind it.
constexpr std::size_t kBasesOfCommit = 64;

Result<void> as_result(const rocksdb::Status& status) {
  if (status.ok()) return {};
  return fail("{}", status.ToString());
}

}  // namespace

namespace rocks {

std::string manifest_key(std::string_view set) { return "manifest/" + std::string(set); }
std::string base_key(std::string_view set, std::uint64_t from_sequence) {
  return "base/" + log_key(set, from_sequence);
}
std::string term_key(std::string_view set) { return "term/" + std::string(set); }

std::string log_key(std::string_view set, std::uint64_t sequence) {
  std::string key;
  key.reserve(set.size() + 10);
  key.push_back(static_cast<char>(set.size() >> 8U & 0xffU));
  key.push_back(static_cast<char>(set.size() & 0xffU));
  key.append(set);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(sequence >> shift & 0xffU));
  return key;
}

void put_sealed(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* family, std::string_view key,
                std::span<const std::uint8_t> record) {
  const auto seal = seal_of(record);
  const std::array<rocksdb::Slice, 1> keys{slice(key)};
  const std::array<rocksdb::Slice, 2> values{
      rocksdb::Slice(reinterpret_cast<const char*>(seal.data()), seal.size()),
      rocksdb::Slice(reinterpret_cast<const char*>(record.data()), record.size())};
  batch.Put(family, rocksdb::SliceParts(keys.data(), 1), rocksdb::SliceParts(values.data(), 2));
}

std::string utc_stamp(WallMillis wall) {
  const auto seconds = static_cast<std::time_t>(wall / 1000);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return std::to_string(wall);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), length};
}

}  // namespace rocks

RocksStore::Database::~Database() {
  if (!db) return;
  for (auto* family : {meta, log}) {
    if (family != nullptr) (void)db->DestroyColumnFamilyHandle(family);
  }
  if (const auto status = db->Close(); !status.ok()) {
    log::warn("storage", "closing the store error=\"{}\"", status.ToString());
  }
}

Result<void> RocksStore::Database::write(rocksdb::WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  return as_result(db->Write(options, &batch));
}

Result<bool> RocksStore::Database::get(rocksdb::ColumnFamilyHandle* family, std::string_view key,
                                       std::vector<std::uint64_t>& out, std::size_t& size) {
  rocksdb::PinnableSlice value;
  const auto status = db->Get(rocksdb::ReadOptions(), family, slice(key), &value);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return fail("{}", status.ToString());
  if (auto ok = unseal({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()}, out, size); !ok) {
    return tl::unexpected(ok.error());
  }
  return true;
}

Result<std::optional<LogRange>> RocksStore::Database::range(std::string_view set) const {
  const std::string lower = log_key(set, 0);
  std::string upper = log_key(set, std::numeric_limits<std::uint64_t>::max());
  upper.push_back('\0');
  const rocksdb::Slice lower_bound(lower);
  const rocksdb::Slice upper_bound(upper);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower_bound;
  options.iterate_upper_bound = &upper_bound;
  options.total_order_seek = true;
  const auto sequence_of = [](const rocksdb::Slice& key) {
    std::uint64_t sequence = 0;
    for (std::size_t i = key.size() - 8; i < key.size(); ++i)
      sequence = sequence << 8U | static_cast<std::uint8_t>(key[i]);
    return sequence;
  };
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(options, log));
  LogRange out;
  it->SeekToFirst();
  if (!it->Valid()) {
    if (!it->status().ok()) return fail("{}", it->status().ToString());
    return std::optional<LogRange>{};
  }
  if (it->key().size() != lower.size()) return fail("a key of {} bytes in the log", it->key().size());
  out.first = sequence_of(it->key());
  it->SeekToLast();
  if (!it->Valid() || it->key().size() != lower.size()) {
    return fail("the end of the log cannot be found: {}", it->status().ToString());
  }
  out.last = sequence_of(it->key());
  return std::optional<LogRange>(out);
}

Result<std::vector<Manifest>> RocksStore::Database::kept_bases(std::string_view set, std::size_t most) const {
  const std::string lower = rocks::base_key(set, 0);
  std::string upper = rocks::base_key(set, std::numeric_limits<std::uint64_t>::max());
  upper.push_back('\0');
  const rocksdb::Slice upper_bound(upper);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(options, meta));
  std::vector<Manifest> out;
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  for (it->Seek(lower); it->Valid() && out.size() < most; it->Next()) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(it->value().data());
    if (auto sound = unseal({data, it->value().size()}, words, size); !sound) return tl::unexpected(sound.error());
    auto base = decode_manifest(bytes_of(words, size), set);
    if (!base) return tl::unexpected(base.error());
    out.push_back(*base);
  }
  if (!it->status().ok()) return fail("{}", it->status().ToString());
  return out;
}

RocksStore::RocksStore(std::filesystem::path folder, StoreIdentity identity, WallMillis opened_at,
                       HistoryLimits history)
    : folder_(std::move(folder)), identity_(std::move(identity)), opened_at_(opened_at), history_(history) {}

RocksStore::~RocksStore() = default;

template <class Fill>
Result<void> RocksStore::write(bool sync, Fill&& fill) {
  const auto once = [&]() -> Result<void> {
    rocksdb::WriteBatch batch;
    fill(batch);  // filled again each time, because the handles of the column families end with the database
    return db_->write(batch, sync);
  };
  Result<void> written = fail("the store is closed");
  keeper_.reset();
  if (db_) written = once();
  if (written) return written;
  // After a failed write RocksDB refuses all others, and its own recovery needs more room than a small disk has. All
  // earlier writes are in the write-ahead log, so it is safe to close the database and open it again, and this works as
  // soon as the disk does.
  const auto now = std::chrono::steady_clock::now();
  if (now < next_reopen_) return written;
  if (auto opened = reopen(); opened) {
    written = once();
  } else if (written.error().message != opened.error().message) {
    written = fail("{}; opening the store again: {}", written.error().message, opened.error().message);
  }
  next_reopen_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  return written;
}

Result<void> RocksStore::append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) {
  return write(false,
               [&](rocksdb::WriteBatch& batch) { rocks::put_sealed(batch, db_->log, log_key(set, sequence), record); });
}

Result<void> RocksStore::commit(std::string_view set, const Manifest& manifest) {
  std::vector<Manifest> kept;
  if (db_ && history_.wanted()) {
    // A history that cannot be read is given up: the checkpoint matters more.
    if (auto read = db_->kept_bases(set, kBasesOfCommit)) {
      kept = std::move(*read);
    } else {
      log::warn("storage", "history given up set={} error=\"{}\"", set, read.error().message);
    }
  }
  const std::uint64_t first = first_needed(set, kept, manifest);
  const std::string begin = log_key(set, 0);
  const std::string end = log_key(set, first);
  auto written = write(true, [&](rocksdb::WriteBatch& batch) {
    const RecordBytes record = encode_manifest(set, manifest);
    rocks::put_sealed(batch, db_->meta, rocks::manifest_key(set), bytes_of(record));
    batch.DeleteRange(db_->meta, rocks::base_key(set, 0), rocks::base_key(set, first));
    if (history_.wanted()) {
      rocks::put_sealed(batch, db_->meta, rocks::base_key(set, manifest.from_sequence), bytes_of(record));
    }
    batch.DeleteRange(db_->log, begin, end);
  });
  if (!written) return written;
  // Delete files that hold only the removed part at once, and not with the next compaction.
  const rocksdb::Slice from(begin);
  const rocksdb::Slice to(end);
  const rocksdb::RangePtr range(&from, &to);
  if (const auto status = rocksdb::DeleteFilesInRanges(db_->db.get(), db_->log, &range, 1, false); !status.ok()) {
    log::warn("storage", "old checkpoint not removed yet set={} error=\"{}\"", set, status.ToString());
  }
  return {};
}

std::uint64_t RocksStore::first_needed(std::string_view set, const std::vector<Manifest>& kept,
                                       const Manifest& newest) const {
  if (!history_.wanted()) return newest.from_sequence;
  // The oldest moment of the history needs the base that was complete by then.
  const auto span = static_cast<WallMillis>(history_.seconds * 1000);
  // One base a commit is enough, and a clock that is wrong for a moment does not remove everything.
  std::size_t oldest = 0;
  if (kept.size() > 1 && kept[1].written_ms <= newest.written_ms - span) oldest = 1;
  const std::string end = log_key(set, std::numeric_limits<std::uint64_t>::max());
  for (; oldest < kept.size(); ++oldest) {
    const std::string begin = log_key(set, kept[oldest].from_sequence);
    const rocksdb::Range range{begin, end};
    rocksdb::SizeApproximationOptions options;
    options.include_memtables = true;
    options.include_files = true;
    std::uint64_t size = 0;
    const auto status = db_->db->GetApproximateSizes(options, db_->log, &range, 1, &size);
    if (status.ok() && size <= history_.bytes_per_set) return kept[oldest].from_sequence;
  }
  return kept.size() < kBasesOfCommit ? newest.from_sequence : kept.back().from_sequence;
}

Result<void> RocksStore::truncate(std::string_view set, std::uint64_t last_good) {
  if (last_good == std::numeric_limits<std::uint64_t>::max()) return {};
  std::string end = log_key(set, std::numeric_limits<std::uint64_t>::max());
  end.push_back('\0');  // the first key behind the log of this set
  return write(true,
               [&](rocksdb::WriteBatch& batch) { batch.DeleteRange(db_->log, log_key(set, last_good + 1), end); });
}

Result<void> RocksStore::remember_terms(std::string_view set, const Terms& terms) {
  Terms all = terms;
  // Stored terms that cannot be read are replaced, because known terms are better than none.
  if (const auto known = this->terms(set)) {
    all = {std::max(all.seen, known->seen), std::max(all.claimed, known->claimed)};
    if (all == *known) return {};
  }
  return write(true, [&](rocksdb::WriteBatch& batch) {
    rocks::put_sealed(batch, db_->meta, rocks::term_key(set), bytes_of(encode_terms(set, all)));
  });
}

Result<Terms> RocksStore::terms(std::string_view set) {
  if (!db_) return fail("the store is closed");
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  const auto found = db_->get(db_->meta, rocks::term_key(set), words, size);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return Terms{};
  return decode_terms(bytes_of(words, size), set);
}

Result<std::optional<Manifest>> RocksStore::manifest(std::string_view set) {
  if (!db_) return fail("the store is closed");
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  const auto found = db_->get(db_->meta, rocks::manifest_key(set), words, size);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::optional<Manifest>{};
  auto manifest = decode_manifest(bytes_of(words, size), set);
  if (!manifest) return tl::unexpected(manifest.error());
  return std::optional<Manifest>(*manifest);
}

Result<std::optional<LogRange>> RocksStore::range(std::string_view set) {
  if (!db_) return fail("the store is closed");
  return db_->range(set);
}

Result<bool> RocksStore::read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                              std::size_t& size) {
  if (!db_) return fail("the store is closed");
  return db_->get(db_->log, log_key(set, sequence), out, size);
}

}  // namespace icr::storage
