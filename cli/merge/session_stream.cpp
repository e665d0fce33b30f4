#include "cli/merge/session_stream.h"

#include <algorithm>
#include <map>

namespace icr::cli {
namespace {

/// One chassis' part of the stream: its sources in order, one page asked for or waiting to be printed.
struct Lane {
  std::vector<std::size_t> sources;  ///< indices into the list of sources
  std::size_t at = 0;                ///< which of them is being read
  std::uint32_t cursor = 0;
  std::optional<QueryReply> page;
  bool failed = false;
};

/// What the codec cannot know: does the page answer the question, and do its indices exist?
Result<void> check_page(const Cluster& cluster, const QueryRequest& asked, const QueryReply& page) {
  if (!page.done && page.next_cursor <= asked.cursor) return fail("a page that does not get on");
  if (page.sessions.size() > asked.limit) return fail("more sessions than were asked for");
  const auto& service_sets = cluster.redundancy_sets[asked.set].service_sets;
  std::uint64_t lowest = asked.cursor;
  for (const auto& record : page.sessions) {
    if (record.ref.slot < lowest || (!page.done && record.ref.slot >= page.next_cursor)) {
      return fail("slot {} out of its page", record.ref.slot);
    }
    lowest = std::uint64_t{record.ref.slot} + 1;
    if (std::find(service_sets.begin(), service_sets.end(), record.service_set) == service_sets.end()) {
      return fail("a session of service set {}, which is not in the redundancy set", record.service_set);
    }
    if (record.nat_pool > cluster.nat_pools.size()) return fail("NAT pool {} out of range", record.nat_pool);
  }
  return {};
}

class Stream {
 public:
  Stream(const Cluster& cluster, Transport& transport, const std::vector<Source>& sources, const SessionFilter& filter,
         std::optional<std::uint32_t> limit, std::vector<Silence>& silent)
      : cluster_(cluster),
        transport_(transport),
        sources_(sources),
        filter_(filter),
        left_(limit ? *limit : std::numeric_limits<std::uint64_t>::max()),
        silent_(silent) {
    for (std::size_t i = 0; i < sources.size(); ++i) lanes_[sources[i].chassis].sources.push_back(i);
  }

  void run(const SessionPrinter& print) {
    for (auto& [chassis, lane] : lanes_) ask(lane);
    for (const auto& source : sources_) {
      Lane& lane = lanes_[source.chassis];
      for (bool more = true; more;) {
        while (!lane.page && !lane.failed) receive();
        if (lane.failed) break;
        const QueryReply page = std::move(*lane.page);
        lane.page.reset();
        // The next page is on its way while this one is printed.
        more = !page.done;
        advance(lane, page);
        for (const auto& record : page.sessions) {
          if (left_ == 0) return;
          print(source, record);
          --left_;
        }
        if (left_ == 0) return;
      }
    }
  }

 private:
  void ask(Lane& lane) {
    if (lane.at == lane.sources.size()) return;
    const Source& source = sources_[lane.sources[lane.at]];
    QueryRequest request;
    request.kind = QueryKind::page;
    request.card = source.card;
    request.set = source.set;
    request.cursor = lane.cursor;
    request.limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(kPageSessions, left_));
    request.filter = filter_;
    transport_.ask(source.chassis, std::move(request));
  }

  void advance(Lane& lane, const QueryReply& page) {
    lane.cursor = page.done ? 0 : page.next_cursor;
    if (page.done) ++lane.at;
    ask(lane);
  }

  void receive() {
    auto answer = transport_.next();
    if (!answer) {
      for (auto& [chassis, lane] : lanes_) lane.failed = lane.failed || !lane.page;
      return;
    }
    Lane& lane = lanes_[answer->chassis];
    std::string wrong;
    if (!answer->reply) {
      wrong = answer->reply.error().message;
    } else if (answer->reply->error != QueryError::none) {
      wrong = "it refuses: " + answer->reply->reason;
    } else if (auto sound = check_page(cluster_, answer->request, *answer->reply); !sound) {
      wrong = "its answer makes no sense: " + sound.error().message;
    }
    if (wrong.empty()) {
      lane.page = std::move(*answer->reply);
    } else {
      lane.failed = true;
      note(silent_, answer->chassis, wrong);
    }
  }

  const Cluster& cluster_;
  Transport& transport_;
  const std::vector<Source>& sources_;
  const SessionFilter& filter_;
  std::uint64_t left_;
  std::vector<Silence>& silent_;
  std::map<std::uint16_t, Lane> lanes_;
};

}  // namespace

void stream_sessions(const Cluster& cluster, Transport& transport, const std::vector<Source>& sources,
                     const SessionFilter& filter, std::optional<std::uint32_t> limit, const SessionPrinter& print,
                     std::vector<Silence>& silent) {
  Stream(cluster, transport, sources, filter, limit, silent).run(print);
}

}  // namespace icr::cli
