#include "storage/history.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <utility>

#include "storage/record.h"

namespace icr::storage {
namespace {

/// A later time was not written by a chassis (it is in the year 37648); sums with it do not overflow.
constexpr WallMillis kLastTime = WallMillis{1} << 50U;
/// A clock that is kept right goes back by less.
constexpr WallMillis kStepOfClock = 1000;
/// Without changes there is a record each second. Twice more without one is no rest.
constexpr WallMillis kLongestSilence = 3000;

/// Returns the time for an operator, such as "2026-12-01 03:12:07.250 UTC".
std::string moment(WallMillis at) {
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  std::array<char, 32> text{};
  if (at < 0 || ::gmtime_r(&seconds, &parts) == nullptr) return fmt::format("{} ms of Unix time", at);
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return fmt::format("{}.{:03} UTC", std::string_view(text.data(), length), at % 1000);
}

/// Finds, for a moment, the records that tell of it, and for each slot the last of them that names it.
class Excavation {
 public:
  Excavation(HistorySource& source, const std::string& set, WallMillis at) : source_(source), set_(set), at_(at) {}

  [[nodiscard]] Result<void> survey();
  [[nodiscard]] Result<PastCounts> visit(const std::function<bool(const SessionRecord& record)>& visit);

 private:
  /// Returns false if there is no such record.
  [[nodiscard]] Result<bool> load(std::uint64_t sequence);
  [[nodiscard]] Result<Manifest> begin() const;
  void use(std::uint64_t sequence);
  /// Returns an error if the last record that is used, and the next one, which was written after the moment, do not
  /// prove what the table was.
  [[nodiscard]] Result<void> judge(const BatchHeader& last, const BatchHeader& next, bool same_run) const;
  void name(std::uint32_t slot) {
    if (slot >= kMaxRecordSlots) return;
    if (slot >= last_.size()) last_.resize(slot + std::size_t{1}, 0);
    last_[slot] = static_cast<std::uint32_t>(used_.size());
  }
  [[nodiscard]] bool is_last(std::uint32_t slot, std::uint32_t record) const {
    return slot < last_.size() && last_[slot] == record;
  }

