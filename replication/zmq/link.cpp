#include "replication/zmq/link.h"

#include <signal.h>

#include <array>
#include <atomic>
#include <cstring>
#include <random>
#include <zmq.hpp>

#include "replication/protocol.h"

namespace icr::replication {
namespace {

constexpr int kControlHighWater = 256;  // messages; heartbeats and acknowledgements
constexpr int kDataHighWater = 256;     // batches; the sender's window is smaller
constexpr int kHandshakeMs = 3000;
constexpr int kReconnectMs = 25;
constexpr int kReconnectMaxMs = 200;
constexpr int kConnectTimeoutMs = 1000;
// A connection whose data is not acknowledged for so long is closed by the kernel, so that after a cut a fresh one is
// made at once instead of after the old one's retransmission timer.
constexpr int kUnacknowledgedMs = 3000;

constexpr int kConnectionEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
constexpr int kHandshakeFailures =
    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
// libzmq does not tell of every handshake that fails, nor why it closes a connection later: that it was there and is
// gone is always told.
constexpr int kIncomingEvents = kHandshakeFailures | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED;

void configure(zmq::socket_t& socket, const IpAddress& address) {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxMessageBytes));
  socket.set(zmq::sockopt::tcp_maxrt, kUnacknowledgedMs);
  if (!address.is_v4()) socket.set(zmq::sockopt::ipv6, true);
}

zmq::socket_t make_dealer(zmq::context_t& context, const Endpoint& peer, const std::string& id, int high_water) {
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  configure(socket, peer.address);
  socket.set(zmq::sockopt::routing_id, id);
  socket.set(zmq::sockopt::immediate, true);
  socket.set(zmq::sockopt::sndhwm, high_water);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
  socket.set(zmq::sockopt::reconnect_ivl_max, kReconnectMaxMs);
  socket.set(zmq::sockopt::connect_timeout, kConnectTimeoutMs);
  return socket;
}

zmq::socket_t make_router(zmq::context_t& context, const Endpoint& own, int high_water) {
  zmq::socket_t socket(context, zmq::socket_type::router);
  configure(socket, own.address);
  socket.set(zmq::sockopt::router_handover, true);
  socket.set(zmq::sockopt::rcvhwm, high_water);
  return socket;
}

/// A ROUTER gives a name to the newest connection that claims it, so that a peer can come back before its old
/// connection is known to be dead; and it never gives it back. Nobody else must be able to claim a name by chance or by
/// guessing.
std::string unique_id(const std::string& own_id) {
  std::random_device device;
  return fmt::format("{}/{:08x}{:08x}", own_id, device(), device());
}

/// Receives what happens to a socket's connections.
zmq::socket_t make_monitor(zmq::context_t& context, zmq::socket_t& watched, int events) {
  static std::atomic<std::uint64_t> number{0};
  const std::string address = "inproc://icr-link-monitor-" + std::to_string(++number);
  if (zmq_socket_monitor(watched.handle(), address.c_str(), events) != 0) throw zmq::error_t();
  zmq::socket_t monitor(context, zmq::socket_type::pair);
  monitor.set(zmq::sockopt::linger, 0);
  monitor.set(zmq::sockopt::rcvhwm, 0);
  monitor.connect(address);
  return monitor;
}

