// The question protocol: filters, codec, and what damaged messages do (nothing).
#include "model/query/query.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <random>

#include "tests/cli/cluster_fixture.h"
#include "tests/support/sample_failover.h"

namespace icr::test {
namespace {

std::vector<StableId> sorted(std::vector<StableId> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST(SessionFilter, EachConditionLooksAtTheInitiatorFlow) {
  const auto record = make_translated(5, 0, key("192.0.2.10", 40014, "198.51.100.20", 80, ip_protocol::tcp), 1025);
  const auto matches = [&](auto set) {
    SessionFilter filter;
    set(filter);
    return filter.matches(record);
  };
  EXPECT_TRUE(matches([](SessionFilter&) {}));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.protocol = 6; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.protocol = 17; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.source_port = 40014; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.source_port = 1025; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.destination_port = 80; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.destination_port = 40014; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.source_prefix = Prefix::parse("192.0.2.0/28"); }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.source_prefix = Prefix::parse("203.0.113.5"); }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.source_prefix = Prefix::parse("::/0"); }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.destination_prefix = Prefix::parse("0.0.0.0/0"); }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.destination_prefix = Prefix::parse("192.0.2.0/24"); }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.service_sets = sorted({service_set_id(0), service_set_id(3)}); }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.service_sets = {1, 2}; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.application_protocol = kNoApplicationProtocol; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.application_protocol = parse_application_protocol("ftp"); }));
}

/// Whose session has this public address and port?
TEST(SessionFilter, TranslatedAddressAndPort) {
  const auto matches = [](const SessionRecord& record, const char* prefix, std::optional<std::uint16_t> port) {
    SessionFilter filter;
    if (prefix != nullptr) filter.xlated_prefix = Prefix::parse(prefix);
    filter.xlated_port = port;
    return filter.matches(record);
  };
  const auto out = make_translated(5, 0, key("192.0.2.10", 40014, "198.51.100.20", 80, ip_protocol::tcp), 1025);
  const std::string external = out.flow[1].destination.to_string();
  EXPECT_TRUE(matches(out, external.c_str(), 1025));
  EXPECT_TRUE(matches(out, nullptr, 1025));
  EXPECT_FALSE(matches(out, external.c_str(), 1026));
  EXPECT_FALSE(matches(out, "192.0.2.10", std::nullopt)) << "that is its own";
  EXPECT_FALSE(matches(out, "198.51.100.20", 80)) << "the server is not translated";
  // A session from outside to a forwarded port is found by the destination that the caller used.
  auto in = make_session(6, 0, key("198.51.100.20", 4000, "203.0.113.8", 8080, ip_protocol::tcp));
  in.nat_type = NatType::dnat44;
  in.flow[1].source = ip("198.18.64.253");
  in.flow[1].source_port = 80;
  EXPECT_TRUE(matches(in, "203.0.113.8", 8080));
  EXPECT_FALSE(matches(in, "198.51.100.20", 4000));
  const auto plain = make_session(7, 0, key("192.0.2.10", 1025, "198.51.100.20", 80, ip_protocol::tcp));
  EXPECT_FALSE(matches(plain, nullptr, 1025));
}

TEST(SessionFilter, PortsOfIcmpAreNotPorts) {
  const auto record = make_session(5, 0, key("192.0.2.10", 80, "198.51.100.20", 80, ip_protocol::icmp));
  SessionFilter filter;
  filter.destination_port = 80;
  EXPECT_FALSE(filter.matches(record));
}

TEST(SessionFilter, TheRpcFamilyIsOneQuestion) {
  auto record = make_session(5, 0, key("192.0.2.10", 800, "198.51.100.20", 111, ip_protocol::udp));
  record.alg = *parse_application_protocol("rpc-portmap");
  SessionFilter filter;
  for (const char* word : {"rpc", "rpc-portmap", "dce-rpc", "dce-rpc-portmap"}) {
    filter.application_protocol = parse_application_protocol(word);
    EXPECT_TRUE(filter.matches(record)) << word;
  }
  filter.application_protocol = parse_application_protocol("sun-rpc");
  EXPECT_FALSE(filter.matches(record));
}

