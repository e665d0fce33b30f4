// The two connections (control and data) between the members of a redundancy set by one path, over ZeroMQ.
//
// On each of them either side has a DEALER that connects to the peer's ROUTER, and a ROUTER that binds. Messages leave
// by the own DEALER and arrive at the own ROUTER; a ROUTER never sends. So bulk data always flows from the connecting
// to the binding side. A DEALER whose connection has ended is replaced by a new one, and so is one on which a stranger
// at the peer's port sent something, which is not read.
//
// While a chassis of the release of commit 39ebb76 is heard in the place of the peer, there is a third connection to
// it, for heartbeats only (docs/replication.md). It goes by "former" names: that release knows members by other names.
//
// With keys, both connections are encrypted, and each side knows the other one by its key: nobody else gets as far as
// to send a message or to receive one. A peer may have two keys while it exchanges one (docs/security.md).
//
// Thread: the one that opened the link. A transport::Context may be shared. No function blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/config/cluster.h"
#include "transport/socket.h"

namespace icr::replication {

struct LinkKeys {
  transport::KeyPair own;
  std::vector<std::string> of_peer;  ///< its public keys; its ROUTER uses one of them
};

struct LinkConfig {
  Endpoint bind;        ///< own control endpoint; data is one port higher
  Endpoint connect;     ///< the peer's
  std::string own_id;   ///< "set/chassis", identities; the peer's ROUTER knows this side by it, "/" and a random number
  std::string peer_id;  ///< messages of anybody else are refused
  // own_id and peer_id as the release of commit 39ebb76 writes them, with places in the cluster file instead of
  // identities. Empty: the link refuses peers of that release.
  std::string former_own_id{};
  std::string former_peer_id{};
  std::optional<LinkKeys> keys{};  ///< nullopt: neither encrypted nor authenticated; then the peer has none either
  std::string name{};              ///< of the redundancy set, for the log
};

/// Receives what comes out of a link, in the order in which it must be handed on.
class LinkVisitor {
 public:
  virtual ~LinkVisitor() = default;
  virtual void on_control(std::span<const std::uint8_t> message) = 0;
  virtual void on_data(std::span<const std::uint8_t> message) = 0;
  /// Takes a control message that came from the peer's address under its former name. Everybody who can use that
  /// address can use that name, so the message is worth no more than a hint.
  virtual void on_former(std::span<const std::uint8_t> message) = 0;
  virtual void on_connected() = 0;     ///< the own control connection is open, after its handshake
  virtual void on_disconnected() = 0;  ///< that connection is closed
};

class Link {
 public:
  /// Binds, and begins to connect. Returns an error if an endpoint cannot be bound.
  [[nodiscard]] static Result<std::unique_ptr<Link>> open(const std::shared_ptr<transport::Context>& context,
                                                          const LinkConfig& config);
  /// Opens the link of the member of `set` on `chassis`, which are indices into `cluster`, by the path of this number.
  /// If the cluster is encrypted, the identity of the context is that of the chassis. REQUIRES: the set has two
  /// members, and so many paths.
  [[nodiscard]] static Result<std::unique_ptr<Link>> open(const std::shared_ptr<transport::Context>& context,
                                                          const Cluster& cluster, std::uint16_t set,
                                                          std::uint16_t chassis, std::size_t path = 0);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Returns descriptors to poll for reading (POLLIN). They are edge-triggered hints: after one is readable, and after
  /// any send, call drain() until it returns false before waiting again.
  [[nodiscard]] const std::vector<int>& descriptors() const;

  /// Sends a copy of the message. Returns false, and takes nothing, if there is no connection or the pipe is full.
  bool send_control(std::span<const std::uint8_t> message);
  bool send_data(std::span<const std::uint8_t> message);
  /// Sends a copy of the message under the own former name, which the release of commit 39ebb76 hands on to its member.
  /// The connection for it is opened by the first such message, which is not sent yet. It is closed with the control
  /// connection, or when the peer speaks under its present name.
  bool send_former(std::span<const std::uint8_t> message);

  /// Knows the peer by these keys from now on. Connections stay, unless they were made with a key that the peer has no
  /// more. Does nothing for a link without keys.
  void set_peer_keys(const std::vector<std::string>& keys);

  /// Hands over what has arrived, at most `budget` messages: control before data, and events of the connection last.
  /// Returns true if there is more.
  bool drain(LinkVisitor& visitor, std::size_t budget);
  /// Returns true if drain() would deliver something now. Also clears the edge of the descriptors.
  [[nodiscard]] bool pending();

  void append_to(CounterList& out) const;

 private:
  struct Impl;
  explicit Link(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace icr::replication