/// Receives without blocking; false: nothing there. EINTR is tried again.
bool receive(zmq::socket_t& socket, zmq::message_t& out) {
  for (;;) {
    try {
      return socket.recv(out, zmq::recv_flags::dontwait).has_value();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

bool send(zmq::socket_t& socket, std::span<const std::uint8_t> message) {
  for (;;) {
    try {
      return socket.send(zmq::buffer(message.data(), message.size()), zmq::send_flags::dontwait).has_value();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

}  // namespace

struct Context::Impl {
  zmq::context_t zmq{1};
};

Context::Context(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::~Context() = default;

Result<std::shared_ptr<Context>> Context::create() {
  // The I/O thread starts with the first socket and must not be the one that takes the process' signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    auto impl = std::make_unique<Impl>();
    zmq::socket_t starter(impl->zmq, zmq::socket_type::pair);
    starter.close();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return std::shared_ptr<Context>(new Context(std::move(impl)));
  } catch (const zmq::error_t& error) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return fail("cannot start ZeroMQ: {}", error.what());
  }
}

struct Link::Impl {
  explicit Impl(std::shared_ptr<Context> owner, const LinkConfig& config)
      : context(std::move(owner)),
        peer_id(config.peer_id + "/"),
        own_id(unique_id(config.own_id)),
        control_out(make_dealer(zmq(), config.connect, own_id, kControlHighWater)),
        control_in(make_router(zmq(), config.bind, kControlHighWater)),
        data_out(make_dealer(zmq(), data_port(config.connect), own_id, kDataHighWater)),
        data_in(make_router(zmq(), data_port(config.bind), kDataHighWater)),
        connection(make_monitor(zmq(), control_out, kConnectionEvents)),
        incoming{make_monitor(zmq(), control_in, kIncomingEvents), make_monitor(zmq(), data_in, kIncomingEvents)} {}

  /// A monitored socket tells its monitor that it closes, and the I/O thread of the context waits for ever, with all
  /// other links, if nobody is there to hear it: so monitoring ends first.
  ~Impl() {
    for (auto* socket : {&control_out, &control_in, &data_in}) {
      (void)zmq_socket_monitor(socket->handle(), nullptr, 0);
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  static Endpoint data_port(Endpoint control) {
    ++control.port;
    return control;
  }
  zmq::context_t& zmq() { return context->impl().zmq; }

  /// One message of the peer from one ROUTER. False: nothing was there.
  template <class Visit>
  bool take(zmq::socket_t& router, Visit&& visit) {
    if (!receive(router, identity)) return false;
    bool more = identity.more();
    std::size_t parts = 0;
    while (more) {
      if (!receive(router, payload)) break;  // parts of a message arrive together
      more = payload.more();
      ++parts;
    }
    if (parts != 1) {
      ++refused_parts;
    } else if (identity.size() <= peer_id.size() || std::memcmp(identity.data(), peer_id.data(), peer_id.size()) != 0) {
      ++refused_strangers;
    } else {
      visit(std::span(static_cast<const std::uint8_t*>(payload.data()), payload.size()));
    }
    return true;
  }

  /// One event of a monitor: number, or 0 if there is none.
  std::uint16_t take_event(zmq::socket_t& monitor) {
    if (!receive(monitor, payload)) return 0;
    std::uint16_t event = 0;
    if (payload.size() >= sizeof event) std::memcpy(&event, payload.data(), sizeof event);
    while (payload.more() && receive(monitor, payload)) {
    }
    return event;
  }

  void take_connection_events(LinkVisitor& visitor) {
    while (const std::uint16_t event = take_event(connection)) {
      if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && !connected) {
        connected = true;
        ++connects;
        visitor.on_connected();
      } else if (event == ZMQ_EVENT_DISCONNECTED && connected) {
        connected = false;
        ++disconnects;
        visitor.on_disconnected();
      }
    }
    for (auto& monitor : incoming) {
      while (const std::uint16_t event = take_event(monitor)) {
        ++(event == ZMQ_EVENT_ACCEPTED ? accepted : event == ZMQ_EVENT_DISCONNECTED ? closed : failed_handshakes);
      }
    }
  }

  std::shared_ptr<Context> context;
  std::string peer_id;  ///< what the peer's name begins with
  std::string own_id;
  zmq::socket_t control_out;
  zmq::socket_t control_in;
  zmq::socket_t data_out;
  zmq::socket_t data_in;
  zmq::socket_t connection;
  std::array<zmq::socket_t, 2> incoming;
  std::vector<int> descriptors;
  zmq::message_t identity;
  zmq::message_t payload;
  bool connected = false;

  std::uint64_t connects = 0;
  std::uint64_t disconnects = 0;
  std::uint64_t accepted = 0;
  std::uint64_t closed = 0;
  std::uint64_t failed_handshakes = 0;
  std::uint64_t refused_parts = 0;
  std::uint64_t refused_strangers = 0;
  std::uint64_t blocked_control = 0;
  std::uint64_t blocked_data = 0;
  std::uint64_t errors = 0;
};

Link::Link(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Link::~Link() = default;

Result<std::unique_ptr<Link>> Link::open(std::shared_ptr<Context> context, const LinkConfig& config) {
  Endpoint place = config.bind;
  try {
    auto impl = std::make_unique<Impl>(std::move(context), config);
    impl->control_in.bind(place.to_zmq());
    place = Impl::data_port(config.bind);
    impl->data_in.bind(place.to_zmq());
    place = config.connect;
    impl->control_out.connect(place.to_zmq());
    impl->data_out.connect(Impl::data_port(place).to_zmq());
    for (auto* socket :
         {&impl->control_in, &impl->data_in, &impl->connection, &impl->incoming[0], &impl->incoming[1]}) {
      impl->descriptors.push_back(socket->get(zmq::sockopt::fd));
    }
    return std::unique_ptr<Link>(new Link(std::move(impl)));
  } catch (const zmq::error_t& error) {
    return fail("inter-chassis link, {}: {}", place.to_string(), error.what());
  }
}

Result<std::unique_ptr<Link>> Link::open(std::shared_ptr<Context> context, const Cluster& cluster, std::uint16_t set,
                                         std::uint16_t chassis) {
  const auto own = cluster.member_on(set, chassis);
  if (!own || cluster.redundancy_sets[set].members.size() != 2) {
    return fail("chassis {} has no peer in redundancy set {}", chassis, set);
  }
  const std::uint16_t peer = cluster.redundancy_sets[set].members[1U - *own].chassis;
  LinkConfig config;
  config.bind = cluster.control_endpoint(set, chassis);
  config.connect = cluster.control_endpoint(set, peer);
  config.own_id = fmt::format("{}/{}", set, chassis);
  config.peer_id = fmt::format("{}/{}", set, peer);
  return open(std::move(context), config);
}

const std::vector<int>& Link::descriptors() const { return impl_->descriptors; }

bool Link::send_control(std::span<const std::uint8_t> message) {
  try {
    if (send(impl_->control_out, message)) return true;
    ++impl_->blocked_control;
  } catch (const zmq::error_t&) {
    ++impl_->errors;
  }
  return false;
}

bool Link::send_data(std::span<const std::uint8_t> message) {
  try {
    if (send(impl_->data_out, message)) return true;
    ++impl_->blocked_data;
  } catch (const zmq::error_t&) {
    ++impl_->errors;
  }
  return false;
}

bool Link::drain(LinkVisitor& visitor, std::size_t budget) {
  try {
    const auto control = [&visitor](std::span<const std::uint8_t> message) { visitor.on_control(message); };
    const auto data = [&visitor](std::span<const std::uint8_t> message) { visitor.on_data(message); };
    for (bool any = true; any;) {
      any = false;
      // One data message, then whatever control messages came meanwhile: control never waits behind bulk.
      while (budget != 0 && impl_->take(impl_->control_in, control)) {
        any = true;
        --budget;
      }
      if (budget == 0) return true;
      if (impl_->take(impl_->data_in, data)) {
        any = true;
        --budget;
      }
    }
    impl_->take_connection_events(visitor);
    return false;
  } catch (const zmq::error_t&) {
    ++impl_->errors;
    return false;
  }
}

bool Link::pending() {
  try {
    bool any = false;
    for (auto* socket :
         {&impl_->control_in, &impl_->data_in, &impl_->connection, &impl_->incoming[0], &impl_->incoming[1]}) {
      any = (socket->get(zmq::sockopt::events) & ZMQ_POLLIN) != 0 || any;
    }
    return any;
  } catch (const zmq::error_t&) {
    ++impl_->errors;
    return false;
  }
}

void Link::append_to(CounterList& out) const {
  out.push_back({"link-connects", impl_->connects});
  out.push_back({"link-disconnects", impl_->disconnects});
  out.push_back({"link-connections-accepted", impl_->accepted});
  out.push_back({"link-connections-closed", impl_->closed});
  out.push_back({"link-failed-handshakes", impl_->failed_handshakes});
  out.push_back({"link-refused-parts", impl_->refused_parts});
  out.push_back({"link-refused-strangers", impl_->refused_strangers});
  out.push_back({"link-control-blocked", impl_->blocked_control});
  out.push_back({"link-data-blocked", impl_->blocked_data});
  out.push_back({"link-errors", impl_->errors});
}

}  // namespace icr::replication
