#include "node/query/server.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "model/base/log.h"
#include "node/query/system_facts.h"
#include "transport/socket.h"

namespace icr::node {
namespace {

using transport::Event;
using transport::Sent;
using transport::Taken;
using transport::Waiting;

constexpr std::string_view kComponent = "query";
/// Number of messages that are received before answers are sent.
constexpr int kReceiveBudget = 64;
/// Number of replies that may wait for one client. A client requests one page at a time, so a client with more does not
/// read.
constexpr int kSendQueue = 128;
/// ZeroMQ does not report every handshake that fails, nor why it closes a connection later. It always reports that a
/// connection was accepted and that it is gone.
constexpr std::array kConnectionEvents = {Event::accepted, Event::disconnected, Event::handshake_failed};

/// Returns true for kinds with a `limit`.
bool has_limit(QueryKind kind) {
  return kind == QueryKind::page || kind == QueryKind::bindings || kind == QueryKind::largest ||
         kind == QueryKind::past_sessions;
}

}  // namespace

CardMailbox& CardDoor::of_set(std::uint16_t set) const {
  const auto found = sets.find(set);
  return *workers[found == sets.end() ? 0 : found->second];
}

struct QueryServer::Sockets {
  transport::Socket router;
};

QueryServer::QueryServer(const Cluster& cluster, std::uint16_t chassis, std::vector<CardDoor> cards,
                         MoreCounters more_counters, Commits commits, std::optional<transport::KeyPair> identity,
                         Past past)
    : cluster_(std::shared_ptr<const Cluster>(), &cluster),
      callers_(std::make_shared<const Callers>(cluster)),
      identity_(std::move(identity)),
      allowed_(std::make_shared<transport::AllowList>("the query server")),
      chassis_(chassis),
      cards_(std::move(cards)),
      more_counters_(std::move(more_counters)),
      commits_(std::move(commits)),
      past_(std::move(past)),
      completions_(std::make_shared<Completions>()) {}

QueryServer::~QueryServer() { stop(); }

void QueryServer::set_cluster(std::shared_ptr<const Cluster> cluster) {
  auto callers = std::make_shared<const Callers>(*cluster);
  allowed_->set(callers->keys());
  const MutexLock lock(mutex_);
  cluster_.swap(cluster);
  callers_ = std::move(callers);
}

std::shared_ptr<const Callers> QueryServer::callers() const {
  const MutexLock lock(mutex_);
  return callers_;
}

std::shared_ptr<const Cluster> QueryServer::cluster() const {
  const MutexLock lock(mutex_);
  return cluster_;
}

Result<void> QueryServer::start() {
  if (completions_->descriptor() < 0 || stop_.descriptor() < 0) return fail("query server: no descriptor left");
  auto context = transport::Context::create();
  if (!context) return tl::unexpected(context.error().in("query server"));
  transport::SocketOptions options;
  options.max_message_bytes = kMaxRequestBytes;
  options.send_queue = kSendQueue;
  if (cluster()->encrypted()) {
    if (!identity_) return fail("query server: the chassis has no secret key");
    allowed_->set(callers()->keys());
    options.curve = transport::Curve{*identity_, {}, allowed_};
  }
  options.report_unreachable = true;  // so that an answer that cannot be delivered is counted
  auto router = transport::Socket::router(*context, options);
  if (!router) return tl::unexpected(router.error().in("query server"));
  if (auto done = router->watch(kConnectionEvents); !done) return tl::unexpected(done.error().in("query server"));
  if (auto done = router->bind(cluster()->chassis[chassis_].query); !done) {
    return tl::unexpected(done.error().in("query server"));
  }
  endpoint_ = router->bound_to();
  sockets_.reset(new Sockets{std::move(*router)});
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
                                                                "query-refused-class",
                                                                "query-replies-undeliverable",
                                                                "query-other-configuration"};
  for (std::size_t i = 0; i < kCountEnd; ++i) {
    out.push_back({kNames[i], counters_[i].load(std::memory_order_relaxed)});
  }
  out.push_back({"query-refused-keys", allowed_->refusals()});
  if (more_counters_) more_counters_(out);
}

