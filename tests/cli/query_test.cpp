// The question protocol: filters, codec, and what damaged messages do (nothing).
#include "model/query.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/cli/cluster_fixture.h"

namespace icr::test {
namespace {

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
  EXPECT_TRUE(matches([](SessionFilter& f) { f.service_sets = {0, 3}; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.service_sets = {1, 2}; }));
  EXPECT_TRUE(matches([](SessionFilter& f) { f.application_protocol = kNoApplicationProtocol; }));
  EXPECT_FALSE(matches([](SessionFilter& f) { f.application_protocol = parse_application_protocol("ftp"); }));
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
  request.card = 3;
  request.set = 7;
  request.cursor = 1000000;
  request.limit = 1024;
  request.by_state = true;
  request.filter.application_protocol = 5;
  request.filter.protocol = 0;  // a zero is a value, not an absence
  request.filter.source_port = 0;
  request.filter.destination_port = 443;
  request.filter.source_prefix = Prefix::parse("192.0.2.0/25");
  request.filter.destination_prefix = Prefix::parse("2001:db8::/33");
  request.filter.service_sets = {1, 4};
  return request;
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
  status.set = 1;
  status.role = SetRole::standby_warned;
  status.term = 12;
  status.reason = "heartbeats missing";
  status.service_sets = {{2, {5, 0, 0, 0}}};
  status.counters = {{"a", 1}, {"b", 2}};
  reply.status = {status};
  reply.utilization = {1, 2, 3, 4, 5, 6, 7};
  reply.counts = {{2, {4, 3, 2, 1}}};
  reply.counters = {{"ss1", {{"drops", 5}}}};
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
  EXPECT_EQ(got->card, sent.card);
  EXPECT_EQ(got->set, sent.set);
  EXPECT_EQ(got->cursor, sent.cursor);
  EXPECT_EQ(got->limit, sent.limit);
  EXPECT_EQ(got->by_state, sent.by_state);
  EXPECT_EQ(got->filter, sent.filter);
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
  EXPECT_EQ(got->status[0].role, SetRole::standby_warned);
  EXPECT_EQ(got->status[0].term, 12U);
  EXPECT_EQ(got->status[0].reason, "heartbeats missing");
  EXPECT_EQ(got->status[0].service_sets[0].total(), 5U);
  EXPECT_EQ(got->status[0].counters[1].value, 2U);
  EXPECT_EQ(got->utilization.cpu_permyriad, 7U);
  EXPECT_EQ(got->counts[0].by_state, (std::array<std::uint64_t, 4>{4, 3, 2, 1}));
  EXPECT_EQ(got->counters[0].counters[0].name, "drops");
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
