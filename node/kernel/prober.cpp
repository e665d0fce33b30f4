#include "node/kernel/prober.h"

// clang-format off
#include <net/if.h>  // before headers of the kernel, which have the same enumerators
// clang-format on
#include <arpa/inet.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "model/base/result.h"
#include "node/packet/checksum.h"

namespace icr::node {
namespace {

/// An answer that comes later than this after the last request is not read, because it proves nothing.
constexpr Duration kExpected = 2s;
/// Type, code, checksum, identifier, sequence number (the same for both families), our mark, the nonce.
constexpr std::size_t kHeader = 8;
constexpr std::array<std::uint8_t, 8> kMark = {'i', 'c', 'r', ' ', 'l', 'i', 'v', 'e'};
/// The hop limit of requests to an address that may be behind routers.
constexpr int kFarHops = 64;
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

Prober::Prober(std::uint16_t identifier, const IpAddress& far) : identifier_(identifier), far_(far) {
  open(v4_, AF_INET);
  open(v6_, AF_INET6);
}

Prober::Prober(std::uint16_t identifier, Anywhere /*anywhere*/, std::string interface)
    : identifier_(identifier), anywhere_(true), interface_(std::move(interface)) {
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
    warning_ = fmt::format("{} cannot be asked whether {}: {} (grant CAP_NET_RAW)",
                           anywhere_ ? "addresses" : "the peer's machine", anywhere_ ? "they answer" : "it lives",
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
    answered_ = 0;
    (void)receive(socket, v4, kMessagesPerLook);
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
    // A link-local address means something on one link only.
    if (!interface_.empty()) in->sin6_scope_id = if_nametoindex(interface_.c_str());
    length = sizeof *in;
  }
  // Each time, because an interface of this name may be another one by now.
  if (!interface_.empty() && ::setsockopt(socket.descriptor, SOL_SOCKET, SO_BINDTODEVICE, interface_.data(),
                                          static_cast<socklen_t>(interface_.size())) != 0) {
    ++not_sent_;
    return;
  }
  const int hops = anywhere_ || address == far_ ? kFarHops : 1;
  const bool limited = v4 ? ::setsockopt(socket.descriptor, IPPROTO_IP, IP_TTL, &hops, sizeof hops) == 0
                          : ::setsockopt(socket.descriptor, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops) == 0;
  if (!limited) {
    ++not_sent_;
    return;
  }
  const auto sent =
      ::sendto(socket.descriptor, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to), length);
  if (sent != static_cast<ssize_t>(message.size())) ++not_sent_;
}

std::size_t Prober::receive(const Socket& socket, bool v4, std::size_t most) {
  std::array<std::uint8_t, 256> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
  std::size_t read = 0;
  for (; read < most; ++read) {
    const auto got = ::recv(socket.descriptor, buffer.data(), buffer.size(), 0);
    // Nothing is there, or the error of a former request, which is told once.
    if (got < 0) break;
    std::span<const std::uint8_t> message(buffer.data(), static_cast<std::size_t>(got));
    // A raw IPv4 socket also returns the IP header.
    if (v4 && socket.raw) {
      const std::size_t header = message.empty() ? 0 : 4U * (message[0] & 0xfU);
      message = message.subspan(std::min(header, message.size()));
    }
    const std::uint8_t reply =
        v4 ? static_cast<std::uint8_t>(ICMP_ECHOREPLY) : static_cast<std::uint8_t>(ICMP6_ECHO_REPLY);
    std::uint64_t nonce = 0;
    if (message.size() >= kRequest && message[0] == reply &&
        std::equal(kMark.begin(), kMark.end(), message.begin() + kHeader) &&
        // A raw socket gets the answers of every program; of a ping socket the kernel chooses the identifier.
        (!socket.raw || load16(message.data() + 4) == identifier_)) {
      std::memcpy(&nonce, message.data() + kHeader + kMark.size(), sizeof nonce);
    }
    if (nonce == 0) {
      ++strange_;
    } else {
      answers_[answered_++] = nonce;
    }
  }
  return read;
}

std::span<const std::uint64_t> Prober::take_answers(TimePoint now) {
  answered_ = 0;
  if (!expecting(now)) return {};
  std::size_t left = kMessagesPerLook;
  for (const Socket* socket : {&v4_, &v6_}) {
    if (socket->descriptor >= 0) left -= receive(*socket, socket == &v4_, left);
  }
  return {answers_.data(), answered_};
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

}  // namespace icr::node
