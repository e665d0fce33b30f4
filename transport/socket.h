// ZeroMQ sockets of this project: the only place that includes ZeroMQ. The link between chassis, the query server and
// the command line use it. Encryption is an option of these sockets (Curve) and of nothing else.
//
// A DEALER connects, a ROUTER binds and knows its peers by name. Nothing blocks except wait(). No function throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "model/record/endpoint.h"
#include "transport/allow_list.h"
#include "transport/keys.h"

namespace icr::transport {

class Authenticator;

/// A ZeroMQ context: the I/O thread that all of its sockets share. The thread takes no signals of the process, and
/// inherits the scheduling of the thread that calls create(). Must outlive its sockets. Thread: any.
class Context {
 public:
  /// Starts the I/O thread. `identity` is the key of whoever uses the sockets; nullopt if they are not encrypted. There
  /// is room for `sockets` of them, or for 1023 if that is more; a socket that is watched counts as three.
  [[nodiscard]] static Result<std::shared_ptr<Context>> create(std::optional<KeyPair> identity = std::nullopt,
                                                               std::size_t sockets = 0);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] const std::optional<KeyPair>& identity() const { return identity_; }

 private:
  friend class Socket;
  Context(void* handle, std::optional<KeyPair> identity);
  /// Returns what checks the keys of those who connect. Starts it at the first call.
  [[nodiscard]] Result<Authenticator*> authenticator();

  void* handle_;
  const std::optional<KeyPair> identity_;
  Mutex mutex_;
  std::unique_ptr<Authenticator> authenticator_ ICR_GUARDED_BY(mutex_);
};

/// Returns "tcp://192.0.2.1:7300", as ZeroMQ writes an endpoint; "tcp://192.0.2.1:*" (any free port) for port 0.
[[nodiscard]] std::string to_text(const Endpoint& endpoint);

/// Encryption and authentication by CURVE. A ROUTER refuses everybody who does not know its public key and has none of
/// the allowed ones; a DEALER exchanges messages with nobody but the owner of `server_key`.
struct Curve {
  KeyPair own;
  std::string server_key;              ///< DEALER: public key of the peer's ROUTER
  std::shared_ptr<AllowList> allowed;  ///< ROUTER: not null
};

/// Times are in milliseconds, and 0 stands for ZeroMQ's default. Queues are counted in messages; 0 is unlimited.
struct SocketOptions {
  static constexpr int kDefaultQueue = 1000;

  std::optional<Curve> curve;         ///< nullopt: neither encrypted nor authenticated
  std::size_t max_message_bytes = 0;  ///< a connection on which a longer message arrives is closed; 0: unlimited
  int send_queue = kDefaultQueue;
  int receive_queue = kDefaultQueue;
  int unacknowledged_ms = 0;  ///< the kernel closes a connection whose data is not acknowledged for so long
  // DEALER
  std::string name;             ///< the name by which the peer's ROUTER knows this socket; empty: one of its choice
  bool only_connected = false;  ///< messages are refused, not queued, while there is no connection
  int reconnect_ms = 0;         ///< pause before the next attempt to connect
  int reconnect_max_ms = 0;     ///< the pause doubles up to this
  int connect_timeout_ms = 0;
  // ROUTER
  bool newest_owns_name = false;    ///< the newest connection that claims a name gets it
  bool report_unreachable = false;  ///< send_to() says when nobody has that name; otherwise it drops the message
};

/// What became of a message.
enum class Sent : std::uint8_t {
  sent,
  refused,      ///< the queue is full, or there is no connection; nothing was taken
  unreachable,  ///< nobody of that name is connected
  failed,       ///< ZeroMQ reports another error
};

/// What was there to take.
enum class Taken : std::uint8_t {
  nothing,
  message,
  parts,    ///< a message of the wrong number of parts, which was dropped
  revoked,  ///< a message of somebody who is not allowed any more, which was dropped
  failed,   ///< ZeroMQ reports an error
};

