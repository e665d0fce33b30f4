#include "cli/merge/session_stream.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>

namespace icr::cli {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// The part of the stream that comes from one chassis: its reads in order, and one page that is requested or waits to
/// be printed.
struct Lane {
  std::vector<std::size_t> reads;  ///< indices into the list of reads
  std::size_t at = 0;              ///< the read in progress, an index into `reads`
  std::uint32_t cursor = 0;
  std::optional<QueryReply> page;
  bool failed = false;
};

/// Checks that what a page names is of the redundancy set. A chassis with another cluster file may know other things.
class Known {
 public:
  Known(const Cluster& cluster, const Source& source) : cluster_(cluster), anything_(source.other_configuration) {
    for (const auto index : cluster.redundancy_sets[source.set].service_sets) {
      service_sets_.push_back(cluster.service_sets[index].stable_id);
    }
  }
  Result<void> check(std::string_view what, StableId service_set, StableId pool) const {
    if (anything_) return {};
    if (std::find(service_sets_.begin(), service_sets_.end(), service_set) == service_sets_.end()) {
      return fail("{} of service set {}, which is not in the redundancy set", what, text_of_id(service_set));
    }
    return check_pool(what, pool);
  }
  Result<void> check_pool(std::string_view what, StableId pool) const {
    if (!anything_ && pool != 0 && !cluster_.pool_ids.find(pool)) {
      return fail("{} of an unknown NAT pool {}", what, text_of_id(pool));
    }
    return {};
  }

 private:
  const Cluster& cluster_;
  bool anything_;
  std::vector<StableId> service_sets_;
};

/// Checks the groups of an answer: no group twice, and not more sessions than slots.
Result<void> check_groups(const Known& known, const QueryRequest& asked, const QueryReply& page) {
  std::uint64_t sessions = 0;
  for (const SessionGroup& group : page.groups) {
    const SessionGroupKey& key = group.key;
    if (asked.grouping == SessionGrouping::service_set) {
      if (auto sound = known.check("a group", key.id, 0); !sound) return sound;
    }
    if (asked.grouping == SessionGrouping::nat_pool && key.id != 0) {
      if (auto sound = known.check_pool("a group", key.id); !sound) return sound;
    }
    if (asked.grouping == SessionGrouping::application_protocol && key.id >= application_protocols().size()) {
      return fail("a group of an unknown application protocol {}", key.id);
    }
    if (asked.grouping == SessionGrouping::source_prefix) {
      const auto longest = static_cast<std::uint8_t>(key.prefix.is_v4() ? 32 : 128);
      if (Prefix::of(key.prefix, std::min(asked.prefix_length, longest)).base != key.prefix) {
        return fail("a group of a prefix of another length");
      }
    }
    sessions += std::min(group.sums.sessions, kNoLimit - sessions);
  }
  if (sessions > page.next_cursor - std::uint64_t{asked.cursor}) return fail("more sessions than slots");
  std::vector<SessionGroupKey> keys;
  keys.reserve(page.groups.size());
  for (const SessionGroup& group : page.groups) keys.push_back(group.key);
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) return fail("a group that is told twice");
  return {};
}

class Stream {
 public:
  /// `left` is the number of records that are still to be printed.
  Stream(const Cluster& cluster, Transport& transport, const std::vector<Read>& reads, const std::uint64_t& left,
         std::vector<Unreachable>& unreachable)
      : cluster_(cluster), transport_(transport), reads_(reads), left_(left), unreachable_(unreachable) {
    for (std::size_t i = 0; i < reads.size(); ++i) lanes_[reads[i].source.chassis].reads.push_back(i);
  }

  void run(const PagePrinter& print) {
    for (auto& [chassis, lane] : lanes_) ask(lane);
    for (const auto& read : reads_) {
      Lane& lane = lanes_[read.source.chassis];
      for (bool more = true; more;) {
        while (!lane.page && !lane.failed) receive();
        if (lane.failed) break;
        const QueryReply page = std::move(*lane.page);
        lane.page.reset();
        // Request the next page before this one is printed.
        more = !page.done;
        advance(lane, page);
        if (!print(read, page)) return;
      }
    }
  }