QueryRequest full_request() {
  QueryRequest request;
  request.cluster_digest = 0xfeedfacecafebeefULL;
  request.request_id = 99;
  request.kind = QueryKind::page;
  request.cluster_id = 11;
  request.card_id = 3;
  request.set_id = 0xfffffff7;
  request.cursor = 1000000;
  request.limit = 1024;
  request.by_state = true;
  request.force = true;
  request.without_counters = true;
  request.cancel = true;
  request.filter.application_protocol = 5;
  request.filter.protocol = 0;  // a zero is a value, not an absence
  request.filter.source_port = 0;
  request.filter.destination_port = 443;
  request.filter.source_prefix = Prefix::parse("192.0.2.0/25");
  request.filter.destination_prefix = Prefix::parse("2001:db8::/33");
  request.filter.service_sets = {1, 0xfffffff4};
  request.filter.xlated_prefix = Prefix::parse("203.0.113.0/26");
  request.filter.xlated_port = 0;
  request.filter.translated = true;
  request.filter.nat_pool = 0;
  request.record_kinds = kind_bit(RecordKind::mapping);
  request.group = StatisticsGroup::tcp;
  request.host = ip("192.0.2.1");
  request.translated = ip("2001:db8::1");
  request.port = 0;
  request.order = SessionOrder::packets;
  request.floor = 0xfffffffffffffff1;
  request.grouping = SessionGrouping::source_prefix;
  request.prefix_length = 128;
  return request;
}

/// Each counter has another value.
NatPoolCounters distinct_counters() {
  NatPoolCounterWords words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = 1000 + i;
  return std::bit_cast<NatPoolCounters>(words);
}

QueryReply full_reply(BatchEncoder& sessions) {
  for (const std::uint32_t slot : {9U, 4U, 30U}) {
    sessions.add(make_translated(slot, 0, key("192.0.2.10", 40014, "198.51.100.20", 80, ip_protocol::tcp), 1025));
  }
  sessions.add(make_session(7, 0, key("2001:db8::1", 1, "2001:db8::2", 2, ip_protocol::udp)));
  QueryReply reply;
  reply.request_id = 99;
  reply.next_cursor = 31;
  reply.done = true;
  reply.text = "fine\x1b[2J";
  SetStatus status;
  status.set_id = 0xfffffff1;
  status.role = Role::claiming;
  status.warned = true;
  status.drained = true;
  status.peer_role = Role::master;
  status.term = 12;
  status.reason = "heartbeats missing";
  status.health_weight = 255;
  status.health_reasons = "interface inside0 has no carrier";
  status.peer_health_weight = 100;
  status.peer_health_reasons = "disk\nfull";
  status.detector = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "hears the peer", "no answer"};
  status.service_sets = {{2, {5, 0, 0, 0}}};
  status.counters = {{"a", 1}, {"b", 2}};
  status.priority = 3;
  status.peer = PeerStatus{1, 2, 3, true, 4, 5, 6, 7, 8, 9, true, 10, 12, 11, 13};
  status.history = {{8, Role::claiming, Role::master, 9, "peer is silent"},
                    {9, Role::standby, Role::claiming, 9, "peer is silent"}};
  status.paths = {{ip("192.0.2.1"), ip("192.0.2.2"), PathState::silent, false},
                  {ip("2001:db8::1"), ip("2001:db8::2"), PathState::up, true}};
  status.claimed_term = 13;
  status.awaited = "its term on disk";
  reply.status = {status};
  reply.utilization = {1, 2, 3, 4, 5, 6, 7};
  reply.counts = {{2, {4, 3, 2, 1}}};
  reply.counters = {{"ss1", {{"drops", 5}}}};
  NatPoolStatus pool;
  pool.service_set = 1;
  pool.pool = 0xfffffff2;
  pool.use = NatPoolUse::port_blocks;
  pool.ports_in_use = 77;
  pool.block_size = 128;
  static_cast<NatPoolCounters&>(pool) = distinct_counters();
  reply.nat_pools = {pool};
  reply.uses = {{40, 1, 2}, {35, 3, 4}};
  reply.deterministic = {{3, 0xfffffff4, {0xc0000201, 0xcb007101, 1024, 2047}, 9}};
  ServiceSetStatus statistics;
  statistics.service_set = 5;
  statistics.group(StatisticsGroup::nat) = {{"leaf", 6}};
  reply.statistics = {statistics, statistics};
  reply.statistics[1].service_set = 6;
  reply.analysis.peak_sessions = 10;
  reply.analysis.created.add(5000);
  reply.usage = {1000, 500, 400, 450, 10, {{2, 300}}};
  reply.live = {{10, 6}, {5, 4}, {3, 1}};
  reply.groups = {{{ip("192.0.2.0"), 0xfffffff7}, {1, 2, 3}}, {{{}, 1}, {4, 5, 0xfffffffffffffff6}}};
  reply.cluster_digest = 0xfeed;
  reply.names = {{0xfffffff2, "pool\x1b"}};
  return reply;
}