/// What happens to the connections of a socket.
enum class Event : std::uint8_t {
  connected,        ///< this side connected to its peer; the handshake is still to come
  connect_retried,  ///< an attempt to connect failed
  accepted,         ///< a peer connected to this side
  handshake_succeeded,
  handshake_failed,  ///< ZeroMQ does not tell of every handshake that fails
  key_refused,       ///< the peer does not allow the key of this side, or this side that of the peer
  disconnected,      ///< a connection that was there is gone, which is always told
};
inline constexpr unsigned kEventCount = 7;

/// Thread: one, the one that opened it.
class Socket {
 public:
  [[nodiscard]] static Result<Socket> dealer(std::shared_ptr<Context> context, const SocketOptions& options);
  [[nodiscard]] static Result<Socket> router(std::shared_ptr<Context> context, const SocketOptions& options);
  ~Socket();  ///< Does not wait until queued messages are sent.
  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;

  [[nodiscard]] Result<void> bind(const Endpoint& endpoint);
  /// Begins to connect.
  [[nodiscard]] Result<void> connect(const Endpoint& endpoint);
  /// Returns where it listens, after bind(): "tcp://192.0.2.1:7300".
  [[nodiscard]] const std::string& bound_to() const;

  /// Begins to report these events. A ROUTER with CURVE that is watched notes a connection whose handshake fails in its
  /// list of those who are allowed, if it watches `accepted`, `handshake_failed` and `disconnected`. REQUIRES: called
  /// once, before bind() and connect().
  [[nodiscard]] Result<void> watch(std::span<const Event> events);
  /// Returns the next event of a watched socket, if there is one.
  [[nodiscard]] std::optional<Event> take_event();

  /// Sends a message of one part, which is copied. For a DEALER.
  [[nodiscard]] Sent send(std::span<const std::uint8_t> message);
  /// The same for a ROUTER, to the peer of this name.
  [[nodiscard]] Sent send_to(std::string_view name, std::span<const std::uint8_t> message);
  /// Takes a message that has arrived. sender() and payload() return it until the next call.
  [[nodiscard]] Taken take();
  [[nodiscard]] std::string_view sender() const;  ///< name of the peer; empty for a DEALER
  [[nodiscard]] std::span<const std::uint8_t> payload() const;
  /// Returns the IP address from which the message came; empty if it is unknown.
  [[nodiscard]] std::string_view sender_address() const;

  /// Returns the public key of the sender, which is allowed; empty without CURVE, and for a DEALER.
  [[nodiscard]] std::string_view sender_key() const;

  /// Returns the text of the last error.
  [[nodiscard]] const std::string& error() const;

  /// Return descriptors to poll for reading, of messages and of events. They are edge-triggered hints: after one is
  /// readable, and after any send, take what there is before waiting again.
  [[nodiscard]] int message_descriptor() const;
  [[nodiscard]] int event_descriptor() const;
  /// Return true if take(), or take_event(), has something to take. They clear the edge of the descriptor.
  [[nodiscard]] bool has_message();
  [[nodiscard]] bool has_event();

 private:
  friend struct Waiting;
  struct Impl;
  explicit Socket(std::unique_ptr<Impl> impl);
  [[nodiscard]] static Result<Socket> open(std::shared_ptr<Context> context, int type, const SocketOptions& options);
  std::unique_ptr<Impl> impl_;
};

/// One of the things that wait() waits for.
struct Waiting {
  [[nodiscard]] static Waiting for_messages(const Socket& socket);
  [[nodiscard]] static Waiting for_events(const Socket& socket);
  [[nodiscard]] static Waiting for_descriptor(int descriptor) { return {nullptr, descriptor}; }

  void* handle = nullptr;  ///< ZeroMQ's socket, or null for a descriptor
  int descriptor = -1;
  bool ready = false;  ///< wait() sets it to true if there is something to take or to read
};

/// Waits until one of them is ready, a signal arrives, or `limit` has passed; without a limit for as long as it takes.
[[nodiscard]] Result<void> wait(std::span<Waiting> waiting, std::optional<std::chrono::milliseconds> limit);

}  // namespace icr::transport
