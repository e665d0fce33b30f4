// Messages of a peer. An input is a list of messages for one reader: a length of two octets, octets.
#include "replication/protocol.h"
#include "tests/fuzz/fuzz_cluster.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icr;
  replication::Header expected;
  expected.cluster = 1;
  expected.member = 1;
  replication::MessageReader reader(expected);
  std::uint64_t read = 0;
  std::uint64_t good = 0;
  while (size >= 2) {
    const std::size_t length = std::min<std::size_t>(data[0] * 256U + data[1], size - 2);
    const replication::Message* const message = reader.read({data + 2, length});
    ++read;
    if (message != nullptr) {
      ++good;
      if (const auto* batch = std::get_if<replication::Batch>(&message->body)) {
        if (const auto rows = BatchDecoder::check(batch->sessions, replication::kMaxBatchRows)) {
          rows->for_each_session([](const SessionRecord& r) { (void)digest_of(r); });
          rows->for_each_tombstone([](SessionRef) {});
        }
      }
    }
    data += 2 + length;
    size -= 2 + length;
  }
  std::uint64_t refused = 0;
  for (std::size_t i = 0; i < replication::kRefusalCount; ++i) {
    refused += reader.refused(static_cast<replication::Refusal>(i));
  }
  fuzz::require(refused + good == read);
  return 0;
}
