#include "node/ports/device_tap.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <system_error>

#include "model/base/result.h"

namespace icr::node {
namespace {

sockaddr_ll address_of(int index, std::uint16_t protocol) {
  sockaddr_ll out{};
  out.sll_family = AF_PACKET;
  out.sll_protocol = htons(protocol);
  out.sll_ifindex = index;
  return out;
}

/// Passes only test packets that carry the secret and have gone through the card. Offsets count from the IP header.
bool attach_filter(int socket, std::uint64_t secret) {
  using namespace self_test_packet;
  constexpr auto kOctet = static_cast<std::uint16_t>(BPF_LD | BPF_B | BPF_ABS);
  constexpr auto kWord = static_cast<std::uint16_t>(BPF_LD | BPF_W | BPF_ABS);
  constexpr auto kEqual = static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
  constexpr auto kReturn = static_cast<std::uint16_t>(BPF_RET | BPF_K);
  sock_filter program[] = {
      {kOctet, 0, 0, 9},
      {kEqual, 0, 7, kProtocol},
      {kWord, 0, 0, 16},
      {kEqual, 0, 5, kExit},
      {kWord, 0, 0, kSecretOffset},
      {kEqual, 0, 3, static_cast<std::uint32_t>(secret >> 32)},
      {kWord, 0, 0, kSecretOffset + 4},
      {kEqual, 0, 1, static_cast<std::uint32_t>(secret)},
      {kReturn, 0, 0, 0xffffffffU},
      {kReturn, 0, 0, 0},
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace

Result<std::unique_ptr<DeviceTap>> DeviceTap::open(const std::string& device, std::uint64_t secret) {
  const auto index = static_cast<int>(if_nametoindex(device.c_str()));
  if (index == 0) return fail("there is no device {}", device);
  // With protocol 0 the socket receives nothing until it has its filter.
  const int socket = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) {
    return fail("a packet socket cannot be made: {} (run as root, or give the container NET_RAW)", error_text(errno));
  }
  std::unique_ptr<DeviceTap> out(new DeviceTap(socket, index));
  if (!attach_filter(socket, secret)) return fail("the kernel refuses a filter: {}", error_text(errno));
  const sockaddr_ll address = address_of(index, self_test_packet::kExitProtocol);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail("a packet socket cannot be bound to {}: {}", device, error_text(errno));
  }
  return out;
}

DeviceTap::~DeviceTap() { ::close(socket_); }

void DeviceTap::send(std::span<const std::uint8_t> packet) {
  const sockaddr_ll to = address_of(index_, ETH_P_IP);
  (void)!::sendto(socket_, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

std::optional<self_test_packet::Content> DeviceTap::receive() {
  std::array<std::uint8_t, self_test_packet::kBytes> packet{};
  for (;;) {
    const ssize_t got = ::recv(socket_, packet.data(), packet.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    // The device may be down or gone, which the socket reports once; there is nothing to receive then.
    if (got < 0) return std::nullopt;
    if (static_cast<std::size_t>(got) != packet.size()) continue;
    if (const auto found = self_test_packet::read(packet)) return found;
  }
}

}  // namespace icr::node
