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
/// Reads a part of a message from the network, with lengths and ranges checked; a message without the part gives null.
/// Texts for people are made printable, but the text of a cluster file is not changed.
[[nodiscard]] Result<CommitRequest> decode_commit(const fbs::CommitRequest* in);
[[nodiscard]] Result<CommitReply> decode_commit(const fbs::CommitReply* in);

}  // namespace icr::query_codec
