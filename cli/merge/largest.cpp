#include "cli/merge/largest.h"

#include <map>
#include <string>
#include <utility>

#include "cli/merge/session_stream.h"

namespace icr::cli {
namespace {

/// Returns why an answer cannot be used, or an empty text.
std::string mistake_in(const Cluster& cluster, const Source& source, const Answer& answer) {
  if (!answer.reply) return answer.reply.error().message;
  if (answer.reply->error != QueryError::none) return "it refused the question: " + answer.reply->reason;
  const auto sound = check_page(cluster, source, answer.request, *answer.reply);
  return sound ? std::string() : "its answer is invalid: " + sound.error().message;
}

}  // namespace

std::vector<LargestSessions::Entry> read_largest(const Cluster& cluster, Transport& transport,
                                                 const std::vector<Source>& sources, const LargestQuestion& question,
                                                 std::vector<Unreachable>& unreachable) {
  LargestSessions largest(question.order, question.count);
  const auto ask = [&](const Source& source, std::uint32_t cursor) {
    QueryRequest request;
    request.kind = QueryKind::largest;
    request.card = source.card;
    request.set = source.set;
    request.cursor = cursor;
    request.limit = question.count;
    request.filter = question.filter;
    request.order = question.order;
    request.floor = largest.floor();
    transport.ask(source.chassis, std::move(request));
  };
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint32_t> places;  // in `sources`, by chassis and set
  for (std::uint32_t i = 0; i < sources.size(); ++i) {
    places[{sources[i].chassis, sources[i].set}] = i;
    ask(sources[i], 0);
  }
  while (const auto answer = transport.next()) {
    const std::uint32_t place = places.at({answer->chassis, answer->request.set});
    if (auto mistake = mistake_in(cluster, sources[place], *answer); !mistake.empty()) {
      add_unreachable(unreachable, answer->chassis, mistake);
      continue;
    }
    for (const auto& record : answer->reply->sessions) largest.add(place, record);
    if (!answer->reply->done) ask(sources[place], answer->reply->next_cursor);
  }
  return largest.take_sorted();
}

}  // namespace icr::cli
