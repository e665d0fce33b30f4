#include "cli/netconf/sessions.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

namespace icr::cli::netconf {
namespace {

/// Returns the address of the lock, which is in no file system.
std::pair<sockaddr_un, socklen_t> address_of(const std::string& cluster) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "icr-netconf-" + cluster.substr(0, 64);
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  return {address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
}

/// Returns the process that listens at an address, or 0.
std::uint32_t listener_at(const sockaddr_un& address, socklen_t size) {
  const int peer = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (peer < 0) return 0;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  const bool known = ::connect(peer, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0;
  ::close(peer);
  return known ? static_cast<std::uint32_t>(credentials.pid) : 0;
}

/// Returns true if the process runs this program as a session.
bool is_session(std::uint32_t process) {
  std::error_code error;
  const std::filesystem::path folder = fmt::format("/proc/{}", process);
  const auto program = std::filesystem::read_symlink(folder / "exe", error);
  if (error || program != std::filesystem::read_symlink("/proc/self/exe", error) || error) return false;
  std::ifstream file(folder / "cmdline", std::ios::binary);
  const std::string words{std::istreambuf_iterator<char>(file), {}};
  constexpr std::string_view last("\0netconf\0", 9);
  return words.size() > last.size() && std::string_view(words).substr(words.size() - last.size()) == last;
}

}  // namespace

std::optional<std::uint32_t> MachineLock::take(const std::string& cluster) {
  const auto [address, size] = address_of(cluster);
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return 0;
  // The queue is for those who ask who holds the lock; nobody accepts them.
  if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0 && ::listen(socket_, 1024) == 0) {
    return std::nullopt;
  }
  release();
  return listener_at(address, size);
}

void MachineLock::release() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

std::uint32_t own_session() { return static_cast<std::uint32_t>(::getpid()); }

bool end_session(std::uint32_t session) {
  if (session > static_cast<std::uint32_t>(std::numeric_limits<int>::max())) return false;
  // The descriptor stands for this process, also if another one gets its number meanwhile.
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(session), 0U));
  if (process < 0) return false;
  const bool ended = is_session(session) && ::syscall(SYS_pidfd_send_signal, process, SIGTERM, nullptr, 0U) == 0;
  ::close(process);
  return ended;
}

}  // namespace icr::cli::netconf
