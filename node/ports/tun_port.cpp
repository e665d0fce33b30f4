#include "node/ports/tun_port.h"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <system_error>

#include "model/base/clock.h"
#include "model/base/log.h"
#include "model/base/result.h"
#include "node/kernel/netlink.h"
#include "node/kernel/tun_routing.h"
#include "node/packet/self_test_packet.h"
#include "node/ports/ip_header.h"
#include "node/ports/offload.h"

// Of Linux 6.2; older headers do not have them.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace icr::node {
namespace {

constexpr const char* kControlDevice = "/dev/net/tun";
/// Packets that the kernel keeps for us while the worker is busy elsewhere; the default of 500 is half a millisecond.
/// Packets that waited too long are dropped (node/ports/queue_watch.h). Where waiting times are unknown, the length is
/// the only limit.
constexpr std::uint32_t kQueueLength = 10000;
constexpr std::uint32_t kUnwatchedQueueLength = 1000;
/// A burst ends here: what was received shall still be in the cache of the core when it is sent.
constexpr std::size_t kBurstBytes = 256 * 1024;
/// What we take and give back: partial checksums, TCP segments, and UDP datagrams (since Linux 6.2).
constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr unsigned kDatagramOffloads = TUN_F_USO4 | TUN_F_USO6;
constexpr std::uint32_t kMaxQueues = 16;
/// The most old packets that are dropped before other work has its turn; dropping is faster than forwarding.
constexpr std::size_t kDropsPerBurst = 1024;
/// RFC 3692: for experiments; no host sends it.
constexpr std::uint8_t kMarkerProtocol = 253;

/// What the kernel puts in front of each packet, and expects there.
struct Preamble {
  tun_pi info{};
  offload::VnetHeader vnet;
};
static_assert(sizeof(Preamble) == sizeof(tun_pi) + sizeof(offload::VnetHeader));

/// Returns how many packets found the queue full, from the kernel's counters (which count as sent what the port
/// receives). Returns 0 if there is no such device.
std::uint64_t dropped_by_kernel(const std::string& device) {
  std::ifstream devices("/proc/thread-self/net/dev");
  for (std::string line; std::getline(devices, line);) {
    const auto colon = line.find(':');
    const auto name = line.find_first_not_of(' ');
    if (colon == std::string::npos || line.compare(name, colon - name, device) != 0) continue;
    std::istringstream numbers(line.substr(colon + 1));
    // Eight columns of what the device received; bytes, packets, errors and drops of what it sent.
    std::uint64_t value = 0;
    for (int i = 0; i < 12; ++i) numbers >> value;
    return value;
  }
  return 0;
}

/// Returns the protocol as which the kernel shall take a packet, or 0 for what is no IP packet.
std::uint16_t protocol_of(const Packet& packet) {
  switch (packet.length == 0 ? 0 : packet.data[0] >> 4) {
    case 4:
      return self_test_packet::has_passed(packet) ? self_test_packet::kExitProtocol : ETH_P_IP;
    case 6:
      return ETH_P_IPV6;
    default:
      return 0;
  }
}

Error cannot_open_control(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return Error{
          fmt::format("{} is not usable ({}): load the module (modprobe tun), or give the container the device "
                      "(--device {})",
                      kControlDevice, error_text(error_number), kControlDevice)};
    case EACCES:
    case EPERM:
      return Error{fmt::format("{}: {}: run as root, or give the container the device (--device {})", kControlDevice,
                               error_text(error_number), kControlDevice)};
    default:
      return Error{fmt::format("{}: {}", kControlDevice, error_text(error_number))};
  }
}

Error cannot_create(int error_number) {
  switch (error_number) {
    case EPERM:
      return Error{
          "creating a TUN device needs CAP_NET_ADMIN: run as root, or give the container NET_ADMIN "
          "(--cap-add NET_ADMIN)"};
    case EBUSY:
      return Error{"the device is in use by another process (is another icrd with this card running?)"};
    case EINVAL:
      return Error{
          "an interface of this name exists and is not a TUN device of as many queues, or the name is not allowed"};
    default:
      return Error{fmt::format("creating the TUN device failed: {}", error_text(error_number))};
  }
}

}  // namespace

