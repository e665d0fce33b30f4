// Ports for tests that listen on loopback.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

namespace icr::test {

/// Returns the first of two neighbouring ports of loopback that nobody uses, or 0 if there are none.
inline std::uint16_t free_ports() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    int sockets[2];
    std::uint16_t port = 0;
    bool both = true;
    for (int i = 0; i < 2; ++i) {
      sockets[i] = ::socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(i == 0 ? 0 : static_cast<std::uint16_t>(port + 1));
      both = ::bind(sockets[i], reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && both;
      if (i != 0) continue;
      socklen_t size = sizeof address;
      ::getsockname(sockets[0], reinterpret_cast<sockaddr*>(&address), &size);
      port = ntohs(address.sin_port);
    }
    for (const int s : sockets) ::close(s);
    if (both && port < 65534) return port;
  }
  return 0;
}

}  // namespace icr::test
