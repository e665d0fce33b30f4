#include "transport/socket.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <zmq.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "transport/authenticator.h"

namespace icr::transport {
namespace {

/// A peer that connects and does not finish its handshake within this time is disconnected.
constexpr int kHandshakeMs = 3000;

std::string last_error() { return zmq_strerror(zmq_errno()); }

/// ZMQ_ZAP_ENFORCE_DOMAIN, which libzmq 4.3.4 has and does not declare: nobody is allowed if nobody checks keys.
constexpr int kZapEnforceDomain = 93;
/// How many connections are remembered with the addresses that they came from.
constexpr std::size_t kMaxAddresses = 4096;

/// libzmq's numbers of an event. It reports a handshake that fails by one of two, or by a third if a key is refused.
int mask_of(Event event) {
  switch (event) {
    case Event::connected:
      return ZMQ_EVENT_CONNECTED;
    case Event::connect_retried:
      return ZMQ_EVENT_CONNECT_RETRIED;
    case Event::accepted:
      return ZMQ_EVENT_ACCEPTED;
    case Event::handshake_succeeded:
      return ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    case Event::handshake_failed:
      return ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    case Event::key_refused:
      return ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    case Event::disconnected:
      return ZMQ_EVENT_DISCONNECTED;
  }
  return 0;
}

std::optional<Event> event_of(int number) {
  for (unsigned i = 0; i < kEventCount; ++i) {
    const auto event = static_cast<Event>(i);
    if ((mask_of(event) & number) != 0) return event;
  }
  return std::nullopt;
}

/// A message part, as libzmq keeps it.
class Part {
 public:
  Part() { zmq_msg_init(&message_); }
  ~Part() { zmq_msg_close(&message_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  /// Receives a part without blocking. False: there is none, or an error (zmq_errno()). Tries again after a signal.
  bool receive(void* socket) {
    for (;;) {
      if (zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT) >= 0) return true;
      if (zmq_errno() != EINTR) return false;
    }
  }
  /// Returns a property of the connection on which the part came; empty if it has none.
  [[nodiscard]] std::string_view property(const char* name) const {
    auto* const message = const_cast<zmq_msg_t*>(&message_);  // libzmq's function takes no const
    const char* const value = zmq_msg_gets(message, name);
    return value == nullptr ? std::string_view() : std::string_view(value);
  }
  [[nodiscard]] bool more() const { return zmq_msg_more(&message_) != 0; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    auto* const message = const_cast<zmq_msg_t*>(&message_);  // libzmq's function takes no const
    return {static_cast<const std::uint8_t*>(zmq_msg_data(message)), zmq_msg_size(&message_)};
  }

 private:
  zmq_msg_t message_{};
};

/// Sends a part without blocking. False: an error (zmq_errno()). Tries again after a signal.
bool send_part(void* socket, const void* data, std::size_t size, int flags) {
  for (;;) {
    if (zmq_send(socket, data, size, ZMQ_DONTWAIT | flags) >= 0) return true;
    if (zmq_errno() != EINTR) return false;
  }
}

/// Returns the IP address of the other end of a connection; empty if there is none any more.
std::string peer_address(int descriptor) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return {};
  const void* address = nullptr;
  if (peer.ss_family == AF_INET) address = &reinterpret_cast<const sockaddr_in*>(&peer)->sin_addr;
  if (peer.ss_family == AF_INET6) address = &reinterpret_cast<const sockaddr_in6*>(&peer)->sin6_addr;
  if (address == nullptr || ::inet_ntop(peer.ss_family, address, text.data(), text.size()) == nullptr) return {};
  return text.data();
}

bool is_readable(void* socket) {
  int events = 0;
  std::size_t size = sizeof events;
  return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

int descriptor_of(void* socket) {
  int descriptor = -1;
  std::size_t size = sizeof descriptor;
  return zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size) == 0 ? descriptor : -1;
}

}  // namespace

Result<std::shared_ptr<Context>> Context::create(std::optional<KeyPair> identity, std::size_t sockets) {
  void* const handle = zmq_ctx_new();
  if (handle == nullptr) return fail("cannot start ZeroMQ: {}", last_error());
  std::shared_ptr<Context> out(new Context(handle, std::move(identity)));
  const auto usual = static_cast<std::size_t>(zmq_ctx_get(handle, ZMQ_MAX_SOCKETS));
  const auto most = static_cast<std::size_t>(zmq_ctx_get(handle, ZMQ_SOCKET_LIMIT));
  if (sockets > usual) (void)zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, static_cast<int>(std::min(sockets, most)));
  // The I/O thread starts with the first socket, and must not be the one that takes the process' signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  void* const starter = zmq_socket(handle, ZMQ_PAIR);
  const std::string error = starter == nullptr ? last_error() : "";
  if (starter != nullptr) zmq_close(starter);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (starter == nullptr) return fail("cannot start ZeroMQ: {}", error);
  return out;
}

