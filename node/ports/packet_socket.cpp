#include "node/ports/packet_socket.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace icr::node::packet_socket {

bool attach_filter(int socket) {
  constexpr auto kWord = static_cast<std::uint16_t>(BPF_LD | BPF_W | BPF_ABS);
  constexpr auto kEqual = static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
  constexpr auto kReturn = static_cast<std::uint16_t>(BPF_RET | BPF_K);
  constexpr auto kAncillary = static_cast<std::uint32_t>(SKF_AD_OFF);
  sock_filter program[] = {
      {kWord, 0, 0, kAncillary + SKF_AD_PKTTYPE},
      {kEqual, 0, 5, PACKET_HOST},
      {kWord, 0, 0, kAncillary + SKF_AD_VLAN_TAG_PRESENT},
      {kEqual, 0, 3, 0},
      {kWord, 0, 0, kAncillary + SKF_AD_PROTOCOL},
      {kEqual, 2, 0, ETH_P_IP},
      {kEqual, 1, 0, ETH_P_IPV6},
      {kReturn, 0, 0, 0},
      {kReturn, 0, 0, 0xffffffffU},
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

bool stamp(int socket) {
  const int on = 1;
  return setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
}

std::optional<Duration> age_of(const msghdr& message) {
  for (const cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
       each = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(each))) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec came{};
    std::memcpy(&came, CMSG_DATA(each), sizeof came);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const Duration age =
        std::chrono::seconds(now.tv_sec - came.tv_sec) + std::chrono::nanoseconds(now.tv_nsec - came.tv_nsec);
    // The time stamps are of the wall clock, which can be set.
    if (age > 10s) return std::nullopt;
    return std::max<Duration>(age, 0ns);
  }
  return std::nullopt;
}

}  // namespace icr::node::packet_socket
