// What a release knows of session records. Members of a redundancy set may be of different releases: each tells in its
// heartbeats the generation of its schema, and neither sends a record that the other could not read.
//
// A new TCP state, NAT type or kind of record is a new generation: append a row to kRecordSchemas. A new column or flag
// is none, because a receiver takes a record without what it does not know (model/record/record_codec.h), unless
// records mean nothing without it.
#pragma once

#include <array>
#include <cstdint>

#include "model/record/session.h"

namespace icr {

struct RecordSchema {
  std::uint8_t tcp_states = 0;    ///< values of TcpState
  std::uint8_t nat_types = 0;     ///< values of NatType
  std::uint8_t record_kinds = 0;  ///< values of RecordKind
  friend bool operator==(const RecordSchema&, const RecordSchema&) = default;
  /// Returns true if a release of this schema can read the record.
  [[nodiscard]] bool admits(const SessionRecord& record) const {
    if (record.kind != RecordKind::session) return static_cast<std::uint8_t>(record.kind) < record_kinds;
    return static_cast<std::uint8_t>(record.tcp_state) < tcp_states &&
           static_cast<std::uint8_t>(record.nat_type) < nat_types;
  }
};

/// By generation, from 1.
inline constexpr std::array kRecordSchemas = {
    RecordSchema{8, 11, 4},  // rows name service sets, terms and pools by places in the cluster file
    RecordSchema{8, 11, 4},  // rows name them by their identities
};
/// The first generation whose records name things by their identities. What is older cannot be understood.
inline constexpr std::uint32_t kFirstSchemaWithNames = 2;
inline constexpr std::uint32_t kSchemaGeneration = kRecordSchemas.size();
static_assert(kRecordSchemas.back().tcp_states == kTcpStateCount && kRecordSchemas.back().nat_types == kNatTypeCount &&
                  kRecordSchemas.back().record_kinds == kRecordKindCount,
              "a new value of an enumeration needs a new row in kRecordSchemas");

/// Returns the schema of a release that announces `generation`: of the first one if it announces none (0), of this
/// release if it announces a later one.
[[nodiscard]] constexpr const RecordSchema& record_schema(std::uint32_t generation) {
  const std::uint32_t known = generation < kSchemaGeneration ? generation : kSchemaGeneration;
  return kRecordSchemas[known == 0 ? 0 : known - 1];
}

}  // namespace icr
