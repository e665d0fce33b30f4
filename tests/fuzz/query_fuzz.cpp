// Questions and answers of the cluster's CLI, from the network.
#include "model/query/query.h"
#include "tests/fuzz/fuzz_cluster.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icr;
  flatbuffers::FlatBufferBuilder builder;
  if (const auto request = decode_request(data, size)) {
    // What was understood survives its own encoding.
    encode_request(*request, builder);
    const auto again = decode_request(builder.GetBufferPointer(), builder.GetSize());
    fuzz::require(again.has_value() && again->filter == request->filter && again->kind == request->kind &&
                  again->cursor == request->cursor && again->request_id == request->request_id &&
                  again->record_kinds == request->record_kinds && again->group == request->group &&
                  again->host == request->host && again->translated == request->translated &&
                  again->port == request->port);
    SessionRecord record;
    (void)request->filter.matches(record);
    (void)request->filter.matches(record.binding);
  }
  if (const auto reply = decode_reply(data, size)) {
    BatchEncoder sessions;
    for (const SessionRecord& r : reply->sessions) sessions.add(r);
    encode_reply(*reply, sessions, builder);
    const auto again = decode_reply(builder.GetBufferPointer(), builder.GetSize());
    if (builder.GetSize() <= kMaxReplyBytes) {
      fuzz::require(again.has_value() && again->sessions.size() == reply->sessions.size() &&
                    again->counters.size() == reply->counters.size() && again->text == reply->text &&
                    again->nat_pools.size() == reply->nat_pools.size() && again->uses.size() == reply->uses.size() &&
                    again->deterministic.size() == reply->deterministic.size() &&
                    again->statistics.size() == reply->statistics.size() &&
                    again->usage.service_sets.size() == reply->usage.service_sets.size() &&
                    again->analysis.created.seconds == reply->analysis.created.seconds);
    }
  }
  return 0;
}
