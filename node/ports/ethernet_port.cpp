#include "node/ports/ethernet_port.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "model/base/clock.h"
#include "model/base/log.h"
#include "model/base/result.h"
#include "node/kernel/next_hops.h"
#include "node/kernel/tun_routing.h"
#include "node/packet/checksum.h"
#include "node/packet/cut_ipv4.h"
#include "node/packet/headers.h"
#include "node/ports/ip_header.h"
#include "node/ports/packet_socket.h"

// Of Linux 4.20; older headers do not have it.
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

namespace icr::node {
namespace {

constexpr int kSocketBuffer = 16 * 1024 * 1024;
/// A burst ends here: what was received shall still be in the cache of the core when it is sent.
constexpr std::size_t kFrameBurstBytes = 256 * 1024;
/// How often routes, neighbours, MTU and losses are looked at while packets come without a pause.
constexpr Duration kLookInterval = 100ms;
constexpr Duration kLongestWait = 3s;

bool set_packet_option(int socket, int option) {
  const int on = 1;
  return setsockopt(socket, SOL_PACKET, option, &on, sizeof on) == 0;
}

}  // namespace

EthernetPort::EthernetPort(std::uint32_t unit, std::string interface)
    : unit_(unit),
      interface_(std::move(interface)),
      now_(coarse_monotonic_now()),
      staged_(kBatch),
      errors_(unit),
      fragment_(kMaxPacketBytes),
      datagram_(kMaxPacketBytes) {}

Result<std::unique_ptr<EthernetPort>> EthernetPort::open(const PacketPort& config, std::function<void()> schedule) {
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
  auto hops = NextHops::open(index, std::move(schedule));
  if (!hops) return tl::unexpected(hops.error().in(where));
  port->hops_ = std::move(*hops);
  port->poll_ = epoll_create1(EPOLL_CLOEXEC);
  for (const int descriptor : {port->socket_, port->hops_->descriptor()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (port->poll_ < 0 || epoll_ctl(port->poll_, EPOLL_CTL_ADD, descriptor, &event) < 0) {
      return fail("{}: no descriptor left: {}", where, error_text(errno));
    }
  }
  port->read_mtu();
  return port;
}

Result<void> EthernetPort::open_socket(int index) {
  index_ = index;
  control_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  // Protocol 0: nothing is received before the filter is there.
  socket_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) {
    return fail("a packet socket cannot be made: {} (run as root, or give the container NET_RAW)", error_text(errno));
  }
  ifreq request{};
  std::strncpy(request.ifr_name, interface_.c_str(), IFNAMSIZ - 1);
  if (ioctl(control_, SIOCGIFHWADDR, &request) < 0) return fail("cannot read its address: {}", error_text(errno));
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return fail("it is no Ethernet interface");
  std::memcpy(mac_.data(), request.ifr_hwaddr.sa_data, mac_.size());
  if (!set_packet_option(socket_, PACKET_VNET_HDR) || !set_packet_option(socket_, PACKET_IGNORE_OUTGOING) ||
      !packet_socket::attach_filter(socket_)) {
    return fail("the kernel refuses an option of the packet socket: {} (Linux 4.20 is needed)", error_text(errno));
  }
  if (!packet_socket::stamp(socket_)) {
    log::warn("port", "interface={} cannot tell how long packets wait for it: {}", interface_, error_text(errno));
  }
  // What is beyond the machine's limit needs CAP_NET_ADMIN; a smaller buffer only drops earlier.
  for (const int option : {SO_RCVBUFFORCE, SO_SNDBUFFORCE}) {
    if (setsockopt(socket_, SOL_SOCKET, option, &kSocketBuffer, sizeof kSocketBuffer) < 0) {
      log::warn("port", "interface={} keeps a small socket buffer: {}", interface_, error_text(errno));
    }
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = index;
  if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return fail("cannot bind a packet socket to it: {}", error_text(errno));
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
  now_ = coarse_monotonic_now();
  const bool due = now_ - looked_ >= kLookInterval;
  // News wake the worker: who is idle must take them, or is woken for ever.
  if (!due && !idle && waiting_.empty()) return;
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
  if (!waiting_.empty()) send_waiting();
}

std::size_t EthernetPort::rx_burst(std::span<Packet> packets) {
  look_around(false);
  std::size_t count = errors_.take(packets);
  std::size_t bytes = 0;
  while (count < packets.size() && bytes < kFrameBurstBytes) {
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
      if (!failure_logged_) log::error("port", "interface={} cannot receive: {}", interface_, error_text(errno));
      failure_logged_ = true;
      break;
    }
    // One time stamp is enough for the batch, which arrived at about the same time.
    if (const auto waited = packet_socket::age_of(rx_messages_[0].msg_hdr)) watch_.head(now_ - *waited, now_);
    // What is refused leaves a gap, which the next one fills: buffers change places, bytes do not.
    const std::size_t first = count;
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      Packet& packet = packets[first + i];
      if (watch_.too_old(now_)) {
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
      if (!offload::take(rx_headers_[i].vnet, kEthernet, packet)) {
        ++counters_.rx_bad_offload;
        continue;
      }
      // What is no IP packet is the engine's to refuse, which has a name for everything that can be wrong.
      if (has_ip_header(packet) && !may_forward(packet, rx_headers_[i])) continue;
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

bool EthernetPort::may_forward(Packet& packet, const FrameHeader& header) {
  const bool v6 = packet.data[0] >> 4 == 6;
  // RFC 894, RFC 2464 section 3.
  if (load16(header.ethernet.data() + 12) != (v6 ? ETH_P_IPV6 : ETH_P_IP)) {
    ++counters_.rx_ether_type;
    return false;
  }
  if (is_link_local(packet.data, packet.length)) {
    ++counters_.rx_link_local;
    return false;
  }
  if (hops_->is_local(destination_of(packet))) {
    ++counters_.rx_own;
    return false;
  }
  if (!v6 && (packet.data[0] & 0x0f) > 5) [[unlikely]] {
    Headers headers;
    if (read_headers(packet.data, packet.length, headers) == HeaderError::none && headers.bad_option != 0) {
      ++counters_.rx_bad_option;  // RFC 1812 section 4.3.3.5
      tell_sender(packet, kParameterProblem, std::uint32_t{headers.bad_option} << 24);
      return false;
    }
  }
  if (take_hop(packet)) return true;
  ++counters_.rx_hop_limit;
  tell_sender(packet, kTimeExceeded);
  return false;
}

void EthernetPort::tell_sender(const Packet& packet, const IcmpErrorKind& kind, std::uint32_t field) {
  std::array<std::uint8_t, kReplyBytes> error;
  const auto& own = hops_->own(packet.data[0] >> 4 == 6);
  const std::uint32_t length = errors_.make(packet, kind, field, own, now_, error.data());
  if (length == 0) return;
  tx({error.data(), length, kReplyBytes, unit_});
  flush();
}

void EthernetPort::tell_card(const Packet& packet, const IcmpErrorKind& kind, std::uint32_t field) {
  errors_.tell_card(packet, kind, field, hops_->own(packet.data[0] >> 4 == 6), now_);
}

bool EthernetPort::frame(const Packet& packet, const EthernetAddress& to, FrameHeader& out) {
  if (!offload::describe(packet, kEthernet, out.vnet)) {
    ++counters_.tx_bad_offload;
    return false;
  }
  const bool segments = out.vnet.gso_type != offload::kGsoNone;
  const std::size_t longest = segments ? out.vnet.hdr_len - kEthernet + out.vnet.gso_size : packet.length;
  if (longest > mtu_) [[unlikely]] {
    send_long(packet, to);
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
  switch (hops_->find(destination_of(packet), now_, to)) {
    case NextHops::Outcome::known:
      return send_to(packet, to);
    case NextHops::Outcome::pending:
      ++(waiting_.add(packet, now_) ? counters_.tx_held : counters_.tx_unresolved);
      return;
    case NextHops::Outcome::silent:
      ++counters_.tx_unresolved;
      return tell_card(packet, kHostUnreachable);
    case NextHops::Outcome::broadcast:
      ++counters_.tx_broadcast;
      return;
    case NextHops::Outcome::no_route:
      ++counters_.tx_no_route;
      return tell_card(packet, kNetUnreachable);
    case NextHops::Outcome::blackhole:
      ++counters_.tx_no_route;
      return;
    case NextHops::Outcome::unreachable:
      ++counters_.tx_no_route;
      return tell_card(packet, kRouteUnreachable);
    case NextHops::Outcome::prohibited:
      ++counters_.tx_no_route;
      return tell_card(packet, kProhibited);
  }
}

void EthernetPort::send_to(const Packet& packet, const EthernetAddress& to) {
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

void EthernetPort::send_long(const Packet& packet, const EthernetAddress& to) {
  const std::uint32_t header = (packet.data[0] & 0x0fU) * 4U;
  const std::uint32_t total = load16(packet.data + 2);
  const bool whole = header >= 20 && header < total && total <= packet.length;
  if (!may_be_fragmented(packet.data) || !whole || mtu_ < kLeastIpv4Mtu) {
    ++counters_.tx_mtu;
    return tell_card(packet, kTooBig, mtu_);
  }
  if (packet.segment_bytes == 0) return send_fragments(packet, to);
  const auto transport = offload::find_transport(packet.data, packet.length);
  if (transport && transport->protocol == ip_protocol::tcp && transport->offset + transport->header_bytes < mtu_) {
    // Shorter segments lose nothing and need no reassembly.
    Packet shorter = packet;
    shorter.segment_bytes = static_cast<std::uint16_t>(mtu_ - transport->offset - transport->header_bytes);
    return send_to(shorter, to);
  }
  offload::each_datagram(packet, datagram_.data(), [&](std::uint8_t* data, std::uint32_t length) {
    const Packet datagram{data, length, length, packet.unit};
    length <= mtu_ ? send_to(datagram, to) : send_fragments(datagram, to);
  });
}

void EthernetPort::send_fragments(const Packet& packet, const EthernetAddress& to) {
  if (!offload::complete(packet)) {
    ++counters_.tx_bad_offload;
    return;
  }
  ++counters_.tx_fragmented;
  cut_ipv4(packet.data, mtu_, fragment_.data(), [&](std::uint8_t* data, std::uint32_t length) {
    ++counters_.tx_fragments;
    send_to({data, length, length, packet.unit}, to);
  });
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

/// Sends the packets whose next hop is known now. Drops those that waited too long, and sends ICMP errors about them.
void EthernetPort::send_waiting() {
  waiting_.review(unit_, [this](const Packet& packet, TimePoint since) {
    EthernetAddress to;
    const IpAddress destination = destination_of(packet);
    const NextHops::Outcome found = hops_->find(destination, now_, to);
    if (found == NextHops::Outcome::pending && now_ - since <= kLongestWait) return true;
    if (found != NextHops::Outcome::pending) {
      tx(packet);
      return false;
    }
    hops_->give_up(destination, now_);
    ++counters_.tx_unresolved;
    tell_card(packet, kHostUnreachable);
    return false;
  });
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
  add("rx-dropped-ether-type", counters_.rx_ether_type);
  add("rx-dropped-bad-option", counters_.rx_bad_option);
  add("rx-dropped-oversize", counters_.rx_oversize);
  add("rx-dropped-bad-offload", counters_.rx_bad_offload);
  add("rx-dropped-queue-full", counters_.rx_kernel_full);
  add("rx-dropped-overload", counters_.rx_overload);
  add("rx-errors", counters_.rx_errors);
  add("tx-packets", counters_.tx_packets);
  add("tx-bytes", counters_.tx_bytes);
  add("tx-large-packets", counters_.tx_large);
  add("tx-held-for-next-hop", counters_.tx_held);
  errors_.append_to(out);
  add("tx-fragmented", counters_.tx_fragmented);
  add("tx-fragments", counters_.tx_fragments);
  add("tx-dropped-mtu", counters_.tx_mtu);
  add("tx-dropped-no-route", counters_.tx_no_route);
  add("tx-dropped-broadcast", counters_.tx_broadcast);
  add("tx-dropped-unresolved", counters_.tx_unresolved);
  add("tx-dropped-bad-offload", counters_.tx_bad_offload);
  add("tx-dropped-queue-full", counters_.tx_queue_full);
  add("tx-dropped-device-down", counters_.tx_device_down);
  add("tx-dropped-error", counters_.tx_errors);
  add("next-hop-requests", hops_->requests());
  add("next-hop-resyncs", hops_->resyncs());
}

}  // namespace icr::node
