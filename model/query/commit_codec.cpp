#include "model/query/commit_codec.h"

#include <algorithm>
#include <vector>

#include "model/query/query_status_codec.h"

namespace icr::query_codec {
namespace {

using Octets = flatbuffers::Vector<std::uint8_t>;

flatbuffers::Offset<Octets> encode_octets(const std::string& text, Builder& b) {
  return b.CreateVector(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

Result<std::string> decode_octets(const Octets* in) {
  if (in == nullptr) return std::string();
  if (in->size() > kCommitPieceBytes) return fail("a piece of a cluster file has {} octets", in->size());
  return std::string(in->begin(), in->end());
}

Result<std::string> decode_words(const flatbuffers::String* in, std::size_t most, std::string_view what) {
  if (in != nullptr && in->size() > most) return fail("{} has {} octets", what, in->size());
  return printable(in);
}

}  // namespace

flatbuffers::Offset<fbs::CommitRequest> encode_commit(const CommitRequest& in, Builder& b) {
  const auto text = encode_octets(in.text, b);
  const auto user = b.CreateString(in.user);
  const auto comment = b.CreateString(in.comment);
  return fbs::CreateCommitRequest(b, static_cast<std::uint8_t>(in.operation), in.candidate, text, in.offset, in.total,
                                  in.number, user, comment, in.confirm_seconds);
}

flatbuffers::Offset<fbs::CommitReply> encode_commit(const CommitReply& in, Builder& b) {
  std::vector<flatbuffers::Offset<fbs::CommitEntry>> entries;
  for (std::size_t i = 0; i < std::min(in.entries.size(), kMaxCommits); ++i) {
    const CommitEntry& each = in.entries[i];
    const auto user = b.CreateString(each.user);
    const auto via = b.CreateString(each.via);
    const auto comment = b.CreateString(each.comment);
    entries.push_back(
        fbs::CreateCommitEntry(b, each.number, each.digest, each.at, user, via, comment, each.confirm_until));
  }
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(in.lines.size(), kMaxCommitLines); ++i) {
    lines.push_back(in.lines[i].substr(0, kMaxCommitLine));
  }
  const auto detail = b.CreateString(in.detail);
  const auto entry_rows = b.CreateVector(entries);
  const auto line_rows = b.CreateVectorOfStrings(lines);
  const auto text = encode_octets(in.text, b);
  return fbs::CreateCommitReply(b, in.newest, in.newest_digest, in.running_digest, static_cast<std::uint8_t>(in.state),
                                detail, in.durable, entry_rows, line_rows, text, in.total);
}

Result<CommitRequest> decode_commit(const fbs::CommitRequest* in) {
  CommitRequest out;
  if (in == nullptr) return out;
  if (in->operation() >= kCommitOperationCount) return fail("there is no operation {} on commits", in->operation());
  out.operation = static_cast<CommitOperation>(in->operation());
  auto text = decode_octets(in->text());
  if (!text) return tl::unexpected(text.error());
  auto user = decode_words(in->user(), kMaxCommitUser, "a user");
  if (!user) return tl::unexpected(user.error());
  auto comment = decode_words(in->comment(), kMaxCommitComment, "a comment");
  if (!comment) return tl::unexpected(comment.error());
  out.candidate = in->candidate();
  out.text = std::move(*text);
  out.offset = in->offset();
  out.total = in->total();
  out.number = in->number();
  out.user = std::move(*user);
  out.comment = std::move(*comment);
  out.confirm_seconds = in->confirm_seconds();
  return out;
}

Result<CommitReply> decode_commit(const fbs::CommitReply* in) {
  CommitReply out;
  if (in == nullptr) return out;
  if (in->state() >= kCommitStateCount) return fail("there is no state {} of a commit", in->state());
  if (in->entries() != nullptr && in->entries()->size() > kMaxCommits) {
    return fail("it lists {} commits", in->entries()->size());
  }
  if (in->lines() != nullptr && in->lines()->size() > kMaxCommitLines) {
    return fail("it says {} lines about a commit", in->lines()->size());
  }
  auto text = decode_octets(in->text());
  if (!text) return tl::unexpected(text.error());
  out.newest = in->newest();
  out.newest_digest = in->newest_digest();
  out.running_digest = in->running_digest();
  out.state = static_cast<CommitState>(in->state());
  out.detail = printable(in->detail());
  out.durable = in->durable();
  if (in->entries() != nullptr) {
    for (const auto* each : *in->entries()) {
      out.entries.push_back({each->number(), each->digest(), each->at_ms(), printable(each->user()),
                             printable(each->via()), printable(each->comment()), each->confirm_until_ms()});
    }
  }
  if (in->lines() != nullptr) {
    for (const auto* line : *in->lines()) out.lines.push_back(printable(line));
  }
  out.text = std::move(*text);
  out.total = in->total();
  return out;
}

}  // namespace icr::query_codec
