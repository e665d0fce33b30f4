// icrd: one chassis of the cluster.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>

#include "model/base/log.h"
#include "model/config/cluster_file.h"
#include "node/card/chassis.h"

namespace {

constexpr int kCannotStart = 1;
constexpr int kWrongClusterFile = 2;

/// Blocks the signals that end the process, in this and all later threads, and returns a descriptor that reads them.
int end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// Returns when a signal asks to end, or, with `until_end`, when the captures are read.
void wait_for_the_end(int signals, const icr::node::Chassis& chassis, bool until_end) {
  for (;;) {
    pollfd polled{signals, POLLIN, 0};
    const int ready = ::poll(&polled, 1, until_end ? 20 : -1);
    if (ready > 0) {
      signalfd_siginfo info{};
      if (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        icr::log::info("chassis", "signal={} ending", info.ssi_signo);
        return;
      }
    }
    if (until_end && chassis.at_end()) return;
  }
}

int run(int argc, char** argv) {
  CLI::App app{"icrd: a chassis of an inter-chassis redundancy cluster"};
  std::string file;
  std::string name;
  std::string level = "info";
  bool exit_at_end = false;
  app.add_option("--cluster", file, "the cluster file (YAML)")->required()->envname("ICR_CLUSTER");
  app.add_option("--chassis", name, "which chassis of the cluster this is")->required();
  app.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_flag("--exit-at-end", exit_at_end, "end when the captures of all pcap ports have been read");
  CLI11_PARSE(app, argc, argv);
  icr::log::set_level(level == "debug"   ? icr::log::Level::debug
                      : level == "warn"  ? icr::log::Level::warn
                      : level == "error" ? icr::log::Level::error
                                         : icr::log::Level::info);

  const auto cluster = icr::load_cluster_file(file);
  if (!cluster) {
    std::fprintf(stderr, "%s\n", cluster.error().message.c_str());
    return kWrongClusterFile;
  }
  const auto index = cluster->find_chassis(name);
  if (!index) {
    std::fprintf(stderr, "%s: there is no chassis '%s' in it\n", file.c_str(), name.c_str());
    return kWrongClusterFile;
  }
  for (const std::string& warning : cluster->warnings) icr::log::warn("cluster-file", "{}", warning);

  const int signals = end_signals();
  icr::log::begin_thread();
  icr::node::Chassis chassis(*cluster, *index);
  if (const auto started = chassis.start(); !started) {
    icr::log::error("chassis", "chassis={} cannot start: {}", name, started.error().message);
    return kCannotStart;
  }
  wait_for_the_end(signals, chassis, exit_at_end);
  chassis.stop();
  icr::log::info("chassis", "chassis={} ended", name);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
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
