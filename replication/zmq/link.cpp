#include "replication/zmq/link.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>

#include "model/base/clock.h"
#include "model/base/guilt.h"
#include "model/base/log.h"
#include "replication/protocol.h"

namespace icr::replication {
namespace {

using transport::Event;
using transport::Sent;
using transport::Socket;
using transport::Taken;

constexpr int kControlHighWater = 256;  // messages; heartbeats and acknowledgements
constexpr int kDataHighWater = 256;     // batches; the sender's window is smaller
// A peer sends nothing to a DEALER. What comes there all the same must not fill the memory, and a connection on which
// more than a handshake needs comes in one message is closed.
constexpr int kUnreadHighWater = 1;
constexpr std::size_t kMaxUnreadBytes = 4096;
// A DEALER whose connection ended is replaced at once, but not more often than this.
constexpr Duration kRenewalInterval = 100ms;
// A connection whose data is not acknowledged for so long is closed by the kernel, so that after a cut a fresh one is
// made at once instead of after the old one's retransmission timer.
constexpr int kUnacknowledgedMs = 3000;
/// How often the log says that no connection can be made because of the keys.
constexpr Duration kLogPause = 10s;

constexpr std::array kConnectionEvents = {Event::handshake_succeeded, Event::handshake_failed, Event::key_refused,
                                          Event::disconnected};
// ZeroMQ does not tell of every handshake that fails, nor why it closes a connection later: that it was there and is
// gone is always told.
constexpr std::array kIncomingEvents = {Event::handshake_failed, Event::accepted, Event::disconnected};

transport::SocketOptions options_of_dealer(const std::string& name, int high_water) {
  transport::SocketOptions out;
  out.max_message_bytes = kMaxUnreadBytes;
  out.unacknowledged_ms = kUnacknowledgedMs;
  out.name = name;
  out.only_connected = true;
  out.send_queue = high_water;
  out.receive_queue = kUnreadHighWater;
  out.reconnect_ms = 25;
  out.reconnect_max_ms = 200;
  out.connect_timeout_ms = 1000;
  return out;
}

transport::SocketOptions options_of_router(int high_water, const std::optional<transport::Curve>& curve) {
  transport::SocketOptions out;
  out.curve = curve;
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

/// Returns true if `name` is what unique_id() makes of `id`.
bool is_unique_id_of(const std::string& id, std::string_view name) {
  constexpr std::size_t kRandomDigits = 16;
  if (id.empty() || name.size() != id.size() + 1 + kRandomDigits) return false;
  if (!name.starts_with(id) || name[id.size()] != '/') return false;
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return std::all_of(name.begin() + static_cast<std::ptrdiff_t>(id.size()) + 1, name.end(), is_digit);
}

Endpoint data_port(Endpoint control) {
  ++control.port;
  return control;
}

}  // namespace

struct Link::Impl {
  /// The DEALER of one of the two connections.
  struct Way {
    /// Replaces the DEALER, and begins to connect. One of libzmq 4.3.4 connects no more after the other side broke the
    /// protocol or refused its key, and one whose queue is full does not notice that its connection was closed.
    Result<void> renew(Impl& link) {
      auto options = options_of_dealer(unique_id(link.config.own_id), high_water);
      if (link.config.keys) {
        const auto& keys = link.config.keys->of_peer;
        if (!key_fits) ++attempts;  // the peer may use another one of its keys
        key = keys[attempts % keys.size()];
        options.curve = transport::Curve{link.config.keys->own, key, nullptr};
      }
      key_fits = false;
      auto fresh = Socket::dealer(link.context, options);
      if (!fresh) return tl::unexpected(fresh.error());
      if (auto done = fresh->watch(kConnectionEvents); !done) return done;
      if (auto done = fresh->connect(to); !done) return done;
      dealer.emplace(std::move(*fresh));
      ended = false;
      link.collect_descriptors();
      return {};
    }

    Endpoint to;
    int high_water;
    std::optional<Socket> dealer;  ///< always there once the link is open
    bool ended = false;            ///< its connection has ended, or something came on it
    bool key_fits = true;          ///< the peer answered by `key`, or nothing was tried yet
    std::size_t attempts = 0;      ///< decides which key of the peer is tried
    std::string key{};             ///< the one that is tried, or in use
    TimePoint renew_at{};          ///< it is not replaced before
  };

