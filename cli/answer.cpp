#include "cli/answer.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include "cli/client/leavable_transport.h"
#include "cli/client/zmq_transport.h"
#include "cli/commit_client.h"
#include "cli/faces/face.h"
#include "cli/pipes/chain.h"
#include "cli/pipes/host_names.h"
#include "cli/render/comparison.h"
#include "cli/render/configuration.h"
#include "cli/result/junos.h"
#include "cli/rpc.h"
#include "model/base/clock.h"
#include "model/config/cluster_file.h"

namespace icr::cli {
namespace {

bool compares(const Pipe& pipe) { return pipe.kind == Pipe::Kind::compare; }

/// Returns an error message if a command about what this program reads itself has pipes that it cannot have, otherwise
/// an empty text.
std::string mistake_in_pipes(const Command& command) {
  const bool is_configuration = command.verb == Verb::show_configuration;
  const auto comparisons = std::count_if(command.pipes.begin(), command.pipes.end(), compares);
  if (comparisons != 0 && !is_configuration) return "`| compare` is for `show configuration`";
  if (comparisons > 1) return "`| compare` is possible once";
  if (command.display == Display::text) return {};
  if (comparisons != 0) return "a comparison has no form but text: `| display` is not possible";
  if (command.display == Display::set && is_configuration) return {};
  if (command.display != Display::set && !is_configuration) return {};
  return "this command has no form but text: `| display` is not possible";
}

/// Prints what `write` gives to the pipes of a command. `write` returns the exit code.
ExitCode through_pipes(const Command& command, const Answering& answering,
                       const std::function<ExitCode(const Printer& out)>& write) {
  // Files are opened before anything is asked: a name that is wrong is known at once.
  auto chain = Chain::open(command.pipes, answering.screen_lines, HostNames::of_machine(), answering.out);
  if (!chain) {
    answering.error(fmt::format("error: {}\n", chain.error().message));
    return ExitCode::command_error;
  }
  const auto code = write([&](std::string_view text) { chain->write(text); });
  const auto finished = chain->finish();
  if (finished) return code;
  answering.error(fmt::format("error: {}\n", finished.error().message));
  return ExitCode::incomplete;
}

/// Prints what the cluster file says, in the words of Junos.
ExitCode show_configuration(const Command& command, const Answering& answering, const Printer& out,
                            std::optional<std::uint16_t> only) {
  const Cluster& cluster = *answering.cluster;
  const auto compared = std::find_if(command.pipes.begin(), command.pipes.end(), compares);
  if (compared == command.pipes.end()) {
    out(render_configuration(configuration_of(cluster, only), command.words, command.display == Display::set));
    return ExitCode::ok;
  }
  auto code = ExitCode::ok;
  const auto text = former_text(compared->number, answering.settings, cluster, only, code);
  const auto former = text ? parse_cluster(*text, fmt::format("rollback {}", compared->number))
                           : Result<Cluster>(tl::unexpected(text.error()));
  if (!former) {
    if (text) code = ExitCode::incomplete;
    answering.error(fmt::format("error: {}\n", former.error().message));
    return code;
  }
  out(render_comparison(*former, cluster, command.words, only));
  return ExitCode::ok;
}

/// Prints the release of this program. It needs no cluster file: without one, the host is this machine.
ExitCode show_version(const Command& command, const Answering& answering, const Printer& out) {
  std::array<char, 256> machine = {"unknown"};
  (void)::gethostname(machine.data(), machine.size() - 1);
  const std::string host = answering.cluster ? answering.cluster->name : std::string(machine.data());
  if (command.display == Display::text) {
    out(fmt::format("Hostname: {}\nModel: icr\nicr: {}\n", host, ICR_VERSION));
    return ExitCode::ok;
  }
  const auto face = command.display == Display::json
                        ? make_json_face(out)
                        : make_xml_face(out, answering.report ? Envelope::none : Envelope::cli);
  if (command.display == Display::xml_rpc) {
    add_rpc(*face, command);
  } else {
    const Scope information(*face, "software-information");
    face->leaf("host-name", host);
    face->leaf("product-model", "icr");
    face->leaf("product-name", "icr");
    // Programs choose the forms that they expect by this release.
    face->leaf("junos-version", kJunosRelease);
    const Scope package(*face, "package-information");
    face->leaf("name", "icr");
    face->leaf("comment", fmt::format("icr [{}]", ICR_VERSION));
  }
  face->finish();
  return ExitCode::ok;
}

}  // namespace

Result<std::string> former_text(std::uint32_t rollback, const Settings& settings, const Cluster& cluster,
                                std::optional<std::uint16_t> only, ExitCode& code) {
  code = ExitCode::command_error;
  auto key = key_for(cluster, settings);
  if (!key) return tl::unexpected(key.error());
  ZmqTransport transport(cluster, std::chrono::milliseconds(settings.timeout_ms), std::move(*key));
  std::set<std::uint16_t> chassis;
  for (std::uint16_t i = 0; i < cluster.chassis.size(); ++i) {
    if (only.value_or(i) == i) chassis.insert(i);
  }
  std::string why;
  for (const auto& [index, answer] : ask_commit(transport, chassis, {})) {
    if (answer.reply && rollback >= answer.reply->entries.size()) return fail("there is no rollback {}", rollback);
    auto text = answer.reply ? fetch_commit(transport, index, answer.reply->entries[rollback])
                             : Result<std::string>(fail("{}", answer.why));
    if (text) return text;
    why = fmt::format("chassis {} did not answer: {}", cluster.chassis[index].name, text.error().message);
  }
  code = ExitCode::incomplete;
  return tl::unexpected(Error{std::move(why)});
}

ExitCode commit(const CommitCommand& command, const Answering& answering) {
  const Settings& settings = answering.settings;
  const auto& cluster = answering.cluster;
  if (!settings.chassis.empty()) {
    answering.error("error: a commit is for every chassis: --chassis is not accepted\n");
    return ExitCode::command_error;
  }
  CommitEnvironment environment;
  if (cluster) {
    if (const auto key = key_for(*cluster, settings); !key) {
      answering.error(fmt::format("error: {}\n", key.error().message));
      return ExitCode::command_error;
    }
  }
  environment.connect = [&](const Cluster& to) {
    auto key = key_for(to, settings);
    // Without a key it says of each chassis of an encrypted cluster that it cannot be asked.
    return std::make_unique<ZmqTransport>(to, std::chrono::milliseconds(settings.timeout_ms),
                                          key ? std::move(*key) : std::nullopt);
  };
  if (cluster) {
    environment.cluster = &*cluster;
  } else if (command.kind == CommitCommand::Kind::confirm || command.kind == CommitCommand::Kind::rollback) {
    answering.error(cluster.error().message + "\n");
  }
  environment.user = user_name();
  environment.out = answering.out;
  environment.error = answering.error;
  return execute_commit(command, environment);
}

ExitCode answer(const Command& command, const Answering& answering) {
  const auto refuse = [&](std::string_view why) {
    answering.error(fmt::format("error: {}\n", why));
    return ExitCode::command_error;
  };
  if (command.verb == Verb::show_version) {
    if (const std::string mistake = mistake_in_pipes(command); !mistake.empty()) return refuse(mistake);
    return through_pipes(command, answering, [&](const Printer& out) { return show_version(command, answering, out); });
  }
  if (!answering.cluster) {
    answering.error(answering.cluster.error().message + "\n");
    return ExitCode::bad_cluster_file;
  }
  const Cluster& cluster = *answering.cluster;
  const Settings& settings = answering.settings;
  std::optional<std::uint16_t> only;
  if (!settings.chassis.empty()) {
    only = cluster.find_chassis(settings.chassis);
    if (!only) return refuse(fmt::format("chassis {} not found in {}", settings.chassis, settings.file()));
  }
  if (only && command.member && *command.member != settings.chassis) {
    return refuse(fmt::format("--chassis {} and member {} contradict each other", settings.chassis, *command.member));
  }
  if (command.verb == Verb::show_configuration) {
    if (const std::string mistake = mistake_in_pipes(command); !mistake.empty()) return refuse(mistake);
    return through_pipes(command, answering,
                         [&](const Printer& out) { return show_configuration(command, answering, out, only); });
  }
  const auto key = key_for(cluster, settings);
  if (!key) return refuse(key.error().message);
  if (std::any_of(command.pipes.begin(), command.pipes.end(), compares)) {
    return refuse("`| compare` is for `show configuration`");
  }
  return through_pipes(command, answering, [&](const Printer& out) {
    ZmqTransport transport(cluster, std::chrono::milliseconds(settings.timeout_ms), *key);
    LeavableTransport leavable(transport, answering.abandoned);
    Environment environment{cluster, leavable, only, wall_now(), out, answering.error};
    environment.report = answering.report;
    environment.notice = answering.notice;
    return execute(command, environment);
  });
}

}  // namespace icr::cli