void QueryServer::serve() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // the main thread handles signals
  auto& router = sockets_->router;
  std::array waiting = {Waiting::for_messages(router), Waiting::for_descriptor(completions_->descriptor()),
                        Waiting::for_descriptor(stop_.descriptor()), Waiting::for_events(router)};
  for (;;) {
    if (auto done = transport::wait(waiting, std::nullopt); !done) {
      log::error(kComponent, "query server ends: {}", done.error().message);
      return;
    }
    if (waiting[2].ready) return;
    if (waiting[1].ready) {
      for (auto& task : completions_->drain()) {
        if (task->reply.error != QueryError::none) count(kRefusedByCard);
        send(task->client, task->reply, task->sessions);
      }
    }
    if (waiting[3].ready) take_connection_events();
    if (waiting[0].ready && !receive()) {
      log::error(kComponent, "query server ends: {}", router.error());
      return;
    }
  }
}

bool QueryServer::receive() {
  auto& router = sockets_->router;
  for (int i = 0; i < kReceiveBudget; ++i) {
    const Taken taken = router.take();
    if (taken == Taken::nothing) return true;
    if (taken == Taken::failed) return false;
    if (taken == Taken::revoked) continue;
    count(kRequests);
    if (taken == Taken::parts) {
      count(kRefusedMalformed);
      continue;
    }
    take(std::string(router.sender()), router.sender_key(), router.sender_address(), router.payload());
  }
  return true;
}

void QueryServer::take_connection_events() {
  for (int i = 0; i < kReceiveBudget; ++i) {
    const auto event = sockets_->router.take_event();
    if (!event) return;
    count(*event == Event::accepted       ? kConnectionsAccepted
          : *event == Event::disconnected ? kConnectionsClosed
                                          : kFailedHandshakes);
  }
}

void QueryServer::take(std::string client, std::string_view key, std::string_view from,
                       std::span<const std::uint8_t> message) {
  auto request = decode_request(message.data(), message.size());
  if (!request) {
    // A message that cannot be decoded has no request id, so it cannot be answered.
    count(kRefusedMalformed);
    return;
  }
  const std::uint64_t id = request->request_id;
  const auto who = callers();
  if (auto why = who->refusal(who->find(key, from), *request); !why.empty()) {
    return refuse(client, id, QueryError::refused, std::move(why));
  }
  // A commit is what makes cluster files equal, so it is not asked for the digest of one.
  if (request->kind == QueryKind::commit) return answer_commit(client, *request);
  const auto configuration = cluster();
  const Cluster& cluster = *configuration;
  const ChassisConfig& own = cluster.chassis[chassis_];
  if (request->cluster_id != cluster.stable_id) {
    return refuse(
        client, id, QueryError::wrong_cluster,
        request->cluster_id == 0
            ? std::string("the question is of a release that is too old to be understood")
            : fmt::format("the question is for another cluster; chassis {} belongs to {}", own.name, cluster.name));
  }
  // Things are named by identities, so a question is understood under another cluster file.
  if (request->cluster_digest != cluster.digest) count(kOtherConfiguration);
  const auto kind = static_cast<std::uint8_t>(request->kind);
  if (kind == 0 || kind >= kQueryKindEnd) {
    return refuse(client, id, QueryError::unknown_kind, fmt::format("unknown kind of question: {}", kind));
  }
  if (request->kind == QueryKind::server_counters || request->kind == QueryKind::system ||
      request->kind == QueryKind::log) {
    return answer_here(client, *request, own);
  }
  const auto card = std::find_if(own.cards.begin(), own.cards.end(),
                                 [&](const CardConfig& each) { return each.stable_id == request->card_id; });
  if (card == own.cards.end() || static_cast<std::size_t>(card - own.cards.begin()) >= cards_.size()) {
    return refuse(client, id, QueryError::unknown_target,
                  fmt::format("chassis {} has no card {}", own.name, text_of_id(request->card_id)));
  }
  request->card = static_cast<std::uint16_t>(card - own.cards.begin());
  if (addresses_a_set(request->kind)) {
    const auto set = cluster.set_ids.find(request->set_id);
    if (!set) {
      return refuse(client, id, QueryError::unknown_target,
                    fmt::format("the cluster file of chassis {} has no redundancy set {}", own.name,
                                text_of_id(request->set_id)));
    }
    request->set = *set;
  }
  if (has_limit(request->kind) && (request->limit == 0 || request->limit > kPageSessions)) {
    return refuse(client, id, QueryError::malformed, fmt::format("page of {} rows", request->limit));
  }
  if (request->kind == QueryKind::largest && !request->order) {
    return refuse(client, id, QueryError::malformed, "a question for the largest sessions without an order");
  }
  if (request->kind == QueryKind::groups && !request->grouping) {
    return refuse(client, id, QueryError::malformed, "a question for groups of sessions that does not say which");
  }
  auto task = std::make_unique<QueryTask>();
  // Prepared here, so that the worker need not allocate memory while packets wait.
  if (request->kind == QueryKind::page || request->kind == QueryKind::largest) task->sessions.reserve(request->limit);
  task->client = std::move(client);
  task->request = std::move(*request);
  task->answer_to = completions_;
  prepare(*task, cluster, chassis_);
  post(std::move(task), cluster);
}

