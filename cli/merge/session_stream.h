// The second round of a listing: pages from their sources, merged into one ordered answer.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "cli/client/transport.h"
#include "cli/merge/survey.h"
#include "model/cluster.h"

namespace icr::cli {

/// One thing to read to its end: the answers of a source to a question with pages.
struct Read {
  Source source;
  QueryRequest request;  ///< kind, filter and what belongs to the kind; the stream sets card, set, cursor and limit
};
[[nodiscard]] Read read_sessions(Source source, const SessionFilter& filter);

/// A read of sessions for each of the sources' service sets that the filter leaves, in order.
[[nodiscard]] std::vector<Read> reads_by_service_set(const Cluster& cluster, const std::vector<Source>& sources,
                                                     const SessionFilter& filter);

/// Called once for each page, read by read in the given order. False: no more of all this.
using PagePrinter = std::function<bool(const Read& read, const QueryReply& page)>;

/// Reads `reads` to their ends. The chassis work at the same time, each at most one page ahead: memory is bounded by a
/// page per chassis, whatever the tables hold. A chassis that fails on the way is noted in `silent` and left out from
/// there on.
void stream_pages(const Cluster& cluster, Transport& transport, const std::vector<Read>& reads,
                  const PagePrinter& print, std::vector<Silence>& silent);

/// Called once for each record, read by read in the given order, within a read by slot. `use`: of a binding.
using RecordPrinter = std::function<void(const Read& read, const SessionRecord& record, const BindingUse& use)>;

/// The same, session by session or binding by binding, until `limit` of them were printed.
void stream_records(const Cluster& cluster, Transport& transport, const std::vector<Read>& reads,
                    std::optional<std::uint32_t> limit, const RecordPrinter& print, std::vector<Silence>& silent);

}  // namespace icr::cli
