#include "cli/netconf/configuration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "cli/grammar/grammar.h"
#include "cli/merge/nat_selection.h"
#include "cli/netconf/message.h"
#include "cli/render/comparison.h"
#include "model/config/cluster_file.h"
#include "model/query/commit.h"

namespace icr::cli::netconf {
namespace {

constexpr std::uint32_t kUsualMinutes = 10;
constexpr std::uint32_t kMostMinutes = 65'535;

void refuse(Reply& reply, std::string_view tag, std::string message, const pugi::xml_node& bad = {}) {
  RpcError error{"protocol", std::string(tag), "error", std::move(message)};
  if (bad) {
    error.info_name = "bad-element";
    error.info = local_name(bad);
  }
  reply.error(error);
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// Returns the words of the part that a filter names: <configuration><services><nat/></services></configuration>.
/// Nothing if it names several.
std::optional<std::string> path_of(pugi::xml_node filter) {
  std::string out;
  for (;;) {
    const auto inside = elements_of(filter);
    if (inside.empty()) return out;
    if (inside.size() > 1) return std::nullopt;
    filter = inside.front();
    if (local_name(filter) != "configuration") out += fmt::format(" {}", local_name(filter));
  }
}

/// Calls `take` with each line of `text`, without `error: ` at its beginning.
template <class Take>
void each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.substr(0, 7) == "error: ") line.remove_prefix(7);
    if (!line.empty()) take(line);
  }
}

}  // namespace

bool Configuration::carry_out(const pugi::xml_node& operation, Reply& reply) {
  const auto name = local_name(operation);
  if (name == "get-configuration" || name == "get-config") {
    get(operation, reply);
  } else if (name == "open-configuration") {
    open(operation, reply);
  } else if (name == "close-configuration") {
    close(reply);
  } else if (name == "lock" || name == "lock-configuration") {
    if (lock(reply)) reply.ok();
  } else if (name == "unlock" || name == "unlock-configuration") {
    if (!locked_) {
      refuse(reply, "operation-failed", "configuration database is not locked by this session");
      return true;
    }
    unlock();
    reply.ok();
  } else if (name == "discard-changes") {
    candidate_.reset();
    reply.ok();
  } else if (name == "load-configuration") {
    load(operation, reply);
  } else if (name == "commit-configuration" || name == "commit" || name == "validate") {
    commit(operation, name == "commit-configuration", reply);
  } else {
    return false;
  }
  return true;
}

void Configuration::get(const pugi::xml_node& operation, Reply& reply) {
  const std::string_view format = operation.attribute("format").value();
  const std::string_view compare = operation.attribute("compare").value();
  const std::string_view database = operation.attribute("database").value();
  const bool is_rfc = local_name(operation) == "get-config";
  const auto source = elements_of(child_named(operation, "source"));
  const bool running = is_rfc ? source.size() == 1 && local_name(source.front()) == "running" : database == "committed";
  const auto path = path_of(is_rfc ? child_named(operation, "filter") : operation);
  if (!path) return refuse(reply, "operation-not-supported", "a filter names one part of the configuration", operation);
  if (compare.empty() && format != "text" && format != "set") {
    return refuse(reply, "operation-not-supported", "the configuration has the formats text and set", operation);
  }
  const auto rollback = number_of(operation.attribute("rollback").value());
  std::string line = "show configuration" + *path;
  if (!compare.empty()) {
    if (compare != "rollback" || !rollback) {
      return refuse(reply, "bad-attribute", "a configuration is compared with rollback=\"N\"", operation);
    }
    line += fmt::format(" | compare rollback {}", *rollback);
  } else if (format == "set") {
    line += " | display set";
  }
  const auto cluster = candidate_ && !running ? parse_cluster(*candidate_, "candidate") : host_.read_cluster();
  std::optional<Names> names;
  if (cluster) names = names_of(*cluster);
  const auto command = parse_command(line, names ? &*names : nullptr);
  if (!command) return refuse(reply, "bad-element", command.error().message, operation);
  const std::string element = !compare.empty() ? "configuration-output" : fmt::format("configuration-{}", format);
  std::vector<std::string> errors;
  Outlets outlets;
  outlets.report = [&](std::string_view message, std::string_view /*severity*/) { errors.emplace_back(message); };
  outlets.error = [&](std::string_view text) {
    each_line(text, [&](std::string_view each) { errors.emplace_back(each); });
  };
  std::string_view around;
  outlets.out = [&](std::string_view text) { reply.text(element, text); };
  if (!compare.empty()) around = "configuration-information";
  if (is_rfc) around = "data";
  if (!around.empty()) reply.xml(fmt::format("<{}>\n", around));
  if (!compare.empty() && candidate_ && !running) {
    // The chassis are where the cluster file says; the candidate may have other addresses and keys for them.
    const auto text = host_.former(*rollback);
    const auto former = text ? parse_cluster(*text, fmt::format("rollback {}", *rollback))
                             : Result<Cluster>(tl::unexpected(text.error()));
    if (!cluster || !former) {
      errors.push_back(cluster ? former.error().message : cluster.error().message);
    } else {
      outlets.out(render_comparison(*former, *cluster, command->words, std::nullopt));
    }
  } else {
    (void)host_.answer(*command, cluster, outlets);
  }
  reply.end_text();
  if (!around.empty()) reply.xml(fmt::format("</{}>\n", around));
  for (auto& each : errors) refuse(reply, "operation-failed", std::move(each));
}