  Impl(std::shared_ptr<transport::Context> owner, const LinkConfig& link, std::array<Socket, 2>&& routers,
       std::shared_ptr<transport::AllowList> allow_list)
      : context(std::move(owner)),
        config(link),
        allowed(std::move(allow_list)),
        peer_id(link.peer_id + "/"),
        control_out{link.connect, kControlHighWater, {}},
        control_in(std::move(routers[0])),
        data_out{data_port(link.connect), kDataHighWater, {}},
        data_in(std::move(routers[1])) {}

  /// Watches, binds and begins to connect.
  Result<void> start() {
    for (auto* const router : {&control_in, &data_in}) {
      if (auto done = router->watch(kIncomingEvents); !done) return done;
    }
    if (auto done = control_in.bind(config.bind); !done) return done;
    if (auto done = data_in.bind(data_port(config.bind)); !done) return done;
    if (auto done = control_out.renew(*this); !done) return done;
    return data_out.renew(*this);
  }

  void collect_descriptors() {
    descriptors = {control_in.message_descriptor(), data_in.message_descriptor(), control_in.event_descriptor(),
                   data_in.event_descriptor()};
    for (const auto* const way : {&control_out, &data_out}) {
      if (way->dealer) descriptors.push_back(way->dealer->event_descriptor());
    }
  }

  [[nodiscard]] bool is_of_peer(const Socket& router) const {
    return router.sender().size() > peer_id.size() && router.sender().starts_with(peer_id);
  }

  /// Returns true if the message came from the peer's address under its former name. The name alone says little,
  /// because small numbers are easy to guess.
  [[nodiscard]] bool is_of_former_peer(const Socket& router) const {
    return is_unique_id_of(config.former_peer_id, router.sender()) &&
           IpAddress::parse(router.sender_address()) == config.connect.address;
  }

  /// Takes one message of the peer from one ROUTER. False: nothing was there.
  bool take(Socket& router, LinkVisitor& visitor) {
    const Taken taken = router.take();
    if (taken == Taken::nothing) return false;
    if (taken == Taken::failed) {
      ++errors;
      return false;
    }
    if (taken == Taken::revoked) return true;  // the list of those who are allowed has counted it
    if (!ICR_PEER_MUST(taken == Taken::message, refused_parts)) return true;
    const bool control = &router == &control_in;
    if (is_of_peer(router)) {
      if (control) former_out.reset();
      control ? visitor.on_control(router.payload()) : visitor.on_data(router.payload());
    } else if (ICR_PEER_MUST(control && is_of_former_peer(router), refused_strangers)) {
      ++former_received;
      visitor.on_former(router.payload());
    }
    return true;
  }

  void tell_disconnected(LinkVisitor& visitor) {
    if (!connected) return;
    connected = false;
    former_out.reset();
    ++disconnects;
    visitor.on_disconnected();
  }

  /// Notes an event of a DEALER.
  void follow(Way& way, Event event) {
    // Who refuses the key of this chassis has answered by the key that was tried.
    way.key_fits |= event == Event::handshake_succeeded || event == Event::key_refused;
    way.ended |= event == Event::disconnected;
    if (!config.keys || (event != Event::key_refused && event != Event::handshake_failed)) return;
    ++(event == Event::key_refused ? keys_refused_by_peer : other_keys_of_peer);
    const TimePoint now = monotonic_now();
    if (now < log_again) return;
    log_again = now + kLogPause;
    if (event == Event::key_refused) {
      log::warn("link", "set={} the peer refuses the key {} of this chassis", config.name, config.keys->own.public_key);
    } else {
      log::warn("link", "set={} whoever listens at {} does not use the key {} of the peer", config.name,
                way.to.to_string(), way.key);
    }
  }

  void take_connection_events(LinkVisitor& visitor) {
    while (const auto event = control_out.dealer->take_event()) {
      follow(control_out, *event);
      if (event == Event::handshake_succeeded && !connected) {
        connected = true;
        ++connects;
        visitor.on_connected();
      } else if (event == Event::disconnected) {
        tell_disconnected(visitor);
      }
    }
    while (const auto event = data_out.dealer->take_event()) follow(data_out, *event);
    for (auto* const router : {&control_in, &data_in}) {
      while (const auto event = router->take_event()) {
        ++(event == Event::accepted ? accepted : event == Event::disconnected ? closed : failed_handshakes);
      }
    }
  }

