// Commands that compare the twins of a redundancy set: whether they are equal, and what a switchover would cost.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/merge/twin_comparison.h"
#include "cli/render/twins.h"
#include "cli/twin_report.h"

namespace icr::cli {
namespace {

/// A slot is looked at so many times at most. It counts as different after two looks in a row that show the same
/// difference, and as changing if the last look still shows another one.
constexpr int kLooks = 6;
/// The time between two looks. A change takes less than this to reach the standby.
constexpr Duration kPause = 200ms;

class Comparing {
 public:
  Comparing(Asking& asking, const Twins& twins) : asking_(asking), twins_(twins) {}

  /// Compares all that questions of this kind return. Returns nothing if a member did not answer, or answered with what
  /// is no page; the error is printed at the end of the command.
  std::optional<TwinComparison> run(QueryKind kind) {
    QueryRequest request;
    request.kind = kind;
    if (kind == QueryKind::bindings) {
      request.record_kinds =
          kind_bit(RecordKind::port_block) | kind_bit(RecordKind::mapping) | kind_bit(RecordKind::pairing);
    }
    TwinComparison out;
    for (std::uint32_t cursor = 0; cursor != kNoMoreSlots;) {
      const auto pages = ask(request, cursor);
      if (!pages) return std::nullopt;
      cursor = out.look(cursor, page_of((*pages)[0]), page_of((*pages)[1]));
    }
    for (int look = 1; look < kLooks; ++look) {
      auto doubtful = out.doubtful(0);
      if (!doubtful) break;
      asking_.environment().pause(kPause);
      while (doubtful) {
        const auto pages = ask(request, *doubtful);
        if (!pages) return std::nullopt;
        const std::uint32_t next = out.look_again(*doubtful, page_of((*pages)[0]), page_of((*pages)[1]));
        doubtful = next == kNoMoreSlots ? std::nullopt : out.doubtful(next);
      }
    }
    return out;
  }

 private:
  static TwinPage page_of(const QueryReply& reply) {
    return {reply.sessions, reply.done ? kNoMoreSlots : reply.next_cursor};
  }

  /// Returns the pages of the master and of the standby from `cursor` on.
  std::optional<std::array<QueryReply, 2>> ask(QueryRequest request, std::uint32_t cursor) {
    request.cursor = cursor;
    request.limit = kPageSessions;
    std::array<QueryReply, 2> pages;
    int sound = 0;
    asking_.ask_each(
        {twins_.master, twins_.standby},
        [&](const Source& source, QueryRequest& out) {
          request.card = source.card;
          request.set = source.set;
          out = request;
        },
        [&](const Source& source, const QueryReply& reply) {
          if (auto checked = check_page(asking_.cluster(), source, request, reply); !checked) {
            add_unreachable(asking_.unreachable(), source.chassis, "its answer is invalid: " + checked.error().message);
            return;
          }
          ++sound;
          pages[source.chassis == twins_.master.chassis ? 0 : 1] = reply;
        });
    if (sound != 2) return std::nullopt;
    return pages;
  }

  Asking& asking_;
  const Twins& twins_;
};

/// Compares the members of a redundancy set.
TwinReport compare(Asking& asking, const std::vector<Source>& sources, std::uint16_t set) {
  TwinReport out;
  out.set = set;
  auto twins = find_twins(asking.cluster(), asking.surveyed(), sources, set);
  if (!twins) {
    out.not_compared = twins.error().message;
    return out;
  }
  Comparing comparing(asking, *twins);
  auto sessions = comparing.run(QueryKind::page);
  auto bindings = sessions ? comparing.run(QueryKind::bindings) : std::nullopt;
  if (!bindings) {
    out.not_compared = "a member stopped answering";
    return out;
  }
  out.twins = *std::move(twins);
  out.sessions = *std::move(sessions);
  out.bindings = *std::move(bindings);
  return out;
}

bool are_equal(const TwinReport& report) {
  return report.twins && report.sessions.different() + report.bindings.different() + report.sessions.not_examined() +
                                 report.bindings.not_examined() ==
                             0;
}

std::string text_of(const Cluster& cluster, const TwinReport& report, bool extensive) {
  return report.twins ? render_twins(cluster, *report.twins, report.sessions, report.bindings, extensive)
                      : fmt::format("   Not compared: {}\n", report.not_compared);
}

}  // namespace

void show_consistency(Asking& asking) {
  const Cluster& cluster = asking.cluster();
  const bool extensive = asking.command().level == Level::extensive;
  const auto sources = choose_sources(cluster, asking.surveyed(), true);
  std::vector<TwinReport> reports;
  bool first = true;
  for (std::uint16_t set = 0; set < cluster.redundancy_sets.size(); ++set) {
    const RedundancySet& config = cluster.redundancy_sets[set];
    if (config.stand_alone() || (asking.command().group && *asking.command().group != config.id)) continue;
    // People see which set is compared while that goes on.
    if (asking.is_text()) asking.environment().out((first ? "" : "\n") + render_twins_heading(cluster, config));
    first = false;
    TwinReport report = compare(asking, sources, set);
    if (!are_equal(report)) asking.found_difference();
    if (asking.is_text()) {
      asking.environment().out(text_of(cluster, report, extensive));
    } else {
      reports.push_back(std::move(report));
    }
  }
  if (!asking.is_text()) build_twins(asking.tree(), cluster, reports, std::nullopt, extensive);
}

void dry_run_switchover(Asking& asking) {
  const Cluster& cluster = asking.cluster();
  const bool extensive = asking.command().level == Level::extensive;
  const std::uint16_t set = *addressed_set(asking.command(), cluster);
  if (asking.is_text()) asking.environment().out(render_twins_heading(cluster, cluster.redundancy_sets[set]));
  const auto master = std::find_if(asking.surveyed().sets.begin(), asking.surveyed().sets.end(),
                                   [&](const auto& r) { return r.status.set == set && r.status.role == Role::master; });
  if (master == asking.surveyed().sets.end()) {
    asking.refuse("no chassis that answers is master of the redundancy set");
    return;
  }
  const TwinReport report = compare(asking, choose_sources(cluster, asking.surveyed(), true), set);
  const std::string refusal = refusal_of_switchover(master->status);
  if (!are_equal(report) || !refusal.empty()) asking.found_difference();
  if (!asking.is_text()) return build_twins(asking.tree(), cluster, {report}, DryRun{*master, refusal}, extensive);
  asking.environment().out(text_of(cluster, report, extensive));
  asking.environment().out(render_dry_run(cluster, *master, refusal));
  if (report.twins && refusal.empty()) asking.environment().out(render_cost(report.sessions, report.bindings));
}

}  // namespace icr::cli
