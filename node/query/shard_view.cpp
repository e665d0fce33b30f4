#include "node/query/shard_view.h"

#include <algorithm>

namespace icr::node {

std::uint32_t ShardView::scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                              SessionVisitor& visitor) const {
  const SessionSource& source = sessions();
  end = std::min(end, source.high_water());
  SessionRecord record;
  for (std::uint32_t slot = begin; slot < end; ++slot) {
    if (!source.read(slot, now, record) || record.kind != RecordKind::session) continue;
    if (filter.matches(record) && !visitor.visit(record)) return slot + 1;
  }
  return std::max(begin, end);
}

}  // namespace icr::node
