#include "node/kernel/route_mirror.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace icr::node {
namespace {

constexpr int kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;

struct FreeNeighbour {
  void operator()(rtnl_neigh* neighbour) const { rtnl_neigh_put(neighbour); }
};

/// Returns nothing for addresses of other families.
std::optional<IpAddress> to_address(const nl_addr* address) {
  if (address == nullptr) return std::nullopt;
  const auto* bytes = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address));
  const unsigned length = nl_addr_get_len(address);
  if (nl_addr_get_family(address) == AF_INET6) {
    IpAddress out;
    if (length == 16) std::memcpy(out.bytes.data(), bytes, 16);
    return out;
  }
  if (nl_addr_get_family(address) != AF_INET) return std::nullopt;
  std::uint32_t word = 0;
  for (unsigned i = 0; i < 4; ++i) word = word << 8 | (i < length ? bytes[i] : 0U);
  return IpAddress::v4(word);
}

void note_change(nl_cache* /*cache*/, nl_object* /*object*/, int /*action*/, void* flag) {
  *static_cast<bool*>(flag) = true;
}

/// Returns nothing for types that forwarded packets do not use.
std::optional<InterfacePicture::RouteKind> kind_of(int route_type) {
  switch (route_type) {
    case RTN_UNICAST:
      return InterfacePicture::RouteKind::unicast;
    case RTN_BLACKHOLE:
      return InterfacePicture::RouteKind::blackhole;
    case RTN_UNREACHABLE:
      return InterfacePicture::RouteKind::unreachable;
    case RTN_PROHIBIT:
      return InterfacePicture::RouteKind::prohibited;
    default:
      return std::nullopt;
  }
}

template <class Visit>
void each(nl_cache* cache, Visit&& visit) {
  for (nl_object* object = nl_cache_get_first(cache); object != nullptr; object = nl_cache_get_next(object)) {
    visit(object);
  }
}

void signal(int descriptor) {
  const std::uint64_t one = 1;
  (void)!::write(descriptor, &one, sizeof one);
}

void clear(int descriptor) {
  std::uint64_t count = 0;
  (void)!::read(descriptor, &count, sizeof count);
}

}  // namespace

Result<std::unique_ptr<RouteMirror>> RouteMirror::open(int interface_index, std::function<void()> schedule) {
  std::unique_ptr<RouteMirror> out(new RouteMirror(interface_index));
  auto socket = netlink::open_route_socket();
  if (!socket) return tl::unexpected(socket.error());
  out->socket_ = std::move(*socket);
  out->news_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  out->wakeup_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (out->news_ < 0 || out->wakeup_ < 0) return fail("no file descriptor is left");
  if (auto done = out->subscribe(); !done) return tl::unexpected(done.error());
  out->thread_ = std::thread([mirror = out.get(), schedule = std::move(schedule)] {
    schedule();
    mirror->run();
  });
  return out;
}

