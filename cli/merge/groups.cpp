#include "cli/merge/groups.h"

#include "cli/merge/ranges.h"

namespace icr::cli {

std::optional<SumsByGroup> read_groups(const Cluster& cluster, Transport& transport, const std::vector<Source>& sources,
                                       const GroupsQuestion& question, std::vector<Unreachable>& unreachable) {
  SumsByGroup sums;
  read_ranges(
      cluster, transport, sources,
      [&](std::uint32_t /*place*/, QueryRequest& request) {
        request.kind = QueryKind::groups;
        request.filter = question.filter;
        request.grouping = question.rule.grouping;
        request.prefix_length = question.rule.length;
      },
      [&](std::uint32_t place, const QueryReply& reply) {
        for (const SessionGroup& group : reply.groups) {
          SessionGroupKey key = group.key;
          if (question.rule.grouping == SessionGrouping::source) key.id = sources[place].chassis;
          sums[key].add(group.sums);
        }
        return sums.size() <= kMostGroups;
      },
      unreachable);
  if (sums.size() > kMostGroups) return std::nullopt;
  return sums;
}

}  // namespace icr::cli
