// A table of sessions for tests of what stands behind a table: replication and storage. Plain containers, the contracts
// of SessionSource and SessionSink, nothing fast.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/record/change_listener.h"
#include "model/record/session.h"

namespace icr::test {

class FakeTable final : public SessionSource, public SessionSink {
 public:
  explicit FakeTable(std::uint32_t capacity) : slots_(capacity) {}

  void listen(ChangeListener* listener) { listeners_.push_back(listener); }
  void forget_listeners() { listeners_.clear(); }
  /// Makes apply() refuse the records of a slot, as if this table's configuration could not have made them.
  void refuse(std::uint32_t slot) { refused_slot_ = slot; }
  void refuse_nothing() { refused_slot_.reset(); }

  // SessionSource
  [[nodiscard]] std::uint32_t capacity() const override { return static_cast<std::uint32_t>(slots_.size()); }
  [[nodiscard]] std::uint32_t high_water() const override { return high_water_; }
  [[nodiscard]] std::uint32_t live_sessions() const override {
    return static_cast<std::uint32_t>(std::count_if(
        slots_.begin(), slots_.end(), [](const Slot& s) { return s.live && s.record.kind == RecordKind::session; }));
  }
  bool read(std::uint32_t slot, TimePoint now, SessionRecord& out) const override {
    const Slot& s = slots_[slot];
    if (!s.live) {
      out = SessionRecord{};
      out.ref = {slot, s.generation};
      return false;
    }
    out = s.record;
    (s.record.kind == RecordKind::session ? out.idle : out.binding.idle) = ticks(now - s.active);
    (s.record.kind == RecordKind::session ? out.age : out.binding.age) = ticks(now - s.born);
    return true;
  }

  [[nodiscard]] std::uint32_t withheld() const override { return held_back; }
  std::uint32_t held_back = 0;  ///< so many sessions count as too young for the peer

