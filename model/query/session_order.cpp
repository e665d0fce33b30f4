#include "model/query/session_order.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace icr {
namespace {

std::uint64_t sum_of(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

}  // namespace

std::uint64_t size_of(const std::array<FlowCounters, 2>& counters, Ticks age, SessionOrder order) {
  switch (order) {
    case SessionOrder::packets:
      return sum_of(counters[0].packets, counters[1].packets);
    case SessionOrder::bytes:
      return sum_of(counters[0].bytes, counters[1].bytes);
    case SessionOrder::age:
      break;
  }
  return age;
}

std::uint64_t size_of(const SessionRecord& record, SessionOrder order) {
  return size_of(record.counters, record.age, order);
}

LargestSessions::LargestSessions(SessionOrder order, std::uint32_t room, std::uint64_t floor)
    : order_(order), room_(room), floor_(floor) {
  entries_.reserve(room);
  heap_.reserve(room);
}

bool LargestSessions::larger(const Place& a, const Place& b) {
  return std::tie(b.size, a.source, a.slot) < std::tie(a.size, b.source, b.slot);
}

bool LargestSessions::admits(std::uint64_t size, std::uint32_t source, std::uint32_t slot) const {
  if (size < floor_) return false;
  return heap_.size() < room_ || larger({size, source, slot, 0}, heap_.front());
}

std::uint64_t LargestSessions::floor() const {
  return heap_.size() < room_ ? floor_ : std::max(floor_, heap_.front().size);
}

void LargestSessions::add(std::uint32_t source, const SessionRecord& record) {
  const std::uint64_t size = size_of(record, order_);
  if (!admits(size, source, record.ref.slot)) return;
  if (heap_.size() < room_) {
    heap_.push_back({size, source, record.ref.slot, static_cast<std::uint32_t>(entries_.size())});
    entries_.push_back({size, source, record});
  } else {
    std::pop_heap(heap_.begin(), heap_.end(), larger);
    Place& last = heap_.back();
    last = {size, source, record.ref.slot, last.index};
    entries_[last.index] = {size, source, record};
  }
  std::push_heap(heap_.begin(), heap_.end(), larger);
}

std::vector<LargestSessions::Entry> LargestSessions::take_sorted() {
  std::sort_heap(heap_.begin(), heap_.end(), larger);
  std::vector<Entry> out;
  out.reserve(heap_.size());
  for (const Place& place : heap_) out.push_back(entries_[place.index]);
  heap_.clear();
  entries_.clear();
  return out;
}

}  // namespace icr
