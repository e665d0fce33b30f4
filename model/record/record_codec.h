// Session records <-> FlatBuffers (model/record/session.fbs): the one codec for wire, disk and query.
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/result.h"
#include "model/record/session.h"
#include "model/record/session_generated.h"

namespace icr {

/// Collects records and writes them as one SessionBatch. Reused from batch to batch; keeps its memory, so a warm
/// encoder does not allocate. One thread.
class BatchEncoder {
 public:
  BatchEncoder() : name_places_(kFewNames, 0) {}
  void add(const SessionRecord& record);
  void add_tombstone(SessionRef ref);
  /// Makes room for so many sessions of IPv4: adding them does not allocate.
  void reserve(std::size_t sessions);

  /// Sessions, bindings and tombstones added since clear().
  [[nodiscard]] std::size_t size() const { return v4_.size() + v6_.size() + bindings_.size() + tombstones_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Payload bytes so far, without the envelope.
  [[nodiscard]] std::size_t bytes() const;

  /// Appends the table to `builder` and forgets the records.
  flatbuffers::Offset<fbs::SessionBatch> finish(flatbuffers::FlatBufferBuilder& builder);
  void clear();

 private:
  std::vector<fbs::Session4> v4_;
  std::vector<fbs::Session6> v6_;
  // Rows of v4 sessions and of v6 sessions are collected apart, because the format wants all v4 rows first.
  std::vector<fbs::TcpPart> tcp_[2];
  std::vector<fbs::CounterPart> counters_[2];
  std::vector<fbs::Tombstone> tombstones_;
  std::vector<fbs::Binding> bindings_;

  /// Returns the place of the identity in names_, from 1, where it is entered if it is new; 0 for none.
  [[nodiscard]] std::uint16_t place_of(StableId id);
  void enter(std::uint16_t place);
  [[nodiscard]] fbs::SessionCore core_of(const SessionRecord& record);

  static constexpr std::size_t kFewNames = 64;
  std::vector<StableId> names_;
  std::vector<std::uint16_t> name_places_;  ///< a hash table of places in names_; 0: empty. Its size is a power of two
};

/// What a batch of a later release holds that this one does not know.
struct UnknownParts {
  std::size_t records = 0;  ///< skipped: their NAT type, TCP state or kind is not known
  std::size_t reduced = 0;  ///< taken without what is not known of them: a column, a flag, an application protocol
};

/// Reads a SessionBatch that already passed the FlatBuffers verifier. check() bounds everything the verifier does not;
/// after it succeeded, reading cannot fail. Holds a pointer into the buffer: the buffer must outlive it.
class BatchDecoder {
 public:
  /// Refuses null, more than `max_rows` sessions, bindings and tombstones, part columns that do not match, slots out of
  /// range, and names that are not there. What a later release may have added is not refused, but skipped: see
  /// unknown(). `batch` must lie at an 8-aligned address (see aligned()).
  [[nodiscard]] static Result<BatchDecoder> check(const fbs::SessionBatch* batch, std::size_t max_rows);

  [[nodiscard]] std::size_t sessions() const { return v4_ + v6_; }
  [[nodiscard]] std::size_t bindings() const { return bindings_; }
  [[nodiscard]] std::size_t tombstones() const { return tombstones_; }
  [[nodiscard]] const UnknownParts& unknown() const { return unknown_; }

  /// Calls `visit(SessionRef)` for every session and binding that is skipped.
  template <class Visit>
  void for_each_unknown(Visit&& visit) const {
    if (unknown_.records == 0) return;
    for (std::size_t row = 0; row < sessions(); ++row) {
      if (!knows(core(row))) visit(SessionRef{core(row).slot(), core(row).generation()});
    }
    for (std::size_t row = 0; row < bindings_; ++row) {
      const fbs::Binding& each = binding(row);
      if (!knows(each)) visit(SessionRef{each.slot(), each.generation()});
    }
  }

  /// Calls `visit(const SessionRecord&)` for every session, then for every binding, but not for those that are skipped.
  template <class Visit>
  void for_each_session(Visit&& visit) const {
    SessionRecord record;
    std::size_t tcp = 0;
    std::size_t counters = 0;
    for (std::size_t row = 0; row < sessions(); ++row) {
      read(row, tcp, counters, record);  // also of one that is skipped: its rows in other columns are passed over
      if (unknown_.records != 0 && !knows(core(row))) continue;
      visit(const_cast<const SessionRecord&>(record));
    }
    for (std::size_t row = 0; row < bindings_; ++row) {
      if (unknown_.records != 0 && !knows(binding(row))) continue;
      read_binding(row, record);
      visit(const_cast<const SessionRecord&>(record));
    }
  }
  template <class Visit>
  void for_each_tombstone(Visit&& visit) const {
    for (std::size_t row = 0; row < tombstones_; ++row) visit(tombstone(row));
  }

 private:
  void read(std::size_t row, std::size_t& tcp, std::size_t& counters, SessionRecord& out) const;
  void read_binding(std::size_t row, SessionRecord& out) const;
  [[nodiscard]] SessionRef tombstone(std::size_t row) const;
  [[nodiscard]] const fbs::SessionCore& core(std::size_t row) const;
  [[nodiscard]] const fbs::Binding& binding(std::size_t row) const;
  [[nodiscard]] static bool knows(const fbs::SessionCore& core);
  [[nodiscard]] static bool knows(const fbs::Binding& row);
  [[nodiscard]] StableId name(std::uint16_t place) const;

  const fbs::SessionBatch* batch_ = nullptr;
  std::size_t v4_ = 0;
  std::size_t v6_ = 0;
  std::size_t tombstones_ = 0;
  std::size_t bindings_ = 0;
  const flatbuffers::Vector<StableId>* names_ = nullptr;  ///< null: the rows belong to nothing that is known
  UnknownParts unknown_;
};

/// FlatBuffers data must be read at 8-byte alignment, and ZeroMQ delivers small messages at any address. Returns `data`
/// itself if it is aligned, otherwise a copy in `scratch`.
[[nodiscard]] const std::uint8_t* aligned(const void* data, std::size_t size, std::vector<std::uint64_t>& scratch);

}  // namespace icr