TEST(QueryCodec, ARequestComesBackAsItWas) {
  flatbuffers::FlatBufferBuilder builder;
  const auto sent = full_request();
  encode_request(sent, builder);
  const auto got = decode_request(builder.GetBufferPointer(), builder.GetSize());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->cluster_digest, sent.cluster_digest);
  EXPECT_EQ(got->request_id, sent.request_id);
  EXPECT_EQ(got->kind, sent.kind);
  EXPECT_EQ(got->cluster_id, sent.cluster_id);
  EXPECT_EQ(got->card_id, sent.card_id);
  EXPECT_EQ(got->set_id, sent.set_id);
  EXPECT_EQ(got->cursor, sent.cursor);
  EXPECT_EQ(got->limit, sent.limit);
  EXPECT_EQ(got->by_state, sent.by_state);
  EXPECT_EQ(got->force, sent.force);
  EXPECT_EQ(got->without_counters, sent.without_counters);
  EXPECT_EQ(got->cancel, sent.cancel);
  EXPECT_EQ(got->filter, sent.filter);
  EXPECT_EQ(got->record_kinds, sent.record_kinds);
  EXPECT_EQ(got->group, sent.group);
  EXPECT_EQ(got->host, sent.host);
  EXPECT_EQ(got->translated, sent.translated);
  EXPECT_EQ(got->port, sent.port);
  EXPECT_EQ(got->order, sent.order);
  EXPECT_EQ(got->floor, sent.floor);
  EXPECT_EQ(got->grouping, sent.grouping);
  EXPECT_EQ(got->prefix_length, sent.prefix_length);
}