  /// Replaces DEALERs that are of no use any more. What came on them is not read: the other side is no link, and libzmq
  /// 4.3.4 can abort where a full queue of a socket that connects is read.
  void renew_ended(LinkVisitor& visitor) {
    for (auto* const way : {&control_out, &data_out}) {
      if (!way->ended) way->ended = !ICR_PEER_MUST(!way->dealer->has_message(), refused_answers);
      if (!way->ended) continue;
      const TimePoint now = monotonic_now();
      if (now < way->renew_at) continue;
      way->renew_at = now + kRenewalInterval;
      if (way == &control_out) tell_disconnected(visitor);
      if (!way->renew(*this)) ++errors;
    }
  }

  bool send(Socket& dealer, std::span<const std::uint8_t> message, std::uint64_t& blocked) {
    const Sent sent = dealer.send(message);
    if (sent == Sent::sent) return true;
    ++(sent == Sent::refused ? blocked : errors);
    return false;
  }

  /// Begins to connect under the former name.
  Result<void> open_former() {
    auto socket = Socket::dealer(context, options_of_dealer(unique_id(config.former_own_id), kControlHighWater));
    if (!socket) return tl::unexpected(socket.error());
    if (auto done = socket->connect(config.connect); !done) return done;
    former_out.emplace(std::move(*socket));
    return {};
  }

  bool send_former(std::span<const std::uint8_t> message) {
    if (!connected || config.former_own_id.empty() || config.keys) return false;
    if (!former_out && !open_former()) {
      ++errors;
      return false;
    }
    std::uint64_t blocked = 0;  // the member does not wait for it, and sends the next one in any case
    if (!send(*former_out, message, blocked)) return false;
    ++former_sent;
    return true;
  }

  void set_peer_keys(const std::vector<std::string>& keys) {
    if (!config.keys || !ICR_SHOULD(!keys.empty())) return;
    allowed->set(keys);
    config.keys->of_peer = keys;
    for (auto* const way : {&control_out, &data_out}) {
      way->ended |= std::find(keys.begin(), keys.end(), way->key) == keys.end();
    }
  }

  std::shared_ptr<transport::Context> context;
  LinkConfig config;
  std::shared_ptr<transport::AllowList> allowed;  ///< the keys of the peer; null for a link without keys
  std::string peer_id;                            ///< what the peer's name begins with
  Way control_out;
  Socket control_in;
  Way data_out;
  Socket data_in;
  std::optional<Socket> former_out;  ///< exists while there is something to say under the former name
  std::vector<int> descriptors;
  bool connected = false;

