#include "storage/restore.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "storage/record.h"

namespace icr::storage {
namespace {

/// An older copy is as good as one whose age is not known. (A message to the peer has no room for more.)
constexpr std::uint64_t kLongestAgeMillis = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMaxBaseRecords = 1U << 24U;

bool over(const SessionRecord& record) {
  constexpr std::uint64_t kTicksPerSecond = std::chrono::seconds(1) / kTick;
  if (record.kind != RecordKind::session) {
    // A binding lives as long as the sessions that use it; the sink determines whether these are restored.
    return (record.binding.flags & kBindingInUse) == 0 &&
           record.binding.idle >= record.binding.timeout_s * kTicksPerSecond;
  }
  if (record.timeout_s != 0 && record.idle >= record.timeout_s * kTicksPerSecond) return true;
  return record.lifetime_s != 0 && record.age >= record.lifetime_s * kTicksPerSecond;
}

class Replay {
 public:
  Replay(Store& store, const std::string& set, std::uint64_t digest, const SessionSource& table, Restored& out)
      : store_(store), set_(set), digest_(digest), table_(table), capacity_(table.capacity()), out_(out) {}

  /// Determines the records to use, and for each slot the last record that names it.
  Result<void> survey();
  /// Passes the last state of every slot to `sink`.
  void apply(SessionSink& sink, TimePoint now, WallMillis wall_now);

 private:
  enum class Found { good, missing, bad };
  Found load(std::uint64_t sequence);
  void damaged(std::string what) {
    ++out_.bad_records;
    if (out_.damage.empty()) out_.damage = fmt::format("redundancy set {}: {}", set_, what);
  }
  /// `slot` is one of the record's.
  void name(std::uint32_t slot, std::uint32_t record) {
    const auto own = map_.own(slot);
    if (!own || *own >= capacity_) return;
    if (*own >= last_.size()) last_.resize(*own + std::size_t{1}, 0);
    last_[*own] = record;
  }
  void name_all(std::uint32_t record);
  /// Returns the table's slot for one of the record's, if this record is the last one that names it.
  [[nodiscard]] std::optional<std::uint32_t> last_of(std::uint32_t slot, std::uint32_t record) {
    const auto own = map_.own(slot);
    if (own && *own < capacity_) return last_[*own] == record ? own : std::nullopt;
    ++out_.refused;
    return std::nullopt;
  }

