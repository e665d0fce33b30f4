#include "node/kernel/next_hops.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace icr::node {
namespace {

constexpr Duration kAskAgain = 1s;
/// How often the kernel is told which neighbours are used: it would forget them otherwise.
constexpr Duration kConfirmInterval = 1s;
/// Neighbours that are kept; what comes from the network may ask for any number of destinations.
constexpr std::size_t kMaxNeighbours = 4096;
constexpr int kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;

struct FreeNeighbour {
  void operator()(rtnl_neigh* neighbour) const { rtnl_neigh_put(neighbour); }
};

/// Nothing for addresses of other families.
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

/// Returns the outcome for packets with a route of this type; nullopt for types that forwarded packets do not use.
std::optional<NextHops::Outcome> outcome_of(int route_type) {
  switch (route_type) {
    case RTN_UNICAST:
      return NextHops::Outcome::known;
    case RTN_BLACKHOLE:
      return NextHops::Outcome::blackhole;
    case RTN_UNREACHABLE:
      return NextHops::Outcome::unreachable;
    case RTN_PROHIBIT:
      return NextHops::Outcome::prohibited;
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

}  // namespace

NextHops::Hash::Hash() : seed(std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()) {}

Result<std::unique_ptr<NextHops>> NextHops::open(int interface_index) {
  std::unique_ptr<NextHops> out(new NextHops(interface_index));
  auto socket = netlink::open_route_socket();
  if (!socket) return tl::unexpected(socket.error());
  out->requests_socket_ = std::move(*socket);
  if (auto done = out->subscribe(); !done) return tl::unexpected(done.error());
  return out;
}

NextHops::~NextHops() {
  if (manager_ != nullptr) nl_cache_mngr_free(manager_);
}

Result<void> NextHops::subscribe() {
  int code = nl_cache_mngr_alloc(nullptr, NETLINK_ROUTE, 0, &manager_);
  const auto add = [&](const char* name, nl_cache*& cache, bool& flag) {
    if (code >= 0) code = nl_cache_mngr_add(manager_, name, note_change, &flag, &cache);
  };
  add("route/route", route_cache_, changed_);
  add("route/neigh", neighbour_cache_, changed_);
  add("route/addr", address_cache_, changed_);
  add("route/link", link_cache_, link_changed_);
  if (code < 0) return fail("cannot follow the kernel's routes and neighbours: {}", netlink::describe(code));
  read_all();
  return {};
}

int NextHops::descriptor() const { return nl_cache_mngr_get_fd(manager_); }

void NextHops::ask_for_everything() {
  // What cannot be read now stays as it was.
  for (nl_cache* cache : {route_cache_, neighbour_cache_, address_cache_}) {
    (void)nl_cache_refill(requests_socket_.get(), cache);
  }
}

void NextHops::read_all() {
  read_routes();
  read_neighbours();
  read_addresses();
}

void NextHops::read_routes() {
  routes_.clear();
  each(route_cache_, [this](nl_object* object) {
    auto* route = reinterpret_cast<rtnl_route*>(object);
    if (rtnl_route_get_table(route) != RT_TABLE_MAIN) return;
    const nl_addr* destination = rtnl_route_get_dst(route);
    const auto base = to_address(destination);
    const auto outcome = outcome_of(rtnl_route_get_type(route));
    if (!base || !outcome) return;
    if (*outcome != Outcome::known) {
      Route out;
      out.prefix = Prefix::of(*base, static_cast<std::uint8_t>(nl_addr_get_prefixlen(destination)));
      out.priority = rtnl_route_get_priority(route);
      out.outcome = *outcome;
      routes_.push_back(out);
      return;
    }
    for (int i = 0; i < rtnl_route_get_nnexthops(route); ++i) {
      rtnl_nexthop* hop = rtnl_route_nexthop_n(route, i);
      if (rtnl_route_nh_get_ifindex(hop) != interface_index_) continue;
      Route out;
      out.prefix = Prefix::of(*base, static_cast<std::uint8_t>(nl_addr_get_prefixlen(destination)));
      out.priority = rtnl_route_get_priority(route);
      out.gateway = to_address(rtnl_route_nh_get_gateway(hop));
      routes_.push_back(out);
      break;  // of several hops by the same interface the first one serves
    }
  });
  std::sort(routes_.begin(), routes_.end(), [](const Route& a, const Route& b) {
    return a.prefix.length != b.prefix.length ? a.prefix.length > b.prefix.length : a.priority < b.priority;
  });
}

void NextHops::read_neighbours() {
  for (auto& [address, neighbour] : neighbours_) neighbour.resolved = false;
  each(neighbour_cache_, [this](nl_object* object) {
    auto* neighbour = reinterpret_cast<rtnl_neigh*>(object);
    if (rtnl_neigh_get_ifindex(neighbour) != interface_index_) return;
    const auto address = to_address(rtnl_neigh_get_dst(neighbour));
    const nl_addr* mac = rtnl_neigh_get_lladdr(neighbour);
    const int state = rtnl_neigh_get_state(neighbour);
    if (!address || mac == nullptr || nl_addr_get_len(mac) != 6 || state < 0 || (state & kUsable) == 0) return;
    Neighbour& mine = neighbours_[*address];
    std::memcpy(mine.mac.data(), nl_addr_get_binary_addr(mac), 6);
    mine.resolved = true;
    mine.broadcast = (mine.mac[0] & 1) != 0;
    mine.silent_since.reset();
    mine.stale = (state & NUD_STALE) != 0;
  });
}

void NextHops::read_addresses() {
  local_.clear();
  broadcasts_.clear();
  own_ = {};
  each(address_cache_, [this](nl_object* object) {
    auto* entry = reinterpret_cast<rtnl_addr*>(object);
    const auto address = to_address(rtnl_addr_get_local(entry));
    if (!address) return;
    local_.insert(*address);
    if (const auto broadcast = to_address(rtnl_addr_get_broadcast(entry))) {
      local_.insert(*broadcast);
      broadcasts_.insert(*broadcast);
    }
    const bool link_local = rtnl_addr_get_scope(entry) == RT_SCOPE_LINK;
    auto& own = own_[address->is_v4() ? 0 : 1];
    if (rtnl_addr_get_ifindex(entry) == interface_index_ && !link_local && !own) own = address;
  });
}

bool NextHops::update(TimePoint now) {
  if (const int code = nl_cache_mngr_data_ready(manager_); code < 0) {
    // News were lost: the socket's buffer was full.
    ++resyncs_;
    link_changed_ = true;
  }
  if (link_changed_) {
    // The kernel does not tell of the IPv4 routes that go with an interface.
    ask_for_everything();
    link_changed_ = false;
    changed_ = true;
  }
  const bool news = changed_;
  if (changed_) read_all();
  changed_ = false;
  if (now - confirmed_ < kConfirmInterval) return news;
  confirmed_ = now;
  for (auto each = neighbours_.begin(); each != neighbours_.end();) {
    Neighbour& neighbour = each->second;
    if (neighbour.resolved && neighbour.stale && neighbour.used) ask(each->first, neighbour, now);
    const bool over = !neighbour.resolved && !neighbour.used;
    neighbour.used = false;
    each = over ? neighbours_.erase(each) : std::next(each);
  }
  return news;
}

void NextHops::ask(const IpAddress& address, Neighbour& neighbour, TimePoint now) {
  if (neighbour.asked && now - *neighbour.asked < kAskAgain) return;
  neighbour.asked = now;
  ++requests_;
  const std::unique_ptr<rtnl_neigh, FreeNeighbour> request(rtnl_neigh_alloc());
  const auto destination = netlink::to_netlink(address, address.is_v4() ? 32 : 128);
  if (!request || !destination) return;
  rtnl_neigh_set_ifindex(request.get(), interface_index_);
  rtnl_neigh_set_flags(request.get(), NTF_USE);  // "somebody wants to send": the kernel resolves or confirms
  if (rtnl_neigh_set_dst(request.get(), destination.get()) < 0) return;
  // Refused only while the interface is down or the kernel's table is full; then it is asked again.
  (void)rtnl_neigh_add(requests_socket_.get(), request.get(), NLM_F_CREATE);
}

const NextHops::Route* NextHops::route_to(const IpAddress& destination) const {
  const auto route = std::find_if(routes_.begin(), routes_.end(),
                                  [&](const Route& each) { return each.prefix.contains(destination); });
  return route == routes_.end() ? nullptr : &*route;
}

NextHops::Outcome NextHops::find(const IpAddress& destination, TimePoint now, EthernetAddress& out) {
  const Route* const route = route_to(destination);
  if (route == nullptr) return Outcome::no_route;
  if (route->outcome != Outcome::known) [[unlikely]]
    return route->outcome;
  const IpAddress& hop = route->gateway ? *route->gateway : destination;
  auto found = neighbours_.find(hop);
  if (found == neighbours_.end()) {
    if (neighbours_.size() >= kMaxNeighbours) return Outcome::pending;
    found = neighbours_.emplace(hop, Neighbour{}).first;
  }
  Neighbour& neighbour = found->second;
  neighbour.used = true;
  if (!neighbour.resolved) {
    if (broadcasts_.count(hop) != 0) return Outcome::broadcast;  // the kernel has no neighbour of that address
    if (neighbour.silent_since && now - *neighbour.silent_since < kAskAgain) return Outcome::silent;
    ask(hop, neighbour, now);
    return Outcome::pending;
  }
  if (neighbour.broadcast) [[unlikely]]
    return Outcome::broadcast;
  out = neighbour.mac;
  return Outcome::known;
}

void NextHops::give_up(const IpAddress& destination, TimePoint now) {
  const Route* const route = route_to(destination);
  if (route == nullptr) return;
  const auto found = neighbours_.find(route->gateway ? *route->gateway : destination);
  if (found != neighbours_.end() && !found->second.resolved) found->second.silent_since = now;
}

}  // namespace icr::node