TEST(QueryCodec, AReplyComesBackInSlotOrderAndPrintable) {
  BatchEncoder sessions;
  const auto sent = full_reply(sessions);
  flatbuffers::FlatBufferBuilder builder;
  encode_reply(sent, sessions, builder);
  const auto got = decode_reply(builder.GetBufferPointer(), builder.GetSize());
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->sessions.size(), 4U);
  EXPECT_EQ(got->sessions[0].ref.slot, 4U);
  EXPECT_EQ(got->sessions[1].ref.slot, 7U);
  EXPECT_EQ(got->sessions[1].flow[0].source, ip("2001:db8::1"));
  EXPECT_EQ(got->sessions[2].ref.slot, 9U);
  EXPECT_EQ(got->sessions[3].ref.slot, 30U);
  EXPECT_EQ(got->text, "fine?[2J");
  EXPECT_EQ(got->cluster_digest, 0xfeedU);
  ASSERT_EQ(got->groups.size(), 2U);
  EXPECT_EQ(got->groups[0].key, sent.groups[0].key);
  EXPECT_EQ(got->groups[0].sums, sent.groups[0].sums);
  EXPECT_EQ(got->groups[1].sums, sent.groups[1].sums);
  ASSERT_EQ(got->names.size(), 1U);
  EXPECT_EQ(got->names[0], std::pair(StableId{0xfffffff2}, std::string("pool?")));
  EXPECT_EQ(got->status[0].set_id, 0xfffffff1);
  EXPECT_EQ(got->status[0].role, Role::claiming);
  EXPECT_EQ(got->status[0].claimed_term, 13U);
  EXPECT_EQ(got->status[0].awaited, "its term on disk");
  EXPECT_TRUE(got->status[0].warned);
  EXPECT_TRUE(got->status[0].drained);
  EXPECT_EQ(got->status[0].peer_role, Role::master);
  EXPECT_FALSE(got->status[0].peer_warned);
  EXPECT_EQ(got->status[0].priority, 3U);
  EXPECT_EQ(got->status[0].peer, sent.status[0].peer);
  EXPECT_EQ(got->status[0].history, sent.status[0].history);
  EXPECT_EQ(got->status[0].paths, sent.status[0].paths);
  EXPECT_EQ(got->status[0].term, 12U);
  EXPECT_EQ(got->status[0].reason, "heartbeats missing");
  EXPECT_EQ(got->status[0].health_weight, 255U);
  EXPECT_EQ(got->status[0].health_reasons, "interface inside0 has no carrier");
  EXPECT_EQ(got->status[0].peer_health_weight, 100U);
  EXPECT_EQ(got->status[0].peer_health_reasons, "disk full");
  EXPECT_EQ(got->status[0].detector.peer_says, 7U);
  EXPECT_EQ(got->status[0].detector.probes_answered, 10U);
  EXPECT_EQ(got->status[0].detector.probe, "no answer");
  EXPECT_EQ(got->status[0].service_sets[0].total(), 5U);
  EXPECT_EQ(got->status[0].counters[1].value, 2U);
  EXPECT_EQ(got->utilization.cpu_permyriad, 7U);
  EXPECT_EQ(got->counts[0].by_state, (std::array<std::uint64_t, 4>{4, 3, 2, 1}));
  EXPECT_EQ(got->counters[0].counters[0].name, "drops");
  ASSERT_EQ(got->nat_pools.size(), 1U);
  EXPECT_EQ(got->nat_pools[0].service_set, 1U);
  EXPECT_EQ(got->nat_pools[0].pool, 0xfffffff2);
  EXPECT_EQ(got->nat_pools[0].use, NatPoolUse::port_blocks);
  EXPECT_EQ(got->nat_pools[0].ports_in_use, 77U);
  EXPECT_EQ(got->nat_pools[0].block_size, 128U);
  EXPECT_EQ(static_cast<const NatPoolCounters&>(got->nat_pools[0]), distinct_counters());
  ASSERT_EQ(got->uses.size(), 2U);
  EXPECT_EQ(got->uses[0].slot, 35U) << "by slot, as the bindings";
  EXPECT_EQ(got->uses[1].ports, 2U);
  ASSERT_EQ(got->deterministic.size(), 1U);
  EXPECT_EQ(got->deterministic[0].binding, sent.deterministic[0].binding);
  EXPECT_EQ(got->deterministic[0].ports_in_use, 9U);
  EXPECT_EQ(got->deterministic[0].pool, 0xfffffff4);
  ASSERT_EQ(got->statistics.size(), 2U);
  EXPECT_EQ(got->statistics[1].service_set, 6U);
  EXPECT_EQ(got->statistics[1].group(StatisticsGroup::nat)[0].value, 6U);
  EXPECT_TRUE(got->statistics[1].group(StatisticsGroup::tcp).empty());
  EXPECT_EQ(got->analysis.peak_sessions, 10U);
  EXPECT_EQ(got->analysis.created.seconds, sent.analysis.created.seconds);
  EXPECT_EQ(got->usage.used, 500U);
  ASSERT_EQ(got->usage.service_sets.size(), 1U);
  EXPECT_EQ(got->usage.service_sets[0].bytes, 300U);
  EXPECT_EQ(got->live.all.total, 10U);
  EXPECT_EQ(got->live.all.ipv4, 6U);
  EXPECT_EQ(got->live.tcp.total, 5U);
  EXPECT_EQ(got->live.tcp.ipv4, 4U);
  EXPECT_EQ(got->live.udp.total, 3U);
  EXPECT_EQ(got->live.udp.ipv4, 1U);
}

TEST(QueryCodec, RepliesOutOfRangeAreRefused) {
  flatbuffers::FlatBufferBuilder builder;
  const auto refused = [&](auto change) {
    QueryReply reply;
    change(reply);
    BatchEncoder none;
    encode_reply(reply, none, builder);
    return !decode_reply(builder.GetBufferPointer(), builder.GetSize());
  };
  EXPECT_FALSE(refused([](QueryReply&) {}));
  EXPECT_TRUE(refused([](QueryReply& r) { r.nat_pools.resize(kPageSessions + 1); }));
  EXPECT_TRUE(refused([](QueryReply& r) {
    r.nat_pools.resize(1);
    r.nat_pools[0].use = static_cast<NatPoolUse>(kNatPoolUseCount);
  }));
  EXPECT_TRUE(refused([](QueryReply& r) { r.uses.resize(kPageSessions + 1); }));
  EXPECT_TRUE(refused([](QueryReply& r) { r.deterministic.resize(kPageSessions + 1); }));
  EXPECT_TRUE(refused([](QueryReply& r) { r.deterministic = {{0, 0, {1, 1, 5, 4}, 0}}; }));
  EXPECT_FALSE(refused([](QueryReply& r) { r.statistics.resize(kPageServiceSets); }));
  EXPECT_TRUE(refused([](QueryReply& r) {
    for (std::uint16_t i = 0; i <= kPageServiceSets; ++i) {
      r.statistics.emplace_back();
      r.statistics.back().service_set = i;
    }
  }));
  EXPECT_FALSE(refused([](QueryReply& r) { r.usage.service_sets.resize(10000); }));
  EXPECT_TRUE(refused([](QueryReply& r) { r.usage.service_sets.resize(10001); }));
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  EXPECT_FALSE(refused([](QueryReply& r) { r.live = {{kMost, kMost}, {kMost - 1, kMost - 1}, {1, 1}}; }));
  EXPECT_TRUE(refused([](QueryReply& r) { r.live.all = {1, 2}; })) << "more IPv4 sessions than sessions";
  EXPECT_TRUE(refused([](QueryReply& r) { r.live = {{9, 0}, {1, 2}, {0, 0}}; }));
  EXPECT_TRUE(refused([](QueryReply& r) { r.live = {{9, 0}, {0, 0}, {1, 2}}; }));
  EXPECT_TRUE(refused([](QueryReply& r) { r.live = {{9, 0}, {5, 0}, {5, 0}}; })) << "more TCP and UDP than sessions";
  EXPECT_TRUE(refused([](QueryReply& r) { r.live = {{kMost, 9}, {kMost - 1, 5}, {1, 5}}; })) << "and of IPv4 alone";
  EXPECT_TRUE(refused([](QueryReply& r) { r.live = {{2, 0}, {kMost, 0}, {3, 0}}; })) << "their sum overflows";
}