  std::uint64_t connects = 0;
  std::uint64_t disconnects = 0;
  std::uint64_t accepted = 0;
  std::uint64_t closed = 0;
  std::uint64_t failed_handshakes = 0;
  std::uint64_t keys_refused_by_peer = 0;
  std::uint64_t other_keys_of_peer = 0;
  TimePoint log_again{};
  std::uint64_t refused_parts = 0;
  std::uint64_t refused_strangers = 0;
  std::uint64_t refused_answers = 0;
  std::uint64_t former_received = 0;
  std::uint64_t former_sent = 0;
  std::uint64_t blocked_control = 0;
  std::uint64_t blocked_data = 0;
  std::uint64_t errors = 0;
};

Link::Link(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Link::~Link() = default;

Result<std::unique_ptr<Link>> Link::open(const std::shared_ptr<transport::Context>& context, const LinkConfig& config) {
  std::shared_ptr<transport::AllowList> allowed;
  std::optional<transport::Curve> curve;
  if (config.keys) {
    if (config.keys->of_peer.empty()) return fail("inter-chassis link: the peer has no public key");
    allowed = std::make_shared<transport::AllowList>(fmt::format("the link of redundancy set {}", config.name));
    allowed->set(config.keys->of_peer);
    curve = transport::Curve{config.keys->own, {}, allowed};
  }
  auto control_in = Socket::router(context, options_of_router(kControlHighWater, curve));
  auto data_in = Socket::router(context, options_of_router(kDataHighWater, curve));
  for (const auto* const socket : {&control_in, &data_in}) {
    if (!*socket) return tl::unexpected(socket->error().in("inter-chassis link"));
  }
  auto impl = std::make_unique<Impl>(context, config, std::array{std::move(*control_in), std::move(*data_in)},
                                     std::move(allowed));
  if (auto done = impl->start(); !done) return tl::unexpected(done.error().in("inter-chassis link"));
  return std::unique_ptr<Link>(new Link(std::move(impl)));
}

Result<std::unique_ptr<Link>> Link::open(const std::shared_ptr<transport::Context>& context, const Cluster& cluster,
                                         std::uint16_t set, std::uint16_t chassis, std::size_t path) {
  const auto own = cluster.member_on(set, chassis);
  if (!own || cluster.redundancy_sets[set].members.size() != 2) {
    return fail("chassis {} has no peer in redundancy set {}", chassis, set);
  }
  const std::uint16_t peer = cluster.redundancy_sets[set].members[1U - *own].chassis;
  LinkConfig config;
  config.bind = cluster.control_endpoint(set, chassis, path);
  config.connect = cluster.control_endpoint(set, peer, path);
  config.name = cluster.redundancy_sets[set].name;
  if (cluster.encrypted()) {
    if (!context->identity()) return fail("inter-chassis link: the chassis has no secret key");
    config.keys = LinkKeys{*context->identity(), cluster.chassis[peer].public_keys};
  }
  const StableId id = cluster.redundancy_sets[set].stable_id;
  config.own_id = fmt::format("{:08x}/{:08x}", id, cluster.chassis[chassis].stable_id);
  config.peer_id = fmt::format("{:08x}/{:08x}", id, cluster.chassis[peer].stable_id);
  // The release of commit 39ebb76 derives the port from the place of the set in the file, so a chassis of that release
  // that connects to this port means the set at this place.
  const std::uint32_t place = cluster.redundancy_sets[set].id - 1U;
  config.former_own_id = fmt::format("{}/{}", place, chassis);
  config.former_peer_id = fmt::format("{}/{}", place, peer);
  return open(context, config);
}

const std::vector<int>& Link::descriptors() const { return impl_->descriptors; }

bool Link::send_control(std::span<const std::uint8_t> message) {
  return impl_->send(*impl_->control_out.dealer, message, impl_->blocked_control);
}

bool Link::send_data(std::span<const std::uint8_t> message) {
  return impl_->send(*impl_->data_out.dealer, message, impl_->blocked_data);
}

void Link::set_peer_keys(const std::vector<std::string>& keys) { impl_->set_peer_keys(keys); }

bool Link::send_former(std::span<const std::uint8_t> message) { return impl_->send_former(message); }

bool Link::drain(LinkVisitor& visitor, std::size_t budget) {
  for (bool any = true; any;) {
    any = false;
    // One data message, then whatever control messages came meanwhile: control never waits behind bulk.
    while (budget != 0 && impl_->take(impl_->control_in, visitor)) {
      any = true;
      --budget;
    }
    if (budget == 0) return true;
    if (impl_->take(impl_->data_in, visitor)) {
      any = true;
      --budget;
    }
  }
  impl_->take_connection_events(visitor);
  impl_->renew_ended(visitor);
  return false;
}

bool Link::pending() {
  bool any = impl_->control_in.has_message();
  any = impl_->data_in.has_message() || any;
  for (auto* const socket :
       {&*impl_->control_out.dealer, &*impl_->data_out.dealer, &impl_->control_in, &impl_->data_in}) {
    any = socket->has_event() || any;
  }
  return any;
}

void Link::append_to(CounterList& out) const {
  out.push_back({"link-connects", impl_->connects});
  out.push_back({"link-disconnects", impl_->disconnects});
  out.push_back({"link-connections-accepted", impl_->accepted});
  out.push_back({"link-connections-closed", impl_->closed});
  out.push_back({"link-failed-handshakes", impl_->failed_handshakes});
  out.push_back({"link-refused-keys", impl_->allowed ? impl_->allowed->refusals() : 0});
  out.push_back({"link-keys-refused-by-peer", impl_->keys_refused_by_peer});
  out.push_back({"link-peer-with-another-key", impl_->other_keys_of_peer});
  out.push_back({"link-refused-parts", impl_->refused_parts});
  out.push_back({"link-refused-strangers", impl_->refused_strangers});
  out.push_back({"link-refused-answers", impl_->refused_answers});
  out.push_back({"link-former-received", impl_->former_received});
  out.push_back({"link-former-sent", impl_->former_sent});
  out.push_back({"link-control-blocked", impl_->blocked_control});
  out.push_back({"link-data-blocked", impl_->blocked_data});
  out.push_back({"link-errors", impl_->errors});
}

}  // namespace icr::replication
