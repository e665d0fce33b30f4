#include "node/kernel/next_hops.h"

#include <algorithm>
#include <random>

namespace icr::node {
namespace {

constexpr Duration kAskAgain = 1s;
/// How often the kernel is told which neighbours are used: it would forget them otherwise.
constexpr Duration kConfirmInterval = 1s;
/// Neighbours that are kept; what comes from the network may ask for any number of destinations.
constexpr std::size_t kMaxNeighbours = RouteMirror::kMaxRequests;

NextHops::Outcome outcome_of(InterfacePicture::RouteKind kind) {
  switch (kind) {
    case InterfacePicture::RouteKind::unicast:
      return NextHops::Outcome::known;
    case InterfacePicture::RouteKind::blackhole:
      return NextHops::Outcome::blackhole;
    case InterfacePicture::RouteKind::unreachable:
      return NextHops::Outcome::unreachable;
    case InterfacePicture::RouteKind::prohibited:
      return NextHops::Outcome::prohibited;
  }
  return NextHops::Outcome::blackhole;
}

}  // namespace

NextHops::Hash::Hash() : seed(std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()) {}

Result<std::unique_ptr<NextHops>> NextHops::open(int interface_index, std::function<void()> schedule) {
  auto mirror = RouteMirror::open(interface_index, std::move(schedule));
  if (!mirror) return tl::unexpected(mirror.error());
  std::unique_ptr<NextHops> out(new NextHops(std::move(*mirror)));
  (void)out->take_picture();
  return out;
}

/// Returns true if there was a new picture.
bool NextHops::take_picture() {
  const auto picture = mirror_->take();
  if (!picture) return false;
  routes_ = std::move(picture->routes);
  for (auto& [address, neighbour] : neighbours_) neighbour.resolved = false;
  for (const auto& known : picture->neighbours) {
    Neighbour& mine = neighbours_[known.address];
    mine.mac = known.mac;
    mine.resolved = true;
    mine.broadcast = (known.mac[0] & 1) != 0;
    mine.silent_since.reset();
    mine.stale = known.stale;
  }
  local_.clear();
  local_.insert(picture->local.begin(), picture->local.end());
  broadcasts_.clear();
  broadcasts_.insert(picture->broadcasts.begin(), picture->broadcasts.end());
  own_ = picture->own;
  return true;
}

bool NextHops::update(TimePoint now) {
  const bool news = take_picture();
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
  mirror_->ask(address);
}

const NextHops::Route* NextHops::route_to(const IpAddress& destination) const {
  const auto route = std::find_if(routes_.begin(), routes_.end(),
                                  [&](const Route& each) { return each.prefix.contains(destination); });
  return route == routes_.end() ? nullptr : &*route;
}

NextHops::Outcome NextHops::find(const IpAddress& destination, TimePoint now, EthernetAddress& out) {
  const Route* const route = route_to(destination);
  if (route == nullptr) return Outcome::no_route;
  if (route->kind != InterfacePicture::RouteKind::unicast) [[unlikely]]
    return outcome_of(route->kind);
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