TEST(QueryCodec, ReportsOfTakeoversComeBackAsTheyWere) {
  QueryReply reply;
  FailoverReport unknown;
  unknown.heard = -5;
  reply.failovers = {sample_failover(2), unknown};
  BatchEncoder none;
  flatbuffers::FlatBufferBuilder builder;
  encode_reply(reply, none, builder);
  auto back = decode_reply(builder.GetBufferPointer(), builder.GetSize());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->failovers, reply.failovers);

  reply.failovers.resize(kMaxFailovers + 1);
  encode_reply(reply, none, builder);
  back = decode_reply(builder.GetBufferPointer(), builder.GetSize());
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().message, "17 reports of takeovers");
  reply.failovers = {unknown};
  reply.failovers[0].kind = static_cast<FailoverKind>(enum_end<FailoverKind>());
  encode_reply(reply, none, builder);
  EXPECT_FALSE(decode_reply(builder.GetBufferPointer(), builder.GetSize()));

  for (auto time : {&FailoverReport::heartbeat, &FailoverReport::new_session, &FailoverReport::last_word,
                    &FailoverReport::last_change}) {
    reply.failovers = {unknown};
    reply.failovers[0].*time = std::numeric_limits<std::int64_t>::max();
    encode_reply(reply, none, builder);
    back = decode_reply(builder.GetBufferPointer(), builder.GetSize());
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().message, "times of a takeover out of range");
  }
}

TEST(EnumEnd, CountsWhatTheCodecOfRepliesChecks) {
  EXPECT_EQ(enum_end<Sync>(), static_cast<unsigned>(Sync::hot) + 1);
  EXPECT_EQ(kQueryErrorCount, static_cast<unsigned>(QueryError::refused) + 1);
  EXPECT_GT(kQueryKindEnd, static_cast<unsigned>(QueryKind::live));
}

TEST(SessionFilter, BindingsAreMatchedByHostAndTranslation) {
  auto record = make_binding(0, RecordKind::mapping, 3, 2U, "192.0.2.72", "203.0.113.5");
  record.binding.internal_port = 100;
  record.binding.external_port = 40100;
  const auto matches = [&](auto set) {
    SessionFilter filter;
    set(filter);
    return filter.matches(record.binding);
  };
  EXPECT_TRUE(matches([](SessionFilter&) {}));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.source_prefix = Prefix::parse("192.0.2.0/24"); }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.source_prefix = Prefix::parse("203.0.113.0/24"); }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.destination_prefix = Prefix::parse("203.0.113.5/32"); }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.destination_prefix = Prefix::parse("203.0.113.6/32"); }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.source_port = 100; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.source_port = 40100; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.destination_port = 40100; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.destination_port = 100; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.nat_pool = 2; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.nat_pool = 3; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.protocol = ip_protocol::udp; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.protocol = ip_protocol::tcp; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.service_sets = {1, 2}; }));
}

