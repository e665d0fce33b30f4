#include "cli/merge/ranges.h"

#include <map>
#include <string>
#include <utility>

#include "cli/merge/session_stream.h"

namespace icr::cli {
namespace {

/// Returns why an answer cannot be used, or an empty text.
std::string fault_of(const Cluster& cluster, const Source& source, const Answer& answer) {
  if (!answer.reply) return answer.reply.error().message;
  if (answer.reply->error != QueryError::none) return "it refused the question: " + answer.reply->reason;
  const auto sound = check_page(cluster, source, answer.request, *answer.reply);
  return sound ? std::string() : "its answer is invalid: " + sound.error().message;
}

}  // namespace

void read_ranges(const Cluster& cluster, Transport& transport, const std::vector<Source>& sources,
                 const FillRange& fill, const TakeRange& take, std::vector<Unreachable>& unreachable) {
  const auto ask = [&](std::uint32_t place, std::uint32_t cursor) {
    QueryRequest request;
    request.card = sources[place].card;
    request.set = sources[place].set;
    request.cursor = cursor;
    fill(place, request);
    transport.ask(sources[place].chassis, std::move(request));
  };
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint32_t> places;  // in `sources`, by chassis and set
  for (std::uint32_t i = 0; i < sources.size(); ++i) {
    places[{sources[i].chassis, sources[i].set}] = i;
    ask(i, 0);
  }
  bool more = true;
  while (const auto answer = transport.next()) {
    const std::uint32_t place = places.at({answer->chassis, answer->request.set});
    if (auto fault = fault_of(cluster, sources[place], *answer); !fault.empty()) {
      add_unreachable(unreachable, answer->chassis, fault);
      continue;
    }
    more = more && take(place, *answer->reply);
    if (more && !answer->reply->done) ask(place, answer->reply->next_cursor);
  }
}

}  // namespace icr::cli
