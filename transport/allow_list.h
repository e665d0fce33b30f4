// Who may connect to a socket.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/mutex.h"
#include "model/base/time.h"

namespace icr::transport {

/// The public keys of those who may connect to a socket and send to it. Everybody else is refused, counted and logged,
/// at most once a second. A key that is taken from the list is refused from then on, also on a connection that was made
/// before. Thread: any.
class AllowList {
 public:
  /// `socket` is what the socket is, for the log: "the link of redundancy set rs1".
  explicit AllowList(std::string socket) : socket_(std::move(socket)) {}

  void set(const std::vector<std::string>& keys);
  [[nodiscard]] bool has(std::string_view key) const;

  /// Notes that somebody at `address` was refused. `key` is the key that it showed; empty if it showed none, or spoke
  /// to another key than the socket's.
  void note_refusal(std::string_view key, std::string_view address);
  [[nodiscard]] std::uint64_t refusals() const;

 private:
  const std::string socket_;
  mutable InheritingMutex mutex_;  // workers ask
  std::set<std::string, std::less<>> keys_ ICR_GUARDED_BY(mutex_);
  std::uint64_t refusals_ ICR_GUARDED_BY(mutex_) = 0;
  std::uint64_t logged_ ICR_GUARDED_BY(mutex_) = 0;  ///< how many of them the log tells
  TimePoint log_again_ ICR_GUARDED_BY(mutex_){};
};

}  // namespace icr::transport
