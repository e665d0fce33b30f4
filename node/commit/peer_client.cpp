#include "node/commit/peer_client.h"

#include <array>
#include <utility>

#include "model/config/cluster_file.h"
#include "model/config/snapshot.h"
#include "model/query/query.h"
#include "transport/socket.h"

namespace icr::node {
namespace {

using Clock = std::chrono::steady_clock;
using transport::Event;
using transport::Taken;
using transport::Waiting;

constexpr std::array kEvents = {Event::handshake_failed, Event::key_refused};

/// One question after the other to one chassis.
class Line {
 public:
  Line(transport::Socket socket, Clock::time_point deadline) : socket_(std::move(socket)), deadline_(deadline) {}

  Result<CommitReply> ask(const CommitRequest& commit) {
    QueryRequest request;
    request.kind = QueryKind::commit;
    request.request_id = ++number_;
    request.commit = commit;
    flatbuffers::FlatBufferBuilder builder(256);
    encode_request(request, builder);
    if (socket_.send({builder.GetBufferPointer(), builder.GetSize()}) != transport::Sent::sent) {
      return fail("it cannot be asked: {}", socket_.error());
    }
    for (;;) {
      // The deadline holds as well for a peer that sends answers without end to questions that nobody asked.
      if (Clock::now() >= deadline_) return fail("it does not answer");
      const Taken taken = socket_.take();
      if (taken == Taken::failed) return fail("{}", socket_.error());
      if (taken == Taken::parts) return fail("its answer has more than one part");
      if (taken == Taken::nothing) {
        if (auto waited = wait(); !waited) return tl::unexpected(waited.error());
        continue;
      }
      auto reply = decode_reply(socket_.payload().data(), socket_.payload().size());
      if (!reply) return tl::unexpected(reply.error().in("its answer is not understood"));
      if (reply->request_id != number_) continue;
      if (reply->error != QueryError::none) return fail("{}", reply->reason);
      return std::move(reply->commit);
    }
  }

 private:
  Result<void> wait() {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
    if (left.count() <= 0) return fail("it does not answer");
    std::array waiting = {Waiting::for_messages(socket_), Waiting::for_events(socket_)};
    if (auto done = transport::wait(waiting, left); !done) return done;
    const auto event = socket_.take_event();
    if (event == Event::key_refused) return fail("it refuses the key of this chassis");
    if (event == Event::handshake_failed) return fail("it does not use the key that is known of it");
    return {};
  }

  transport::Socket socket_;
  Clock::time_point deadline_;
  std::uint64_t number_ = 0;
};

Result<FetchedCommit> fetch_from(const Endpoint& query, const std::optional<transport::Curve>& curve,
                                 std::uint64_t above, Clock::time_point deadline) {
  auto context = transport::Context::create();
  if (!context) return tl::unexpected(context.error());
  transport::SocketOptions options;
  options.curve = curve;
  options.max_message_bytes = kMaxReplyBytes;
  auto socket = transport::Socket::dealer(*context, options);
  if (!socket) return tl::unexpected(socket.error());
  if (auto watched = socket->watch(kEvents); !watched) return tl::unexpected(watched.error());
  if (auto connected = socket->connect(query); !connected) return tl::unexpected(connected.error());
  Line line(std::move(*socket), deadline);
  const auto list = line.ask({});
  if (!list) return tl::unexpected(list.error());
  if (list->entries.empty()) return fail("it has no commit");
  FetchedCommit out;
  out.entry = list->entries.front();
  if (out.entry.number <= above)
    return fail("its newest commit is {}, and a newer one than {} was asked for", out.entry.number, above);
  CommitRequest piece;
  piece.operation = CommitOperation::fetch;
  piece.number = out.entry.number;
  do {
    piece.offset = static_cast<std::uint32_t>(out.text.size());
    const auto reply = line.ask(piece);
    if (!reply) return tl::unexpected(reply.error());
    if (reply->text.empty() || reply->total > max_cluster_file_bytes())
      return fail("its commit {} is incomplete", piece.number);
    out.text += reply->text;
    piece.total = reply->total;
  } while (out.text.size() < piece.total);
  if (digest_of_text(out.text) != out.entry.digest) return fail("its commit {} has another text", piece.number);
  return out;
}

}  // namespace

Result<FetchedCommit> fetch_newest_commit(const PeerPlace& peer, std::uint64_t above, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  if (!peer.own) return fetch_from(peer.query, std::nullopt, above, deadline);
  Result<FetchedCommit> out = fail("no public key is known of it");
  for (const std::string& key : peer.public_keys) {
    out = fetch_from(peer.query, transport::Curve{*peer.own, key, nullptr}, above, deadline);
    if (out) break;
  }
  return out;
}

}  // namespace icr::node
