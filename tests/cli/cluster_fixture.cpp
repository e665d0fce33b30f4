#include "tests/cli/cluster_fixture.h"

#include <algorithm>
#include <stdexcept>

#include "cli/grammar/grammar.h"
#include "cli/merge/nat_selection.h"

namespace icr::test {
namespace {

/// Two bindings of one pool for one host.
bool of_one_host(const SessionRecord& a, const SessionRecord& b) {
  return a.binding.pool == b.binding.pool && a.binding.internal == b.binding.internal;
}

}  // namespace

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

FlowKey key(const char* source, std::uint16_t source_port, const char* destination, std::uint16_t destination_port,
            std::uint8_t protocol) {
  return {ip(source), ip(destination), source_port, destination_port, protocol};
}

Cluster make_cluster() {
  Cluster c;
  c.name = "test";
  c.digest = 0x1234567890abcdefULL;
  const auto port = [](std::uint32_t unit) {
    PacketPort out;
    out.unit = unit;
    return out;
  };
  const auto card = [&](const char* name, CardFamily family) {
    return CardConfig{name, family, {port(1), port(2), port(11), port(12)}};
  };
  const auto chassis = [&](const char* name, const char* address, std::vector<CardConfig> cards) {
    ChassisConfig out;
    out.name = name;
    out.inter_chassis_address = ip(address);
    out.inter_chassis_port = 7400;
    out.query = {ip("127.0.0.1"), 0};
    out.cards = std::move(cards);
    return out;
  };
  c.chassis = {chassis("left", "192.0.2.1", {card("ms-0/0/0", CardFamily::ms), card("vms-2/0/0", CardFamily::vms)}),
               chassis("right", "192.0.2.2", {card("ms-1/0/0", CardFamily::ms), card("vms-3/0/0", CardFamily::vms)})};
  const auto service_set = [](const char* name, std::uint32_t inside, std::vector<std::uint16_t> rules) {
    ServiceSet out;
    out.name = name;
    out.inside_unit = inside;
    out.outside_unit = inside + 1;
    out.firewall_rules = std::move(rules);
    return out;
  };
  c.service_sets = {service_set("ss1", 1, {}), service_set("ss2", 11, {}), service_set("PIC2_0", 1, {0, 1}),
                    service_set("lone", 11, {})};
  const auto term = [](const char* name) {
    FirewallTerm out;
    out.name = name;
    return out;
  };
  c.firewall_rules = {{"first", MatchDirection::input, {term("web"), term("dns")}},
                      {"second", MatchDirection::input, {term("rest")}}};
  NatPool pool;
  pool.name = "pool1";
  pool.addresses = {AddressRange::of(*Prefix::parse("203.0.113.0/28"))};
  c.nat_pools = {pool};
  const auto set = [](const char* name, std::uint16_t id, std::vector<RedundancyMember> members,
                      std::vector<std::uint16_t> service_sets) {
    RedundancySet out;
    out.name = name;
    out.id = id;
    out.members = std::move(members);
    out.service_sets = std::move(service_sets);
    return out;
  };
  c.redundancy_sets = {set("rs1", 1, {{0, "ms-0/0/0", 200}, {1, "ms-1/0/0", 100}}, {0, 1}),
                       set("rs2", 2, {{0, "vms-2/0/0", 100}, {1, "vms-3/0/0", 200}}, {2}),
                       set("alone", 3, {{0, "vms-2/0/0", 100}}, {3})};
  if (!assign_identities(c).empty()) throw std::logic_error("identities collide");
  return c;
}

StableId service_set_id(std::uint16_t index) {
  static const Cluster cluster = make_cluster();
  return cluster.service_sets.at(index).stable_id;
}

SessionRecord make_session(std::uint32_t slot, std::uint16_t service_set, const FlowKey& initiator) {
  SessionRecord out;
  out.ref = {slot, 1};
  out.version = 1;
  out.flow = {initiator, initiator.mirrored()};
  out.service_set = service_set_id(service_set);
  out.timeout_s = 30;
  out.has_counters = true;
  return out;
}

SessionRecord make_translated(std::uint32_t slot, std::uint16_t service_set, const FlowKey& initiator,
                              std::uint16_t port) {
  SessionRecord out = make_session(slot, service_set, initiator);
  out.nat_type = NatType::napt44;
  out.nat_pool = pool_id("pool1");
  out.flow[1].destination = ip("203.0.113.5");
  out.flow[1].destination_port = port;
  if (initiator.protocol == ip_protocol::icmp) out.flow[1].source_port = port;
  return out;
}

SessionRecord make_binding(std::uint32_t row, RecordKind kind, std::uint16_t service_set, StableId pool,
                           const char* internal, const char* external) {
  SessionRecord out;
  out.ref = {kFirstBinding + row, 1};
  out.version = 1;
  out.kind = kind;
  out.binding.term = 1;
  out.binding.internal = ip(internal);
  out.binding.external = ip(external);
  out.binding.pool = pool;
  out.binding.service_set = service_set_id(service_set);
  out.binding.timeout_s = 300;
  if (kind == RecordKind::mapping) out.binding.protocol = ip_protocol::udp;
  return out;
}

BindingUse FakeShard::use_of(std::uint32_t slot) const {
  const auto use = uses.find(slot);
  return use == uses.end() ? BindingUse{slot, 0, 0} : use->second;
}

bool FakeShard::holds_binding(const SessionRecord& holder, const SessionFilter& filter, std::uint8_t kinds) const {
  if (holder.kind == RecordKind::mapping) {
    const bool meant = (kinds & kind_bit(RecordKind::pairing)) != 0;
    return meant && std::any_of(slots_.begin(), slots_.end(), [&](const auto& slot) {
             return slot && slot->kind == RecordKind::pairing && of_one_host(*slot, holder) &&
                    filter.matches(slot->binding);
           });
  }
  return kinds != 0 && holder.nat_type != NatType::none &&
         (!filter.source_prefix || filter.source_prefix->contains(holder.flow[0].source));
}

bool FakeShard::remove_binding(std::uint32_t slot, TimePoint now) {
  if (slot >= slots_.size() || !slots_[slot] || use_of(slot).sessions != 0) return false;
  const SessionRecord& record = *slots_[slot];
  const bool held =
      record.kind == RecordKind::pairing && std::any_of(slots_.begin(), slots_.end(), [&](const auto& other) {
        return other && other->kind == RecordKind::mapping && of_one_host(*other, record);
      });
  return !held && remove(slot, now);
}

std::uint32_t FakeShard::deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const {
  std::vector<DeterministicRow> all;
  for (const auto& row : blocks) {
    if (request.host && request.host->to_v4() != row.binding.internal) continue;
    if (request.translated && request.translated->to_v4() != row.binding.external) continue;
    if (request.port && (*request.port < row.binding.first_port || *request.port > row.binding.last_port)) continue;
    all.push_back(row);
  }
  for (std::size_t i = request.cursor; i < all.size() && out.size() < kPageSessions; ++i) out.push_back(all[i]);
  return static_cast<std::uint32_t>(all.size());
}

std::uint32_t FakeShard::term_hits(const SessionFilter& filter, std::uint32_t from, std::uint32_t most,
                                   std::vector<TermHitsRow>& out) const {
  std::uint32_t row = 0;
  for (const TermHitsRow& each : hits) {
    if (!filter.has_service_set(each.service_set)) continue;
    if (row++ >= from && out.size() < most) out.push_back(each);
  }
  return row;
}

void FakeShard::put(const SessionRecord& record) {
  if (slots_.size() <= record.ref.slot) slots_.resize(record.ref.slot + 1);
  slots_[record.ref.slot] = record;
}

std::uint32_t FakeShard::live_sessions() const {
  return static_cast<std::uint32_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const auto& slot) { return slot && slot->kind == RecordKind::session; }));
}

