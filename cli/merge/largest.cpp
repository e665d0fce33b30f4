#include "cli/merge/largest.h"

#include "cli/merge/ranges.h"

namespace icr::cli {

std::vector<LargestSessions::Entry> read_largest(const Cluster& cluster, Transport& transport,
                                                 const std::vector<Source>& sources, const LargestQuestion& question,
                                                 std::vector<Unreachable>& unreachable) {
  LargestSessions largest(question.order, question.count);
  read_ranges(
      cluster, transport, sources,
      [&](std::uint32_t /*place*/, QueryRequest& request) {
        request.kind = QueryKind::largest;
        request.limit = question.count;
        request.filter = question.filter;
        request.order = question.order;
        request.floor = largest.floor();
      },
      [&](std::uint32_t place, const QueryReply& reply) {
        for (const auto& record : reply.sessions) largest.add(place, record);
        return true;
      },
      unreachable);
  return largest.take_sorted();
}

}  // namespace icr::cli
