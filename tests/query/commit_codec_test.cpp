// Questions about commits on their way through the codec.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/query/query.h"

namespace icr {
namespace {

Result<QueryRequest> through(const QueryRequest& request) {
  flatbuffers::FlatBufferBuilder builder;
  encode_request(request, builder);
  EXPECT_LE(builder.GetSize(), kMaxRequestBytes);
  return decode_request(builder.GetBufferPointer(), builder.GetSize());
}

Result<QueryReply> through(const QueryReply& reply) {
  flatbuffers::FlatBufferBuilder builder;
  BatchEncoder none;
  encode_reply(reply, none, builder);
  EXPECT_LE(builder.GetSize(), kMaxReplyBytes);
  return decode_reply(builder.GetBufferPointer(), builder.GetSize());
}

QueryRequest full_request() {
  QueryRequest out;
  out.kind = QueryKind::commit;
  out.commit = {
      CommitOperation::prepare, 0x123456789abcdefULL, std::string("a:\n\tb\0c", 7), 5, 77, 9, "root", "why", 600};
  return out;
}

TEST(CommitCodec, ARequestComesBackAsItWas) {
  const auto back = through(full_request());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->kind, QueryKind::commit);
  EXPECT_EQ(back->commit, full_request().commit);
}

TEST(CommitCodec, APieceOfFullLengthFits) {
  QueryRequest request = full_request();
  request.commit.text.assign(kCommitPieceBytes, 'x');
  request.commit.comment.assign(kMaxCommitComment, 'c');
  const auto back = through(request);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->commit, request.commit);
}

TEST(CommitCodec, WhatIsTooLongIsRefused) {
  QueryRequest request = full_request();
  request.commit.text.assign(kCommitPieceBytes + 1, 'x');
  EXPECT_FALSE(through(request));
  request = full_request();
  request.commit.user.assign(kMaxCommitUser + 1, 'u');
  EXPECT_FALSE(through(request));
  request = full_request();
  request.commit.comment.assign(kMaxCommitComment + 1, 'c');
  EXPECT_FALSE(through(request));
  request = full_request();
  request.commit.operation = static_cast<CommitOperation>(kCommitOperationCount);
  EXPECT_FALSE(through(request));
}

TEST(CommitCodec, WordsForATerminalArePrintable) {
  QueryRequest request = full_request();
  request.commit.comment = "red \x1b[31m";
  const auto back = through(request);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->commit.comment, "red ?[31m");
}

TEST(CommitCodec, AReplyComesBackAsItWas) {
  QueryReply reply;
  reply.commit.newest = 7;
  reply.commit.newest_digest = 8;
  reply.commit.running_digest = 9;
  reply.commit.state = CommitState::failed;
  reply.commit.detail = "no device";
  reply.commit.durable = true;
  reply.commit.entries = {{7, 8, 1234, "root", "cli", "why", 5678}, {6, 5, 4, "u", "file", "", 0}};
  reply.commit.lines = {"one", "two"};
  reply.commit.text = "cluster: lab\n";
  reply.commit.total = 13;
  const auto back = through(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->commit, reply.commit);
}

TEST(CommitCodec, AReplyIsCutToWhatItsReaderTakes) {
  QueryReply reply;
  reply.commit.entries.resize(kMaxCommits + 1);
  reply.commit.lines.assign(kMaxCommitLines + 1, std::string(kMaxCommitLine + 1, 'x'));
  const auto back = through(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->commit.entries.size(), kMaxCommits);
  ASSERT_EQ(back->commit.lines.size(), kMaxCommitLines);
  EXPECT_EQ(back->commit.lines[0].size(), kMaxCommitLine);
}

}  // namespace
}  // namespace icr
