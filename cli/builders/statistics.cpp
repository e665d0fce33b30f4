#include "cli/builders/statistics.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

/// Leaves that Junos shows first in their container, in its order. The others follow in the order of the answer.
constexpr std::array<std::string_view, 3> kFirstLeaves = {"new-flow-accepts", "new-flow-discards", "new-flow-rejects"};

/// A counter name like "tcp-open-close-counters/tcp-first-pkt-rst", divided into its container and its leaf.
std::pair<std::string_view, std::string_view> container_and_leaf(std::string_view name) {
  const auto slash = name.rfind('/');
  if (slash == std::string_view::npos) return {{}, name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

/// Returns the counters in the order of the tree: one container after the other.
std::vector<const NamedCounter*> by_container(const CounterList& counters) {
  std::vector<const NamedCounter*> out;
  std::map<std::string_view, std::size_t> containers;
  for (const auto& counter : counters) {
    out.push_back(&counter);
    containers.emplace(container_and_leaf(counter.name).first, containers.size());
  }
  const auto rank = [&](const NamedCounter* counter) {
    const auto [in, leaf] = container_and_leaf(counter->name);
    return std::pair{containers.at(in), std::find(kFirstLeaves.begin(), kFirstLeaves.end(), leaf)};
  };
  std::stable_sort(out.begin(), out.end(),
                   [&](const NamedCounter* a, const NamedCounter* b) { return rank(a) < rank(b); });
  return out;
}

}  // namespace

const StatisticsNames& names_of(StatisticsView view) {
  static constexpr StatisticsNames kTcp = {"msp-service-set-tcp-statistics", "msp-service-set-tcp-statistics-entry",
                                           "msp-sset-tcp-statistics-service-set-entry", ""};
  static constexpr StatisticsNames kMss = {"service-set-tcp-mss-statistics", "", "service-set-tcp-mss", "tcp-mss-"};
  static constexpr StatisticsNames kIntegrity = {"service-set-integrity-drops-statistics",
                                                 "service-set-integrity-drops-entry",
                                                 "sset-integrity-drops-service-set-entry", ""};
  static constexpr StatisticsNames kDropFlows = {"service-set-drop-flow-statistics", "", "service-set-drop-flows", ""};
  static constexpr StatisticsNames kScreens = {inferred::kScreenDrops, "", inferred::kScreenDropsOfSet, ""};
  static constexpr StatisticsNames kScreenLimits = {inferred::kScreenLimits, "", inferred::kScreenLimitsOfSet, ""};
  switch (view) {
    case StatisticsView::tcp:
    case StatisticsView::packet_drops:  // it is cleared only
      break;
    case StatisticsView::tcp_mss:
      return kMss;
    case StatisticsView::integrity_drops:
      return kIntegrity;
    case StatisticsView::drop_flow_limit:
      return kDropFlows;
    case StatisticsView::screen_drops:
      return kScreens;
    case StatisticsView::screen_session_limits:
      return kScreenLimits;
  }
  return kTcp;
}

const StatisticsNames& names_of_nat_statistics() {
  // Junos repeats the answer for each interface.
  static constexpr StatisticsNames kNames = {"service-nat-statistics-information", "", "", ""};
  return kNames;
}

const StatisticsNames& names_of_firewall_statistics() {
  static constexpr StatisticsNames kNames = {"service-sfw-statistics-information", "service-sfw-statistics-entry",
                                             "sfw-stats-service-set-entry", ""};
  return kNames;
}

StatisticsBuilder::StatisticsBuilder(Tree& tree, const StatisticsNames& names) : tree_(tree), names_(names) {
  if (!names_.of_service_set.empty()) begin_answer(tree_, names_.answer);
}

void StatisticsBuilder::add(const std::string& interface, const std::string& service_set, const CounterList& counters) {
  if (!names_.of_interface.empty() && interface != interface_) {
    if (!interface_.empty()) tree_.end();
    interface_ = interface;
    tree_.begin(names_.of_interface);
    tree_.leaf("interface-name", interface);
  }
  if (names_.of_service_set.empty()) {
    begin_answer(tree_, names_.answer);
  } else {
    tree_.begin(names_.of_service_set);
  }
  if (names_.of_interface.empty()) tree_.leaf("interface-name", interface);
  tree_.leaf("service-set-name", service_set);
  std::string_view container;
  for (const NamedCounter* counter : by_container(counters)) {
    auto [in, leaf] = container_and_leaf(counter->name);
    if (in != container) {
      if (!container.empty()) tree_.end();
      if (!in.empty()) tree_.begin(in);
      container = in;
    }
    if (leaf.substr(0, names_.prefix.size()) == names_.prefix) leaf.remove_prefix(names_.prefix.size());
    tree_.leaf(leaf, counter->value);
  }
  if (!container.empty()) tree_.end();
  tree_.end();
}

void StatisticsBuilder::finish() {
  if (!interface_.empty()) tree_.end();
  if (!names_.of_service_set.empty()) tree_.end();
}

}  // namespace icr::cli
