// Reads the pages of a listing from their sources and merges them into one ordered answer.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "cli/client/transport.h"
#include "cli/merge/survey.h"
#include "model/config/cluster.h"

namespace icr::cli {

/// One question to a source whose answer has several pages.
struct Read {
  Source source;
  QueryRequest request;  ///< kind, filter, and the fields of the kind; stream_pages() sets card, set, cursor and limit
};
/// Returns the question for the sessions of `source` that match `filter`.
[[nodiscard]] Read read_sessions(Source source, const SessionFilter& filter);

/// Returns a question for sessions for each service set of the sources that the filter admits, in the order of the
/// sources.
[[nodiscard]] std::vector<Read> reads_by_service_set(const Cluster& cluster, const std::vector<Source>& sources,
                                                     const SessionFilter& filter);

/// Checks what the codec cannot check: that a page of `source` answers the question, and that what it names is known.
[[nodiscard]] Result<void> check_page(const Cluster& cluster, const Source& source, const QueryRequest& asked,
                                      const QueryReply& page);

/// Called once for each page, in the order of the reads. Returns false to stop all reads.
using PagePrinter = std::function<bool(const Read& read, const QueryReply& page)>;

/// Reads all pages of `reads`. The chassis work at the same time, each at most one page ahead, so memory is bounded by
/// a page per chassis however large the tables are. A chassis that fails is added to `unreachable`, and its remaining
/// reads are skipped.
void stream_pages(const Cluster& cluster, Transport& transport, const std::vector<Read>& reads,
                  const PagePrinter& print, std::vector<Unreachable>& unreachable);

/// Called once for each record, in the order of the reads, and by slot within a read. `use` belongs to a binding.
using RecordPrinter = std::function<void(const Read& read, const SessionRecord& record, const BindingUse& use)>;

/// Reads all records of `reads`, as stream_pages() reads pages, until `limit` records were printed.
void stream_records(const Cluster& cluster, Transport& transport, const std::vector<Read>& reads,
                    std::optional<std::uint32_t> limit, const RecordPrinter& print,
                    std::vector<Unreachable>& unreachable);

}  // namespace icr::cli
