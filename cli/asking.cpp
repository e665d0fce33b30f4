#include "cli/asking.h"

#include <algorithm>
#include <map>

#include "cli/result/junos.h"

namespace icr::cli {
namespace {

/// Text is printed in pieces of about this size.
constexpr std::size_t kFlushBytes = 64 * 1024;

}  // namespace

void Asking::survey() {
  const bool counters = command().verb == Verb::show_redundancy_groups || command().verb == Verb::show_ha;
  survey_ = take_survey(cluster(), env_.transport, env_.only_chassis, counters);
  unreachable_ = survey_.unreachable;
  for (const std::uint16_t chassis : survey_.other_configuration) {
    env_.error(fmt::format("warning: chassis {} runs another cluster file\n", cluster().chassis[chassis].name));
  }
  if (survey_.names.empty()) return;
  auto learned = std::make_unique<Cluster>(cluster());
  learned->other_names.insert(survey_.names.begin(), survey_.names.end());
  learned_ = std::move(learned);
  cluster_ = learned_.get();
}

ExitCode Asking::finish() {
  std::sort(unreachable_.begin(), unreachable_.end(),
            [](const Unreachable& a, const Unreachable& b) { return a.chassis < b.chassis; });
  face_.flush();
  const auto report = [&](std::string_view message, std::string_view how_bad) {
    if (env_.notice) env_.notice(message, how_bad);
    if (env_.report) return env_.report(message, how_bad);
    add_error(face_, message, how_bad);
  };
  for (const auto& each : refusals_) report(each, "error");
  const std::size_t asked = env_.only_chassis ? 1 : cluster().chassis.size();
  // What the others showed can be used. What they changed is only a part of what was asked for.
  const bool usable = unreachable_.size() < asked && only_shows(command().verb);
  const std::string_view severity = usable ? "warning" : "error";
  for (const auto& each : unreachable_) {
    const auto message = fmt::format("chassis {} did not answer: {}", cluster().chassis[each.chassis].name, each.why);
    if (!env_.report) env_.error(fmt::format("error: {}\n", message));
    report(message, severity);
  }
  if (!unreachable_.empty()) return ExitCode::incomplete;
  if (!refusals_.empty()) return ExitCode::command_error;
  return different_ ? ExitCode::different : ExitCode::ok;
}

std::vector<Source> Asking::sources(const Selection& selection) const {
  auto out = choose_sources(cluster(), survey_, env_.only_chassis.has_value());
  out.erase(std::remove_if(out.begin(), out.end(),
                           [&](const Source& source) { return !selection.includes(cluster(), source); }),
            out.end());
  return out;
}

std::vector<Source> Asking::masters(const Selection& selection, std::string_view what) {
  auto out = sources(selection);
  // Only masters are changed; replication changes their twins.
  const auto standby =
      std::stable_partition(out.begin(), out.end(), [](const Source& s) { return s.role == Role::master; });
  if (!env_.only_chassis) {
    for (auto each = standby; each != out.end(); ++each) {
      refuse(fmt::format("no master of redundancy set {} answers: its {} are not cleared",
                         cluster().redundancy_sets[each->set].name, what));
    }
  } else if (standby == out.begin() && !out.empty()) {
    refuse(fmt::format("chassis {} is not master: nothing is cleared", cluster().chassis[*env_.only_chassis].name));
  }
  out.erase(standby, out.end());
  return out;
}

void Asking::ask_each(const std::vector<Source>& sources, const Fill& fill, const Take& take) {
  for (const auto& source : sources) {
    QueryRequest request;
    request.card = source.card;
    request.set = source.set;
    fill(source, request);
    env_.transport.ask(source.chassis, std::move(request));
  }
  std::map<std::pair<std::uint16_t, std::uint16_t>, QueryReply> answers;
  while (auto answer = env_.transport.next()) {
    if (accepted(*answer) != nullptr) answers[{answer->chassis, answer->request.set}] = std::move(*answer->reply);
  }
  for (const auto& source : sources) {
    const auto answer = answers.find({source.chassis, source.set});
    if (answer != answers.end()) take(source, answer->second);
  }
}

std::vector<ServiceSetRow> Asking::ask_for_rows(const std::vector<Source>& sources, const Fill& fill) {
  std::vector<ServiceSetRow> rows;
  ask_each(sources, fill, [&](const Source& source, const QueryReply& reply) {
    for (const auto& count : reply.counts) {
      rows.push_back({source.family, source.interface, cluster().name_of_service_set(count.service_set), count});
    }
  });
  return rows;
}

const QueryReply* Asking::accepted(const Answer& answer) {
  if (!answer.reply) {
    add_unreachable(unreachable_, answer.chassis, answer.reply.error().message);
    return nullptr;
  }
  if (answer.reply->error == QueryError::none) return &*answer.reply;
  if (answer.reply->error == QueryError::refused) {
    refuse(fmt::format("chassis {}: {}", cluster().chassis[answer.chassis].name, answer.reply->reason));
  } else {
    add_unreachable(unreachable_, answer.chassis, "it refused the question: " + answer.reply->reason);
  }
  return nullptr;
}

void Asking::refuse(std::string_view why) {
  refusals_.emplace_back(why);
  if (!env_.report) env_.error(fmt::format("error: {}\n", why));
}

void Asking::flush(std::string& text, bool all) const {
  if (text.empty() || (!all && text.size() < kFlushBytes)) return;
  env_.out(text);
  text.clear();
}

void Asking::stream(const std::vector<Read>& reads, std::optional<std::uint32_t> limit, const Append& append) {
  std::string text;
  stream_records(
      cluster(), env_.transport, reads, limit,
      [&](const Read& read, const SessionRecord& record, const BindingUse& use) {
        append(read, record, use, text);
        flush(text, false);
      },
      unreachable_);
  flush(text, true);
}

void Asking::read(const std::vector<Read>& reads, std::optional<std::uint32_t> limit, const RecordPrinter& take) {
  stream_records(cluster(), env_.transport, reads, limit, take, unreachable_);
}

void Asking::read_pages(const std::vector<Read>& reads, const PagePrinter& take) {
  cli::stream_pages(cluster(), env_.transport, reads, take, unreachable_);
}

void Asking::stream_pages(const std::vector<Read>& reads, const AppendPage& append) {
  std::string text;
  cli::stream_pages(
      cluster(), env_.transport, reads,
      [&](const Read& read, const QueryReply& page) {
        append(read, page, text);
        flush(text, false);
        return true;
      },
      unreachable_);
  flush(text, true);
}

}  // namespace icr::cli
