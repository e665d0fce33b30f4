// A cluster built in code, sessions made by hand, and cards that hold them: what the tests of the CLI ask questions to.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cli/client/transport.h"
#include "cli/execute.h"
#include "model/config/cluster.h"
#include "model/record/session.h"
#include "node/query/mailbox.h"
#include "node/query/shard_view.h"

namespace icr::test {

/// Chassis `left` (ms-0/0/0, vms-2/0/0) and `right` (ms-1/0/0, vms-3/0/0).
/// Sets: 0 rs1 (ms- cards; service sets ss1, ss2), 1 rs2 (vms- cards; PIC2_0), 2 alone (left vms-2/0/0; lone).
[[nodiscard]] Cluster make_cluster();

/// Returns the identity of a service set of make_cluster() by its place there.
[[nodiscard]] StableId service_set_id(std::uint16_t index);
/// Returns the identity of the NAT pool with that name; make_cluster() has pool1.
[[nodiscard]] inline StableId pool_id(std::string_view name) { return stable_id(Named::nat_pool, name); }

[[nodiscard]] IpAddress ip(const char* text);
[[nodiscard]] FlowKey key(const char* source, std::uint16_t source_port, const char* destination,
                          std::uint16_t destination_port, std::uint8_t protocol);

/// A session without translation, counters and windows set to 0.
[[nodiscard]] SessionRecord make_session(std::uint32_t slot, std::uint16_t service_set, const FlowKey& initiator);
/// The same with NAPT44 to 203.0.113.5:`port`, from pool1.
[[nodiscard]] SessionRecord make_translated(std::uint32_t slot, std::uint16_t service_set, const FlowKey& initiator,
                                            std::uint16_t port);

/// Slots of fake shards from here on are bindings.
inline constexpr std::uint32_t kFirstBinding = 20000;
/// A binding in slot kFirstBinding + `row`.
[[nodiscard]] SessionRecord make_binding(std::uint32_t row, RecordKind kind, std::uint16_t service_set, StableId pool,
                                         const char* internal, const char* external);

/// Sessions (and bindings) of one set, as a vector of slots.
class FakeShard final : public node::ShardView, public SessionSource {
 public:
  FakeShard(std::uint16_t set, Role role, std::uint64_t term) : set_(set), role_(role), term_(term) {}
  void put(const SessionRecord& record);

  std::uint16_t set() const override { return set_; }
  const SessionSource& sessions() const override { return *this; }
  std::uint64_t sessions_of(StableId service_set) const override;
  void status(TimePoint now, SetStatus& out) const override;
  void append_to(CounterList& out) const override { out.push_back({"heartbeats-sent", 100}); }
  void failovers(std::vector<FailoverReport>& out) const override { out = reports; }
  bool is_master() const override { return role_ == Role::master; }
  bool remove(std::uint32_t slot, TimePoint now) override;
  Result<std::string> switchover(TimePoint now, bool force) override;
  Result<std::string> drain(TimePoint now, bool cancel) override;
  std::uint32_t first_binding() const override { return kFirstBinding; }
  BindingUse use_of(std::uint32_t slot) const override;
  bool holds_binding(const SessionRecord& holder, const SessionFilter& filter, std::uint8_t kinds) const override;
  bool remove_binding(std::uint32_t slot, TimePoint now) override;
  void nat_pools(std::vector<NatPoolStatus>& out) const override { out = pools; }
  std::uint32_t deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const override;
  std::uint32_t term_hits(const SessionFilter& filter, std::uint32_t from, std::uint32_t most,
                          std::vector<TermHitsRow>& out) const override;

  std::uint32_t capacity() const override { return static_cast<std::uint32_t>(slots_.size()); }
  std::uint32_t high_water() const override { return static_cast<std::uint32_t>(slots_.size()); }
  std::uint32_t live_sessions() const override;
  bool read(std::uint32_t slot, TimePoint now, SessionRecord& out) const override;

