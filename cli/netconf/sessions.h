// The NETCONF sessions of this machine: one may lock the configuration, and one may end another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace icr::cli::netconf {

/// The lock of the configuration of one cluster. It is an abstract socket, so it ends with the process that holds it,
/// and leaves nothing behind. It holds among the NETCONF sessions of this machine. Thread: one.
class MachineLock {
 public:
  MachineLock() = default;
  MachineLock(const MachineLock&) = delete;
  MachineLock& operator=(const MachineLock&) = delete;
  ~MachineLock() { release(); }

  /// Takes the lock. Returns nothing if it is taken, or the session that holds it; 0: none that is known.
  [[nodiscard]] std::optional<std::uint32_t> take(const std::string& cluster);
  void release();

 private:
  int socket_ = -1;
};

/// Returns the number of this session: that of its process.
[[nodiscard]] std::uint32_t own_session();
/// Ends another session. Returns false if no process with this number is a session, or this user may not end it.
[[nodiscard]] bool end_session(std::uint32_t session);

}  // namespace icr::cli::netconf
