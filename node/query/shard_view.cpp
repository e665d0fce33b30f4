#include "node/query/shard_view.h"

#include <algorithm>

namespace icr::node {

std::uint32_t ShardView::scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                              SessionVisitor& visitor) const {
  const SessionSource& source = sessions();
  end = std::min({end, source.high_water(), first_binding()});
  SessionRecord record;
  for (std::uint32_t slot = begin; slot < end; ++slot) {
    if (!source.read(slot, now, record) || record.kind != RecordKind::session) continue;
    if (filter.matches(record) && !visitor.visit(record)) return slot + 1;
  }
  return std::max(begin, end);
}

namespace {

class LargestVisitor final : public SessionVisitor {
 public:
  explicit LargestVisitor(LargestSessions& largest) : largest_(largest) {}
  bool visit(const SessionRecord& record) override {
    largest_.add(0, record);
    return true;
  }

 private:
  LargestSessions& largest_;
};

}  // namespace

std::uint32_t ShardView::scan_largest(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end,
                                      TimePoint now, LargestSessions& largest) const {
  LargestVisitor visitor(largest);
  return scan(filter, begin, end, now, visitor);
}

std::uint32_t ShardView::scan_bindings(const SessionFilter& filter, std::uint8_t kinds, std::uint32_t begin,
                                       std::uint32_t end, TimePoint now, BindingVisitor& visitor) const {
  const SessionSource& source = sessions();
  end = std::min(end, source.high_water());
  SessionRecord record;
  for (std::uint32_t slot = std::max(begin, first_binding()); slot < end; ++slot) {
    if (!source.read(slot, now, record) || (kinds & kind_bit(record.kind)) == 0) continue;
    if (filter.matches(record.binding) && !visitor.visit(record, use_of(slot))) return slot + 1;
  }
  return std::max(begin, end);
}

}  // namespace icr::node