  Sync sync = Sync::hot;
  bool peer_warned = false;
  std::uint64_t claims = 0;  ///< the term that it claims; 0: none
  std::uint32_t health_weight = 0;
  std::string health_reasons;
  std::vector<PathStatus> paths;
  std::optional<std::vector<Alarm>> alarms = std::vector<Alarm>{};
  std::string switchover_refusal;  ///< empty: it is done
  int switchovers = 0;
  bool drained = false;
  bool forced = false;                       ///< the last one was
  std::map<std::uint32_t, BindingUse> uses;  ///< by slot
  std::vector<NatPoolStatus> pools;
  std::vector<FailoverReport> reports;  ///< newest first
  std::vector<DeterministicRow> blocks;
  std::vector<TermHitsRow> hits;

 private:
  std::uint16_t set_;
  Role role_;
  std::uint64_t term_;
  std::vector<std::optional<SessionRecord>> slots_;
};

class FakeCard final : public node::CardView {
 public:
  FakeShard& add(std::uint16_t set, Role role, std::uint64_t term);
  std::span<node::ShardView* const> shards() override { return views_; }
  CardUtilization utilization(TimePoint now) const override;
  void counters(std::vector<CounterGroup>& out) const override;
  void analysis(CardAnalysis& out) const override { out.add(remembered); }
  void clear_analysis() override { remembered = {}; }
  void usage(CardUsage& out) const override { out = memory; }
  void traffic(std::vector<PortTraffic>& out) const override { out = ports; }
  void statistics(StableId service_set, ServiceSetStatus& out) const override;
  void clear_statistics(StableId service_set, std::optional<StatisticsGroup> group) override;
  CardUtilization load;
  ServiceSetStatus counted;  ///< by every service set
  std::vector<std::pair<StableId, std::optional<StatisticsGroup>>> cleared;
  CardAnalysis remembered;
  CardUsage memory;
  std::vector<PortTraffic> ports;

 private:
  std::vector<std::unique_ptr<FakeShard>> shards_;
  std::vector<node::ShardView*> views_;
};

/// Both chassis of make_cluster() with their cards, both members of rs1 and rs2 alive: left is master of rs1 (term 2),
/// right of rs2 (term 3).
struct FakeCluster {
  FakeCluster();
  /// Puts the session on master and twin.
  void put_everywhere(std::uint16_t set, const SessionRecord& record);
  FakeShard& shard(std::size_t chassis, std::uint16_t set);

  Cluster cluster = make_cluster();
  FakeCard cards[2][2];
  SystemStatus systems[2];
  log::LogBook logs[2];
  std::vector<std::pair<std::size_t, FakeShard*>> shards;  ///< (chassis, shard)
};

/// Answers from a function, in the order of the questions.
class FakeTransport final : public cli::Transport {
 public:
  using Handler = std::function<Result<QueryReply>(std::uint16_t chassis, const QueryRequest& request)>;
  explicit FakeTransport(Handler handler) : handler_(std::move(handler)) {}
  void ask(std::uint16_t chassis, QueryRequest request) override;
  std::optional<cli::Answer> next() override;
  std::vector<std::pair<std::uint16_t, QueryRequest>> asked;

 private:
  Handler handler_;
  std::vector<std::pair<std::uint16_t, QueryRequest>> outstanding_;
};

/// Lets the mailbox of a fake card answer, in the calling thread, and passes the answer through the codec.
[[nodiscard]] Result<QueryReply> answer_from(FakeCluster& fake, std::uint16_t chassis, const QueryRequest& request);

/// Answers what a chassis itself is asked, and lets its cards answer the rest.
[[nodiscard]] Result<QueryReply> answer_of_chassis(FakeCluster& fake, std::uint16_t chassis,
                                                   const QueryRequest& request);

/// What a command line printed.
struct Output {
  std::string out;
  std::string error;
  cli::ExitCode code = cli::ExitCode::ok;
};
/// `pause` is what happens while the command waits, which takes no time here.
[[nodiscard]] Output run_line(const std::string& line, const Cluster& cluster, cli::Transport& transport,
                              std::optional<std::uint16_t> only = std::nullopt,
                              const std::function<void()>& pause = nullptr);

}  // namespace icr::test
