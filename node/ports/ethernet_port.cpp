#include "node/ports/ethernet_port.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "model/log.h"
#include "node/packet/checksum.h"
#include "node/packet/rewrite.h"
#include "node/ports/link_local.h"
#include "node/ports/next_hops.h"
#include "node/ports/packet_socket.h"
#include "node/ports/tun_routing.h"

// Of Linux 4.20; older headers do not have it.
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

namespace icr::node {
namespace {

constexpr int kSocketBuffer = 16 * 1024 * 1024;
/// A burst ends here: what was received shall still be in the cache of the core when it is sent.
constexpr std::size_t kBurstBytes = 256 * 1024;
/// How often routes, neighbours, MTU and losses are looked at while packets come without a pause.
constexpr Duration kLookInterval = 100ms;
constexpr Duration kLongestWait = 3s;

std::string words(int error_number) { return std::generic_category().message(error_number); }

TimePoint coarse_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

bool set_packet_option(int socket, int option) {
  const int on = 1;
  return setsockopt(socket, SOL_PACKET, option, &on, sizeof on) == 0;
}

IpAddress destination_of(const Packet& packet) {
  return packet.data[0] >> 4 == 6 ? IpAddress::v6(packet.data + 24) : IpAddress::v4(load32(packet.data + 16));
}

bool has_ip_header(const Packet& packet) {
  return (packet.length >= 20 && packet.data[0] >> 4 == 4) || (packet.length >= 40 && packet.data[0] >> 4 == 6);
}

/// One hop less. False: there was none left.
bool take_hop(Packet& packet) {
  const bool v6 = packet.data[0] >> 4 == 6;
  std::uint8_t& hops = packet.data[v6 ? 7 : 8];
  if (hops <= 1) return false;
  if (v6) {
    --hops;
    return true;
  }
  ChecksumDelta delta;
  const std::uint16_t before = load16(packet.data + 8);
  --hops;
  delta.replace16(before, load16(packet.data + 8));
  store16(packet.data + 10, delta.apply(load16(packet.data + 10)));
  return true;
}

}  // namespace

EthernetPort::EthernetPort(std::uint32_t unit, std::string interface)
    : unit_(unit), interface_(std::move(interface)), now_(coarse_now()) {}

Result<std::unique_ptr<EthernetPort>> EthernetPort::open(const PacketPort& config) {
  const std::string where = fmt::format("port unit {} interface {}", config.unit, config.device);
  const auto index = static_cast<int>(if_nametoindex(config.device.c_str()));
  if (index == 0) return fail("{}: there is no such interface on this machine", where);
  std::unique_ptr<EthernetPort> port(new EthernetPort(config.unit, config.device));
  if (auto done = port->open_socket(index); !done) return tl::unexpected(done.error().in(where));
  auto route_socket = netlink::open_route_socket();
  if (!route_socket) return tl::unexpected(route_socket.error().in(where));
  if (auto done = keep_from_forwarding(route_socket->get(), config.device); !done) {
    return tl::unexpected(done.error().in(where));
  }
  auto hops = NextHops::open(index);
  if (!hops) return tl::unexpected(hops.error().in(where));
  port->hops_ = std::move(*hops);
  port->poll_ = epoll_create1(EPOLL_CLOEXEC);
  for (const int descriptor : {port->socket_, port->hops_->descriptor()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (port->poll_ < 0 || epoll_ctl(port->poll_, EPOLL_CTL_ADD, descriptor, &event) < 0) {
      return fail("{}: no descriptor left: {}", where, words(errno));
    }
  }
  port->staged_.resize(kBatch);
  port->waiting_.resize(kWaiting);
  port->errors_.resize(kErrors);
  port->read_mtu();
  return port;
}

Result<void> EthernetPort::open_socket(int index) {
  index_ = index;
  control_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  // Protocol 0: nothing is received before the filter is there.
  socket_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) {
    return fail("a packet socket cannot be made: {} (run as root, or give the container NET_RAW)", words(errno));
  }
  ifreq request{};
  std::strncpy(request.ifr_name, interface_.c_str(), IFNAMSIZ - 1);
  if (ioctl(control_, SIOCGIFHWADDR, &request) < 0) return fail("cannot read its address: {}", words(errno));
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return fail("it is no Ethernet interface");
  std::memcpy(mac_.data(), request.ifr_hwaddr.sa_data, mac_.size());
  if (!set_packet_option(socket_, PACKET_VNET_HDR) || !set_packet_option(socket_, PACKET_IGNORE_OUTGOING) ||
      !packet_socket::attach_filter(socket_)) {
    return fail("the kernel refuses an option of the packet socket: {} (Linux 4.20 is needed)", words(errno));
  }
  if (!packet_socket::stamp(socket_)) {
    log::warn("port", "interface={} cannot tell how long packets wait for it: {}", interface_, words(errno));
  }
  // What is beyond the machine's limit needs CAP_NET_ADMIN; a smaller buffer only drops earlier.
  for (const int option : {SO_RCVBUFFORCE, SO_SNDBUFFORCE}) {
    if (setsockopt(socket_, SOL_SOCKET, option, &kSocketBuffer, sizeof kSocketBuffer) < 0) {
      log::warn("port", "interface={} keeps a small socket buffer: {}", interface_, words(errno));
    }
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = index;
  if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return fail("cannot bind a packet socket to it: {}", words(errno));
  }
  return {};
}

EthernetPort::~EthernetPort() {
  for (const int descriptor : {socket_, control_, poll_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

void EthernetPort::read_mtu() {
  ifreq request{};
  std::strncpy(request.ifr_name, interface_.c_str(), IFNAMSIZ - 1);
  if (ioctl(control_, SIOCGIFMTU, &request) == 0) mtu_ = static_cast<std::uint32_t>(request.ifr_mtu);
}

void EthernetPort::look_around(bool idle) {
  now_ = coarse_now();
  const bool due = now_ - looked_ >= kLookInterval;
  // News wake the worker: who is idle must take them, or is woken for ever.
  if (!due && !idle && waiting_count_ == 0) return;
  if (due) {
    looked_ = now_;
    read_mtu();
    tpacket_stats lost{};
    socklen_t size = sizeof lost;
    if (getsockopt(socket_, SOL_PACKET, PACKET_STATISTICS, &lost, &size) == 0) {
      counters_.rx_kernel_full += lost.tp_drops;
    }
  }
  (void)hops_->update(now_);
  if (waiting_count_ != 0) send_waiting();
}

std::size_t EthernetPort::rx_burst(std::span<Packet> packets) {
  look_around(false);
  std::size_t count = take_errors(packets);
  std::size_t bytes = 0;
  while (count < packets.size() && bytes < kBurstBytes) {
    const std::size_t room = std::min(packets.size() - count, kBatch);
    for (std::size_t i = 0; i < room; ++i) {
      Packet& packet = packets[count + i];
      rx_parts_[2 * i] = {&rx_headers_[i], sizeof(FrameHeader)};
      rx_parts_[2 * i + 1] = {packet.data, packet.capacity};
      rx_messages_[i] = {};
      rx_messages_[i].msg_hdr.msg_iov = &rx_parts_[2 * i];
      rx_messages_[i].msg_hdr.msg_iovlen = 2;
    }
    rx_messages_[0].msg_hdr.msg_control = rx_stamp_.data();
    rx_messages_[0].msg_hdr.msg_controllen = rx_stamp_.size();
    const int got = recvmmsg(socket_, rx_messages_.data(), static_cast<unsigned>(room), MSG_DONTWAIT, nullptr);
    if (got < 0) {
      if (errno == EINTR) continue;
      watch_.empty(now_);
      if (errno == EAGAIN || errno == ENETDOWN) break;
      ++counters_.rx_errors;
      if (!failure_logged_) log::error("port", "interface={} cannot receive: {}", interface_, words(errno));
      failure_logged_ = true;
      break;
    }
    // One stamp for all: they came at about the same time.
    if (const auto waited = packet_socket::age_of(rx_messages_[0].msg_hdr)) watch_.head(now_ - *waited, now_);
    // What is refused leaves a gap, which the next one fills: buffers change places, bytes do not.
    const std::size_t first = count;
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      Packet& packet = packets[first + i];
      if (watch_.too_old()) {
        ++counters_.rx_overload;
        continue;
      }
      if ((rx_messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        ++counters_.rx_oversize;
        continue;
      }
      if (rx_messages_[i].msg_len < sizeof(FrameHeader)) {
        ++counters_.rx_errors;
        continue;
      }
      packet.length = rx_messages_[i].msg_len - static_cast<unsigned>(sizeof(FrameHeader));
      packet.unit = unit_;
      if (is_link_local(packet.data, packet.length)) {
        ++counters_.rx_link_local;
        continue;
      }
      if (!offload::take(rx_headers_[i].vnet, kEthernet, packet)) {
        ++counters_.rx_bad_offload;
        continue;
      }
      // What is no IP packet is the engine's to refuse, which has a name for everything that can be wrong.
      if (has_ip_header(packet)) {
        if (hops_->is_local(destination_of(packet))) {
          ++counters_.rx_own;
          continue;
        }
        if (!take_hop(packet)) {
          ++counters_.rx_hop_limit;
          tell_hop_limit(packet);
          continue;
        }
      }
      ++counters_.rx_packets;
      counters_.rx_bytes += packet.length;
      counters_.rx_large += packet.segment_bytes != 0 ? 1U : 0U;
      bytes += packet.length;
      if (first + i != count) std::swap(packets[first + i], packets[count]);
      ++count;
    }
    if (static_cast<std::size_t>(got) < room) {
      watch_.empty(now_);
      break;
    }
  }
  if (count == 0) look_around(true);
  return count;
}

std::uint32_t EthernetPort::make_error(const Packet& about, std::uint8_t type, std::uint8_t code, std::uint32_t field,
                                       std::uint8_t* out) {
  Headers headers;
  // RFC 1812 section 4.3.2.7, RFC 4443 section 2.4: not about errors, later fragments, or what cannot be read.
  if (read_headers(about.data, about.length, headers) != HeaderError::none) return 0;
  if (headers.later_fragment || headers.icmp == IcmpKind::error) return 0;
  const auto& own = hops_->own(headers.v6);
  if (now_ - error_second_ >= 1s) {
    error_second_ = now_;
    errors_this_second_ = 0;
  }
  if (!own || ++errors_this_second_ > kErrorsPerSecond) {
    ++counters_.errors_suppressed;
    return 0;
  }
  const std::uint32_t length = make_icmp_error(headers, type, code, field, out);
  Headers error;
  if (read_headers(out, length, error) != HeaderError::none) return 0;
  FlowKey from_here = error.key;
  from_here.source = *own;
  rewrite(error, from_here);
  ++counters_.errors_sent;
  return length;
}

/// Time exceeded, straight back to the sender: it is on this side of the translation.
void EthernetPort::tell_hop_limit(const Packet& packet) {
  std::array<std::uint8_t, kReplyBytes> error;
  const bool v6 = packet.data[0] >> 4 == 6;
  const std::uint32_t length = make_error(packet, v6 ? 3 : 11, 0, 0, error.data());
  if (length == 0) return;
  tx({error.data(), length, kReplyBytes, unit_});
  flush();
}

/// Fragmentation needed, packet too big: for the next burst, as if the next router had sent it.
void EthernetPort::tell_mtu(const Packet& packet) {
  const bool v6 = packet.data[0] >> 4 == 6;
  const bool may_not_be_fragmented = v6 || (packet.data[6] & 0x40) != 0;
  if (!may_not_be_fragmented) return;
  if (error_count_ == kErrors) {
    ++counters_.errors_suppressed;
    return;
  }
  Error& error = errors_[error_count_];
  error.length = make_error(packet, v6 ? 2 : 3, v6 ? 0 : 4, mtu_, error.packet.data());
  if (error.length != 0) ++error_count_;
}

std::size_t EthernetPort::take_errors(std::span<Packet> packets) {
  const std::size_t count = std::min(error_count_, packets.size());
  for (std::size_t i = 0; i < count; ++i) {
    Packet& packet = packets[i];
    std::memcpy(packet.data, errors_[i].packet.data(), errors_[i].length);
    packet.length = errors_[i].length;
    packet.unit = unit_;
    packet.segment_bytes = 0;
    packet.partial_checksum = false;
  }
  std::move(errors_.begin() + static_cast<std::ptrdiff_t>(count),
            errors_.begin() + static_cast<std::ptrdiff_t>(error_count_), errors_.begin());
  error_count_ -= count;
  return count;
}

bool EthernetPort::frame(const Packet& packet, const EthernetAddress& to, FrameHeader& out) {
  if (!offload::describe(packet, kEthernet, out.vnet)) {
    ++counters_.tx_bad_offload;
    return false;
  }
  const bool segments = out.vnet.gso_type != offload::kGsoNone;
  const std::size_t longest = segments ? out.vnet.hdr_len - kEthernet + out.vnet.gso_size : packet.length;
  if (longest > mtu_) {
    ++counters_.tx_mtu;
    tell_mtu(packet);
    return false;
  }
  std::memcpy(out.ethernet.data(), to.data(), to.size());
  std::memcpy(out.ethernet.data() + 6, mac_.data(), mac_.size());
  store16(out.ethernet.data() + 12, packet.data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
  return true;
}

void EthernetPort::tx(const Packet& packet) {
  if (!has_ip_header(packet) || packet.length > kMaxPacketBytes) {
    ++counters_.tx_errors;
    return;
  }
  EthernetAddress to;
  const auto found = hops_->find(destination_of(packet), now_, to);
  if (found == NextHops::Outcome::no_route) {
    ++counters_.tx_no_route;
    return;
  }
  if (found == NextHops::Outcome::pending) return hold(packet);
  if (packet.length <= kSmall) {
    Staged& staged = staged_[staged_count_];
    if (!frame(packet, to, staged.header)) return;
    // Only now: the checksum field was written by frame().
    std::memcpy(staged.packet.data(), packet.data, packet.length);
    staged.length = packet.length;
    if (++staged_count_ == kBatch) flush();
    return;
  }
  flush();  // in order
  FrameHeader header;
  if (!frame(packet, to, header)) return;
  iovec parts[2] = {{&header, sizeof header}, {packet.data, packet.length}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket_, &message, MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return count_failure(errno);
  count_sent(header, packet.length);
}

void EthernetPort::flush() {
  std::size_t done = 0;
  for (std::size_t i = 0; i < staged_count_; ++i) {
    tx_parts_[2 * i] = {&staged_[i].header, sizeof(FrameHeader)};
    tx_parts_[2 * i + 1] = {staged_[i].packet.data(), staged_[i].length};
    tx_messages_[i] = {};
    tx_messages_[i].msg_hdr.msg_iov = &tx_parts_[2 * i];
    tx_messages_[i].msg_hdr.msg_iovlen = 2;
  }
  while (done < staged_count_) {
    const int sent =
        sendmmsg(socket_, tx_messages_.data() + done, static_cast<unsigned>(staged_count_ - done), MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      count_failure(errno);
      ++done;  // the first of the rest is what was refused
      continue;
    }
    for (int i = 0; i < sent; ++i, ++done) count_sent(staged_[done].header, staged_[done].length);
  }
  staged_count_ = 0;
}

void EthernetPort::count_sent(const FrameHeader& header, std::uint32_t length) {
  ++counters_.tx_packets;
  counters_.tx_bytes += length;
  counters_.tx_large += header.vnet.gso_type != offload::kGsoNone ? 1U : 0U;
}

void EthernetPort::count_failure(int error_number) {
  switch (error_number) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      ++counters_.tx_queue_full;
      break;
    case ENETDOWN:
    case ENXIO:
    case ENODEV:
      ++counters_.tx_device_down;
      break;
    case EMSGSIZE:
      ++counters_.tx_mtu;
      break;
    default:
      ++counters_.tx_errors;
      break;
  }
}

void EthernetPort::hold(const Packet& packet) {
  if (packet.length > kSmall || waiting_count_ == kWaiting) {
    ++counters_.tx_unresolved;
    return;
  }
  Waiting& place = waiting_[(first_waiting_ + waiting_count_++) % kWaiting];
  place.since = now_;
  place.length = packet.length;
  place.segment_bytes = packet.segment_bytes;
  place.partial_checksum = packet.partial_checksum;
  std::memcpy(place.packet.data(), packet.data, packet.length);
  ++counters_.tx_held;
}

/// Those whose next hop is known now go; those that waited too long are given up.
void EthernetPort::send_waiting() {
  for (std::size_t left = waiting_count_; left != 0; --left) {
    Waiting& place = waiting_[first_waiting_];
    first_waiting_ = (first_waiting_ + 1) % kWaiting;
    --waiting_count_;
    Packet packet{place.packet.data(), place.length, kSmall, unit_};
    packet.segment_bytes = place.segment_bytes;
    packet.partial_checksum = place.partial_checksum;
    EthernetAddress to;
    if (hops_->find(destination_of(packet), now_, to) == NextHops::Outcome::known) {
      tx(packet);
    } else if (now_ - place.since > kLongestWait) {
      ++counters_.tx_unresolved;
    } else {
      Waiting& last = waiting_[(first_waiting_ + waiting_count_++) % kWaiting];
      if (&last != &place) last = place;
    }
  }
  flush();
}

void EthernetPort::append_to(CounterList& out) const {
  const auto add = [&out](const char* name, std::uint64_t value) { out.push_back({name, value}); };
  add("rx-packets", counters_.rx_packets);
  add("rx-bytes", counters_.rx_bytes);
  add("rx-large-packets", counters_.rx_large);
  add("rx-for-this-machine", counters_.rx_own);
  add("rx-dropped-link-local", counters_.rx_link_local);
  add("rx-dropped-hop-limit", counters_.rx_hop_limit);
  add("rx-dropped-oversize", counters_.rx_oversize);
  add("rx-dropped-bad-offload", counters_.rx_bad_offload);
  add("rx-dropped-queue-full", counters_.rx_kernel_full);
  add("rx-dropped-overload", counters_.rx_overload);
  add("rx-errors", counters_.rx_errors);
  add("tx-packets", counters_.tx_packets);
  add("tx-bytes", counters_.tx_bytes);
  add("tx-large-packets", counters_.tx_large);
  add("tx-held-for-next-hop", counters_.tx_held);
  add("icmp-errors-sent", counters_.errors_sent);
  add("icmp-errors-suppressed", counters_.errors_suppressed);
  add("tx-dropped-mtu", counters_.tx_mtu);
  add("tx-dropped-no-route", counters_.tx_no_route);
  add("tx-dropped-unresolved", counters_.tx_unresolved);
  add("tx-dropped-bad-offload", counters_.tx_bad_offload);
  add("tx-dropped-queue-full", counters_.tx_queue_full);
  add("tx-dropped-device-down", counters_.tx_device_down);
  add("tx-dropped-error", counters_.tx_errors);
  add("next-hop-requests", hops_->requests());
  add("next-hop-resyncs", hops_->resyncs());
}

}  // namespace icr::node
