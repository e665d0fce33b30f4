// Inside of model/query: the parts of a query message that are about commits. Not for use by other rooms.
#pragma once

#include "model/base/result.h"
#include "model/query/commit.h"
#include "model/query/query_generated.h"

namespace icr::query_codec {

[[nodiscard]] flatbuffers::Offset<fbs::CommitRequest> encode_commit(const CommitRequest& in,
                                                                    flatbuffers::FlatBufferBuilder& b);
[[nodiscard]] flatbuffers::Offset<fbs::CommitReply> encode_commit(const CommitReply& in,
                                                                  flatbuffers::FlatBufferBuilder& b);
/// Read what came from the network; null stands for a message without the part. Lengths and ranges are checked. Text
/// for people is made printable, the text of a cluster file is not changed.
[[nodiscard]] Result<CommitRequest> decode_commit(const fbs::CommitRequest* in);
[[nodiscard]] Result<CommitReply> decode_commit(const fbs::CommitReply* in);

}  // namespace icr::query_codec
