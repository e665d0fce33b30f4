#include "cli/commit.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "cli/commit_client.h"
#include "cli/commit_roster.h"
#include "model/config/cluster_file.h"
#include "model/config/snapshot.h"

namespace icr::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollPause{200};
constexpr std::uint32_t kUsualMinutes = 10;  // as in Junos
constexpr std::uint32_t kMostMinutes = 65'535;

constexpr std::string_view kUsage =
    "usage: icr commit check FILE | icr commit [confirmed [MINUTES]] FILE [comment TEXT] | icr commit | icr rollback N";

std::optional<std::uint32_t> number_of(const std::string& word) {
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return out;
}

/// One commit on its way.
class Committing {
 public:
  Committing(const CommitEnvironment& environment, std::string text, std::string file)
      : env_(environment), text_(std::move(text)), file_(std::move(file)), roster_(environment) {
    std::random_device device;
    while (candidate_ == 0) candidate_ = std::uint64_t{device()} << 32 | device();
  }

  /// Reads the text, and finds out who answers. Returns the exit code if the commit ends here.
  std::optional<ExitCode> begin();
  /// Sends the text, and has it checked. Prints what it would change if `verbose`.
  std::optional<ExitCode> check(bool verbose);
  std::optional<ExitCode> prepare(const CommitCommand& command);
  std::optional<ExitCode> activate();
  /// Waits until every chassis runs the commit.
  ExitCode wait();
  void abort() {
    CommitRequest request;
    request.candidate = candidate_;
    (void)ask(request, CommitOperation::abort);
  }
  ExitCode finish(ExitCode code) const {
    return code == ExitCode::ok && !roster_.complete() ? ExitCode::incomplete : code;
  }

 private:
  CommitAnswers ask(const CommitRequest& request) { return roster_.ask(request); }
  CommitAnswers ask(CommitRequest request, CommitOperation operation) {
    request.operation = operation;
    return ask(request);
  }
  [[nodiscard]] const std::string& name(std::uint16_t chassis) const { return roster_.name(chassis); }
  void say(std::uint16_t chassis, std::string_view text) const {
    env_.out(fmt::format("{}: {}\n", name(chassis), text));
  }
  void complain(std::uint16_t chassis, std::string_view text) const {
    env_.error(fmt::format("error: {}: {}\n", name(chassis), text));
  }
  /// Prints why chassis did not do what was asked. Returns the exit code if there is any such; then nothing is changed.
  std::optional<ExitCode> all_or_none(const CommitAnswers& answers);

  const CommitEnvironment& env_;
  const std::string text_;
  const std::string file_;
  std::uint64_t candidate_ = 0;
  CommitRoster roster_;
  std::uint64_t digest_ = 0;
  std::uint64_t number_ = 0;
};

std::optional<ExitCode> Committing::begin() {
  const auto cluster = parse_cluster(text_, file_);
  if (!cluster) {
    env_.error(cluster.error().message + "\n");
    return ExitCode::bad_cluster_file;
  }
  digest_ = digest_of_text(text_);
  roster_.gather(&*cluster);
  roster_.complain();
  if (!roster_.present().empty()) return std::nullopt;
  env_.error("error: no chassis answers: nothing was changed\n");
  return ExitCode::incomplete;
}

std::optional<ExitCode> Committing::all_or_none(const CommitAnswers& answers) {
  bool refused = false;
  bool silent = false;
  for (const auto& [chassis, answer] : answers) {
    if (answer.reply) continue;
    complain(chassis, answer.why);
    (answer.refused ? refused : silent) = true;
  }
  if (!refused && !silent) return std::nullopt;
  abort();
  env_.error("error: nothing was changed on any chassis\n");
  return refused ? ExitCode::command_error : ExitCode::incomplete;
}

std::optional<ExitCode> Committing::check(bool verbose) {
  CommitRequest piece;
  piece.operation = CommitOperation::put;
  piece.candidate = candidate_;
  piece.total = static_cast<std::uint32_t>(text_.size());
  while (piece.offset < text_.size()) {
    piece.text = text_.substr(piece.offset, kCommitPieceBytes);
    if (auto ends = all_or_none(ask(piece))) return ends;
    piece.offset += static_cast<std::uint32_t>(piece.text.size());
  }
  CommitRequest request;
  request.candidate = candidate_;
  const auto answers = ask(request, CommitOperation::check);
  if (auto ends = all_or_none(answers)) return ends;
  for (const auto& [chassis, answer] : answers) {
    say(chassis, "configuration check succeeds");
    if (!verbose) continue;
    for (const auto& line : answer.reply->lines) env_.out(fmt::format("    {}\n", line));
  }
  return std::nullopt;
}