  // SessionSink
  void begin_pass(TimePoint) override {
    for (Slot& s : slots_) s.named = false;
  }
  Applied apply(const SessionRecord& record, TimePoint now) override {
    const std::uint32_t slot = record.ref.slot;
    if (slot >= slots_.size() || slot == refused_slot_) return Applied::refused;
    Slot& s = slots_[slot];
    const bool named = s.named;
    s.named = true;
    if (named && older(record, s)) return Applied::unchanged;
    const bool same = s.live && s.generation == record.ref.generation;
    if (s.live) bury(slot);
    for (const FlowKey& key : keys_of(record)) {
      const auto other = index_.find(key);
      if (other == index_.end()) continue;
      ++displaced_;
      const std::uint32_t dead = other->second;
      bury(dead);
      tell(dead, Change::state);
    }
    settle(slot, record, now);
    tell(slot, Change::state);
    return same ? Applied::updated : Applied::created;
  }
  Adopted adopt(const SessionRecord& record, TimePoint now) override {
    if (record.kind == RecordKind::session) {
      const auto known = index_.find(record.flow[0]);
      const auto back = index_.find(record.flow[1]);
      if (known != index_.end() && back != index_.end() && known->second == back->second) {
        Slot& s = slots_[known->second];
        if (now - s.active <= record.idle * kTick) return Adopted::known;
        SessionRecord newer = record;
        newer.ref = s.record.ref;
        newer.version = s.record.version + 1;
        const std::uint32_t slot = known->second;
        bury(slot);
        settle(slot, newer, now);
        tell(slot, Change::state);
        return Adopted::updated;
      }
      if (known != index_.end() || back != index_.end()) return Adopted::flow_taken;
    }
    // Sessions from the bottom, bindings where they were.
    std::uint32_t slot = record.kind == RecordKind::session ? 0 : record.ref.slot;
    if (record.kind == RecordKind::session) {
      while (slot < slots_.size() && slots_[slot].live) ++slot;
    }
    if (slot >= slots_.size()) return Adopted::table_full;
    if (slots_[slot].live) return Adopted::binding_taken;
    SessionRecord fresh = record;
    fresh.ref = {slot, slots_[slot].generation + 1};
    fresh.version = 1;
    settle(slot, fresh, now);
    tell(slot, Change::state);
    return Adopted::created;
  }
  Applied erase(SessionRef tombstone, TimePoint) override {
    if (tombstone.slot >= slots_.size()) return Applied::refused;
    Slot& s = slots_[tombstone.slot];
    const bool named = s.named;
    s.named = true;
    if (named && s.generation > tombstone.generation) return Applied::unchanged;
    const bool was_live = s.live;
    if (was_live) bury(tombstone.slot);
    if (s.generation == tombstone.generation && !was_live) return Applied::unchanged;
    s.generation = tombstone.generation;
    if (tombstone.slot >= high_water_) high_water_ = tombstone.slot + 1;
    tell(tombstone.slot, Change::state);
    return Applied::deleted;
  }
  void keep(std::uint32_t first, std::uint32_t count) override {
    for (std::uint32_t slot = first; slot < first + count && slot < slots_.size(); ++slot) {
      if (slots_[slot].live) slots_[slot].named = true;
    }
  }
  std::uint32_t end_pass(TimePoint) override {
    std::uint32_t removed = 0;
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].named || !slots_[slot].live) continue;
      bury(slot);
      tell(slot, Change::state);
      ++removed;
    }
    return removed;
  }

  // What the engine would do.
  /// Puts a new session with these keys into `slot`; what was there, or owned a key, dies. `record.ref` and `version`
  /// are set here.
  void create(std::uint32_t slot, SessionRecord record, TimePoint now) {
    if (slots_[slot].live) destroy(slot);
    for (const FlowKey& key : record.flow) {
      if (const auto other = index_.find(key); other != index_.end()) destroy(other->second);
    }
    record.ref = {slot, slots_[slot].generation + 1};
    record.version = 1;
    record.idle = record.age = 0;
    settle(slot, record, now);
    tell(slot, Change::state);
  }
  /// Changes state: the version grows.
  void change_state(std::uint32_t slot, TcpState state, TimePoint now) {
    Slot& s = slots_[slot];
    s.record.tcp_state = state;
    ++s.record.version;
    s.active = now;
    tell(slot, Change::state);
  }
  /// A packet: counters and idle time.
  void touch(std::uint32_t slot, std::uint64_t bytes, TimePoint now) {
    Slot& s = slots_[slot];
    s.record.has_counters = true;
    ++s.record.counters[0].packets;
    s.record.counters[0].bytes += bytes;
    s.active = now;
    tell(slot, Change::refresh);
  }
  void destroy(std::uint32_t slot) {
    bury(slot);
    tell(slot, Change::state);
  }

  /// The flows of this session are those of a session here, whatever its slot.
  [[nodiscard]] bool find(const SessionRecord& record) const {
    const auto there = index_.find(record.flow[0]);
    const auto back = index_.find(record.flow[1]);
    return there != index_.end() && back != index_.end() && there->second == back->second;
  }
  [[nodiscard]] bool live(std::uint32_t slot) const { return slots_[slot].live; }
  [[nodiscard]] std::uint32_t generation(std::uint32_t slot) const { return slots_[slot].generation; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  /// Sessions that stood in the way of an applied one.
  [[nodiscard]] std::uint64_t displaced() const { return displaced_; }
  [[nodiscard]] std::uint64_t digest() const {
    std::uint64_t sum = 0;
    for (const Slot& s : slots_) {
      if (s.live) sum += digest_of(s.record);
    }
    return sum;
  }

 private:
  struct Slot {
    SessionRecord record;
    std::uint32_t generation = 0;
    bool live = false;
    bool named = false;
    TimePoint active;
    TimePoint born;
  };
  struct Hash {
    std::size_t operator()(const FlowKey& key) const { return hash_of(key, 0x1234567); }
  };

  /// Bindings have none.
  static std::span<const FlowKey> keys_of(const SessionRecord& record) {
    return std::span(record.flow).first(record.kind == RecordKind::session ? 2 : 0);
  }
  static Ticks ticks(Duration d) { return static_cast<Ticks>(d / kTick); }
  static bool older(const SessionRecord& record, const Slot& s) {
    if (record.ref.generation != s.generation) return record.ref.generation < s.generation;
    return !s.live || record.version < s.record.version;  // of the same version, counters may be newer
  }
  void settle(std::uint32_t slot, const SessionRecord& record, TimePoint now) {
    Slot& s = slots_[slot];
    s.record = record;
    s.generation = record.ref.generation;
    s.live = true;
    const bool session = record.kind == RecordKind::session;
    s.active = now - (session ? record.idle : record.binding.idle) * kTick;
    s.born = now - (session ? record.age : record.binding.age) * kTick;
    for (const FlowKey& key : keys_of(record)) index_[key] = slot;
    if (slot >= high_water_) high_water_ = slot + 1;
    ++size_;
  }
  void bury(std::uint32_t slot) {
    Slot& s = slots_[slot];
    if (!s.live) return;
    for (const FlowKey& key : keys_of(s.record)) index_.erase(key);
    s.live = false;
    --size_;
  }
  void tell(std::uint32_t slot, Change change) {
    for (ChangeListener* listener : listeners_) listener->changed(slot, change);
  }

  std::vector<Slot> slots_;
  std::unordered_map<FlowKey, std::uint32_t, Hash> index_;
  std::vector<ChangeListener*> listeners_;
  std::uint32_t high_water_ = 0;
  std::uint32_t size_ = 0;
  std::uint64_t displaced_ = 0;
  std::optional<std::uint32_t> refused_slot_;
};

}  // namespace icr::test
