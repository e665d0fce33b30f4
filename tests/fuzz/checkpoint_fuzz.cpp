// Values of the store, as they may lie on a damaged disk.
#include <cstring>

#include "storage/record.h"
#include "tests/fuzz/fuzz_cluster.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icr;
  using namespace icr::storage;
  if (size == 0) return 0;
  std::vector<std::uint64_t> words;
  std::size_t length = 0;
  if (data[0] % 2 == 0) {
    // With its seal, as it is read.
    if (!unseal({data + 1, size - 1}, words, length)) return 0;
  } else {
    // A fuzzer does not guess checksums.
    length = size - 1;
    words.resize((length + 7) / 8);
    if (length != 0) std::memcpy(words.data(), data + 1, length);
  }
  const auto record = bytes_of(words, length);
  if (const auto batch = decode_batch(record)) {
    std::size_t rows = 0;
    batch->rows.for_each_session([&](const SessionRecord& r) {
      (void)digest_of(r);
      ++rows;
    });
    batch->rows.for_each_tombstone([&](SessionRef) { ++rows; });
    batch->rows.for_each_unknown([&](SessionRef) { ++rows; });  // of a later release
    fuzz::require(rows <= kMaxBatchRows &&
                  rows == batch->rows.sessions() + batch->rows.bindings() + batch->rows.tombstones());
  }
  (void)decode_manifest(record, "rs1");
  (void)decode_identity(record);
  (void)decode_terms(record, "rs1");
  return 0;
}