std::optional<ExitCode> Committing::prepare(const CommitCommand& command) {
  CommitRequest request;
  request.candidate = candidate_;
  std::uint64_t newest = 0;
  for (const std::uint16_t each : roster_.present()) {
    const std::uint64_t has = roster_.listed(each).newest;
    newest = std::max(newest, has);
    if (has != std::numeric_limits<std::uint64_t>::max()) continue;
    abort();
    complain(each, fmt::format("its newest commit is {}, and no number is above that", has));
    env_.error("error: nothing was changed on any chassis\n");
    return ExitCode::command_error;
  }
  request.number = newest + 1;
  request.user = env_.user.substr(0, kMaxCommitUser);
  request.comment = command.comment;
  request.confirm_seconds = command.confirm_minutes * 60;
  number_ = request.number;
  return all_or_none(ask(request, CommitOperation::prepare));
}

std::optional<ExitCode> Committing::activate() {
  CommitRequest request;
  request.candidate = candidate_;
  // As soon as one chassis has activated the commit, it cannot be undone: the others get it from that chassis.
  bool any = false;
  for (const auto& [chassis, answer] : ask(request, CommitOperation::activate)) {
    any = any || answer.reply;
    if (answer.reply) continue;
    complain(chassis, answer.why);
    roster_.forget(chassis, answer.why);
  }
  if (any) return std::nullopt;
  env_.error(fmt::format("error: no chassis says that it took commit {}; see 'show system commit'\n", number_));
  return ExitCode::incomplete;
}

ExitCode Committing::wait() {
  const auto begun = Clock::now();
  std::set<std::uint16_t> left = roster_.present();
  std::map<std::uint16_t, Clock::time_point> heard;
  std::map<std::uint16_t, std::string> detail;
  ExitCode code = ExitCode::ok;
  const auto fail_with = [&](std::uint16_t chassis, std::string_view why, ExitCode how) {
    complain(chassis, why);
    left.erase(chassis);
    if (code != ExitCode::command_error) code = how;
  };
  for (;;) {
    const auto answers = roster_.ask_again(left);
    const auto now = Clock::now();
    for (const auto& [chassis, answer] : answers) {
      const auto last = heard.emplace(chassis, now).first;
      if (!answer.reply) {
        if (now - last->second > env_.restart_limit) {
          fail_with(
              chassis,
              fmt::format("commit {} is stored, but the chassis does not answer any more: {}", number_, answer.why),
              ExitCode::incomplete);
        }
        continue;
      }
      last->second = now;
      detail[chassis] = answer.reply->detail;
      if (answer.reply->newest > number_) {
        fail_with(chassis, fmt::format("commit {} was replaced by commit {}", number_, answer.reply->newest),
                  ExitCode::command_error);
      } else if (answer.reply->state == CommitState::failed) {
        fail_with(
            chassis,
            fmt::format("commit {} failed, and the chassis runs the former one: {}", number_, answer.reply->detail),
            ExitCode::command_error);
      } else if (answer.reply->state == CommitState::running && answer.reply->running_digest == digest_) {
        say(chassis, "commit complete");
        left.erase(chassis);
      }
    }
    if (left.empty()) return code;
    // A chassis may wait for one that failed, and would do so for ever.
    if (code == ExitCode::command_error || now - begun > env_.patience) break;
    std::this_thread::sleep_for(kPollPause);
  }
  for (const std::uint16_t chassis : left) {
    env_.error(
        fmt::format("error: {}: commit {} is stored, and waits for {}\n", name(chassis), number_, detail[chassis]));
  }
  return code == ExitCode::ok ? ExitCode::incomplete : code;
}

ExitCode send(const CommitCommand& command, const CommitEnvironment& env, std::string text, std::string file) {
  Committing committing(env, std::move(text), std::move(file));
  if (auto ends = committing.begin()) return *ends;
  const bool only_check = command.kind == CommitCommand::Kind::check;
  if (auto ends = committing.check(only_check)) return *ends;
  if (only_check) {
    committing.abort();
    return committing.finish(ExitCode::ok);
  }
  if (auto ends = committing.prepare(command)) return *ends;
  if (auto ends = committing.activate()) return *ends;
  if (command.confirm_minutes != 0) {
    env.out(fmt::format("commit confirmed will be automatically rolled back in {} minutes unless confirmed\n",
                        command.confirm_minutes));
  }
  return committing.finish(committing.wait());
}