  Store& store_;
  const std::string& set_;
  std::uint64_t digest_;
  const SessionSource& table_;
  std::uint32_t capacity_;
  Restored& out_;
  std::vector<std::uint64_t> used_;  ///< sequences of the records to use, in order
  std::vector<std::uint32_t> last_;  ///< by slot: 1 + index into used_ of the last record that names it; 0: none
  std::vector<std::uint64_t> words_;
  WallMillis newest_ = 0;  ///< when the newest of them was written
  BatchView view_;
  SlotLayout layout_;  ///< of view_, for which map_ was made
  SlotMap map_;
};

Replay::Found Replay::load(std::uint64_t sequence) {
  std::size_t size = 0;
  auto found = store_.read(set_, sequence, words_, size);
  if (!found) {
    damaged(fmt::format("record {}: {}", sequence, found.error().message));
    return Found::bad;
  }
  if (!*found) return Found::missing;
  auto view = decode_batch(bytes_of(words_, size));
  if (!view) {
    damaged(fmt::format("record {}: {}", sequence, view.error().message));
    return Found::bad;
  }
  if (view->header.set != set_ || view->header.sequence != sequence) {
    damaged(fmt::format("record {} belongs to {} {}", sequence, view->header.set, view->header.sequence));
    return Found::bad;
  }
  view_ = std::move(*view);
  if (view_.header.layout != layout_) {
    layout_ = view_.header.layout;
    map_ = SlotMap(layout_, table_.layout());
  }
  return Found::good;
}

void Replay::name_all(std::uint32_t record) {
  const auto each = [&](const auto* rows) {
    if (rows == nullptr) return;
    for (unsigned i = 0; i < rows->size(); ++i) name(rows->Get(i)->core().slot(), record);
  };
  each(view_.columns->v4());
  each(view_.columns->v6());
  if (const auto* rows = view_.columns->bindings()) {
    for (unsigned i = 0; i < rows->size(); ++i) name(rows->Get(i)->slot(), record);
  }
  view_.rows.for_each_tombstone([&](SessionRef dead) { name(dead.slot, record); });
}

Result<void> Replay::survey() {
  if (const auto terms = store_.terms(set_)) {
    out_.term = terms->seen;
    out_.claimed = terms->claimed;
  } else {
    damaged(terms.error().in("term").message);
  }
  std::optional<Manifest> manifest;
  if (auto read = store_.manifest(set_); !read) {
    damaged(read.error().in("manifest").message);
  } else if (*read &&
             ((*read)->from_sequence == 0 || (*read)->to_sequence == std::numeric_limits<std::uint64_t>::max() ||
              ((*read)->to_sequence >= (*read)->from_sequence &&
               (*read)->to_sequence - (*read)->from_sequence >= kMaxBaseRecords))) {
    damaged(fmt::format("manifest names records {} to {}", (*read)->from_sequence, (*read)->to_sequence));
  } else {
    manifest = *read;
  }
  out_.has_manifest = manifest.has_value();
  std::optional<LogRange> range;
  if (auto read = store_.range(set_)) {
    range = *read;
  } else {
    damaged(read.error().in("log").message);
  }
  const std::uint64_t base_end = manifest ? manifest->to_sequence : 0;
  std::uint64_t sequence = manifest ? manifest->from_sequence : (range ? range->first : 1);
  if (manifest) out_.term = std::max(out_.term, manifest->term);
  const std::uint64_t log_end = std::max(base_end, range ? range->last : 0);
  for (; sequence <= log_end; ++sequence) {
    const Found found = load(sequence);
    if (found == Found::missing && sequence <= base_end) {
      damaged(fmt::format("record {} of the base checkpoint is missing", sequence));
    }
    if (found != Found::good) {
      if (sequence <= base_end) continue;
      break;
    }
    used_.push_back(sequence);
    out_.term = std::max(out_.term, view_.header.term);
    name_all(static_cast<std::uint32_t>(used_.size()));
  }
  if (sequence <= log_end) {
    out_.cut_off = log_end - sequence + 1;
    // New records must follow the last good record directly; otherwise the hole would stay for ever. A damaged log is
    // not changed, because the store is set aside for a person to examine.
    if (out_.damage.empty()) {
      if (auto ok = store_.truncate(set_, sequence - 1); !ok) return ok;
    }
  }
  out_.next_sequence = sequence;
  return {};
}

void Replay::apply(SessionSink& sink, TimePoint now, WallMillis wall_now) {
  constexpr auto kTickMillis = kTick / std::chrono::milliseconds(1);
  for (std::size_t index = 0; index < used_.size(); ++index) {
    if (load(used_[index]) != Found::good) continue;  // it was good a moment ago, so this counts as damage
    ++out_.batches;
    if (view_.header.cluster_digest != digest_) ++out_.other_configuration;
    const auto record_number = static_cast<std::uint32_t>(index + 1);
    const WallMillis written = view_.header.written_ms;
    newest_ = std::max(newest_, written);
    std::uint64_t passed = 0;
    if (written > wall_now) {
      ++out_.clock_went_back;
    } else {
      passed = (static_cast<std::uint64_t>(wall_now) - static_cast<std::uint64_t>(written)) / kTickMillis;
    }
    view_.rows.for_each_session([&](const SessionRecord& read) {
      const auto slot = last_of(read.ref.slot, record_number);
      if (!slot) return;
      SessionRecord record = read;
      record.ref.slot = *slot;
      record.idle = later(record.idle, passed);
      record.age = later(record.age, passed);
      record.binding.idle = later(record.binding.idle, passed);
      record.binding.age = later(record.binding.age, passed);
      if (over(record)) {
        ++out_.expired;
        (void)sink.erase(record.ref, now);
        return;
      }
      // The decoder reuses its record, and fields that a row does not have keep the values of the row before.
      if (!record.has_tcp) record.tcp = {};
      if (!record.has_counters) record.counters = {};
      for (TcpWindow& window : record.tcp) {
        window.flags = static_cast<std::uint8_t>(window.flags & ~kTcpWindowKnown);
      }
      ++(sink.apply(record, now) == Applied::refused ? out_.refused : out_.sessions);
    });
    view_.rows.for_each_unknown([&](SessionRef skipped) {
      if (last_of(skipped.slot, record_number)) ++out_.unknown;
    });
    view_.rows.for_each_tombstone([&](SessionRef dead) {
      const auto slot = last_of(dead.slot, record_number);
      if (!slot) return;
      ++out_.tombstones;
      (void)sink.erase({*slot, dead.generation}, now);
    });
  }
  // Sessions that were written under another cluster file may have lost what is not in the present one.
  const bool certain = out_.damage.empty() && out_.clock_went_back == 0 && out_.other_configuration == 0;
  const std::uint64_t passed = static_cast<std::uint64_t>(wall_now) - static_cast<std::uint64_t>(newest_);
  if (out_.batches != 0 && certain && passed < kLongestAgeMillis) out_.age = std::chrono::milliseconds(passed);
}

}  // namespace

Result<Restored> restore(Store& store, const std::string& set, std::uint64_t cluster_digest, const SessionSource& table,
                         SessionSink& sink, TimePoint now, WallMillis wall_now) {
  const auto start = std::chrono::steady_clock::now();
  Restored out;
  Replay replay(store, set, cluster_digest, table, out);
  sink.begin_pass(now);
  const auto surveyed = replay.survey();
  if (surveyed) replay.apply(sink, now, wall_now);
  (void)sink.end_pass(now);
  if (!surveyed) return tl::unexpected(surveyed.error());
  out.took = std::chrono::steady_clock::now() - start;
  return out;
}

}  // namespace icr::storage
