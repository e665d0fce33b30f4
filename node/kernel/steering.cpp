#include "node/kernel/steering.h"

#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "model/base/log.h"
#include "model/base/result.h"
#include "node/kernel/announcement.h"
#include "node/kernel/netlink.h"
#include "node/kernel/tun_routing.h"

namespace icr::node {
namespace {

constexpr auto kLeaseSeconds = static_cast<std::uint32_t>(Steering::kLease / 1s);
/// When announcements go out, counted from acquire().
constexpr std::array<Duration, 7> kAnnounceAt = {0ms, 100ms, 500ms, 1s, 2500ms, 5s, 10s};
/// How often the worker's sign of life is looked at while a renewal or an announcement waits for it.
constexpr Duration kLookForSign = 50ms;

class NoSteering final : public Steering {
 public:
  Result<void> acquire(TimePoint) override { return {}; }
  void release(TimePoint) override {}
  void tick(TimePoint, const WorkerSigns&) override {}
  std::optional<TimePoint> next_deadline() const override { return std::nullopt; }
  const std::string& warning() const override { return none_; }
  void append_to(CounterList&) const override {}

 private:
  std::string none_;
};

class AddressSteering final : public Steering {
 public:
  AddressSteering(std::span<const VirtualAddress> addresses, netlink::RouteSocket socket, int raw_socket, TimePoint now,
                  ClosedWay closed);
  ~AddressSteering() override;
  AddressSteering(const AddressSteering&) = delete;
  AddressSteering& operator=(const AddressSteering&) = delete;

  Result<void> acquire(TimePoint now) override;
  void release(TimePoint now) override;
  void tick(TimePoint now, const WorkerSigns& worker) override;
  std::optional<TimePoint> next_deadline() const override;
  const std::string& warning() const override { return warning_; }
  void append_to(CounterList& out) const override;

 private:
  struct Interface {
    std::string name;
    int index = 0;  ///< 0: there is none of that name
    bool usable = false;
    bool ethernet = false;
    EthernetAddress mac{};
  };
  struct Held {
    const VirtualAddress* address;
    std::size_t interface;  ///< index into interfaces_
    bool added = false;
  };
  struct Counters {
    std::atomic<std::uint64_t> acquired{0}, released{0}, renewals{0}, refused{0}, announced{0}, announce_failed{0};
    std::atomic<std::uint64_t> expired{0};            ///< times that the leases ran out before they were renewed
    std::atomic<std::uint64_t> interface_trouble{0};  ///< times that the warning changed to a new reason
  };

  bool look_at(Interface& interface);
  struct Look {
    bool news = false;   ///< an interface came up or changed
    std::string reason;  ///< why not all of them are usable; empty: they are
  };
  Look look_at_interfaces();
  int add(Held& held);
  void remove(Held& held, bool leftover);
  Result<void> add_all();
  [[nodiscard]] bool may_renew(TimePoint now, const WorkerSigns& worker);
  void renew(TimePoint now, Look& look);
  void start_announcing(TimePoint now);
  void plan_next_announcement(TimePoint now);
  void announce(const Held& held);
  void announce_all();
  void set_warning(std::string reason);