ExitCode confirm(const CommitEnvironment& env) {
  CommitRoster roster(env);
  roster.gather(nullptr);
  roster.complain();
  ExitCode code = roster.complete() ? ExitCode::ok : ExitCode::incomplete;
  CommitRequest request;
  request.operation = CommitOperation::confirm;
  request.user = env.user.substr(0, kMaxCommitUser);
  for (const auto& [chassis, answer] : roster.ask(request)) {
    if (answer.reply) {
      env.out(fmt::format("{}: commit complete\n", roster.name(chassis)));
      continue;
    }
    env.error(fmt::format("error: {}: {}\n", roster.name(chassis), answer.why));
    if (code != ExitCode::command_error) code = answer.refused ? ExitCode::command_error : ExitCode::incomplete;
  }
  return code;
}

ExitCode roll_back(CommitCommand command, const CommitEnvironment& env) {
  CommitRoster roster(env);
  roster.gather(nullptr);
  if (roster.present().empty()) {
    roster.complain();
    return ExitCode::incomplete;
  }
  const std::uint16_t chassis = *roster.present().begin();
  const CommitReply& list = roster.listed(chassis);
  if (command.index >= list.entries.size()) {
    env.error(fmt::format("error: {}: there is no rollback {}\n", roster.name(chassis), command.index));
    return ExitCode::command_error;
  }
  const CommitEntry& entry = list.entries[command.index];
  auto text = roster.fetch(chassis, entry);
  if (!text) {
    env.error(fmt::format("error: {}: {}\n", roster.name(chassis), text.error().message));
    return ExitCode::incomplete;
  }
  command.comment = fmt::format("rollback {} (commit {})", command.index, entry.number);
  return send(command, env, std::move(*text), fmt::format("rollback {}", command.index));
}

}  // namespace

Result<CommitCommand> parse_commit(const std::vector<std::string>& words) {
  CommitCommand out;
  std::size_t at = 1;
  const auto more = [&] { return at < words.size(); };
  if (words[0] == "rollback") {
    const auto index = words.size() == 2 ? number_of(words[1]) : std::nullopt;
    if (!index || *index >= kMaxCommits) return fail("usage: icr rollback N, with N from 0 to {}", kMaxCommits - 1);
    out.kind = CommitCommand::Kind::rollback;
    out.index = *index;
    return out;
  }
  if (!more()) return out;
  out.kind = CommitCommand::Kind::commit;
  if (words[at] == "check") {
    out.kind = CommitCommand::Kind::check;
    ++at;
  } else if (words[at] == "confirmed") {
    out.confirm_minutes = kUsualMinutes;
    ++at;
    if (const auto minutes = more() ? number_of(words[at]) : std::nullopt) {
      if (*minutes == 0 || *minutes > kMostMinutes) return fail("the number of minutes is 1 to {}", kMostMinutes);
      out.confirm_minutes = *minutes;
      ++at;
    }
  }
  if (!more()) return fail("{}", kUsage);
  out.file = words[at++];
  if (more() && out.kind == CommitCommand::Kind::commit && words[at] == "comment" && at + 2 == words.size()) {
    out.comment = words[at + 1];
    if (out.comment.size() > kMaxCommitComment) return fail("a comment has at most {} characters", kMaxCommitComment);
    at += 2;
  }
  if (more()) return fail("{}", kUsage);
  return out;
}

ExitCode execute_commit(const CommitCommand& command, const CommitEnvironment& env) {
  const bool needs_cluster =
      command.kind == CommitCommand::Kind::confirm || command.kind == CommitCommand::Kind::rollback;
  if (needs_cluster && env.cluster == nullptr) return ExitCode::bad_cluster_file;
  if (command.kind == CommitCommand::Kind::confirm) return confirm(env);
  if (command.kind == CommitCommand::Kind::rollback) return roll_back(command, env);
  auto text = command.text ? Result<std::string>(*command.text) : read_cluster_text(command.file);
  if (!text) {
    env.error(text.error().message + "\n");
    return ExitCode::bad_cluster_file;
  }
  return send(command, env, std::move(*text), command.file);
}

}  // namespace icr::cli
