#include "replication/zmq/link.h"

#include <array>
#include <random>

#include "model/base/guilt.h"
#include "replication/protocol.h"

namespace icr::replication {
namespace {

using transport::Event;
using transport::Sent;
using transport::Socket;
using transport::Taken;

constexpr int kControlHighWater = 256;  // messages; heartbeats and acknowledgements
constexpr int kDataHighWater = 256;     // batches; the sender's window is smaller
// A connection whose data is not acknowledged for so long is closed by the kernel, so that after a cut a fresh one is
// made at once instead of after the old one's retransmission timer.
constexpr int kUnacknowledgedMs = 3000;

constexpr std::array kConnectionEvents = {Event::handshake_succeeded, Event::disconnected};
// ZeroMQ does not tell of every handshake that fails, nor why it closes a connection later: that it was there and is
// gone is always told.
constexpr std::array kIncomingEvents = {Event::handshake_failed, Event::accepted, Event::disconnected};

transport::SocketOptions options_of_dealer(const std::string& name, int high_water) {
  transport::SocketOptions out;
  out.max_message_bytes = kMaxMessageBytes;
  out.unacknowledged_ms = kUnacknowledgedMs;
  out.name = name;
  out.only_connected = true;
  out.send_queue = high_water;
  out.receive_queue = 0;
  out.reconnect_ms = 25;
  out.reconnect_max_ms = 200;
  out.connect_timeout_ms = 1000;
  return out;
}

transport::SocketOptions options_of_router(int high_water) {
  transport::SocketOptions out;
  out.max_message_bytes = kMaxMessageBytes;
  out.unacknowledged_ms = kUnacknowledgedMs;
  out.newest_owns_name = true;
  out.receive_queue = high_water;
  return out;
}

/// A ROUTER gives a name to the newest connection that claims it, so that a peer can come back before its old
/// connection is known to be dead; and it never gives it back. Nobody else must be able to claim a name by chance or by
/// guessing.
std::string unique_id(const std::string& own_id) {
  std::random_device device;
  return fmt::format("{}/{:08x}{:08x}", own_id, device(), device());
}

Endpoint data_port(Endpoint control) {
  ++control.port;
  return control;
}

}  // namespace

struct Link::Impl {
  Impl(const std::string& peer, std::array<Socket, 4>&& sockets)
      : peer_id(peer + "/"),
        control_out(std::move(sockets[0])),
        control_in(std::move(sockets[1])),
        data_out(std::move(sockets[2])),
        data_in(std::move(sockets[3])) {}

  /// Watches, binds and begins to connect.
  Result<void> start(const LinkConfig& config) {
    if (auto done = control_out.watch(kConnectionEvents); !done) return done;
    for (auto* const router : {&control_in, &data_in}) {
      if (auto done = router->watch(kIncomingEvents); !done) return done;
    }
    if (auto done = control_in.bind(config.bind); !done) return done;
    if (auto done = data_in.bind(data_port(config.bind)); !done) return done;
    if (auto done = control_out.connect(config.connect); !done) return done;
    if (auto done = data_out.connect(data_port(config.connect)); !done) return done;
    descriptors = {control_in.message_descriptor(), data_in.message_descriptor(), control_out.event_descriptor(),
                   control_in.event_descriptor(), data_in.event_descriptor()};
    return {};
  }

  /// Takes one message of the peer from one ROUTER. False: nothing was there.
  template <class Visit>
  bool take(Socket& router, Visit&& visit) {
    const Taken taken = router.take();
    if (taken == Taken::nothing) return false;
    if (taken == Taken::failed) {
      ++errors;
      return false;
    }
    if (!ICR_PEER_MUST(taken == Taken::message, refused_parts)) return true;
    const std::string_view sender = router.sender();
    if (!ICR_PEER_MUST(sender.size() > peer_id.size() && sender.starts_with(peer_id), refused_strangers)) return true;
    visit(router.payload());
    return true;
  }

  void take_connection_events(LinkVisitor& visitor) {
    while (const auto event = control_out.take_event()) {
      if (event == Event::handshake_succeeded && !connected) {
        connected = true;
        ++connects;
        visitor.on_connected();
      } else if (event == Event::disconnected && connected) {
        connected = false;
        ++disconnects;
        visitor.on_disconnected();
      }
    }
    for (auto* const router : {&control_in, &data_in}) {
      while (const auto event = router->take_event()) {
        ++(event == Event::accepted ? accepted : event == Event::disconnected ? closed : failed_handshakes);
      }
    }
  }

  bool send(Socket& dealer, std::span<const std::uint8_t> message, std::uint64_t& blocked) {
    const Sent sent = dealer.send(message);
    if (sent == Sent::sent) return true;
    ++(sent == Sent::refused ? blocked : errors);
    return false;
  }

  std::string peer_id;  ///< what the peer's name begins with
  Socket control_out;
  Socket control_in;
  Socket data_out;
  Socket data_in;
  std::vector<int> descriptors;
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

Result<std::unique_ptr<Link>> Link::open(const std::shared_ptr<transport::Context>& context, const LinkConfig& config) {
  const std::string own_id = unique_id(config.own_id);
  auto control_out = Socket::dealer(context, options_of_dealer(own_id, kControlHighWater));
  auto control_in = Socket::router(context, options_of_router(kControlHighWater));
  auto data_out = Socket::dealer(context, options_of_dealer(own_id, kDataHighWater));
  auto data_in = Socket::router(context, options_of_router(kDataHighWater));
  for (const auto* const socket : {&control_out, &control_in, &data_out, &data_in}) {
    if (!*socket) return tl::unexpected(socket->error().in("inter-chassis link"));
  }
  auto impl = std::make_unique<Impl>(config.peer_id, std::array{std::move(*control_out), std::move(*control_in),
                                                                std::move(*data_out), std::move(*data_in)});
  if (auto done = impl->start(config); !done) return tl::unexpected(done.error().in("inter-chassis link"));
  return std::unique_ptr<Link>(new Link(std::move(impl)));
}

Result<std::unique_ptr<Link>> Link::open(const std::shared_ptr<transport::Context>& context, const Cluster& cluster,
                                         std::uint16_t set, std::uint16_t chassis) {
  const auto own = cluster.member_on(set, chassis);
  if (!own || cluster.redundancy_sets[set].members.size() != 2) {
    return fail("chassis {} has no peer in redundancy set {}", chassis, set);
  }
  const std::uint16_t peer = cluster.redundancy_sets[set].members[1U - *own].chassis;
  LinkConfig config;
  config.bind = cluster.control_endpoint(set, chassis);
  config.connect = cluster.control_endpoint(set, peer);
  const StableId id = cluster.redundancy_sets[set].stable_id;
  config.own_id = fmt::format("{:08x}/{:08x}", id, cluster.chassis[chassis].stable_id);
  config.peer_id = fmt::format("{:08x}/{:08x}", id, cluster.chassis[peer].stable_id);
  return open(context, config);
}

const std::vector<int>& Link::descriptors() const { return impl_->descriptors; }

bool Link::send_control(std::span<const std::uint8_t> message) {
  return impl_->send(impl_->control_out, message, impl_->blocked_control);
}

bool Link::send_data(std::span<const std::uint8_t> message) {
  return impl_->send(impl_->data_out, message, impl_->blocked_data);
}

bool Link::drain(LinkVisitor& visitor, std::size_t budget) {
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
}

bool Link::pending() {
  bool any = impl_->control_in.has_message();
  any = impl_->data_in.has_message() || any;
  for (auto* const socket : {&impl_->control_out, &impl_->control_in, &impl_->data_in})
    any = socket->has_event() || any;
  return any;
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