Result<std::unique_ptr<TunPort>> TunPort::open(const PacketPort& config) {
  const std::string where = fmt::format("port unit {} device {}", config.unit, config.device);
  if (config.device.empty() || config.device.size() >= IFNAMSIZ) {
    return fail("{}: a device name has 1 to {} characters", where, IFNAMSIZ - 1);
  }
  if (config.queues < 1 || config.queues > kMaxQueues) return fail("{}: 1 to {} queues", where, kMaxQueues);
  std::unique_ptr<TunPort> port(new TunPort(config.unit, config.device));
  if (auto opened = port->open_queues(config.queues); !opened) return tl::unexpected(opened.error().in(where));

  const auto index = static_cast<int>(if_nametoindex(config.device.c_str()));
  if (index == 0) return fail("{}: the device vanished while it was being set up", where);
  auto socket = netlink::open_route_socket();
  if (!socket) return tl::unexpected(socket.error().in(where));
  // Without generated addresses first: an interface that comes up with one starts to speak by itself.
  netlink::LinkChange quiet;
  quiet.without_link_local_addresses = true;
  if (auto done = netlink::change_link(socket->get(), index, quiet); !done) {
    log::warn("port", "device={} keeps its IPv6 link-local address: {}", config.device, done.error().message);
  }
  // The device keeps packets in queues of its own and never tells the kernel to wait, so the kernel's default
  // discipline would never hold one. For a device of several queues it would be costly: the kernel then makes
  // disciplines for 256 queues of kQueueLength packets, and where it is built without preemption, no other thread,
  // real-time or not, gets that processor for a quarter of a second.
  if (auto done = netlink::set_noqueue(socket->get(), index); !done) {
    log::warn("port", "device={} keeps its queueing discipline: {}", config.device, done.error().message);
  }
  if (auto marking = port->open_marking(index); !marking) {
    log::warn("port", "device={} cannot tell how long packets wait for it: {}", config.device, marking.error().message);
  }
  netlink::LinkChange change;
  change.up = true;
  change.tx_queue_length = port->marking_ >= 0 ? kQueueLength : kUnwatchedQueueLength;
  change.mtu = kMaxPacketBytes;     // the interface through which a packet leaves decides whether it is too long
  change.accept_any_source = true;  // packets come out of the device with everybody's source address
  change.forward_ipv4 = true;
  if (auto done = netlink::change_link(socket->get(), index, change); !done) {
    return tl::unexpected(done.error().in(where));
  }
  if (auto done = steer_into(socket->get(), config.device, index, config.steer_from); !done) {
    return tl::unexpected(done.error().in(where));
  }
  if (const std::string trouble = ipv6_forwarding_trouble(config.device); !trouble.empty()) {
    log::warn("port", "device={} {}", config.device, trouble);
  }
  return port;
}

Result<void> TunPort::open_queues(std::uint32_t count) {
  // Without IFF_NO_PI each packet says its protocol, which is another one for test packets.
  constexpr unsigned kFlags = IFF_TUN | IFF_VNET_HDR;
  ifreq request{};
  std::memcpy(request.ifr_name, device_.c_str(), device_.size());
  const auto add = [&](unsigned flags) -> Result<int> {
    const int queue = ::open(kControlDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (queue < 0) return tl::unexpected(cannot_open_control(errno));
    queues_.push_back(queue);
    request.ifr_flags = static_cast<short>(kFlags | flags);
    if (ioctl(queue, TUNSETIFF, &request) < 0) return tl::unexpected(cannot_create(errno));
    return queue;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    // The first one must create the device: to one of several queues anybody may add queues, and take traffic with
    // them.
    const unsigned several = count == 1 ? 0U : i == 0 ? IFF_MULTI_QUEUE | IFF_TUN_EXCL : IFF_MULTI_QUEUE;
    if (const auto queue = add(several); !queue) return tl::unexpected(queue.error());
  }
  if (ioctl(queues_.front(), TUNSETOFFLOAD, kOffloads | kDatagramOffloads) < 0 &&
      ioctl(queues_.front(), TUNSETOFFLOAD, kOffloads) < 0) {
    return fail("the kernel refuses checksum and segmentation offloads: {}", error_text(errno));
  }
  sending_ = queues_.front();
  watches_.resize(count);
  if (count == 1) return {};
  // From a queue that is detached the kernel does not learn where to put the answers.
  const auto sending = add(IFF_MULTI_QUEUE);
  if (!sending) return tl::unexpected(sending.error());
  queues_.pop_back();
  sending_ = *sending;
  request.ifr_flags = static_cast<short>(IFF_DETACH_QUEUE);
  if (ioctl(sending_, TUNSETQUEUE, &request) < 0) return fail("cannot detach a queue: {}", error_text(errno));
  poll_ = epoll_create1(EPOLL_CLOEXEC);
  if (poll_ < 0) return fail("cannot wait for several queues: {}", error_text(errno));
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (epoll_ctl(poll_, EPOLL_CTL_ADD, queues_[i], &event) < 0) {
      return fail("cannot wait for several queues: {}", error_text(errno));
    }
  }
  return {};
}

