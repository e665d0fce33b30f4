// Takes what a socket gets, as the tests of this room do: they wait for it for ten seconds.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <optional>

#include "transport/socket.h"

namespace icr::transport {

/// Waits for the next message, or for what Socket::take() reports in its place.
inline Taken take(Socket& socket) {
  std::array waiting = {Waiting::for_messages(socket)};
  EXPECT_TRUE(wait(waiting, std::chrono::seconds(10)));
  return socket.take();
}

/// Waits for the next event of the connections of the socket.
inline std::optional<Event> take_event(Socket& socket) {
  std::array waiting = {Waiting::for_events(socket)};
  EXPECT_TRUE(wait(waiting, std::chrono::seconds(10)));
  return socket.take_event();
}

}  // namespace icr::transport
