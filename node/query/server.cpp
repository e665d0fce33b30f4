#include "node/query/server.h"

#include <csignal>
#include <cstring>
#include <utility>
#include <zmq.hpp>

#include "model/base/log.h"

namespace icr::node {
namespace {

constexpr std::string_view kComponent = "query";
/// Messages taken from the socket before answers get their turn.
constexpr int kReceiveBudget = 64;
/// Replies that may wait for one client. A client asks for one page at a time, so more is a client that does not read.
constexpr int kSendQueue = 128;
/// libzmq does not tell of every handshake that fails, nor why it closes a connection later: that it was there and is
/// gone is always told.
constexpr int kConnectionEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                  ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr const char* kMonitor = "inproc://connections";

/// True for kinds whose `limit` counts.
bool has_limit(QueryKind kind) { return kind == QueryKind::page || kind == QueryKind::bindings; }

}  // namespace

CardMailbox& CardDoor::of_set(std::uint16_t set) const {
  const auto found = sets.find(set);
  return *workers[found == sets.end() ? 0 : found->second];
}

struct QueryServer::Sockets {
  zmq::context_t context{1};
  zmq::socket_t router{context, zmq::socket_type::router};
  zmq::socket_t monitor{context, zmq::socket_type::pair};
};

QueryServer::QueryServer(const Cluster& cluster, std::uint16_t chassis, std::vector<CardDoor> cards,
                         MoreCounters more_counters)
    : cluster_(cluster),
      chassis_(chassis),
      cards_(std::move(cards)),
      more_counters_(std::move(more_counters)),
      completions_(std::make_shared<Completions>()) {}

QueryServer::~QueryServer() { stop(); }

Result<void> QueryServer::start() {
  const Endpoint& where = cluster_.chassis[chassis_].query;
  std::string address = where.to_zmq();
  if (where.port == 0) address.replace(address.size() - 1, 1, "*");
  if (completions_->descriptor() < 0 || stop_.descriptor() < 0) return fail("query server: no descriptor left");
  try {
    sockets_ = std::make_unique<Sockets>();
    auto& router = sockets_->router;
    router.set(zmq::sockopt::linger, 0);
    router.set(zmq::sockopt::router_mandatory, true);  // an answer that cannot be delivered must be seen, to be counted
    router.set(zmq::sockopt::maxmsgsize, std::int64_t{kMaxRequestBytes});
    router.set(zmq::sockopt::sndhwm, kSendQueue);
    router.set(zmq::sockopt::handshake_ivl, 3000);
    if (!where.address.is_v4()) router.set(zmq::sockopt::ipv6, true);
    if (zmq_socket_monitor(router.handle(), kMonitor, kConnectionEvents) != 0) throw zmq::error_t();
    sockets_->monitor.set(zmq::sockopt::linger, 0);
    sockets_->monitor.connect(kMonitor);
    router.bind(address);
    endpoint_ = router.get(zmq::sockopt::last_endpoint);
  } catch (const zmq::error_t& error) {
    sockets_.reset();
    return fail("query server: cannot listen on {}: {}", address, error.what());
  }
  thread_ = std::thread([this] { serve(); });
  return {};
}

void QueryServer::stop() {
  if (!thread_.joinable()) return;
  stop_.signal();
  thread_.join();
  sockets_.reset();
}

void QueryServer::append_to(CounterList& out) const {
  static constexpr std::array<const char*, kCountEnd> kNames = {"query-connections-accepted",
                                                                "query-connections-closed",
                                                                "query-failed-handshakes",
                                                                "query-requests",
                                                                "query-replies",
                                                                "query-refused-malformed",
                                                                "query-refused-wrong-cluster",
                                                                "query-refused-unknown-kind",
                                                                "query-refused-unknown-target",
                                                                "query-refused-busy",
                                                                "query-refused-by-card",
                                                                "query-replies-undeliverable"};
  for (std::size_t i = 0; i < kCountEnd; ++i) {
    out.push_back({kNames[i], counters_[i].load(std::memory_order_relaxed)});
  }
  if (more_counters_) more_counters_(out);
}

void QueryServer::serve() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are for the main thread
  zmq::pollitem_t items[] = {
      {sockets_->router.handle(), 0, ZMQ_POLLIN, 0},
      {nullptr, completions_->descriptor(), ZMQ_POLLIN, 0},
      {nullptr, stop_.descriptor(), ZMQ_POLLIN, 0},
      {sockets_->monitor.handle(), 0, ZMQ_POLLIN, 0},
  };
  for (;;) {
    try {
      zmq::poll(items, 4, std::chrono::milliseconds(-1));
      if ((items[2].revents & ZMQ_POLLIN) != 0) return;
      if ((items[1].revents & ZMQ_POLLIN) != 0) {
        for (auto& task : completions_->drain()) {
          if (task->reply.error != QueryError::none) count(kRefusedByCard);
          send(task->client, task->reply, task->sessions);
        }
      }
      if ((items[3].revents & ZMQ_POLLIN) != 0) take_connection_events();
      if ((items[0].revents & ZMQ_POLLIN) != 0) receive();
    } catch (const zmq::error_t& error) {
      if (error.num() == EINTR) continue;
      log::error(kComponent, "query server ends: {}", error.what());
      return;
    }
  }
}

