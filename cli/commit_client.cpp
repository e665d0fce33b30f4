#include "cli/commit_client.h"

#include <utility>

#include "model/config/snapshot.h"

namespace icr::cli {

CommitAnswers ask_commit(Transport& transport, const std::set<std::uint16_t>& chassis, const CommitRequest& request) {
  for (const std::uint16_t each : chassis) {
    QueryRequest question;
    question.kind = QueryKind::commit;
    question.commit = request;
    transport.ask(each, std::move(question));
  }
  CommitAnswers out;
  while (auto answer = transport.next()) {
    CommitAnswer& of = out[answer->chassis];
    if (!answer->reply) {
      of.why = answer->reply.error().message;
    } else if (answer->reply->error != QueryError::none) {
      of.refused = true;
      of.why = answer->reply->reason;
    } else {
      of.reply = std::move(answer->reply->commit);
    }
  }
  return out;
}

Result<std::string> fetch_commit(Transport& transport, std::uint16_t chassis, const CommitEntry& entry) {
  std::string out;
  CommitRequest piece;
  piece.operation = CommitOperation::fetch;
  piece.number = entry.number;
  for (;;) {
    piece.offset = static_cast<std::uint32_t>(out.size());
    auto answers = ask_commit(transport, {chassis}, piece);
    const CommitAnswer& answer = answers[chassis];
    if (!answer.reply) return fail("{}", answer.why);
    out += answer.reply->text;
    if (out.size() >= answer.reply->total) break;
    if (answer.reply->text.empty()) return fail("its commit {} is incomplete", entry.number);
  }
  if (digest_of_text(out) != entry.digest) return fail("its commit {} has another text", entry.number);
  return out;
}

}  // namespace icr::cli
