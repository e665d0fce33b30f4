// icr: the command line of the cluster, with the commands of Junos.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "cli/client/zmq_transport.h"
#include "cli/commit.h"
#include "cli/grammar/words.h"
#include "cli/keys.h"
#include "cli/shell/ask.h"
#include "model/config/cluster_file.h"

namespace {

using icr::cli::ExitCode;

constexpr std::string_view kPrompt = "user@icr> ";

void write_to(std::FILE* file, std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); }

/// Returns `code`, or `incomplete` if a part of the answer could not be written (a full disk, a closed pipe).
int finish(ExitCode code) {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written) return static_cast<int>(code);
  write_to(stderr, "error: the answer could not be written completely\n");
  return static_cast<int>(ExitCode::incomplete);
}

ExitCode check(const std::string& file) {
  const auto cluster = icr::load_cluster_file(file);
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

ExitCode commit(const std::vector<std::string>& words, const icr::cli::Settings& options) {
  const auto command = icr::cli::parse_commit(words);
  if (!command) {
    write_to(stderr, command.error().message + "\n");
    return ExitCode::command_error;
  }
  if (!options.chassis.empty()) {
    write_to(stderr, "error: a commit is for every chassis: --chassis is not accepted\n");
    return ExitCode::command_error;
  }
  const auto cluster = icr::load_cluster_file(options.file());
  icr::cli::CommitEnvironment environment;
  if (cluster) {
    if (const auto key = icr::cli::key_for(*cluster, options); !key) {
      write_to(stderr, fmt::format("error: {}\n", key.error().message));
      return ExitCode::command_error;
    }
  }
  environment.connect = [&](const icr::Cluster& to) {
    auto key = icr::cli::key_for(to, options);
    // Without a key it says of each chassis of an encrypted cluster that it cannot be asked.
    return std::make_unique<icr::cli::ZmqTransport>(to, std::chrono::milliseconds(options.timeout_ms),
                                                    key ? std::move(*key) : std::nullopt);
  };
  const auto kind = command->kind;
  if (cluster) {
    environment.cluster = &*cluster;
  } else if (kind == icr::cli::CommitCommand::Kind::confirm || kind == icr::cli::CommitCommand::Kind::rollback) {
    write_to(stderr, cluster.error().message + "\n");
  }
  environment.user = icr::cli::user_name();
  environment.out = [](std::string_view text) {
    write_to(stdout, text);
    std::fflush(stdout);  // so that an operator sees each step when it is done
  };
  environment.error = [](std::string_view text) {
    std::fflush(stdout);
    write_to(stderr, text);
  };
  return icr::cli::execute_commit(*command, environment);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Asks every chassis of an icr cluster at once and merges the answers.\n\n"
      "  icr show services sessions [brief | extensive | terse] [count] [filters]\n"
      "  icr show services sessions {utilization | analysis} [interface NAME]\n"
      "  icr show services flows | stateful-firewall {flows | conversations | statistics}\n"
      "  icr show services nat {pool | mappings | deterministic-nat | source | destination | static |\n"
      "                         resource-usage | statistics} ...\n"
      "  icr show services redundancy-group [terse | brief | extensive] [rg-id N]\n"
      "  icr show services redundancy-group consistency [extensive] [rg-id N]\n"
      "  icr show services redundancy-group failovers [extensive] [rg-id N]\n"
      "  icr show services service-sets {summary | memory-usage | cpu-usage}\n"
      "  icr show services service-sets statistics {packet-drops | tcp | tcp-mss | integrity-drops | ...}\n"
      "  icr clear services {sessions | flows} [filters]\n"
      "  icr clear services sessions analysis [interface NAME]\n"
      "  icr clear services nat {mappings | statistics}\n"
      "  icr request services redundancy-set {NAME | id N} switchover [force | dry-run [extensive]]\n"
      "  icr request services redundancy-set {NAME | id N} drain [cancel]\n"
      "  icr request services redundancy-set {NAME | id N} redundancy-event E trigger [force]\n"
      "  icr check FILE\n"
      "  icr keys generate FILE [folder FOLDER]\n"
      "  icr keys {new | rotate | retire | show} KEYFILE\n"
      "  icr commit check FILE | commit [confirmed [MINUTES]] FILE [comment TEXT] | commit\n"
      "  icr rollback N\n"
      "  icr show system {commit | rollback compare N M}\n\n"
      "filters: application-protocol P, destination-port N, destination-prefix A, interface I, limit N,\n"
      "nat, protocol P, service-set S, source-nat-pool P, source-port N, source-prefix A. Any unique prefix of a "
      "keyword will do.\n"
      "Exit codes: 0 done, 1 command error, 2 wrong cluster file, 3 a chassis did not answer, or the\nanswer could not "
      "be written.\n",
      "icr");
  icr::cli::Settings options;
  app.add_option("--cluster", options.cluster_file, "Cluster file; default: $ICR_CLUSTER, then /etc/icr/cluster.yaml");
  app.add_option(
         "--secret-key", options.key_file,
         "File of the secret key of this client; default: keys/USER.key, then keys/admin.key beside the cluster "
         "file")
      ->envname("ICR_SECRET_KEY");
  app.add_option("--chassis", options.chassis, "Ask this chassis only, and show whatever it holds");
  app.add_option("--timeout", options.timeout_ms, "How long to wait for each answer, in milliseconds")
      ->check(CLI::Range(1U, 3600000U))
      ->capture_default_str();
  app.prefix_command();  // options stand before the words of the command
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::command_error);
  }
  const std::vector<std::string> words = app.remaining();
  if (words.empty()) {
    write_to(stderr, app.help());
    return static_cast<int>(ExitCode::command_error);
  }
  if (words[0] == "check") {
    if (words.size() == 2) return finish(check(words[1]));
    write_to(stderr, "usage: icr check FILE\n");
    return static_cast<int>(ExitCode::command_error);
  }
  if (words[0] == "keys") {
    return finish(icr::cli::execute_keys(
        words, [](std::string_view text) { write_to(stdout, text); },
        [](std::string_view text) { write_to(stderr, text); }));
  }
  if (words[0] == "commit" || words[0] == "rollback") return finish(commit(words, options));
  return finish(icr::cli::ask(icr::cli::line_of(words), options, kPrompt));
}
