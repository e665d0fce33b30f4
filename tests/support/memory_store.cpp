#include "tests/support/memory_store.h"

#include <algorithm>
#include <iterator>

#include "model/base/log.h"
#include "storage/record.h"

namespace icr::storage {
namespace {

std::vector<std::uint8_t> sealed(std::span<const std::uint8_t> record) {
  const auto seal = seal_of(record);
  std::vector<std::uint8_t> out(kSealBytes + record.size());
  std::copy(seal.begin(), seal.end(), out.begin());
  std::copy(record.begin(), record.end(), out.begin() + kSealBytes);
  return out;
}

}  // namespace

MemoryStore::SetLog& MemoryStore::log_of(std::string_view set) {
  const auto found = sets_.find(set);
  return found != sets_.end() ? found->second : sets_[std::string(set)];
}

bool MemoryStore::fails() {
  if (fail_next_ == 0) return failing_;
  --fail_next_;
  return true;
}

Result<void> MemoryStore::append(std::string_view set, std::uint64_t sequence, std::span<const std::uint8_t> record) {
  if (fails()) return fail("no space left (simulated)");
  log_of(set).log[sequence] = sealed(record);
  unsynced_.push_back({std::string(set), sequence});
  return {};
}

Result<void> MemoryStore::commit(std::string_view set, const Manifest& manifest) {
  if (fails()) return fail("no space left (simulated)");
  SetLog& s = log_of(set);
  s.manifest = sealed(bytes_of(encode_manifest(set, manifest)));
  s.log.erase(s.log.begin(), s.log.lower_bound(manifest.from_sequence));
  unsynced_.clear();
  return {};
}

Result<void> MemoryStore::truncate(std::string_view set, std::uint64_t last_good) {
  SetLog& s = log_of(set);
  s.log.erase(s.log.upper_bound(last_good), s.log.end());
  return {};
}

Result<void> MemoryStore::remember_terms(std::string_view set, const Terms& terms) {
  if (fails()) return fail("no space left (simulated)");
  Terms& known = log_of(set).terms;
  known = {std::max(known.seen, terms.seen), std::max(known.claimed, terms.claimed)};
  unsynced_.clear();
  return {};
}

Result<Terms> MemoryStore::terms(std::string_view set) { return log_of(set).terms; }

Result<std::optional<Manifest>> MemoryStore::manifest(std::string_view set) {
  const SetLog& s = log_of(set);
  if (s.manifest.empty()) return std::optional<Manifest>{};
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  if (auto ok = unseal(s.manifest, words, size); !ok) return tl::unexpected(ok.error());
  auto manifest = decode_manifest(bytes_of(words, size), set);
  if (!manifest) return tl::unexpected(manifest.error());
  return std::optional<Manifest>(*manifest);
}

Result<std::optional<LogRange>> MemoryStore::range(std::string_view set) {
  const SetLog& s = log_of(set);
  if (s.log.empty()) return std::optional<LogRange>{};
  return std::optional<LogRange>(LogRange{s.log.begin()->first, s.log.rbegin()->first});
}

Result<bool> MemoryStore::read(std::string_view set, std::uint64_t sequence, std::vector<std::uint64_t>& out,
                               std::size_t& size) {
  const SetLog& s = log_of(set);
  const auto found = s.log.find(sequence);
  if (found == s.log.end()) return false;
  if (auto ok = unseal(found->second, out, size); !ok) return tl::unexpected(ok.error());
  return true;
}

Result<void> MemoryStore::set_aside(std::string_view reason, WallMillis) {
  log::error("storage", "store in memory dropped reason=\"{}\"", reason);
  for (auto& [name, s] : sets_) {
    s.log.clear();
    s.manifest.clear();
  }
  unsynced_.clear();
  ++times_set_aside_;
  return {};
}

void MemoryStore::crash(std::size_t keep) {
  for (std::size_t i = unsynced_.size(); i > keep; --i)
    log_of(unsynced_[i - 1].set).log.erase(unsynced_[i - 1].sequence);
  unsynced_.clear();
}

void MemoryStore::flip_bit(std::string_view set, std::uint64_t sequence, std::size_t bit) {
  auto& record = log_of(set).log.at(sequence);
  const std::size_t at = bit / 8 % record.size();
  record[at] = static_cast<std::uint8_t>(record[at] ^ 1U << (bit % 8));
}

bool MemoryStore::damage_one(std::string_view set, std::mt19937_64& random) {
  const auto& log = log_of(set).log;
  if (log.empty()) return false;
  flip_bit(set, std::next(log.begin(), static_cast<std::ptrdiff_t>(random() % log.size()))->first, random());
  return true;
}

void MemoryStore::lose(std::string_view set, std::uint64_t sequence) { log_of(set).log.erase(sequence); }

bool DirectOutput::offer(std::uint64_t sequence, RecordBytes&& record) {
  if (!noted(store_.append(set_, sequence, bytes_of(record)).has_value())) {
    ++losses_;
    lost_up_to_ = sequence;
  }
  return true;
}

bool DirectOutput::commit(const Manifest& manifest) {
  if (lost_up_to_ >= manifest.from_sequence) return true;  // the base is incomplete, and losses() has shown that
  if (!noted(store_.commit(set_, manifest).has_value())) ++losses_;
  return true;
}

bool DirectOutput::noted(bool written) {
  failing_ = !written;
  return written;
}

bool DirectOutput::remember_term(std::uint64_t term) {
  return noted(store_.remember_terms(set_, {term, 0}).has_value());
}

bool DirectOutput::claim_term(std::uint64_t term) {
  if (!noted(store_.remember_terms(set_, {0, term}).has_value())) return false;
  claimed_ = term;
  return true;
}

}  // namespace icr::storage