void Configuration::open(const pugi::xml_node& operation, Reply& reply) {
  bool exclusive = false;
  for (const auto& each : elements_of(operation)) {
    const auto kind = local_name(each);
    if (kind != "private" && kind != "exclusive") return refuse(reply, "bad-element", "syntax error", each);
    exclusive = exclusive || kind == "exclusive";
  }
  if (exclusive && !lock(reply)) return;
  candidate_.reset();
  reply.ok();
}

void Configuration::close(Reply& reply) {
  candidate_.reset();
  unlock();
  reply.ok();
}

bool Configuration::lock(Reply& reply) {
  if (locked_) {
    reply.error({"protocol", "lock-denied", "error", "configuration database is already locked by this session",
                 "session-id", std::to_string(host_.session_id)});
    return false;
  }
  const auto holder = host_.lock();
  locked_ = !holder;
  if (locked_) return true;
  reply.error({"protocol", "lock-denied", "error", fmt::format("configuration database locked by session {}", *holder),
               "session-id", std::to_string(*holder)});
  return false;
}

void Configuration::unlock() {
  if (locked_) host_.unlock();
  locked_ = false;
}

void Configuration::load(const pugi::xml_node& operation, Reply& reply) {
  std::string text;
  if (operation.attribute("rollback")) {
    const auto rollback = number_of(operation.attribute("rollback").value());
    if (!rollback || *rollback >= kMaxCommits) {
      return refuse(reply, "bad-attribute", fmt::format("a rollback is 0 to {}", kMaxCommits - 1), operation);
    }
    auto former = host_.former(*rollback);
    if (!former) return refuse(reply, "operation-failed", former.error().message);
    text = std::move(*former);
  } else {
    const std::string_view action = operation.attribute("action").value();
    const auto given = child_named(operation, "configuration-text");
    if (action != "override" || std::string_view(operation.attribute("format").value()) != "text" || !given) {
      return refuse(reply, "operation-not-supported",
                    "load a whole cluster file: action=\"override\", format=\"text\", <configuration-text>", operation);
    }
    text = whole_text(given);
  }
  const auto cluster = parse_cluster(text, "candidate");
  if (!cluster) {
    reply.xml("<load-configuration-results>\n");
    each_line(cluster.error().message,
              [&](std::string_view line) { refuse(reply, "operation-failed", std::string(line)); });
    return reply.xml("</load-configuration-results>\n");
  }
  candidate_ = std::move(text);
  reply.xml("<load-configuration-results>\n<ok/>\n</load-configuration-results>\n");
}

