#include "cli/netconf/server.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "cli/answer.h"
#include "cli/netconf/session.h"
#include "cli/netconf/sessions.h"
#include "model/config/cluster_file.h"

namespace icr::cli::netconf {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

/// Writes all octets. A client that is gone ends the program (SIGPIPE); one that does not read stops it, and sshd says
/// how long.
bool write_all(std::string_view octets) {
  while (!octets.empty()) {
    const auto written = ::write(STDOUT_FILENO, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

ExitCode serve(const Settings& settings) {
  if (::isatty(STDIN_FILENO) != 0) {
    std::fputs("error: icr netconf is a subsystem of sshd, and no command for people (docs/netconf.md)\n", stderr);
    return ExitCode::command_error;
  }
  Host host;
  host.session_id = own_session();
  host.read_cluster = [&] { return load_cluster_file(settings.file()); };
  host.answer = [&](const Command& command, const Result<Cluster>& cluster, const Outlets& outlets) {
    return answer(command, {settings, cluster, outlets.out, outlets.error, 24, outlets.report});
  };
  host.commit = [&](const CommitCommand& command, const Printer& out, const Printer& error) {
    const auto cluster = load_cluster_file(settings.file());
    return commit(command, {settings, cluster, out, error});
  };
  host.former = [&](std::uint32_t rollback) -> Result<std::string> {
    const auto cluster = load_cluster_file(settings.file());
    if (!cluster) return tl::unexpected(cluster.error());
    ExitCode code{};
    return former_text(rollback, settings, *cluster, std::nullopt, code);
  };
  MachineLock machine_lock;
  host.lock = [&]() -> std::optional<std::uint32_t> {
    const auto cluster = load_cluster_file(settings.file());
    return machine_lock.take(cluster ? cluster->name : settings.file());
  };
  host.unlock = [&] { machine_lock.release(); };
  host.kill = end_session;
  bool written = true;
  Session session(host, [&](std::string_view octets) { written = written && write_all(octets); });
  session.begin();
  std::array<char, kReadBytes> buffer{};
  while (written) {
    const auto got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (!session.take({buffer.data(), static_cast<std::size_t>(got)})) break;
  }
  return written ? ExitCode::ok : ExitCode::incomplete;
}

}  // namespace icr::cli::netconf