  HistorySource& source_;
  const std::string& set_;
  const WallMillis at_;
  std::vector<std::uint64_t> used_;  ///< sequences of the records, in order
  std::vector<std::uint32_t> last_;  ///< by slot: 1 + index into used_ of the last record that names it; 0: none
  std::vector<std::uint64_t> words_;
  BatchView view_;
};

Result<bool> Excavation::load(std::uint64_t sequence) {
  std::size_t size = 0;
  auto found = source_.read(set_, sequence, words_, size);
  if (!found) return fail("record {} of its log cannot be read: {}", sequence, found.error().message);
  if (!*found) return false;
  auto view = decode_batch(bytes_of(words_, size));
  if (!view) return fail("record {} of its log is damaged: {}", sequence, view.error().message);
  if (view->header.set != set_ || view->header.sequence != sequence) {
    return fail("record {} of its log belongs to {} {}", sequence, view->header.set, view->header.sequence);
  }
  for (const WallMillis time : {view->header.written_ms, view->header.settled_ms}) {
    if (time < 0 || time > kLastTime) return fail("record {} of its log has no time", sequence);
  }
  view_ = std::move(*view);
  return true;
}

Result<Manifest> Excavation::begin() const {
  const auto bases = source_.bases(set_);
  if (!bases) return tl::unexpected(bases.error());
  if (bases->empty()) return fail("its history has not begun yet");
  const auto after =
      std::find_if(bases->rbegin(), bases->rend(), [this](const Manifest& base) { return base.written_ms <= at_; });
  if (after == bases->rend()) return fail("its history begins at {}", moment(bases->front().written_ms));
  return *after;
}

void Excavation::use(std::uint64_t sequence) {
  used_.push_back(sequence);
  const auto each = [&](const auto* rows) {
    if (rows == nullptr) return;
    for (unsigned i = 0; i < rows->size(); ++i) name(rows->Get(i)->core().slot());
  };
  each(view_.columns->v4());
  each(view_.columns->v6());
  if (const auto* rows = view_.columns->bindings()) {
    for (unsigned i = 0; i < rows->size(); ++i) name(rows->Get(i)->slot());
  }
  view_.rows.for_each_tombstone([&](SessionRef dead) { name(dead.slot); });
}

Result<void> Excavation::survey() {
  const auto base = begin();
  if (!base) return tl::unexpected(base.error());
  const auto range = source_.range(set_);
  if (!range) return tl::unexpected(range.error());
  const std::uint64_t end = *range ? (*range)->last : 0;
  BatchHeader last;  // of the records that are used
  WallMillis reached = 0;
  for (std::uint64_t sequence = base->from_sequence; sequence <= end; ++sequence) {
    const auto found = load(sequence);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return fail("records of that time could not be written to its disk");
    const BatchHeader& header = view_.header;
    if (header.written_ms + kStepOfClock < reached) {
      return fail("its clock went back from {} to {}", moment(reached), moment(header.written_ms));
    }
    if (header.written_ms > at_ && sequence <= base->to_sequence) return fail("its clock went back in that time");
    reached = std::max(reached, header.written_ms);
    const bool same_run = used_.empty() || header.run == last.run;
    if (header.written_ms > at_) return judge(last, header, same_run && header.run != 0);
    // What came back at a start is known when the first base checkpoint of that run is complete, and not before.
    if (!same_run) {
      return fail("it was started at {}, and had not written a whole checkpoint by then", moment(header.written_ms));
    }
    use(sequence);
    last = header;
    last.set = set_;
    last.layout.clear();
  }
  return fail("its history reaches up to {}", reached == 0 ? "no moment yet" : moment(reached));
}

Result<void> Excavation::judge(const BatchHeader& last, const BatchHeader& next, bool same_run) const {
  if (used_.empty()) return fail("its history begins at {}", moment(next.written_ms));
  // Nobody knows how long the table lived between two runs.
  if (!same_run) {
    return fail("it was started again between {} and {}, and nothing is known of that time", moment(last.written_ms),
                moment(next.written_ms));
  }
  // Changes may have waited: for the disk, or because there were too many.
  if (at_ - last.settled_ms > kLongestSilence) {
    return fail("nothing is known between {} and {}: its disk was behind, or its clock was set",
                moment(last.settled_ms), moment(next.written_ms));
  }
  if (!last.in_sync || !next.in_sync) return fail("it was not in sync with its peer at that time");
  return {};
}

Result<PastCounts> Excavation::visit(const std::function<bool(const SessionRecord& record)>& visit) {
  constexpr auto kTickMillis = kTick / std::chrono::milliseconds(1);
  PastCounts counts;
  bool wanted = true;
  for (std::uint32_t index = 0; index < used_.size() && wanted; ++index) {
    const auto found = load(used_[index]);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return fail("record {} of its log was removed while it was read", used_[index]);
    ++counts.batches;
    const std::uint32_t record_number = index + 1;
    const std::uint64_t passed = static_cast<std::uint64_t>(at_ - view_.header.written_ms) / kTickMillis;
    view_.rows.for_each_session([&](const SessionRecord& read) {
      if (!wanted || !is_last(read.ref.slot, record_number)) return;
      SessionRecord record = read;
      // A session that lived had not reached its timeout, however long ago its idle time was written.
      constexpr std::uint64_t kTicksPerSecond = std::chrono::seconds(1) / kTick;
      const auto idle = [&](Ticks ticks, std::uint32_t timeout_s) {
        const std::uint64_t most = timeout_s * kTicksPerSecond;
        const Ticks sum = later(ticks, passed);
        return most != 0 && sum > most ? static_cast<Ticks>(std::max<std::uint64_t>(most, ticks)) : sum;
      };
      record.idle = idle(record.idle, record.timeout_s);
      record.age = later(record.age, passed);
      record.binding.idle = idle(record.binding.idle, record.binding.timeout_s);
      record.binding.age = later(record.binding.age, passed);
      // The decoder reuses its record, and fields that a row does not have keep the values of the row before.
      if (!record.has_tcp) record.tcp = {};
      if (!record.has_counters) record.counters = {};
      wanted = visit(record);
    });
    view_.rows.for_each_unknown([&](SessionRef skipped) {
      if (is_last(skipped.slot, record_number)) ++counts.unknown;
    });
  }
  return counts;
}

}  // namespace

Result<PastCounts> sessions_at(HistorySource& source, const std::string& set, WallMillis at,
                               const std::function<bool(const SessionRecord& record)>& visit) {
  Excavation excavation(source, set, at);
  if (auto surveyed = excavation.survey(); !surveyed) return tl::unexpected(surveyed.error());
  return excavation.visit(visit);
}

}  // namespace icr::storage