 private:
  void ask(Lane& lane) {
    if (lane.at == lane.reads.size()) return;
    const Read& read = reads_[lane.reads[lane.at]];
    QueryRequest request = read.request;
    request.card = read.source.card;
    request.set = read.source.set;
    request.cursor = lane.cursor;
    request.limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(kPageSessions, left_));
    transport_.ask(read.source.chassis, std::move(request));
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
      wrong = "it refused the question: " + answer->reply->reason;
    } else if (auto sound = check_page(cluster_, reads_[lane.reads[lane.at]].source, answer->request, *answer->reply);
               !sound) {
      wrong = "its answer is invalid: " + sound.error().message;
    }
    if (wrong.empty()) {
      lane.page = std::move(*answer->reply);
    } else {
      lane.failed = true;
      add_unreachable(unreachable_, answer->chassis, wrong);
    }
  }

  const Cluster& cluster_;
  Transport& transport_;
  const std::vector<Read>& reads_;
  const std::uint64_t& left_;
  std::vector<Unreachable>& unreachable_;
  std::map<std::uint16_t, Lane> lanes_;
};

}  // namespace

Result<void> check_page(const Cluster& cluster, const Source& source, const QueryRequest& asked,
                        const QueryReply& page) {
  Source asked_of = source;
  // A session of the past may be one of a service set or pool that is not there any more.
  asked_of.other_configuration |= asked.kind == QueryKind::past_sessions;
  const Known known(cluster, asked_of);
  if (!page.done && page.next_cursor <= asked.cursor) return fail("a page that does not advance");
  if (page.sessions.size() > asked.limit) return fail("more sessions than were asked for");
  const bool bindings = asked.kind == QueryKind::bindings;
  if (page.uses.size() != (bindings ? page.sessions.size() : 0)) return fail("bindings and their uses do not match");
  std::uint64_t lowest = asked.cursor;
  for (std::size_t i = 0; i < page.sessions.size(); ++i) {
    const auto& record = page.sessions[i];
    if (record.ref.slot < lowest || (!page.done && record.ref.slot >= page.next_cursor)) {
      return fail("slot {} out of its page", record.ref.slot);
    }
    lowest = std::uint64_t{record.ref.slot} + 1;
    if (bindings && page.uses[i].slot != record.ref.slot) return fail("uses of bindings that are not there");
    if (bindings != (record.kind != RecordKind::session)) return fail("a record of another kind");
    auto sound = bindings ? known.check("a binding", record.binding.service_set, record.binding.pool)
                          : known.check("a session", record.service_set, record.nat_pool);
    if (!sound) return sound;
  }
  for (const auto& pool : page.nat_pools) {
    if (auto sound = known.check("a row", pool.service_set, pool.pool); !sound) return sound;
  }
  for (const auto& row : page.deterministic) {
    if (auto sound = known.check("a block of ports", row.service_set, row.pool); !sound) return sound;
  }
  if (asked.kind == QueryKind::groups) {
    if (auto sound = check_groups(known, asked, page); !sound) return sound;
  } else if (!page.groups.empty()) {
    return fail("groups that were not asked for");
  }
  for (const auto& status : page.statistics) {
    if (auto sound = known.check("statistics", status.service_set, 0); !sound) return sound;
  }
  return {};
}

Read read_sessions(Source source, const SessionFilter& filter) {
  QueryRequest request;
  request.kind = QueryKind::page;
  request.filter = filter;
  return {std::move(source), std::move(request)};
}

std::vector<Read> reads_by_service_set(const Cluster& cluster, const std::vector<Source>& sources,
                                       const SessionFilter& filter) {
  std::vector<Read> out;
  for (const auto& source : sources) {
    for (const auto service_set : cluster.redundancy_sets[source.set].service_sets) {
      const StableId id = cluster.service_sets[service_set].stable_id;
      if (!filter.has_service_set(id)) continue;
      out.push_back(read_sessions(source, filter));
      out.back().request.filter.service_sets = {id};
    }
  }
  return out;
}

void stream_pages(const Cluster& cluster, Transport& transport, const std::vector<Read>& reads,
                  const PagePrinter& print, std::vector<Unreachable>& unreachable) {
  Stream(cluster, transport, reads, kNoLimit, unreachable).run(print);
}

void stream_records(const Cluster& cluster, Transport& transport, const std::vector<Read>& reads,
                    std::optional<std::uint32_t> limit, const RecordPrinter& print,
                    std::vector<Unreachable>& unreachable) {
  std::uint64_t left = limit ? *limit : kNoLimit;
  Stream(cluster, transport, reads, left, unreachable).run([&](const Read& read, const QueryReply& page) {
    for (std::size_t i = 0; i < page.sessions.size() && left != 0; ++i, --left) {
      print(read, page.sessions[i], page.uses.empty() ? BindingUse{} : page.uses[i]);
    }
    return left != 0;
  });
}

}  // namespace icr::cli
