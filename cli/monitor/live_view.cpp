#include "cli/monitor/live_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/monitor/live_views.h"
#include "model/base/text.h"

namespace icr::cli {
namespace {

/// Cuts a row behind so many columns.
std::string cut_row(std::string row, std::size_t columns) {
  row = printable_text(row);
  std::size_t octets = 0;
  for (std::size_t column = 0; octets < row.size(); ++octets) {
    const bool begins = (static_cast<unsigned char>(row[octets]) & 0xc0U) != 0x80U;
    if (begins && column++ == columns) break;
  }
  row.resize(octets);
  return row;
}

}  // namespace

std::unique_ptr<LiveView> make_live_view(const Command& command, const Cluster& cluster) {
  switch (command.verb) {
    case Verb::monitor_sessions:
      return std::make_unique<LiveSessions>(command.order == Order::packets);
    case Verb::monitor_traffic:
      return std::make_unique<LiveTraffic>(cluster.chassis.size() > 1);
    default:
      break;
  }
  return std::make_unique<LiveInterface>();
}

std::vector<std::string> screen_of(const LiveView& view, const std::vector<std::string>& errors, const Heading& heading,
                                   std::size_t rows, std::size_t columns, std::size_t& first) {
  const LiveView::Page page = view.page();
  std::vector<std::string> above = {
      fmt::format("{:<32} Seconds: {:<18}Time: {}", heading.name, heading.seconds, heading.time),
      fmt::format("{:>74}", heading.under_time)};
  above.insert(above.end(), errors.begin(), errors.end());
  above.insert(above.end(), page.fixed.begin(), page.fixed.end());
  // The last row says what the keys are; an empty one stands above it.
  const std::size_t room = rows > above.size() + 2 ? rows - above.size() - 2 : 0;
  const std::size_t last = page.scrolled.size() > room ? page.scrolled.size() - room : 0;
  first = std::min(first, last);
  std::vector<std::string> out = std::move(above);
  for (std::size_t i = first; i < std::min(first + room, page.scrolled.size()); ++i) out.push_back(page.scrolled[i]);
  if (rows == 0) return {};
  out.resize(rows - 1);
  out.push_back(page.keys);
  for (auto& row : out) row = cut_row(std::move(row), columns);
  return out;
}

}  // namespace icr::cli