TunPort::~TunPort() {
  if (poll_ >= 0) {
    ::close(poll_);
    ::close(sending_);
  }
  if (marking_ >= 0) ::close(marking_);
  for (const int queue : queues_) ::close(queue);
}

Result<void> TunPort::open_marking(int index) {
  index_ = index;
  // With protocol 0 the socket receives nothing.
  marking_ = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (marking_ < 0) {
    return fail("a packet socket cannot be made: {} (run as root, or give the container NET_RAW)", error_text(errno));
  }
  std::random_device device;
  marker_.cookie = std::uint64_t{device()} << 32 | device();
  marker_.ip = {0x45, 0, 0, sizeof(Marker), 0, 0, 0, 0, 1, kMarkerProtocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1};
  return {};
}

void TunPort::send_marker(TimePoint now) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_IP);
  to.sll_ifindex = index_;
  marker_.since = now.time_since_epoch().count();
  // The kernel chooses a queue by the addresses, so every queue gets a marker now and then.
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    ++marker_.ip[15];
    (void)::sendto(marking_, &marker_, sizeof marker_, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
}

bool TunPort::take_marker(std::size_t queue, const std::uint8_t* data) {
  Marker found;
  std::memcpy(&found, data, sizeof found);
  if (found.ip[9] != kMarkerProtocol || found.cookie != marker_.cookie || marking_ < 0) return false;
  ++counters_.rx_markers;
  const std::int64_t since = found.since;  // a copy: the field is not aligned
  watches_[queue].head(TimePoint(Duration(since)), now_);
  return true;
}

void TunPort::was_away(Duration absence, TimePoint now) {
  for (QueueWatch& watch : watches_) watch.away(absence, now);
  now_ = now;
}

Duration TunPort::waited() const {
  Duration out{};
  for (const QueueWatch& watch : watches_) out = std::max(out, watch.waited());
  return out;
}

Port::Load TunPort::load() const { return {counters_.rx_packets, counters_.rx_overload + dropped_by_kernel(device_)}; }

std::size_t TunPort::rx_burst(std::span<Packet> packets) {
  if (gone_) return 0;
  now_ = monotonic_now();
  if (queues_.size() == 1) return receive(0, packets, kBurstBytes);
  std::array<epoll_event, kMaxQueues> ready{};
  auto waiting =
      static_cast<std::size_t>(std::max(epoll_wait(poll_, ready.data(), static_cast<int>(ready.size()), 0), 0));
  std::uint32_t filled = 0;  // a bit for each queue in which something waits
  for (std::size_t i = 0; i < waiting; ++i) filled |= 1U << ready[i].data.u64;
  for (std::size_t queue = 0; queue < queues_.size(); ++queue) {
    if ((filled >> queue & 1U) == 0) watches_[queue].empty(now_);
  }
  // Each has its share; what some leave of it is shared again by those that want more.
  std::size_t count = 0;
  while (waiting != 0 && count < packets.size()) {
    const std::size_t share = std::max<std::size_t>((packets.size() - count) / waiting, 1);
    std::size_t hungry = 0;
    for (std::size_t i = 0; i < waiting && count < packets.size(); ++i) {
      const std::size_t most = std::min(share, packets.size() - count);
      const std::size_t got = receive(ready[i].data.u64, packets.subspan(count, most), kBurstBytes / queues_.size());
      count += got;
      if (got == most) ready[hungry++] = ready[i];
    }
    waiting = hungry;
  }
  return count;
}

