// icrd: one chassis of the cluster.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "model/base/log.h"
#include "model/base/standard_files.h"
#include "model/config/cluster_file.h"
#include "model/config/snapshot.h"
#include "node/card/chassis_host.h"

namespace {

constexpr int kCannotStart = 1;
constexpr int kWrongClusterFile = 2;

/// Blocks the signals that the process takes, in this and all later threads, and returns a descriptor that reads them.
int own_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// Takes what the signals ask for. Returns true if one of them asks to end.
bool take_signals(int signals, icr::node::ChassisHost& host) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo != SIGHUP) {
      icr::log::info("chassis", "signal={} ending", info.ssi_signo);
      return true;
    }
    host.read_file_again();
  }
  return false;
}

/// Runs the chassis until a signal asks to end, or, with `until_end`, until the captures are read. Returns an error if
/// no chassis runs any more.
icr::Result<void> run_until_the_end(int signals, icr::node::ChassisHost& host, bool until_end) {
  constexpr int kLookForTheEnd = 20;
  for (;;) {
    std::array<pollfd, 2> polled = {pollfd{signals, POLLIN, 0}, pollfd{host.descriptor(), POLLIN, 0}};
    const int pause = host.next_look();
    (void)::poll(polled.data(), polled.size(), until_end ? std::min(pause, kLookForTheEnd) : pause);
    if (take_signals(signals, host) || (until_end && host.at_end())) return {};
    if (auto done = host.look(); !done) return done;
  }
}

int run(int argc, char** argv) {
  CLI::App app{"icrd: a chassis of an inter-chassis redundancy cluster"};
  app.set_version_flag("--version", "icrd " ICR_VERSION);
  std::string file;
  std::string name;
  std::string level = "info";
  std::string key_file;
  bool exit_at_end = false;
  app.add_option("--cluster", file, "the cluster file (YAML)")->required()->envname("ICR_CLUSTER");
  app.add_option("--chassis", name, "which chassis of the cluster this is")->required();
  app.add_option("--secret-key", key_file,
                 "the file of the secret key of this chassis; default: keys/CHASSIS.key beside the cluster file");
  app.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_flag("--exit-at-end", exit_at_end, "end when the captures of all pcap ports have been read");
  CLI11_PARSE(app, argc, argv);
  icr::log::set_level(level == "debug"   ? icr::log::Level::debug
                      : level == "warn"  ? icr::log::Level::warn
                      : level == "error" ? icr::log::Level::error
                                         : icr::log::Level::info);

  const auto snapshot =
      icr::read_cluster_text(file).and_then([&](const std::string& text) { return icr::make_snapshot(text, file); });
  if (!snapshot) {
    std::fprintf(stderr, "%s\n", snapshot.error().message.c_str());
    return kWrongClusterFile;
  }
  if (!(*snapshot)->cluster.find_chassis(name)) {
    std::fprintf(stderr, "%s: there is no chassis '%s' in it\n", file.c_str(), name.c_str());
    return kWrongClusterFile;
  }

  const int signals = own_signals();
  icr::log::begin_thread();
  if (key_file.empty()) key_file = std::filesystem::path(file).parent_path() / "keys" / (name + ".key");
  icr::node::ChassisHost host(file, *snapshot, name, key_file);
  if (const auto started = host.start(); !started) {
    icr::log::error("chassis", "chassis={} cannot start: {}", name, started.error().message);
    return kCannotStart;
    icr::take_descriptors();
  }
  if (const auto ended = run_until_the_end(signals, host, exit_at_end); !ended) {
    icr::log::error("chassis", "chassis={} ends: {}", name, ended.error().message);
    return kCannotStart;
  }
  host.stop();
  icr::log::info("chassis", "chassis={} ended", name);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (!icr::hold_standard_files()) return kCannotStart;
  try {
    const int code = run(argc, argv);
    icr::log::flush();
    return code;
  } catch (const std::exception& error) {
    icr::log::flush();
    // What is left here is not ours to handle: out of memory, a broken installation.
    std::fprintf(stderr, "icrd: %s\n", error.what());
    return kCannotStart;
  }
}
