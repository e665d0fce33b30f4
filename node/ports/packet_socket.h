// Filters and time stamps of the packet socket of an Ethernet port.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "model/base/time.h"

namespace icr::node::packet_socket {

/// Octets of control data that the time stamp of a message needs.
inline constexpr std::size_t kStampBytes = 64;

/// Makes the kernel pass only untagged IPv4 and IPv6 frames that are addressed to the interface. Returns false on an
/// error, with errno set.
[[nodiscard]] bool attach_filter(int socket);
/// Makes messages carry the time of their arrival from now on. Returns false on an error, with errno set.
[[nodiscard]] bool stamp(int socket);
/// Returns how long ago the message arrived, or nullopt if it has no time stamp.
[[nodiscard]] std::optional<Duration> age_of(const msghdr& message);

}  // namespace icr::node::packet_socket
