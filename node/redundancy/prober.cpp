#include "node/redundancy/prober.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/icmp.h>
#include <linux/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "model/result.h"
#include "node/packet/checksum.h"

namespace icr::node {
namespace {

/// An answer that comes later than this after the last request is not read, because it proves nothing.
constexpr Duration kExpected = 2s;
/// Type, code, checksum, identifier, sequence number (the same for both families), our mark, the nonce.
constexpr std::size_t kHeader = 8;
constexpr std::array<std::uint8_t, 8> kMark = {'i', 'c', 'r', ' ', 'l', 'i', 'v', 'e'};
constexpr std::size_t kRequest = kHeader + kMark.size() + sizeof(std::uint64_t);

using Request = std::array<std::uint8_t, kRequest>;

Request request(std::uint8_t type, std::uint16_t identifier, std::uint16_t sequence, std::uint64_t nonce) {
  Request out{};
  out[0] = type;
  store16(out.data() + 4, identifier);
  store16(out.data() + 6, sequence);
  std::copy(kMark.begin(), kMark.end(), out.begin() + kHeader);
  std::memcpy(out.data() + kHeader + kMark.size(), &nonce, sizeof nonce);
  return out;
}

}  // namespace

Prober::Prober(std::uint16_t identifier) : identifier_(identifier) {
  open(v4_, AF_INET);
  open(v6_, AF_INET6);
}

Prober::~Prober() {
  for (const Socket* socket : {&v4_, &v6_}) {
    if (socket->descriptor >= 0) ::close(socket->descriptor);
  }
}

void Prober::open(Socket& socket, int family) {
  const int protocol = family == AF_INET ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
  socket.descriptor = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (socket.descriptor >= 0) return;
  socket.descriptor = ::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  socket.raw = true;
  if (socket.descriptor < 0) {
    if (errno == EAFNOSUPPORT) return;  // the machine does not have this address family, so no address of it either
    warning_ = fmt::format("the peer's machine cannot be asked whether it lives: {} (grant CAP_NET_RAW)",
                           std::strerror(errno));
    return;
  }
  // The filter passes echo replies only, so that other messages do not fill the buffer.
  if (family == AF_INET) {
    icmp_filter filter{};
    filter.data = ~(1U << ICMP_ECHOREPLY);
    (void)::setsockopt(socket.descriptor, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
  } else {
    icmp6_filter filter{};
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    (void)::setsockopt(socket.descriptor, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  }
}

void Prober::send(TimePoint now, const IpAddress& address, std::uint64_t nonce) {
  const bool v4 = address.is_v4();
  const Socket& socket = v4 ? v4_ : v6_;
  if (socket.descriptor < 0) {
    ++not_sent_;
    return;
  }
  // Old unread messages must not keep new answers out of the buffer.
  if (!expecting(now)) {
    while (receive(socket, v4) != 0) {
    }
  }
  expecting_until_ = now + kExpected;
  Request message = request(v4 ? static_cast<std::uint8_t>(ICMP_ECHO) : static_cast<std::uint8_t>(ICMP6_ECHO_REQUEST),
                            identifier_, ++sequence_, nonce);
  sockaddr_storage to{};
  socklen_t length = 0;
  if (v4) {
    store16(message.data() + 2, checksum_finish(checksum_add(message.data(), message.size())));
    auto* in = reinterpret_cast<sockaddr_in*>(&to);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(address.to_v4());
    length = sizeof *in;
  } else {
    // The kernel fills the checksum in (RFC 3542 section 3.1).
    auto* in = reinterpret_cast<sockaddr_in6*>(&to);
    in->sin6_family = AF_INET6;
    std::copy(address.bytes.begin(), address.bytes.end(), in->sin6_addr.s6_addr);
    length = sizeof *in;
  }
  const auto sent =
      ::sendto(socket.descriptor, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to), length);
  if (sent != static_cast<ssize_t>(message.size())) ++not_sent_;
}

/// Returns the nonce of the next answer in the buffer, or 0 if there is none. Skips other messages.
std::uint64_t Prober::receive(const Socket& socket, bool v4) {
  std::array<std::uint8_t, 256> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
  for (;;) {
    const auto got = ::recv(socket.descriptor, buffer.data(), buffer.size(), 0);
    // Nothing is there, or the error of a former request, which is told once.
    if (got < 0) return 0;
    std::span<const std::uint8_t> message(buffer.data(), static_cast<std::size_t>(got));
    // A raw IPv4 socket also returns the IP header.
    if (v4 && socket.raw) {
      const std::size_t header = message.empty() ? 0 : 4U * (message[0] & 0xfU);
      message = message.subspan(std::min(header, message.size()));
    }
    const std::uint8_t reply =
        v4 ? static_cast<std::uint8_t>(ICMP_ECHOREPLY) : static_cast<std::uint8_t>(ICMP6_ECHO_REPLY);
    if (message.size() < kRequest || message[0] != reply ||
        !std::equal(kMark.begin(), kMark.end(), message.begin() + kHeader)) {
      ++strange_;
      continue;
    }
    std::uint64_t nonce = 0;
    std::memcpy(&nonce, message.data() + kHeader + kMark.size(), sizeof nonce);
    if (nonce != 0) return nonce;
  }
}

std::uint64_t Prober::take_answer(TimePoint now) {
  if (!expecting(now)) return 0;
  for (const Socket* socket : {&v4_, &v6_}) {
    if (socket->descriptor < 0) continue;
    if (const std::uint64_t nonce = receive(*socket, socket == &v4_); nonce != 0) return nonce;
  }
  return 0;
}

void Prober::append_descriptors(TimePoint now, std::vector<int>& out) const {
  if (!expecting(now)) return;
  for (const Socket* socket : {&v4_, &v6_}) {
    if (socket->descriptor >= 0) out.push_back(socket->descriptor);
  }
}

void Prober::append_to(CounterList& out) const {
  out.push_back({"probes-not-sent", not_sent_});
  out.push_back({"probes-strange-answers", strange_});
}

std::vector<IpAddress> service_addresses(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                         std::size_t most) {
  const RedundancySet& config = cluster.redundancy_sets[set];
  std::vector<std::string> interfaces;
  for (const VirtualAddress& each : config.virtual_addresses) interfaces.push_back(each.interface);
  for (const RedundancyMember& member : config.members) {
    if (member.chassis != chassis) continue;
    const Card* card = cluster.chassis[chassis].card(member.card);
    if (card == nullptr) continue;
    for (const std::uint16_t index : config.service_sets) {
      const ServiceSet& services = cluster.service_sets[index];
      for (const std::uint32_t unit : {services.inside_unit, services.outside_unit}) {
        const PacketPort* port = card->port(unit);
        if (port == nullptr) continue;
        interfaces.insert(interfaces.end(), port->steer_from.begin(), port->steer_from.end());
        if (port->kind == PacketPort::Kind::af_packet) interfaces.push_back(port->device);
      }
    }
  }
  const auto is_virtual = [&](const IpAddress& address) {
    return std::any_of(cluster.redundancy_sets.begin(), cluster.redundancy_sets.end(), [&](const RedundancySet& each) {
      return std::any_of(each.virtual_addresses.begin(), each.virtual_addresses.end(),
                         [&](const VirtualAddress& v) { return v.address == address; });
    });
  };

  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<IpAddress> v4;
  std::vector<IpAddress> v6;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0U) continue;
    if (std::find(interfaces.begin(), interfaces.end(), each->ifa_name) == interfaces.end()) continue;
    if (each->ifa_addr->sa_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
      v4.push_back(IpAddress::v4(ntohl(in->sin_addr.s_addr)));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
      if (!IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr)) v6.push_back(IpAddress::v6(in->sin6_addr.s6_addr));
    }
  }
  v4.insert(v4.end(), v6.begin(), v6.end());
  v4.erase(std::remove_if(v4.begin(), v4.end(), is_virtual), v4.end());
  if (v4.size() > most) v4.resize(most);
  return v4;
}

}  // namespace icr::node