RouteMirror::~RouteMirror() {
  stopping_ = true;
  if (thread_.joinable()) {
    signal(wakeup_);
    thread_.join();
  }
  if (manager_ != nullptr) nl_cache_mngr_free(manager_);
  for (const int descriptor : {news_, wakeup_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

Result<void> RouteMirror::subscribe() {
  int code = nl_cache_mngr_alloc(nullptr, NETLINK_ROUTE, 0, &manager_);
  const auto add = [&](const char* name, nl_cache*& cache, bool& flag) {
    if (code >= 0) code = nl_cache_mngr_add(manager_, name, note_change, &flag, &cache);
  };
  add("route/route", route_cache_, changed_);
  add("route/neigh", neighbour_cache_, changed_);
  add("route/addr", address_cache_, changed_);
  add("route/link", link_cache_, link_changed_);
  if (code < 0) return fail("cannot follow the kernel's routes and neighbours: {}", netlink::describe(code));
  publish();
  return {};
}

std::unique_ptr<InterfacePicture> RouteMirror::take() {
  if (!is_new_.load(std::memory_order_acquire)) return nullptr;
  const MutexLock lock(mutex_);
  is_new_.store(false, std::memory_order_relaxed);
  clear(news_);
  return std::move(picture_);
}

void RouteMirror::ask(const IpAddress& address) {
  {
    const MutexLock lock(mutex_);
    if (requests_.size() >= kMaxRequests) return;
    requests_.push_back(address);
  }
  signal(wakeup_);
}

// -- The thread --

void RouteMirror::run() {
  std::array<pollfd, 2> polled{{{nl_cache_mngr_get_fd(manager_), POLLIN, 0}, {wakeup_, POLLIN, 0}}};
  while (!stopping_) {
    (void)::poll(polled.data(), polled.size(), -1);
    if (polled[1].revents != 0) {
      clear(wakeup_);
      pass_requests_on();
    }
    if (polled[0].revents != 0) read_news();
  }
}

void RouteMirror::read_news() {
  if (nl_cache_mngr_data_ready(manager_) < 0) {
    // News were lost: the socket's buffer was full.
    ++resyncs_;
    link_changed_ = true;
  }
  if (std::exchange(link_changed_, false)) {
    // The kernel does not tell of the IPv4 routes that go with an interface.
    read_everything_again();
    changed_ = true;
  }
  if (std::exchange(changed_, false)) publish();
}

void RouteMirror::read_everything_again() {
  // What cannot be read now stays as it was.
  for (nl_cache* cache : {route_cache_, neighbour_cache_, address_cache_}) {
    (void)nl_cache_refill(socket_.get(), cache);
  }
}

void RouteMirror::publish() {
  auto picture = std::make_unique<InterfacePicture>();
  read_routes(*picture);
  read_neighbours(*picture);
  read_addresses(*picture);
  const MutexLock lock(mutex_);
  picture_.swap(picture);
  is_new_.store(true, std::memory_order_release);
  signal(news_);  // under the lock, or take() could come in between and leave the descriptor readable
}

void RouteMirror::read_routes(InterfacePicture& out) const {
  each(route_cache_, [&](nl_object* object) {
    auto* route = reinterpret_cast<rtnl_route*>(object);
    if (rtnl_route_get_table(route) != RT_TABLE_MAIN) return;
    const nl_addr* destination = rtnl_route_get_dst(route);
    const auto base = to_address(destination);
    const auto kind = kind_of(rtnl_route_get_type(route));
    if (!base || !kind) return;
    InterfacePicture::Route found;
    found.prefix = Prefix::of(*base, static_cast<std::uint8_t>(nl_addr_get_prefixlen(destination)));
    found.priority = rtnl_route_get_priority(route);
    found.kind = *kind;
    if (*kind != InterfacePicture::RouteKind::unicast) {
      out.routes.push_back(found);
      return;
    }
    for (int i = 0; i < rtnl_route_get_nnexthops(route); ++i) {
      rtnl_nexthop* hop = rtnl_route_nexthop_n(route, i);
      if (rtnl_route_nh_get_ifindex(hop) != interface_index_) continue;
      found.gateway = to_address(rtnl_route_nh_get_gateway(hop));
      out.routes.push_back(found);
      break;  // of several hops by the same interface the first one serves
    }
  });
  std::sort(out.routes.begin(), out.routes.end(), [](const auto& a, const auto& b) {
    return a.prefix.length != b.prefix.length ? a.prefix.length > b.prefix.length : a.priority < b.priority;
  });
}

void RouteMirror::read_neighbours(InterfacePicture& out) const {
  each(neighbour_cache_, [&](nl_object* object) {
    auto* neighbour = reinterpret_cast<rtnl_neigh*>(object);
    if (rtnl_neigh_get_ifindex(neighbour) != interface_index_) return;
    const auto address = to_address(rtnl_neigh_get_dst(neighbour));
    const nl_addr* mac = rtnl_neigh_get_lladdr(neighbour);
    const int state = rtnl_neigh_get_state(neighbour);
    if (!address || mac == nullptr || nl_addr_get_len(mac) != 6 || state < 0 || (state & kUsable) == 0) return;
    InterfacePicture::Neighbour& found = out.neighbours.emplace_back();
    found.address = *address;
    std::memcpy(found.mac.data(), nl_addr_get_binary_addr(mac), 6);
    found.stale = (state & NUD_STALE) != 0;
  });
}

void RouteMirror::read_addresses(InterfacePicture& out) const {
  each(address_cache_, [&](nl_object* object) {
    auto* entry = reinterpret_cast<rtnl_addr*>(object);
    const auto address = to_address(rtnl_addr_get_local(entry));
    if (!address) return;
    out.local.push_back(*address);
    if (const auto broadcast = to_address(rtnl_addr_get_broadcast(entry))) {
      out.local.push_back(*broadcast);
      out.broadcasts.push_back(*broadcast);
    }
    const bool link_local = rtnl_addr_get_scope(entry) == RT_SCOPE_LINK;
    auto& own = out.own[address->is_v4() ? 0 : 1];
    if (rtnl_addr_get_ifindex(entry) == interface_index_ && !link_local && !own) own = address;
  });
}

void RouteMirror::pass_requests_on() {
  passed_on_.clear();
  {
    const MutexLock lock(mutex_);
    passed_on_.swap(requests_);
  }
  for (const IpAddress& address : passed_on_) {
    if (stopping_) return;
    request(address);
  }
}

void RouteMirror::request(const IpAddress& address) const {
  const std::unique_ptr<rtnl_neigh, FreeNeighbour> request(rtnl_neigh_alloc());
  const auto destination = netlink::to_netlink(address, address.is_v4() ? 32 : 128);
  if (!request || !destination) return;
  rtnl_neigh_set_ifindex(request.get(), interface_index_);
  rtnl_neigh_set_flags(request.get(), NTF_USE);  // "somebody wants to send": the kernel resolves or confirms
  if (rtnl_neigh_set_dst(request.get(), destination.get()) < 0) return;
  // Refused only while the interface is down or the kernel's table is full; then it is asked again.
  (void)rtnl_neigh_add(socket_.get(), request.get(), NLM_F_CREATE);
}

}  // namespace icr::node