TEST(SessionFilter, TranslationAndPool) {
  const auto translated = make_translated(5, 0, key("192.0.2.10", 1, "198.51.100.20", 80, ip_protocol::tcp), 1025);
  const auto plain = make_session(6, 0, key("192.0.2.10", 1, "198.51.100.20", 80, ip_protocol::tcp));
  SessionFilter filter;
  filter.translated = true;
  EXPECT_TRUE(filter.matches(translated));
  EXPECT_FALSE(filter.matches(plain));
  EXPECT_FALSE(filter.only_service_sets()) << "a count must look at each session";
  filter = {};
  filter.nat_pool = pool_id("pool1");
  EXPECT_TRUE(filter.matches(translated));
  EXPECT_FALSE(filter.matches(plain));
  EXPECT_FALSE(filter.only_service_sets());
  filter.nat_pool = pool_id("dpool1");
  EXPECT_FALSE(filter.matches(translated));
  auto in = make_session(6, 0, key("192.0.2.10", 1, "203.0.113.8", 80, ip_protocol::tcp));
  in.nat_type = NatType::dnat44;
  in.nat_pool = pool_id("dpool1");
  EXPECT_FALSE(filter.matches(in)) << "the pool gave it its destination, not its source";
}

TEST(QueryCodec, ValuesOutOfRangeAreRefused) {
  flatbuffers::FlatBufferBuilder builder;
  const auto refused = [&](auto change) {
    auto request = full_request();
    change(request);
    encode_request(request, builder);
    return !decode_request(builder.GetBufferPointer(), builder.GetSize());
  };
  EXPECT_FALSE(refused([](QueryRequest&) {}));
  EXPECT_TRUE(refused([](QueryRequest& r) { r.filter.application_protocol = 250; }));
  EXPECT_TRUE(refused([](QueryRequest& r) { r.filter.source_prefix->length = 33; }));
  EXPECT_TRUE(refused([](QueryRequest& r) { r.prefix_length = 129; }));
  EXPECT_TRUE(refused([](QueryRequest& r) { r.grouping = static_cast<SessionGrouping>(kSessionGroupingCount); }));
  EXPECT_TRUE(refused([](QueryRequest& r) { r.order = static_cast<SessionOrder>(kSessionOrderCount); }));
  EXPECT_TRUE(refused([](QueryRequest& r) { r.filter.destination_prefix->length = 129; }));
  EXPECT_TRUE(refused([](QueryRequest& r) { r.filter.service_sets.assign(10001, 1); }));
  EXPECT_FALSE(refused([](QueryRequest& r) { r.filter.service_sets.assign(10000, 1); }))
      << "a cluster file may have as many";
  encode_request(full_request(), builder);
  EXPECT_FALSE(decode_reply(builder.GetBufferPointer(), builder.GetSize())) << "a request is no reply";
  EXPECT_FALSE(decode_request(nullptr, 0));
  const std::vector<std::uint8_t> large(kMaxRequestBytes + 1);
  EXPECT_FALSE(decode_request(large.data(), large.size()));
}

/// Damages messages in many ways; whatever is accepted must be readable without a fault (run under asan+ubsan).
TEST(QueryCodec, DamagedMessagesDoNoHarm) {
  flatbuffers::FlatBufferBuilder request_builder;
  encode_request(full_request(), request_builder);
  BatchEncoder sessions;
  const auto reply = full_reply(sessions);
  flatbuffers::FlatBufferBuilder reply_builder;
  encode_reply(reply, sessions, reply_builder);
  std::mt19937 random(20240601);
  int refused = 0;
  constexpr int kRounds = 20000;
  for (int round = 0; round < kRounds; ++round) {
    const auto& from = round % 2 == 0 ? request_builder : reply_builder;
    std::vector<std::uint8_t> bytes(from.GetBufferPointer(), from.GetBufferPointer() + from.GetSize());
    const auto damage = 1 + random() % 4;
    for (unsigned i = 0; i < damage; ++i) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    // At any alignment, as ZeroMQ delivers them.
    std::vector<std::uint8_t> shifted(bytes.size() + 8);
    const auto offset = random() % 8;
    std::copy(bytes.begin(), bytes.end(), shifted.begin() + static_cast<std::ptrdiff_t>(offset));
    const auto* data = shifted.data() + offset;
    if (round % 2 == 0) {
      refused += decode_request(data, bytes.size()) ? 0 : 1;
    } else {
      refused += decode_reply(data, bytes.size()) ? 0 : 1;
    }
  }
  EXPECT_GT(refused, kRounds / 10);
}

}  // namespace
}  // namespace icr::test