std::size_t TunPort::receive(std::size_t queue, std::span<Packet> packets, std::size_t limit) {
  QueueWatch& watch = watches_[queue];
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t dropped = 0;
  while (count < packets.size() && bytes < limit && dropped < kDropsPerBurst) {
    Packet& packet = packets[count];
    Preamble header;
    // One byte more than fits shows that the kernel cut the packet.
    std::uint8_t beyond = 0;
    iovec parts[3] = {{&header, sizeof header}, {packet.data, packet.capacity}, {&beyond, 1}};
    const ssize_t got = readv(queues_[queue], parts, 3);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        watch.empty(now_);
        break;
      }
      ++counters_.rx_errors;
      gone_ = gone_ || errno == EBADFD;
      if (!failure_logged_) log::error("port", "device={} cannot receive: {}", device_, error_text(errno));
      failure_logged_ = true;
      break;
    }
    if (static_cast<std::size_t>(got) < sizeof header) {
      ++counters_.rx_bad_offload;
      continue;
    }
    const std::size_t length = static_cast<std::size_t>(got) - sizeof header;
    if (length > packet.capacity) {
      ++counters_.rx_oversize;
      continue;
    }
    if (length == sizeof(Marker) && take_marker(queue, packet.data)) continue;
    if (watch.too_old(now_)) {
      ++counters_.rx_overload;
      ++dropped;
      continue;
    }
    if (is_link_local(packet.data, length)) {
      ++counters_.rx_link_local;
      continue;
    }
    packet.length = static_cast<std::uint32_t>(length);
    packet.unit = unit_;
    if (!offload::take(header.vnet, 0, packet)) {
      ++counters_.rx_bad_offload;
      continue;
    }
    ++counters_.rx_packets;
    counters_.rx_bytes += length;
    counters_.rx_large += packet.segment_bytes != 0 ? 1U : 0U;
    bytes += length;
    ++count;
  }
  if (count + dropped != 0 && marking_ >= 0 && watch.mark_due(now_)) send_marker(now_);
  return count;
}

void TunPort::tx(const Packet& packet) {
  if (packet.length > kMaxPacketBytes) {
    ++counters_.tx_oversize;
    return;
  }
  const std::uint16_t protocol = protocol_of(packet);
  if (protocol == 0) {
    ++counters_.tx_refused;
    return;
  }
  Preamble header;
  header.info.proto = htons(protocol);
  if (!offload::describe(packet, 0, header.vnet)) {
    ++counters_.tx_bad_offload;
    return;
  }
  iovec parts[2] = {{&header, sizeof header}, {packet.data, packet.length}};
  ssize_t sent = 0;
  do {
    sent = writev(sending_, parts, 2);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    ++counters_.tx_packets;
    counters_.tx_bytes += packet.length;
    counters_.tx_large += header.vnet.gso_type != offload::kGsoNone ? 1U : 0U;
    return;
  }
  switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      ++counters_.tx_queue_full;
      break;
    case EIO:
    case EBADFD:
      ++counters_.tx_device_down;
      break;
    case EINVAL:
      ++counters_.tx_refused;
      break;
    default:
      ++counters_.tx_errors;
      break;
  }
}

void TunPort::append_to(CounterList& out) const {
  const auto add = [&out](const char* name, std::uint64_t value) { out.push_back({name, value}); };
  add("rx-packets", counters_.rx_packets);
  add("rx-bytes", counters_.rx_bytes);
  add("rx-large-packets", counters_.rx_large);
  add("rx-dropped-oversize", counters_.rx_oversize);
  add("rx-dropped-bad-offload", counters_.rx_bad_offload);
  add("rx-dropped-link-local", counters_.rx_link_local);
  add("rx-dropped-overload", counters_.rx_overload);
  add("rx-dropped-queue-full", dropped_by_kernel(device_));
  add("rx-markers", counters_.rx_markers);
  add("rx-errors", counters_.rx_errors);
  add("tx-packets", counters_.tx_packets);
  add("tx-bytes", counters_.tx_bytes);
  add("tx-large-packets", counters_.tx_large);
  add("tx-dropped-oversize", counters_.tx_oversize);
  add("tx-dropped-bad-offload", counters_.tx_bad_offload);
  add("tx-dropped-queue-full", counters_.tx_queue_full);
  add("tx-dropped-device-down", counters_.tx_device_down);
  add("tx-dropped-refused", counters_.tx_refused);
  add("tx-dropped-error", counters_.tx_errors);
}

}  // namespace icr::node