void QueryServer::post(std::unique_ptr<QueryTask> task, const Cluster& cluster) {
  const std::uint64_t id = task->request.request_id;
  if (task->request.kind == QueryKind::past_sessions) {
    if (!past_) {
      return refuse(task->client, id, QueryError::refused,
                    fmt::format("chassis {} keeps no history", cluster.chassis[chassis_].name));
    }
    past_(task, cluster.redundancy_sets[task->request.set].name);
    if (task) refuse(task->client, id, QueryError::busy, "too many questions about the past wait");
    return;
  }
  // A question about the card begins at its first worker.
  const CardDoor& door = cards_[task->request.card];
  CardMailbox& worker = addresses_a_set(task->request.kind) ? door.of_set(task->request.set) : *door.workers.front();
  worker.post(task);
  if (task) refuse(task->client, id, QueryError::busy, "too many questions wait for this card");
}

void QueryServer::answer_here(const std::string& client, const QueryRequest& request, const ChassisConfig& own) {
  QueryReply reply;
  reply.request_id = request.request_id;
  if (request.kind == QueryKind::system) {
    reply.system = read_system(own);
  } else if (request.kind == QueryKind::log) {
    auto extract = log::book().read(request.from, kPageLogLines);
    reply.log = {static_cast<std::uint32_t>(::getpid()), extract.first, extract.end, std::move(extract.lines)};
  } else {
    reply.counters.emplace_back();
    append_to(reply.counters.back().counters);
  }
  BatchEncoder none;
  send(client, reply, none);
}

void QueryServer::answer_commit(const std::string& client, const QueryRequest& request) {
  if (!commits_) {
    return refuse(client, request.request_id, QueryError::unknown_kind, "this chassis takes no commits");
  }
  QueryReply reply;
  reply.request_id = request.request_id;
  commits_(request.commit, reply);
  BatchEncoder none;
  send(client, reply, none);
}

void QueryServer::refuse(const std::string& client, std::uint64_t request_id, QueryError error, std::string reason) {
  static constexpr std::array kCounts = {kRefusedMalformed,   kRefusedMalformed,     kRefusedWrongCluster,
                                         kRefusedUnknownKind, kRefusedUnknownTarget, kRefusedBusy,
                                         kRefusedClass};
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
  const Sent sent = router.send_to(client, {builder.GetBufferPointer(), builder.GetSize()});
  // Otherwise the client does not read its replies, or it is gone.
  count(sent == Sent::sent ? kReplies : kRepliesUndeliverable);
  if (sent == Sent::failed) log::error(kComponent, "a reply was not sent: {}", router.error());
}

}  // namespace icr::node
