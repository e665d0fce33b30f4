#include "cli/render/flows.h"

#include <iterator>

#include "cli/render/sessions.h"

namespace icr::cli {
namespace {

/// The words and their order are those of Junos; the columns are those of the flow lines below.
constexpr std::string_view kColumns =
    "Flow                                                     State    Dir     Frm count\n";

}  // namespace

void FlowRenderer::add(const Source& source, const SessionRecord& record, std::string& out) {
  auto to = std::back_inserter(out);
  const std::string heading = fmt::format("Interface: {}, Service set: {}\n", source.interface,
                                          cluster_.name_of_service_set(record.service_set));
  if (heading != heading_) {
    if (!heading_.empty()) out += '\n';
    out += heading;
    if (!conversations_) out += kColumns;
    heading_ = heading;
  }
  if (conversations_) {
    fmt::format_to(to, "\nConversation: ALG protocol: {}\n  Number of initiators: 1, Number of responders: 1\n{}",
                   application_protocol_keyword(record.alg), kColumns);
  }
  for (unsigned direction = 0; direction < 2; ++direction) {
    if (limit_ && !conversations_ && flows_ == *limit_) return;
    ++flows_;
    append_jsf_flow(record.flow[direction], direction == 0 ? 'I' : 'O', record.counters[direction], out);
    if (level_ != Level::terse) {
      append_translations(record.flow[direction], record.flow[1 - direction].mirrored(), direction == 0, out);
    }
    if (level_ != Level::extensive) continue;
    fmt::format_to(to, "  Byte count: {}\n  Flow role: {}, Timeout: {}\n", record.counters[direction].bytes,
                   direction == 0 ? "Initiator" : "Responder", record.timeout_s);
  }
}

std::string render_flow_counts(const std::vector<ServiceSetRow>& rows) {
  constexpr auto* kFormat = "{:<12}{:<36}{:>10}\n";
  std::string out = fmt::format(fmt::runtime(kFormat), "Interface", "Service set", "Flow Count");
  for (const auto& row : rows) {
    fmt::format_to(std::back_inserter(out), fmt::runtime(kFormat), row.interface, row.service_set,
                   2 * row.count.total());
  }
  return out;
}

}  // namespace icr::cli
