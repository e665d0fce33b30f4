// What a packet socket of an Ethernet port lets in, and when it came.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "model/time.h"

namespace icr::node::packet_socket {

/// Room for the stamp of a message.
inline constexpr std::size_t kStampBytes = 64;

/// Only what is for the interface, untagged, IPv4 or IPv6 wakes the worker; the kernel decides. False: errno says why.
[[nodiscard]] bool attach_filter(int socket);
/// Messages carry the time of their arrival from now on. False: errno says why.
[[nodiscard]] bool stamp(int socket);
/// How long ago the message arrived; nullopt if it has no stamp.
[[nodiscard]] std::optional<Duration> age_of(const msghdr& message);

}  // namespace icr::node::packet_socket