Context::Context(void* handle, std::optional<KeyPair> identity) : handle_(handle), identity_(std::move(identity)) {}

Result<Authenticator*> Context::authenticator() {
  const MutexLock lock(mutex_);
  if (!authenticator_) {
    auto started = Authenticator::start(handle_);
    if (!started) return tl::unexpected(started.error());
    authenticator_ = std::move(*started);
  }
  return authenticator_.get();
}

Context::~Context() {
  zmq_ctx_shutdown(handle_);
  {
    const MutexLock lock(mutex_);
    authenticator_.reset();
  }
  while (zmq_ctx_term(handle_) != 0 && zmq_errno() == EINTR) {
  }
}

std::string to_text(const Endpoint& endpoint) {
  std::string out = "tcp://" + endpoint.to_string();
  if (endpoint.port == 0) out.replace(out.size() - 1, 1, "*");
  return out;
}

struct Socket::Impl {
  Impl(std::shared_ptr<Context> owner, int type, bool is_router)
      : context(std::move(owner)), handle(zmq_socket(context->handle_, type)), router(is_router) {}
  /// A monitored socket tells its monitor that it closes, and the I/O thread waits for ever, with all other sockets of
  /// the context, if nobody is there to hear it: so monitoring ends first.
  ~Impl() {
    if (monitor != nullptr) {
      zmq_socket_monitor(handle, nullptr, 0);
      zmq_close(monitor);
    }
    if (handle != nullptr) zmq_close(handle);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Keeps the text of the error. Returns false.
  bool failed() {
    error = last_error();
    return false;
  }
  bool set(int option, int value) { return set_bytes(option, &value, sizeof value); }
  bool set_bytes(int option, const void* value, std::size_t size) {
    return zmq_setsockopt(handle, option, value, size) == 0 || failed();
  }
  /// Sets an option unless it is 0, ZeroMQ's default.
  bool set_if(int option, int value) { return value == 0 || set(option, value); }
  bool configure(const SocketOptions& options) {
    const std::int64_t most =
        options.max_message_bytes == 0 ? -1 : static_cast<std::int64_t>(options.max_message_bytes);
    const bool common = set(ZMQ_LINGER, 0) && set(ZMQ_HANDSHAKE_IVL, kHandshakeMs) &&
                        set_bytes(ZMQ_MAXMSGSIZE, &most, sizeof most) && set(ZMQ_SNDHWM, options.send_queue) &&
                        set(ZMQ_RCVHWM, options.receive_queue) && set_if(ZMQ_TCP_MAXRT, options.unacknowledged_ms);
    if (!common) return false;
    if (router) {
      return set_if(ZMQ_ROUTER_HANDOVER, options.newest_owns_name ? 1 : 0) &&
             set_if(ZMQ_ROUTER_MANDATORY, options.report_unreachable ? 1 : 0);
    }
    return (options.name.empty() || set_bytes(ZMQ_ROUTING_ID, options.name.data(), options.name.size())) &&
           set_if(ZMQ_IMMEDIATE, options.only_connected ? 1 : 0) && set_if(ZMQ_RECONNECT_IVL, options.reconnect_ms) &&
           set_if(ZMQ_RECONNECT_IVL_MAX, options.reconnect_max_ms) &&
           set_if(ZMQ_CONNECT_TIMEOUT, options.connect_timeout_ms);
  }
  bool set_key(int option, const std::string& key) { return set_bytes(option, key.c_str(), key.size() + 1); }
  /// Without a domain, or without anybody who answers for it, libzmq would allow every key.
  bool set_curve(const Curve& curve, const std::string& domain) {
    if (!set_key(ZMQ_CURVE_PUBLICKEY, curve.own.public_key) || !set_key(ZMQ_CURVE_SECRETKEY, curve.own.secret_key)) {
      return false;
    }
    if (!router) return set_key(ZMQ_CURVE_SERVERKEY, curve.server_key);
    allowed = curve.allowed;
    return set(ZMQ_CURVE_SERVER, 1) && set_bytes(ZMQ_ZAP_DOMAIN, domain.data(), domain.size()) &&
           set(kZapEnforceDomain, 1);
  }
  /// Notes where connections come from that fail. libzmq tells the descriptor of a connection when it begins and when
  /// it ends, and between them that its handshake fails. The descriptor of one that has ended may be that of another
  /// one now, so an address can be wrong; it is for the log only.
  void follow(Event event, int value) {
    if (!allowed) return;
    if (event == Event::accepted) {
      if (addresses.size() < kMaxAddresses) addresses[value] = peer_address(value);
    } else if (event == Event::handshake_failed) {
      handshake_failed = true;
    } else if (event == Event::disconnected) {
      const auto from = addresses.extract(value);
      if (handshake_failed) allowed->note_refusal({}, from ? from.mapped() : std::string());
      handshake_failed = false;
    }
  }
  bool use_family_of(const Endpoint& endpoint) { return endpoint.address.is_v4() || set(ZMQ_IPV6, 1); }
  /// Drops what is left of a message.
  void skip(Part& part) const {
    while (part.more() && part.receive(handle)) {
    }
  }
  /// Sorts the error of a send.
  Sent not_sent() {
    if (zmq_errno() == EAGAIN) return Sent::refused;
    if (zmq_errno() == EHOSTUNREACH) return Sent::unreachable;
    (void)failed();
    return Sent::failed;
  }

  std::shared_ptr<Context> context;
  void* handle;
  const bool router;
  void* monitor = nullptr;
  std::shared_ptr<AllowList> allowed;    ///< ROUTER with CURVE
  std::map<int, std::string> addresses;  ///< of connections, by descriptor
  bool handshake_failed = false;         ///< of the connection that ends next
  Part name;
  Part payload;
  std::string bound_to;
  std::string error;
};

Socket::Socket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Socket::~Socket() = default;
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;

Result<Socket> Socket::open(std::shared_ptr<Context> context, int type, const SocketOptions& options) {
  auto impl = std::make_unique<Impl>(std::move(context), type, type == ZMQ_ROUTER);
  if (impl->handle == nullptr) return fail("cannot open a ZeroMQ socket: {}", last_error());
  std::string domain;
  if (options.curve && impl->router) {
    auto authenticator = impl->context->authenticator();
    if (!authenticator) return tl::unexpected(authenticator.error());
    domain = (*authenticator)->add(options.curve->allowed);
  }
  if (options.curve && !impl->set_curve(*options.curve, domain)) {
    return fail("cannot use keys on a ZeroMQ socket: {}", impl->error);
  }
  if (!impl->configure(options)) return fail("cannot configure a ZeroMQ socket: {}", impl->error);
  return Socket(std::move(impl));
}

Result<Socket> Socket::dealer(std::shared_ptr<Context> context, const SocketOptions& options) {
  return open(std::move(context), ZMQ_DEALER, options);
}

Result<Socket> Socket::router(std::shared_ptr<Context> context, const SocketOptions& options) {
  return open(std::move(context), ZMQ_ROUTER, options);
}

Result<void> Socket::bind(const Endpoint& endpoint) {
  const std::string where = to_text(endpoint);
  if (!impl_->use_family_of(endpoint) || (zmq_bind(impl_->handle, where.c_str()) != 0 && !impl_->failed())) {
    return fail("cannot listen on {}: {}", where, impl_->error);
  }
  char text[128];
  std::size_t size = sizeof text;
  if (zmq_getsockopt(impl_->handle, ZMQ_LAST_ENDPOINT, text, &size) != 0 || size == 0) {
    (void)impl_->failed();
    return fail("cannot listen on {}: {}", where, impl_->error);
  }
  impl_->bound_to.assign(text, size - 1);  // the size counts the zero at the end
  return {};
}

Result<void> Socket::connect(const Endpoint& endpoint) {
  const std::string where = to_text(endpoint);
  if (!impl_->use_family_of(endpoint) || (zmq_connect(impl_->handle, where.c_str()) != 0 && !impl_->failed())) {
    return fail("cannot connect to {}: {}", where, impl_->error);
  }
  return {};
}

const std::string& Socket::bound_to() const { return impl_->bound_to; }
const std::string& Socket::error() const { return impl_->error; }

Result<void> Socket::watch(std::span<const Event> events) {
  static std::atomic<std::uint64_t> number{0};
  const std::string address = "inproc://icr-events-" + std::to_string(++number);
  int mask = 0;
  for (const Event event : events) mask |= mask_of(event);
  const auto failed = [] { return fail("cannot watch a ZeroMQ socket: {}", last_error()); };
  if (zmq_socket_monitor(impl_->handle, address.c_str(), mask) != 0) return failed();
  impl_->monitor = zmq_socket(impl_->context->handle_, ZMQ_PAIR);
  const int none = 0;
  if (impl_->monitor == nullptr || zmq_setsockopt(impl_->monitor, ZMQ_LINGER, &none, sizeof none) != 0 ||
      zmq_setsockopt(impl_->monitor, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
      zmq_connect(impl_->monitor, address.c_str()) != 0) {
    return failed();
  }
  return {};
}

std::optional<Event> Socket::take_event() {
  if (impl_->monitor == nullptr) return std::nullopt;
  Part part;
  while (part.receive(impl_->monitor)) {
    // Two parts: the event's number (16 bits) and value (32 bits), then the endpoint.
    std::uint16_t number = 0;
    std::int32_t value = 0;
    if (part.bytes().size() >= sizeof number + sizeof value) {
      std::memcpy(&number, part.bytes().data(), sizeof number);
      std::memcpy(&value, part.bytes().data() + sizeof number, sizeof value);
    }
    while (part.more() && part.receive(impl_->monitor)) {
    }
    const auto event = event_of(number);
    if (!event) continue;
    impl_->follow(*event, value);
    return event;
  }
  return std::nullopt;
}

Sent Socket::send(std::span<const std::uint8_t> message) {
  return send_part(impl_->handle, message.data(), message.size(), 0) ? Sent::sent : impl_->not_sent();
}

Sent Socket::send_to(std::string_view name, std::span<const std::uint8_t> message) {
  // The name first, then exactly one part: a peer that goes away in between takes the whole message with it.
  if (!send_part(impl_->handle, name.data(), name.size(), ZMQ_SNDMORE)) return impl_->not_sent();
  return send(message);
}

Taken Socket::take() {
  Part& first = impl_->router ? impl_->name : impl_->payload;
  if (!first.receive(impl_->handle)) {
    if (zmq_errno() == EAGAIN) return Taken::nothing;
    (void)impl_->failed();
    return Taken::failed;
  }
  // The parts of a message arrive together.
  if (impl_->router && (!first.more() || !impl_->payload.receive(impl_->handle))) return Taken::parts;
  if (impl_->payload.more()) {
    impl_->skip(impl_->payload);
    return Taken::parts;
  }
  if (!impl_->allowed || impl_->allowed->has(sender_key())) return Taken::message;
  impl_->allowed->note_refusal(sender_key(), sender_address());
  return Taken::revoked;
}

std::string_view Socket::sender() const {
  if (!impl_->router) return {};
  const auto bytes = impl_->name.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::uint8_t> Socket::payload() const { return impl_->payload.bytes(); }

std::string_view Socket::sender_address() const { return impl_->payload.property("Peer-Address"); }

std::string_view Socket::sender_key() const {
  return impl_->allowed ? impl_->payload.property("User-Id") : std::string_view();
}

int Socket::message_descriptor() const { return descriptor_of(impl_->handle); }
int Socket::event_descriptor() const { return impl_->monitor == nullptr ? -1 : descriptor_of(impl_->monitor); }
bool Socket::has_message() { return is_readable(impl_->handle); }
bool Socket::has_event() { return impl_->monitor != nullptr && is_readable(impl_->monitor); }

Waiting Waiting::for_messages(const Socket& socket) { return {socket.impl_->handle}; }
Waiting Waiting::for_events(const Socket& socket) { return {socket.impl_->monitor}; }

Result<void> wait(std::span<Waiting> waiting, std::optional<std::chrono::milliseconds> limit) {
  std::vector<zmq_pollitem_t> items;
  items.reserve(waiting.size());
  for (const Waiting& one : waiting) items.push_back({one.handle, one.descriptor, ZMQ_POLLIN, 0});
  const int ready = zmq_poll(items.data(), static_cast<int>(items.size()), limit ? limit->count() : -1);
  if (ready < 0 && zmq_errno() != EINTR) return fail("{}", last_error());
  for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i].ready = ready > 0 && (items[i].revents & ZMQ_POLLIN) != 0;
  return {};
}

}  // namespace icr::transport