void Configuration::commit(const pugi::xml_node& operation, bool minutes, Reply& reply) {
  // Every chassis takes a commit, so nothing more can be synchronized.
  constexpr std::array<std::string_view, 3> done_anyway = {"synchronize", "force-synchronize", "full"};
  CommitCommand command;
  command.kind = candidate_ ? CommitCommand::Kind::commit : CommitCommand::Kind::confirm;
  bool check = local_name(operation) == "validate";
  std::optional<std::uint32_t> timeout;
  for (const auto& each : elements_of(operation)) {
    const auto name = local_name(each);
    if (name == "check") {
      check = true;
    } else if (name == "confirmed") {
      command.confirm_minutes = kUsualMinutes;
    } else if (name == "confirm-timeout") {
      timeout = number_of(trimmed_text(each));
      if (!timeout) return refuse(reply, "invalid-value", "confirm-timeout is a number", each);
    } else if (name == "log") {
      command.comment = trimmed_text(each);
      if (command.comment.size() > kMaxCommitComment) {
        return refuse(reply, "invalid-value", fmt::format("a comment has at most {} characters", kMaxCommitComment),
                      each);
      }
    } else if (name == "source" && check) {
      const auto sources = elements_of(each);
      if (sources.size() != 1 || (local_name(sources[0]) != "candidate" && local_name(sources[0]) != "running")) {
        return refuse(reply, "operation-not-supported", "what is validated is the candidate", each);
      }
    } else if (std::find(done_anyway.begin(), done_anyway.end(), name) == done_anyway.end()) {
      return refuse(reply, "bad-element", "syntax error", each);
    }
  }
  if (timeout && command.confirm_minutes == 0) {
    return refuse(reply, "missing-element", "a confirm-timeout belongs to a commit that is confirmed later", operation);
  }
  if (timeout) {
    command.confirm_minutes = minutes ? *timeout : static_cast<std::uint32_t>((std::uint64_t{*timeout} + 59) / 60);
    if (command.confirm_minutes == 0 || command.confirm_minutes > kMostMinutes) {
      return refuse(reply, "invalid-value", fmt::format("the number of minutes is 1 to {}", kMostMinutes));
    }
  }
  if (check) {
    if (!candidate_) return reply.ok();  // nothing was changed
    command.kind = CommitCommand::Kind::check;
  } else if (!candidate_ && command.confirm_minutes != 0) {
    return refuse(reply, "operation-failed", "no configuration was loaded");
  }
  command.file = "candidate";
  command.text = candidate_;
  // Another session that holds the lock relies on it.
  const bool only_now = !locked_ && !check;
  if (only_now && !lock(reply)) return;
  send(command, reply);
  if (only_now) unlock();
}

void Configuration::send(const CommitCommand& command, Reply& reply) {
  std::string out;
  std::vector<std::string> errors;
  const auto code = host_.commit(
      command, [&](std::string_view text) { out += text; },
      [&](std::string_view text) { each_line(text, [&](std::string_view each) { errors.emplace_back(each); }); });
  if (code == ExitCode::ok) {
    if (command.kind != CommitCommand::Kind::check) candidate_.reset();
    reply.xml("<commit-results>\n");
    reply.text("output", out);
    reply.end_text();
    reply.xml("</commit-results>\n");
    return reply.ok();
  }
  // Some chassis run it, or will, and others could not be asked.
  const bool taken = code == ExitCode::incomplete && out.find(": commit complete\n") != std::string::npos;
  if (taken && command.kind != CommitCommand::Kind::check) candidate_.reset();
  reply.xml("<commit-results>\n");
  reply.text("output", out);
  reply.end_text();
  reply.xml("</commit-results>\n");
  bool denied = false;
  for (auto& each : errors) {
    auto error = error_of(each, taken ? "warning" : "error");
    const bool again = denied && error.tag == "access-denied";
    denied = denied || error.tag == "access-denied";
    if (!again) reply.error(error);
  }
}

}  // namespace icr::cli::netconf
