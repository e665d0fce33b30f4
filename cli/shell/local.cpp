#include "cli/shell/local.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "cli/client/zmq_transport.h"
#include "cli/commit.h"
#include "cli/keys.h"
#include "model/config/cluster_file.h"

namespace icr::cli {
namespace {

void write_to(std::FILE* file, std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); }

ExitCode check(const std::string& file) {
  const auto cluster = load_cluster_file(file);
  if (!cluster) {
    write_to(stderr, cluster.error().message + "\n");
    return ExitCode::bad_cluster_file;
  }
  std::size_t cards = 0;
  for (const auto& chassis : cluster->chassis) cards += chassis.cards.size();
  std::size_t redundancy_sets = 0;
  for (const auto& set : cluster->redundancy_sets) redundancy_sets += set.stand_alone() ? 0U : 1U;
  write_to(stdout, fmt::format("{}: ok, {} chassis, {} cards, {} redundancy sets, {} service sets\n", file,
                               cluster->chassis.size(), cards, redundancy_sets, cluster->service_sets.size()));
  if (const auto is_protected = cluster->check_protected(); !is_protected) {
    write_to(stdout, fmt::format("{}: warning: {}\n", file, is_protected.error().message));
  }
  for (const auto& warning : cluster->warnings) write_to(stdout, fmt::format("{}: warning: {}\n", file, warning));
  return ExitCode::ok;
}

ExitCode commit(const std::vector<std::string>& words, const Settings& settings) {
  const auto command = parse_commit(words);
  if (!command) {
    write_to(stderr, command.error().message + "\n");
    return ExitCode::command_error;
  }
  if (!settings.chassis.empty()) {
    write_to(stderr, "error: a commit is for every chassis: --chassis is not accepted\n");
    return ExitCode::command_error;
  }
  const auto cluster = load_cluster_file(settings.file());
  CommitEnvironment environment;
  if (cluster) {
    if (const auto key = key_for(*cluster, settings); !key) {
      write_to(stderr, fmt::format("error: {}\n", key.error().message));
      return ExitCode::command_error;
    }
  }
  environment.connect = [&](const Cluster& to) {
    auto key = key_for(to, settings);
    // Without a key it says of each chassis of an encrypted cluster that it cannot be asked.
    return std::make_unique<ZmqTransport>(to, std::chrono::milliseconds(settings.timeout_ms),
                                          key ? std::move(*key) : std::nullopt);
  };
  const auto kind = command->kind;
  if (cluster) {
    environment.cluster = &*cluster;
  } else if (kind == CommitCommand::Kind::confirm || kind == CommitCommand::Kind::rollback) {
    write_to(stderr, cluster.error().message + "\n");
  }
  environment.user = user_name();
  environment.out = [](std::string_view text) {
    write_to(stdout, text);
    std::fflush(stdout);  // so that an operator sees each step when it is done
  };
  environment.error = [](std::string_view text) {
    std::fflush(stdout);
    write_to(stderr, text);
  };
  return execute_commit(*command, environment);
}

}  // namespace

std::optional<ExitCode> run_local(const std::vector<std::string>& words, const Settings& settings) {
  const std::string& first = words.at(0);
  if (first == "check") {
    if (words.size() == 2) return check(words[1]);
    write_to(stderr, "usage: icr check FILE\n");
    return ExitCode::command_error;
  }
  if (first == "keys") {
    return execute_keys(
        words, [](std::string_view text) { write_to(stdout, text); },
        [](std::string_view text) { write_to(stderr, text); });
  }
  if (first == "commit" || first == "rollback") return commit(words, settings);
  return std::nullopt;
}

}  // namespace icr::cli
