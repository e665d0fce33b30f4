// Transport over ZeroMQ, with a DEALER socket for each chassis that is asked.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "cli/client/transport.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "transport/socket.h"

namespace icr::cli {

/// A question fails if it is not answered within `timeout`, or earlier if the chassis refuses connections or the
/// connection breaks. A busy chassis is asked again within the same time, after growing pauses. Replies are limited in
/// size and verified; replies without a question are ignored. A process that may not have a descriptor for every
/// chassis at once asks some of them after others have answered.
class ZmqTransport final : public Transport {
 public:
  /// `cluster` must outlive the transport. `own` is the key of who asks; an encrypted cluster is not asked without one.
  ZmqTransport(const Cluster& cluster, std::chrono::milliseconds timeout,
               std::optional<transport::KeyPair> own = std::nullopt);
  ~ZmqTransport() override;

  void ask(std::uint16_t chassis, QueryRequest request) override;
  std::optional<Answer> next() override;

 private:
  struct Line;
  struct Sockets;

  /// Returns false if the chassis has no connection and there is no room for another one. Closes one that waits for no
  /// answer to make room.
  [[nodiscard]] bool has_room_for(std::uint16_t chassis);
  /// Sends a request that is complete.
  void send(std::uint16_t chassis, QueryRequest request);
  /// Returns the connection to the chassis. Opens one if there is none.
  Result<Line*> line_to(std::uint16_t chassis);
  /// Opens a socket to the chassis, which must have the key of this number (counted from 0) if it is encrypted.
  Result<transport::Socket> connect_to(std::uint16_t chassis, std::size_t key);
  /// Called when the chassis turned out not to have the public key that was tried. Connects again with the next one
  /// that the cluster file gives it, and sends the open questions again; without another one, they fail.
  void try_next_key(std::uint16_t chassis, Line& line);
  Result<void> wait();
  void read_answers(std::uint16_t chassis, Line& line);
  void read_events(std::uint16_t chassis, Line& line);
  void ask_again(std::uint16_t chassis, Line& line);
  void fail_all(std::uint16_t chassis, Line& line, std::string why);
  void fail_late();

  const Cluster& cluster_;
  const std::chrono::milliseconds timeout_;
  const std::optional<transport::KeyPair> own_;
  std::uint64_t next_id_ = 1;
  std::minstd_rand random_{std::random_device{}()};
  std::deque<Answer> ready_;
  std::deque<std::pair<std::uint16_t, QueryRequest>> unsent_;  ///< for which there was no room
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace icr::cli
