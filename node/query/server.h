// The query server: a ZeroMQ ROUTER on the query endpoint of the chassis, in a thread of its own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "model/base/result.h"
#include "model/config/cluster.h"
#include "node/query/callers.h"
#include "node/query/mailbox.h"
#include "transport/keys.h"

namespace icr::transport {
class AllowList;
}

namespace icr::node {

/// The mailboxes of one card.
struct CardDoor {
  std::vector<CardMailbox*> workers;          ///< in the order in which they hand on questions about the whole card
  std::map<std::uint16_t, std::size_t> sets;  ///< redundancy set -> index of its worker
  /// Returns the mailbox of the worker that owns `set`; for an unknown set that of the first worker, which refuses the
  /// question.
  [[nodiscard]] CardMailbox& of_set(std::uint16_t set) const;
};

/// Receives questions from the network, checks them, posts them to the cards, and sends the answers. It never accesses
/// a session.
class QueryServer {
 public:
  /// Appends counters of the chassis that belong to no card. Thread: that of the server.
  using MoreCounters = std::function<void(CounterList&)>;

  /// Answers a question about commits: fills in `reply`. The server has checked that the client may ask it. Thread:
  /// that of the server.
  using Commits = std::function<void(const CommitRequest& request, QueryReply& reply)>;

  /// Takes a question about the past of a redundancy set, and puts it among the finished tasks when it is answered.
  /// Leaves it where it is if too many of them wait. The set is that of request.set in the present configuration.
  /// Thread: that of the server.
  using Past = std::function<void(std::unique_ptr<QueryTask>& task, const std::string& set)>;

  /// `cards` has a door for each of Chassis::cards, in that order. `identity` is the key of the chassis; nullopt if the
  /// cluster is not encrypted. Without `past`, questions about the past are refused. REQUIRES: all references outlive
  /// the server.
  QueryServer(const Cluster& cluster, std::uint16_t chassis, std::vector<CardDoor> cards,
              MoreCounters more_counters = {}, Commits commits = {},
              std::optional<transport::KeyPair> identity = std::nullopt, Past past = {});
  ~QueryServer();
  QueryServer(const QueryServer&) = delete;
  QueryServer& operator=(const QueryServer&) = delete;

  /// Binds Chassis::query and starts the thread. Port 0 binds any free port. Returns an error if the endpoint cannot be
  /// bound.
  Result<void> start();
  /// Stops and joins the thread. Questions that still wait in cards get no answer. Idempotent.
  void stop();

  /// Answers by another configuration from now on: one that is arranged() for the former one. Thread: any.
  void set_cluster(std::shared_ptr<const Cluster> cluster);

  /// Returns the endpoint on which the server listens after start(), for example "tcp://192.0.2.1:7300".
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  /// Thread: any.
  void append_to(CounterList& out) const;

 private:
  enum Count : std::size_t {
    kConnectionsAccepted,
    kConnectionsClosed,
    kFailedHandshakes,
    kRequests,
    kReplies,
    kRefusedMalformed,
    kRefusedWrongCluster,
    kRefusedUnknownKind,
    kRefusedUnknownTarget,
    kRefusedBusy,
    kRefusedByCard,
    kRefusedClass,
    kRepliesUndeliverable,
    kOtherConfiguration,  ///< questions under another cluster file, which are answered
    kCountEnd
  };
  struct Sockets;

  void serve();
  /// Returns false if ZeroMQ reports an error.
  bool receive();
  void take_connection_events();
  /// `key` and `from` are the key and the address of the client's connection.
  void take(std::string client, std::string_view key, std::string_view from, std::span<const std::uint8_t> message);
  /// Answers what is not about a card.
  void answer_here(const std::string& client, const QueryRequest& request, const ChassisConfig& own);
  void answer_commit(const std::string& client, const QueryRequest& request);
  /// Passes a question to whoever knows about it.
  void post(std::unique_ptr<QueryTask> task, const Cluster& cluster);
  void refuse(const std::string& client, std::uint64_t request_id, QueryError error, std::string reason);
  void send(const std::string& client, const QueryReply& reply, BatchEncoder& sessions);
  void count(Count what) { counters_[what].fetch_add(1, std::memory_order_relaxed); }

  /// Returns the configuration, for one question.
  [[nodiscard]] std::shared_ptr<const Cluster> cluster() const;
  [[nodiscard]] std::shared_ptr<const Callers> callers() const;

  mutable Mutex mutex_;
  std::shared_ptr<const Cluster> cluster_ ICR_GUARDED_BY(mutex_);
  std::shared_ptr<const Callers> callers_ ICR_GUARDED_BY(mutex_);
  const std::optional<transport::KeyPair> identity_;
  const std::shared_ptr<transport::AllowList> allowed_;  ///< the keys of the callers
  const std::uint16_t chassis_;
  const std::vector<CardDoor> cards_;
  const MoreCounters more_counters_;
  const Commits commits_;
  const Past past_;
  const std::shared_ptr<Completions> completions_;
  std::string endpoint_;
  std::unique_ptr<Sockets> sockets_;
  std::array<std::atomic<std::uint64_t>, kCountEnd> counters_{};
  Wakeup stop_;
  std::thread thread_;
};

}  // namespace icr::node