void QueryServer::receive() {
  auto& router = sockets_->router;
  for (int i = 0; i < kReceiveBudget; ++i) {
    zmq::message_t id;
    if (!router.recv(id, zmq::recv_flags::dontwait)) return;
    zmq::message_t payload;
    int frames = 0;
    bool more = id.more();
    while (more) {
      if (!router.recv(payload, zmq::recv_flags::dontwait)) break;
      more = payload.more();
      ++frames;
    }
    count(kRequests);
    if (frames != 1) {
      count(kRefusedMalformed);
      continue;
    }
    take(id.to_string(), payload.data(), payload.size());
  }
}

void QueryServer::take_connection_events() {
  zmq::message_t event;
  for (int i = 0; i < kReceiveBudget && sockets_->monitor.recv(event, zmq::recv_flags::dontwait); ++i) {
    // Two frames: event number (and a value that is not needed), then the endpoint.
    std::uint16_t number = 0;
    if (event.size() >= sizeof number) std::memcpy(&number, event.data(), sizeof number);
    while (event.more() && sockets_->monitor.recv(event, zmq::recv_flags::dontwait)) {
    }
    count(number == ZMQ_EVENT_ACCEPTED       ? kConnectionsAccepted
          : number == ZMQ_EVENT_DISCONNECTED ? kConnectionsClosed
                                             : kFailedHandshakes);
  }
}

void QueryServer::take(std::string client, const void* data, std::size_t size) {
  auto request = decode_request(data, size);
  if (!request) {
    // Nobody to answer to: what cannot be read names no question.
    count(kRefusedMalformed);
    return;
  }
  const std::uint64_t id = request->request_id;
  if (request->cluster_digest != cluster_.digest) {
    return refuse(
        client, id, QueryError::wrong_cluster,
        fmt::format("the cluster file of the question (digest {:016x}) is not the one of chassis {} ({:016x})",
                    request->cluster_digest, cluster_.chassis[chassis_].name, cluster_.digest));
  }
  const auto kind = static_cast<std::uint8_t>(request->kind);
  if (kind == 0 || kind >= kQueryKindEnd) {
    return refuse(client, id, QueryError::unknown_kind, fmt::format("unknown kind of question: {}", kind));
  }
  if (request->kind == QueryKind::server_counters) {
    QueryReply reply;
    reply.request_id = id;
    reply.counters.emplace_back();
    append_to(reply.counters.back().counters);
    BatchEncoder none;
    return send(client, reply, none);
  }
  if (request->card >= cards_.size()) {
    return refuse(client, id, QueryError::unknown_target, fmt::format("no card {}", request->card));
  }
  if (addresses_a_set(request->kind) && request->set >= cluster_.redundancy_sets.size()) {
    return refuse(client, id, QueryError::unknown_target, fmt::format("no redundancy set {}", request->set));
  }
  if (has_limit(request->kind) && (request->limit == 0 || request->limit > kPageSessions)) {
    return refuse(client, id, QueryError::malformed, fmt::format("page of {} rows", request->limit));
  }
  auto task = std::make_unique<QueryTask>();
  // Here, so that the worker need not allocate while packets wait.
  if (request->kind == QueryKind::page) task->sessions.reserve(request->limit);
  task->client = std::move(client);
  task->request = std::move(*request);
  task->answer_to = completions_;
  prepare(*task, cluster_);
  // A question about the card begins at its first worker.
  const CardDoor& card = cards_[task->request.card];
  CardMailbox& worker = addresses_a_set(task->request.kind) ? card.of_set(task->request.set) : *card.workers.front();
  worker.post(task);
  if (task) refuse(task->client, task->request.request_id, QueryError::busy, "too many questions wait for this card");
}

void QueryServer::refuse(const std::string& client, std::uint64_t request_id, QueryError error, std::string reason) {
  static constexpr std::array kCounts = {kRefusedMalformed,   kRefusedMalformed,     kRefusedWrongCluster,
                                         kRefusedUnknownKind, kRefusedUnknownTarget, kRefusedBusy,
                                         kRefusedByCard};
  static_assert(kCounts.size() == kQueryErrorCount, "an error that no counter counts");
  count(kCounts[static_cast<std::size_t>(error)]);
  QueryReply reply;
  reply.request_id = request_id;
  reply.error = error;
  reply.reason = std::move(reason);
  BatchEncoder none;
  send(client, reply, none);
}

void QueryServer::send(const std::string& client, const QueryReply& reply, BatchEncoder& sessions) {
  flatbuffers::FlatBufferBuilder builder(4096);
  encode_reply(reply, sessions, builder);
  if (builder.GetSize() > kMaxReplyBytes) {
    count(kRepliesUndeliverable);
    log::error(kComponent, "a reply of {} bytes was not sent: clients take {}", builder.GetSize(), kMaxReplyBytes);
    return;
  }
  auto& router = sockets_->router;
  try {
    // The id first, then exactly one frame: a client that goes away in between takes the whole message with it.
    if (!router.send(zmq::buffer(client), zmq::send_flags::dontwait | zmq::send_flags::sndmore)) {
      count(kRepliesUndeliverable);  // it does not read
      return;
    }
    if (!router.send(zmq::buffer(builder.GetBufferPointer(), builder.GetSize()), zmq::send_flags::dontwait)) {
      count(kRepliesUndeliverable);
      return;
    }
    count(kReplies);
  } catch (const zmq::error_t& error) {
    if (error.num() != EHOSTUNREACH) throw;
    count(kRepliesUndeliverable);  // it is gone
  }
}

}  // namespace icr::node