std::uint64_t FakeShard::sessions_of(StableId service_set) const {
  std::uint64_t count = 0;
  for (const auto& slot : slots_) {
    count += slot && slot->kind == RecordKind::session && slot->service_set == service_set ? 1U : 0U;
  }
  return count;
}

void FakeShard::status(TimePoint /*now*/, SetStatus& out) const {
  static const Cluster cluster = make_cluster();
  if (set_ < cluster.redundancy_sets.size()) out.set_id = cluster.redundancy_sets[set_].stable_id;
  out.role = role_;
  out.peer_role = role_ == Role::master ? Role::standby : Role::master;
  out.connected = true;
  out.sync = sync;
  out.term = term_;
  out.reason = "configured priority";
  out.reason_age_s = 42;
  for (const auto& slot : slots_) out.sessions += slot && slot->kind == RecordKind::session ? 1U : 0U;
  out.sent_sequence = 7;
  out.acknowledged_sequence = 6;
  out.pending = 1;
  out.peer_warned = peer_warned;
  out.health_weight = health_weight;
  out.health_reasons = health_reasons;
  out.paths = paths;
  out.alarms = alarms;
  out.drained = drained;
  if (role_ == Role::standby) {
    out.peer_health_weight = 100;
    out.peer_health_reasons = "checkpoints cannot be written";
  }
  out.detector = {60'000, 1'000'000, 260'400,          12'345,
                  3'100,  80'000,    41'500,           2,
                  12,     10,        "hears the peer", "machine lives, process late"};
  out.priority = 200;
  out.peer = PeerStatus{term_, 100, 37, false, 0, 0, 3, 412};
  if (role_ == Role::master) {
    out.peer->copying = true;
    out.peer->copied_slots = 16'384;
    out.peer->slots_to_copy = 100'000;
    out.peer->copying_ms = 128;
    out.peer->compared_ranges = 4'096;
    out.peer->equal_ranges = 4'000;
    out.peer->oldest_change_us = 2'100;
  }
  out.history = {{42'000, Role::standby, role_, term_, "configured priority"},
                 {5'025'007, Role::initializing, Role::standby, term_ - 1, "peer is master"}};
  out.scheduling = "SCHED_RR priority 20, memory locked";
  if (claims == 0) return;
  out.role = Role::claiming;
  out.peer_role.reset();
  out.connected = false;
  out.claimed_term = claims;
  out.awaited = "its term on disk";
  out.reason = "connection to the peer closed";
  out.history.insert(out.history.begin(), {3, role_, Role::claiming, claims, out.reason});
}

bool FakeShard::remove(std::uint32_t slot, TimePoint /*now*/) {
  if (slot >= slots_.size() || !slots_[slot]) return false;
  slots_[slot].reset();
  return true;
}

Result<std::string> FakeShard::switchover(TimePoint /*now*/, bool force) {
  forced = force;
  if (!switchover_refusal.empty()) return fail("{}", switchover_refusal);
  ++switchovers;
  return std::string("switchover started");
}

Result<std::string> FakeShard::drain(TimePoint /*now*/, bool cancel) {
  if (drained != cancel) return fail("drained or not already");
  drained = !cancel;
  return fmt::format("drain={}", drained);
}

bool FakeShard::read(std::uint32_t slot, TimePoint /*now*/, SessionRecord& out) const {
  out.ref = {slot, 1};
  if (!slots_[slot]) return false;
  out = *slots_[slot];
  return true;
}

FakeShard& FakeCard::add(std::uint16_t set, Role role, std::uint64_t term) {
  shards_.push_back(std::make_unique<FakeShard>(set, role, term));
  views_.push_back(shards_.back().get());
  return *shards_.back();
}

CardUtilization FakeCard::utilization(TimePoint /*now*/) const { return load; }

void FakeCard::counters(std::vector<CounterGroup>& out) const {
  if (out.empty()) out.emplace_back();
  add_counters(out.front().counters, {{"packets-malformed", 3}, {"packets-too-long", 0}});
  out.push_back({"ss1", {{"session-limit-exceeded", 5}}});
}

void FakeCard::statistics(StableId service_set, ServiceSetStatus& out) const {
  out = counted;
  out.service_set = service_set;
  for (const auto& [which, group] : cleared) {
    if (which != service_set) continue;
    for (std::size_t i = 0; i < kStatisticsGroupCount; ++i) {
      if (group && static_cast<std::size_t>(*group) != i) continue;
      for (auto& counter : out.groups[i]) counter.value = 0;
    }
  }
}

void FakeCard::clear_statistics(StableId service_set, std::optional<StatisticsGroup> group) {
  cleared.emplace_back(service_set, group);
}

FakeCluster::FakeCluster() {
  shards.push_back({0, &cards[0][0].add(0, Role::master, 2)});
  shards.push_back({0, &cards[0][1].add(1, Role::standby, 3)});
  shards.push_back({0, &cards[0][1].add(2, Role::master, 1)});
  shards.push_back({1, &cards[1][0].add(0, Role::standby, 2)});
  shards.push_back({1, &cards[1][1].add(1, Role::master, 3)});
  for (std::uint16_t chassis = 0; chassis < 2; ++chassis) {
    SystemStatus& system = systems[chassis];
    system.now = 1'757'836'005'000;
    system.machine_s = chassis == 0 ? 3'866'468 : 94'061;
    system.process_s = chassis == 0 ? 700'000 : 7'790;
    system.release = "0.1.0";
    system.load = {130, 95, 83};
    for (std::size_t i = 0; i < cluster.chassis[chassis].cards.size(); ++i) {
      const CardConfig& card = cluster.chassis[chassis].cards[i];
      for (const PacketPort& port : card.ports) {
        InterfaceStatus interface;
        interface.card_id = card.stable_id;
        interface.unit = port.unit;
        interface.device = fmt::format("{}{}.{}", card.name.substr(0, card.name.find('-')), chassis, port.unit);
        interface.present = interface.admin_up = true;
        interface.link_up = port.unit != 12;
        interface.index = 3 + static_cast<std::uint32_t>(system.interfaces.size());
        interface.mtu = 1500;
        if (port.unit == 1) interface.addresses = {{ip("198.18.0.1"), 24}, {ip("2001:db8:18::1"), 64}};
        system.interfaces.push_back(std::move(interface));
        PortTraffic traffic{port.unit, 1'000U + port.unit, 640'000, 900, 57'600, 40, 256'000, 36, 18'432, 0, 0};
        if (port.unit == 2) traffic.input_errors = 3;
        if (port.unit == 11) traffic.output_errors = 4;
        cards[chassis][i].ports.push_back(traffic);
      }
    }
  }
}

void FakeCluster::put_everywhere(std::uint16_t set, const SessionRecord& record) {
  for (auto& [chassis, shard] : shards) {
    if (shard->set() == set) shard->put(record);
  }
}

FakeShard& FakeCluster::shard(std::size_t chassis, std::uint16_t set) {
  for (auto& [where, shard] : shards) {
    if (where == chassis && shard->set() == set) return *shard;
  }
  throw std::logic_error("no such shard");
}

void FakeTransport::ask(std::uint16_t chassis, QueryRequest request) {
  asked.emplace_back(chassis, request);
  outstanding_.emplace_back(chassis, std::move(request));
}

std::optional<cli::Answer> FakeTransport::next() {
  if (outstanding_.empty()) return std::nullopt;
  auto [chassis, request] = std::move(outstanding_.front());
  outstanding_.erase(outstanding_.begin());
  auto reply = handler_(chassis, request);
  return cli::Answer{chassis, std::move(request), std::move(reply)};
}

Result<QueryReply> answer_from(FakeCluster& fake, std::uint16_t chassis, const QueryRequest& request) {
  node::CardMailbox mailbox;
  const auto completions = std::make_shared<node::Completions>();
  auto task = std::make_unique<node::QueryTask>();
  task->request = request;
  task->request.cluster_digest = fake.cluster.digest;
  task->answer_to = completions;
  node::prepare(*task, fake.cluster, chassis);
  if (!mailbox.post(task)) return fail("full");
  while (mailbox.run(fake.cards[chassis][request.card], TimePoint{}, 100)) {
  }
  auto done = completions->drain();
  if (done.size() != 1) return fail("no answer");
  flatbuffers::FlatBufferBuilder builder;
  encode_reply(done[0]->reply, done[0]->sessions, builder);
  return decode_reply(builder.GetBufferPointer(), builder.GetSize());
}

Result<QueryReply> answer_of_chassis(FakeCluster& fake, std::uint16_t chassis, const QueryRequest& request) {
  QueryReply reply;
  if (request.kind == QueryKind::server_counters) {
    reply.counters = {{"", {{"query-requests", 12}, {"query-refused-malformed", 0}}}};
  } else if (request.kind == QueryKind::system) {
    reply.system = fake.systems[chassis];
  } else if (request.kind == QueryKind::log) {
    auto extract = fake.logs[chassis].read(request.from, kPageLogLines);
    reply.log = {700U + chassis, extract.first, extract.end, std::move(extract.lines)};
    flatbuffers::FlatBufferBuilder builder;
    BatchEncoder none;
    encode_reply(reply, none, builder);
    return decode_reply(builder.GetBufferPointer(), builder.GetSize());
  } else if (request.kind == QueryKind::commit) {
    reply.commit.newest = 3;
    reply.commit.entries = {{3, 1, 1'757'826'000'000, "jane", "cli", "", 0}};
  } else {
    return answer_from(fake, chassis, request);
  }
  return reply;
}

Output run_line(const std::string& line, const Cluster& cluster, cli::Transport& transport,
                std::optional<std::uint16_t> only, const std::function<void()>& pause) {
  Output output;
  const cli::Names names = cli::names_of(cluster);
  const auto command = cli::parse_command(line, &names);
  if (!command) return {"", command.error().shown("> ", line), cli::ExitCode::command_error};
  output.code = cli::execute(
      *command, {cluster, transport, only, 1757836000000, [&](std::string_view text) { output.out += text; },
                 [&](std::string_view text) { output.error += text; },
                 [&](Duration) {
                   if (pause) pause();
                 }});
  return output;
}

}  // namespace icr::test
