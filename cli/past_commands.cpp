// `show services sessions as-of`: the sessions of a moment in the past.
#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "cli/builders/sessions.h"
#include "cli/commands.h"

namespace icr::cli {
namespace {

struct KeyHash {
  std::size_t operator()(const FlowKey& key) const { return hash_of(key, 0); }
};

/// Merges what the members of redundancy sets remember. Every member has a history of its own: one may have been down,
/// or not a member of the pair yet, when the other was not.
class PastSessions {
 public:
  PastSessions(Asking& asking, WallMillis at)
      : asking_(asking),
        selection_(select(asking.cluster(), asking.command())),
        at_(at),
        left_(asking.command().limit),
        builder_(asking.cluster(), asking.tree(), asking.command().level == Level::extensive, at) {}

  void show() {
    const auto best = asking_.sources(selection_);
    auto others = choose_sources(asking_.cluster(), asking_.surveyed(), true);
    others.erase(std::remove_if(others.begin(), others.end(),
                                [&](const Source& source) {
                                  return !selection_.includes(asking_.cluster(), source) || is_in(best, source);
                                }),
                 others.end());
    // A tree has all ms- cards before all vms- cards.
    for (const auto family : {CardFamily::ms, CardFamily::vms}) {
      read(best, family);
      read(others, family);
    }
    for (const auto& [set, refusals] : refusals_) {
      if (known_.count(set) != 0) continue;
      for (const auto& [chassis, why] : refusals) add_unreachable(asking_.unreachable(), chassis, why);
    }
    // If nobody knows, a heading alone would look like an answer.
    const bool asked_nobody = best.empty() && others.empty() && asking_.unreachable().empty();
    if (known_.empty() && !asked_nobody) return;
    const bool any_ms =
        std::any_of(best.begin(), best.end(), [](const Source& s) { return s.family == CardFamily::ms; });
    builder_.finish(any_ms ? CardFamily::ms : CardFamily::vms);
  }

 private:
  static bool is_in(const std::vector<Source>& sources, const Source& source) {
    return std::any_of(sources.begin(), sources.end(),
                       [&](const Source& each) { return each.chassis == source.chassis && each.set == source.set; });
  }

  /// Reads the sources of a family: all chassis at the same time, and one set of each, so that a set of which a chassis
  /// knows nothing does not hide another.
  void read(const std::vector<Source>& sources, CardFamily family) {
    std::vector<std::vector<Read>> rounds;
    std::map<std::uint16_t, std::size_t> sets_of_chassis;
    for (const Source& source : sources) {
      if (source.family != family) continue;
      const std::size_t round = sets_of_chassis[source.chassis]++;
      if (round == rounds.size()) rounds.emplace_back();
      Read question = read_sessions(source, selection_.filter);
      question.request.kind = QueryKind::past_sessions;
      question.request.at = at_;
      rounds[round].push_back(std::move(question));
    }
    for (const auto& reads : rounds) {
      if (!left_ || *left_ != 0) read(reads);
    }
  }

  void read(const std::vector<Read>& reads) {
    std::vector<Unreachable> refused;
    stream_pages(
        asking_.cluster(), asking_.environment().transport, reads,
        [&](const Read& read, const QueryReply& page) {
          for (const SessionRecord& record : page.sessions) {
            if (left_ && *left_ == 0) break;
            if (!shown_[{read.source.set, record.service_set}].insert(record.flow[0]).second) continue;
            builder_.add(read.source, record);
            if (left_) --*left_;
          }
          const bool enough = left_ && *left_ == 0;
          if (page.done || enough) known_.insert(read.source.set);
          return !enough;
        },
        refused);
    for (const Read& each : reads) {
      const auto why = std::find_if(refused.begin(), refused.end(),
                                    [&](const Unreachable& one) { return one.chassis == each.source.chassis; });
      if (why == refused.end()) continue;
      refusals_[each.source.set].emplace_back(why->chassis, why->why);
    }
  }

  Asking& asking_;
  const Selection selection_;
  const WallMillis at_;
  std::optional<std::uint32_t> left_;
  SessionBuilder builder_;
  std::unordered_set<std::uint16_t> known_;  ///< sets of which a member has told everything
  std::map<std::uint16_t, std::vector<std::pair<std::uint16_t, std::string>>> refusals_;  ///< by set
  /// By set and service set: the initiator flows of the sessions that were shown.
  std::map<std::pair<std::uint16_t, StableId>, std::unordered_set<FlowKey, KeyHash>> shown_;
};

}  // namespace

void show_past_sessions(Asking& asking) {
  const WallMillis now = asking.environment().wall_now;
  const WallMillis at = asking.command().as_of->at(now);
  if (at > now) return asking.refuse("that moment is not in the past");
  PastSessions(asking, at).show();
}

}  // namespace icr::cli
