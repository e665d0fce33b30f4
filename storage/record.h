// Encodes and decodes the records of the store (storage/checkpoint.fbs). Nothing that is read is trusted: a record
// passes its checksum, the FlatBuffers verifier, and the checks of bounds.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "model/record/record_codec.h"
#include "model/record/slot_layout.h"
#include "storage/store.h"

namespace icr::storage {

inline constexpr std::size_t kMaxRecordBytes = 16U << 20U;
inline constexpr std::size_t kMaxBatchRows = 65536;

/// Returns `ticks` and as many more, at most the highest number.
[[nodiscard]] constexpr Ticks later(Ticks ticks, std::uint64_t by) {
  const std::uint64_t sum = ticks + by;
  return sum > std::numeric_limits<Ticks>::max() ? std::numeric_limits<Ticks>::max() : static_cast<Ticks>(sum);
}

/// Size in bytes of the checksum in front of a sealed record.
inline constexpr std::size_t kSealBytes = 8;
/// Returns the checksum of `record`.
[[nodiscard]] std::array<std::uint8_t, kSealBytes> seal_of(std::span<const std::uint8_t> record);
/// Checks the checksum and copies the record to `out`, which is 8-aligned. `size` becomes its length in bytes. Returns
/// an error if the checksum is wrong.
[[nodiscard]] Result<void> unseal(std::span<const std::uint8_t> sealed, std::vector<std::uint64_t>& out,
                                  std::size_t& size);

struct BatchHeader {
  std::string_view set;
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  WallMillis written_ms = 0;
  std::uint64_t cluster_digest = 0;
  SlotLayout layout{};        ///< of the slots that the rows name
  std::uint64_t run = 0;      ///< of the chassis, another one after each start; 0: it does not say
  WallMillis settled_ms = 0;  ///< every change until then is in this batch or in an earlier one
  bool in_sync = false;       ///< the member was master, or its copy was hot
};

/// Returns a batch with the rows of `encoder`, and clears `encoder` and `builder`.
[[nodiscard]] RecordBytes encode_batch(flatbuffers::FlatBufferBuilder& builder, const BatchHeader& header,
                                       BatchEncoder& encoder);
[[nodiscard]] RecordBytes encode_manifest(std::string_view set, const Manifest& manifest);
[[nodiscard]] RecordBytes encode_identity(const StoreIdentity& identity, WallMillis created_ms);
[[nodiscard]] RecordBytes encode_terms(std::string_view set, const Terms& terms);

/// A batch that has passed every check. It points into the bytes from which it was decoded.
struct BatchView {
  BatchHeader header;
  BatchDecoder rows;
  const fbs::SessionBatch* columns = nullptr;
};

/// The decode functions return an error if a check fails. REQUIRES: `record` is 8-aligned, as unseal() makes it.
[[nodiscard]] Result<BatchView> decode_batch(std::span<const std::uint8_t> record);
[[nodiscard]] Result<Manifest> decode_manifest(std::span<const std::uint8_t> record, std::string_view set);
[[nodiscard]] Result<StoreIdentity> decode_identity(std::span<const std::uint8_t> record);
[[nodiscard]] Result<Terms> decode_terms(std::span<const std::uint8_t> record, std::string_view set);

[[nodiscard]] inline std::span<const std::uint8_t> bytes_of(const RecordBytes& record) {
  return {record.data(), record.size()};
}
[[nodiscard]] inline std::span<const std::uint8_t> bytes_of(const std::vector<std::uint64_t>& words, std::size_t size) {
  return {reinterpret_cast<const std::uint8_t*>(words.data()), size};
}

}  // namespace icr::storage
