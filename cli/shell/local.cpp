#include "cli/shell/local.h"

#include <algorithm>
#include <cstdio>

#include "cli/answer.h"
#include "cli/http/options.h"
#include "cli/http/server.h"
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
  const auto cluster = load_cluster_file(settings.file());
  const Printer out = [](std::string_view text) {
    write_to(stdout, text);
    std::fflush(stdout);  // so that an operator sees each step when it is done
  };
  const Printer error = [](std::string_view text) {
    std::fflush(stdout);
    write_to(stderr, text);
  };
  return cli::commit(*command, {settings, cluster, out, error});
}

ExitCode serve(const std::vector<std::string>& words, const Settings& settings) {
  if (settings.in_shell) {
    write_to(stderr, "error: not in a shell\n");
    return ExitCode::command_error;
  }
  const auto options = http::read_options(words);
  if (!options) {
    write_to(stderr, options.error().message + "\n");
    return ExitCode::command_error;
  }
  return http::serve(*options, settings);
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
  if (first == "serve") return serve({words.begin() + 1, words.end()}, settings);
  if (first == "commit" || first == "rollback") return commit(words, settings);
  return std::nullopt;
}

}  // namespace icr::cli
