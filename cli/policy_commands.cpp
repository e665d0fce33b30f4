// Commands about the terms of firewall rules, and about the peers of redundancy sets.
#include "cli/builders/policies.h"
#include "cli/commands.h"
#include "cli/term_hits.h"

namespace icr::cli {

bool read_term_hits(Asking& asking, const std::vector<Source>& sources, const SessionFilter& filter,
                    const std::function<void(const Source& source, const TermHitsRow& row)>& take) {
  std::vector<Read> reads;
  for (const Source& source : sources) {
    Read read{source, {}};
    read.request.kind = QueryKind::term_hits;
    read.request.filter = filter;
    reads.push_back(std::move(read));
  }
  std::size_t terms = 0;
  asking.read_pages(reads, [&](const Read& read, const QueryReply& page) {
    terms += page.term_hits.size();
    if (terms > kMostTerms) return false;
    for (const TermHitsRow& row : page.term_hits) take(read.source, row);
    return true;
  });
  if (terms > kMostTerms) asking.refuse(fmt::format("more than {} terms: name a service set", kMostTerms));
  return terms <= kMostTerms;
}

void show_hit_counts(Asking& asking) {
  const Selection selection = select(asking.cluster(), asking.command());
  std::vector<PolicyRow> rows;
  const bool all = read_term_hits(
      asking, asking.sources(selection), selection.filter, [&](const Source& source, const TermHitsRow& row) {
        if (row.kind != TermKind::firewall) return;
        rows.push_back({source.interface, asking.cluster().name_of_service_set(row.service_set), row});
      });
  if (all) build_hit_counts(asking.tree(), rows);
}

void show_ha(Asking& asking) {
  std::vector<SetReport> reports;
  for (const SetReport& report : asking.surveyed().sets) {
    const RedundancySet& set = asking.cluster().redundancy_sets[report.status.set];
    const auto& card = asking.cluster().chassis[report.chassis].cards[report.card];
    const auto& wanted = asking.command().interface;
    if (set.stand_alone() || (wanted && wanted->card != card.name)) continue;
    reports.push_back(report);
  }
  build_ha(asking.tree(), asking.cluster(), reports, asking.command().level == Level::statistics);
}

}  // namespace icr::cli