  ClosedWay closed_;
  netlink::RouteSocket socket_;
  int raw_socket_;  ///< AF_PACKET; sends announcements, answers ioctls, receives nothing
  std::vector<Interface> interfaces_;
  std::vector<Held> held_;
  bool acquired_ = false;
  bool expired_ = false;  ///< the leases ran out and have not been renewed since
  TimePoint renewed_;     ///< last time that the leases were renewed
  TimePoint next_check_;
  TimePoint announcing_since_;
  std::size_t announce_step_ = 0;                   ///< index into kAnnounceAt of the next announcement
  TimePoint next_announcement_ = TimePoint::max();  ///< max: there is none
  std::string warning_;
  Counters counters_;
};

AddressSteering::AddressSteering(std::span<const VirtualAddress> addresses, netlink::RouteSocket socket, int raw_socket,
                                 TimePoint now, ClosedWay closed)
    : closed_(std::move(closed)),
      socket_(std::move(socket)),
      raw_socket_(raw_socket),
      renewed_(now),
      next_check_(now + kRenewInterval) {
  for (const auto& address : addresses) {
    const auto known = std::find_if(interfaces_.begin(), interfaces_.end(),
                                    [&address](const Interface& one) { return one.name == address.interface; });
    held_.push_back({&address, static_cast<std::size_t>(known - interfaces_.begin())});
    if (known == interfaces_.end()) interfaces_.emplace_back().name = address.interface;
  }
  set_warning(look_at_interfaces().reason);
  for (auto& held : held_) remove(held, true);
}

AddressSteering::~AddressSteering() {
  if (acquired_) {
    for (auto& held : held_) remove(held, false);
  }
  ::close(raw_socket_);
}

/// Reads what the interface is now. True when it has become usable, or is another one than before: its neighbours must
/// be told again.
bool AddressSteering::look_at(Interface& interface) {
  const Interface before = interface;
  interface.index = static_cast<int>(if_nametoindex(interface.name.c_str()));
  interface.usable = interface.ethernet = false;
  if (interface.index == 0) return false;
  ifreq request{};
  std::strncpy(request.ifr_name, interface.name.c_str(), IFNAMSIZ - 1);
  if (ioctl(raw_socket_, SIOCGIFFLAGS, &request) == 0) {
    interface.usable = (request.ifr_flags & IFF_UP) != 0 && (request.ifr_flags & IFF_RUNNING) != 0;
  }
  if (ioctl(raw_socket_, SIOCGIFHWADDR, &request) == 0) {
    interface.ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
    std::memcpy(interface.mac.data(), request.ifr_hwaddr.sa_data, interface.mac.size());
  }
  if (interface.index != before.index) {
    // Else the kernel removes the chassis' other addresses of the subnet together with the virtual one.
    netlink::LinkChange change;
    change.promote_secondaries = true;
    if (auto done = netlink::change_link(socket_.get(), interface.index, change); !done) {
      log::warn("steering", "interface={} promote_secondaries cannot be set: {}", interface.name, done.error().message);
    }
  }
  return interface.usable && (!before.usable || interface.index != before.index || interface.mac != before.mac);
}

AddressSteering::Look AddressSteering::look_at_interfaces() {
  Look out;
  for (auto& interface : interfaces_) {
    const int index_before = interface.index;
    out.news = look_at(interface) || out.news;
    if (interface.index != index_before) {
      for (auto& held : held_) {
        if (&interfaces_[held.interface] == &interface) held.added = false;
      }
    }
    if (!out.reason.empty()) continue;
    if (interface.index == 0) {
      out.reason = fmt::format("interface {} does not exist", interface.name);
    } else if (!interface.usable) {
      out.reason = fmt::format("interface {} is down or has no carrier", interface.name);
    }
  }
  return out;
}

/// Says a change of the reason once.
void AddressSteering::set_warning(std::string reason) {
  if (reason == warning_) return;
  warning_ = std::move(reason);
  if (warning_.empty()) {
    log::info("steering", "all virtual addresses can be held again");
  } else {
    ++counters_.interface_trouble;
    log::warn("steering", "this chassis cannot draw the traffic: {}", warning_);
  }
}

netlink::Handle<rtnl_addr> request_for(const VirtualAddress& address, int interface_index) {
  netlink::Handle<rtnl_addr> out(rtnl_addr_alloc());
  const auto local = netlink::to_netlink(address.address, address.prefix_length);
  if (!out || !local) return nullptr;
  rtnl_addr_set_ifindex(out.get(), interface_index);
  rtnl_addr_set_family(out.get(), address.address.is_v4() ? AF_INET : AF_INET6);
  if (rtnl_addr_set_local(out.get(), local.get()) < 0) return nullptr;
  return out;
}

int AddressSteering::add(Held& held) {
  const int index = interfaces_[held.interface].index;
  if (index == 0) return -NLE_NODEV;
  const auto request = request_for(*held.address, index);
  if (!request) return -NLE_NOMEM;
  rtnl_addr_set_valid_lifetime(request.get(), kLeaseSeconds);
  rtnl_addr_set_preferred_lifetime(request.get(), kLeaseSeconds);
  // Duplicate detection would keep the address unusable for a second, and the last owner is dead or has let go.
  if (!held.address->address.is_v4()) rtnl_addr_set_flags(request.get(), IFA_F_NODAD);
  const int code = rtnl_addr_add(socket_.get(), request.get(), NLM_F_CREATE | NLM_F_REPLACE);
  held.added = code == 0;
  if (code < 0) ++counters_.refused;
  return code;
}

void AddressSteering::remove(Held& held, bool leftover) {
  const int index = interfaces_[held.interface].index;
  held.added = false;
  if (index == 0) return;
  const auto request = request_for(*held.address, index);
  const int code = request ? rtnl_addr_delete(socket_.get(), request.get(), 0) : -NLE_NOMEM;
  const auto text = [&held] {
    return fmt::format("address={}/{} interface={}", held.address->address.to_string(), held.address->prefix_length,
                       held.address->interface);
  };
  if (code == 0 && leftover) log::info("steering", "{} was left from before and is removed", text());
  if (code < 0 && code != -NLE_NOADDR) {
    ++counters_.refused;
    log::error("steering", "{} cannot be removed: {}", text(), netlink::describe(code));
  }
}

Result<void> AddressSteering::add_all() {
  std::string reason;
  for (auto& held : held_) {
    const auto& address = *held.address;
    if (std::string closed = closed_ ? closed_(address) : std::string(); !closed.empty()) {
      // Packets that the address attracts could not get into the card.
      if (held.added) remove(held, false);
      if (reason.empty()) {
        reason = fmt::format("virtual address {} is not held: {}", address.address.to_string(), closed);
      }
      continue;
    }
    const int code = add(held);
    if (code == 0 || !reason.empty()) continue;
    if (code == -NLE_NOACCESS && !address.address.is_v4() && ipv6_is_off(address.interface)) {
      reason = fmt::format(
          "cannot add virtual address {}/{}: IPv6 is off on interface {}; set net.ipv6.conf.{}.disable_ipv6 to 0",
          address.address.to_string(), address.prefix_length, address.interface, address.interface);
      continue;
    }
    reason = netlink::refused(fmt::format("cannot add virtual address {}/{} to interface {}",
                                          address.address.to_string(), address.prefix_length, address.interface),
                              code)
                 .value()
                 .message;
  }
  if (reason.empty()) return {};
  return fail("{}", reason);
}

/// Announces the addresses that are held, and begins the sequence of repetitions.
void AddressSteering::start_announcing(TimePoint now) {
  announcing_since_ = now;
  announce_step_ = 0;
  plan_next_announcement(now);
  announce_all();
}

/// What was due meanwhile is covered by the announcement that is sent now.
void AddressSteering::plan_next_announcement(TimePoint now) {
  while (announce_step_ < kAnnounceAt.size() && now >= announcing_since_ + kAnnounceAt[announce_step_]) {
    ++announce_step_;
  }
  next_announcement_ =
      announce_step_ < kAnnounceAt.size() ? announcing_since_ + kAnnounceAt[announce_step_] : TimePoint::max();
}

void AddressSteering::announce_all() {
  for (const auto& held : held_) {
    if (held.added) announce(held);
  }
}

void AddressSteering::announce(const Held& held) {
  const auto& interface = interfaces_[held.interface];
  if (!interface.ethernet) return;
  const auto frame = announcement(held.address->address, interface.mac);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = interface.index;
  to.sll_halen = ETH_ALEN;
  const ssize_t sent =
      sendto(raw_socket_, frame.data(), frame.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  ++(sent == static_cast<ssize_t>(frame.size()) ? counters_.announced : counters_.announce_failed);
}

Result<void> AddressSteering::acquire(TimePoint now) {
  acquired_ = true;
  expired_ = false;
  ++counters_.acquired;
  const Look look = look_at_interfaces();
  // Before they are added, because adding them may have to wait for the kernel's lock, and forwarding need not: packets
  // come to the Ethernet address.
  for (const auto& held : held_) {
    const auto& address = *held.address;
    const bool closed = closed_ && !closed_(address).empty();
    if (!closed && (address.address.is_v4() || !ipv6_is_off(address.interface))) announce(held);
  }
  announcing_since_ = now;
  announce_step_ = 0;
  plan_next_announcement(now);
  auto done = add_all();
  set_warning(look.reason.empty() && !done ? done.error().message : look.reason);
  renewed_ = now;
  next_check_ = now + kRenewInterval;
  return done;
}

void AddressSteering::release(TimePoint /*now*/) {
  if (!acquired_) return;
  acquired_ = false;
  next_announcement_ = TimePoint::max();
  ++counters_.released;
  for (auto& held : held_) remove(held, false);
}

/// Returns true if the leases may be renewed now; otherwise sets the time of the next check.
bool AddressSteering::may_renew(TimePoint now, const WorkerSigns& worker) {
  const bool alive = now - worker.alive <= kSignOfLife;
  if (!expired_ && now >= renewed_ + kLease) {
    // The kernel has taken the addresses away, or will as soon as it gets its own lock.
    expired_ = true;
    next_announcement_ = TimePoint::max();
    ++counters_.expired;
    const bool paused = !alive || worker.resumed > renewed_;
    log::warn("steering", "leases of the virtual addresses expired, they were last renewed {} ms ago: {}",
              (now - renewed_) / 1ms, paused ? "the worker paused" : "the kernel did not answer in time");
  }
  if (!alive) {
    next_check_ = now + kLookForSign;
    return false;
  }
  // If the worker paused, the peer may be master by now, and the worker must have had time to hear of it.
  if (expired_ && now < worker.resumed + kGraceAfterPause) {
    next_check_ = worker.resumed + kGraceAfterPause;
    return false;
  }
  return true;
}

void AddressSteering::renew(TimePoint now, Look& look) {
  const bool missed = std::any_of(held_.begin(), held_.end(), [](const Held& held) { return !held.added; });
  const auto done = add_all();
  ++counters_.renewals;
  renewed_ = now;
  if (look.reason.empty() && !done) look.reason = done.error().message;
  const bool again = std::exchange(expired_, false);
  if (look.news || again || (missed && done)) start_announcing(now);
}

void AddressSteering::tick(TimePoint now, const WorkerSigns& worker) {
  if (now >= next_check_) {
    next_check_ = now + kRenewInterval;
    Look look = look_at_interfaces();
    if (!acquired_) {
      set_warning(std::move(look.reason));
    } else if (may_renew(now, worker)) {
      renew(now, look);
      set_warning(std::move(look.reason));
    }
  }
  if (now < next_announcement_) return;
  // A worker that hangs does not forward, and one that paused may have to hear first that the peer is master.
  const bool may_announce = now - worker.alive <= kSignOfLife && now >= worker.resumed + kGraceAfterPause;
  if (may_announce) {
    plan_next_announcement(now);
    announce_all();
  } else {
    next_announcement_ = now + kLookForSign;
  }
}

std::optional<TimePoint> AddressSteering::next_deadline() const { return std::min(next_check_, next_announcement_); }

void AddressSteering::append_to(CounterList& out) const {
  out.push_back({"steering-acquired", counters_.acquired});
  out.push_back({"steering-released", counters_.released});
  out.push_back({"steering-renewals", counters_.renewals});
  out.push_back({"steering-leases-expired", counters_.expired});
  out.push_back({"steering-requests-refused", counters_.refused});
  out.push_back({"steering-announcements", counters_.announced});
  out.push_back({"steering-announcements-failed", counters_.announce_failed});
  out.push_back({"steering-interface-trouble", counters_.interface_trouble});
}

}  // namespace

Result<std::unique_ptr<Steering>> open_steering(std::span<const VirtualAddress> addresses, TimePoint now,
                                                ClosedWay closed) {
  if (addresses.empty()) return std::unique_ptr<Steering>(std::make_unique<NoSteering>());
  auto socket = netlink::open_route_socket();
  if (!socket) return tl::unexpected(socket.error().in("virtual addresses"));
  const int raw = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) {
    return fail(
        "virtual addresses: announcing them needs a packet socket: {} (run as root, or give the container NET_RAW)",
        error_text(errno));
  }
  return std::unique_ptr<Steering>(
      std::make_unique<AddressSteering>(addresses, std::move(*socket), raw, now, std::move(closed)));
}

}  // namespace icr::node
