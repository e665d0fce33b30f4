// Writes the seeds of the fuzz targets: icr_make_seeds FOLDER. Run it when a format has changed, and commit the result.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/query/query.h"
#include "node/packet/checksum.h"
#include "replication/protocol.h"
#include "storage/record.h"
#include "tests/fuzz/fuzz_cluster.h"
#include "tests/support/packets.h"
#include "tests/support/sample_failover.h"

namespace {

using namespace icr;
using Bytes = std::vector<std::uint8_t>;

std::filesystem::path folder;

void write(const char* target, const std::string& name, const Bytes& bytes) {
  std::filesystem::create_directories(folder / target);
  std::ofstream out(folder / target / name, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Bytes bytes_of(const std::uint8_t* data, std::size_t size) { return Bytes(data, data + size); }

SessionRecord record(std::uint32_t slot, bool tcp, bool six) {
  SessionRecord r;
  r.ref = {slot, 1};
  r.version = 3;
  const auto protocol = tcp ? ip_protocol::tcp : ip_protocol::udp;
  r.flow[0] = {*IpAddress::parse(six ? "2001:db8:18::1" : "198.18.0.10"),
               *IpAddress::parse(six ? "2001:db8:19::1" : "198.19.0.10"), static_cast<std::uint16_t>(4000 + slot), 80,
               protocol};
  r.flow[1] = r.flow[0].mirrored();
  if (!six) {
    r.flow[1].destination = *IpAddress::parse("203.0.113.1");
    r.flow[1].destination_port = static_cast<std::uint16_t>(2000 + slot);
    r.nat_type = NatType::napt44;
    r.nat_pool = stable_id(Named::nat_pool, "pool1");
  }
  r.service_set = stable_id(Named::service_set, "cgn");
  r.policy = stable_id(Named::firewall_term, "all", "rule");
  r.timeout_s = 30;
  r.age = 100;
  r.has_tcp = tcp;
  if (tcp) r.tcp_state = TcpState::established;
  r.has_counters = slot % 2 == 0;
  return r;
}

BatchEncoder batch() {
  BatchEncoder out;
  for (std::uint32_t slot = 0; slot < 6; ++slot) out.add(record(slot, slot % 2 == 0, slot % 3 == 0));
  out.add_tombstone({9, 4});
  return out;
}

// -- Packets --

Bytes packet(std::uint8_t protocol, bool out, const Bytes& transport, std::uint16_t fragment = 0) {
  Bytes p(20);
  p[0] = 0x45;
  node::store16(&p[2], static_cast<std::uint16_t>(20 + transport.size()));
  node::store16(&p[4], 7);
  node::store16(&p[6], fragment);
  p[8] = 64;
  p[9] = protocol;
  const std::uint32_t a = IpAddress::parse("198.18.0.10")->to_v4();
  const std::uint32_t b = IpAddress::parse("198.19.0.10")->to_v4();
  node::store32(&p[12], out ? a : b);
  node::store32(&p[16], out ? b : a);
  node::store16(&p[10], node::checksum_finish(node::checksum_add(p.data(), 20)));
  p.insert(p.end(), transport.begin(), transport.end());
  return p;
}

Bytes udp() { return {0x10, 0, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4}; }
Bytes tcp(std::uint8_t flags, std::uint8_t seq, std::uint8_t ack) {
  return {0x10, 0, 0, 80, 0, 0, 0, seq, 0, 0, 0, ack, 0x60, flags, 0xff, 0xff, 0, 0, 0, 0, 1, 3, 3, 7};
}
Bytes swapped(Bytes t) {
  std::swap(t[0], t[2]);
  std::swap(t[1], t[3]);
  return t;
}

void add(Bytes& list, std::uint8_t unit, const Bytes& p) {
  list.insert(list.end(), {unit, 10, static_cast<std::uint8_t>(p.size() >> 8), static_cast<std::uint8_t>(p.size())});
  list.insert(list.end(), p.begin(), p.end());
}

void packets() {
  Bytes list;
  add(list, 1, packet(17, true, udp()));
  add(list, 3, packet(17, true, udp()));
  add(list, 4, packet(17, false, swapped(udp())));
  write("icr_packets_fuzz", "udp", list);
  list.clear();
  add(list, 3, packet(6, true, tcp(0x02, 1, 0)));
  add(list, 4, packet(6, false, swapped(tcp(0x12, 9, 2))));
  add(list, 3, packet(6, true, tcp(0x10, 2, 10)));
  add(list, 253, packet(6, true, tcp(0x11, 2, 10)));
  add(list, 4, packet(6, false, swapped(tcp(0x11, 10, 3))));
  add(list, 3, packet(6, true, tcp(0x04, 3, 11)));
  write("icr_packets_fuzz", "tcp", list);
  list.clear();
  Bytes error = {3, 1, 0, 0, 0, 0, 0, 0};
  const Bytes inside = packet(17, true, udp());
  error.insert(error.end(), inside.begin(), inside.end());
  node::store16(&error[2], node::checksum_finish(node::checksum_add(error.data(), error.size())));
  add(list, 3, inside);
  add(list, 4, packet(1, false, error));
  add(list, 1, packet(1, true, {8, 0, 0, 0, 0, 9, 0, 1}));
  write("icr_packets_fuzz", "icmp", list);
  list.clear();
  Bytes first = udp();
  first.resize(24, 5);
  add(list, 1, packet(17, true, Bytes(16, 6), 3));
  add(list, 1, packet(17, true, first, 0x2000));
  add(list, 1, packet(17, true, Bytes(16, 6), 5));
  write("icr_packets_fuzz", "fragments", list);
  list.clear();
  Bytes six(40);
  six[0] = 0x60;
  six[5] = 8 + 12;
  six[6] = 44;
  six[7] = 64;
  std::copy_n(IpAddress::parse("2001:db8:18::1")->bytes.begin(), 16, six.begin() + 8);
  std::copy_n(IpAddress::parse("2001:db8:19::1")->bytes.begin(), 16, six.begin() + 24);
  six.insert(six.end(), {17, 0, 0, 0, 0, 0, 0, 1});
  const Bytes datagram = udp();
  six.insert(six.end(), datagram.begin(), datagram.end());
  add(list, 3, six);
  write("icr_packets_fuzz", "ipv6", list);
}

// -- FlatBuffers --

void records() {
  flatbuffers::FlatBufferBuilder builder;
  BatchEncoder encoder = batch();
  builder.Finish(encoder.finish(builder));
  for (const std::uint8_t mode : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{3}}) {
    Bytes out = {mode};
    out.insert(out.end(), builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
    write("icr_records_fuzz", "batch-" + std::to_string(mode), out);
  }
}

void messages() {
  using namespace icr::replication;
  MessageWriter writer;
  const Header header{1, 77, 3, 0, 1, 1, 0};
  const Position position{5, 1, 2};
  Bytes all;
  const auto keep = [&](const std::string& name, MessageWriter::Bytes message) {
    Bytes out = {static_cast<std::uint8_t>(message.size() >> 8), static_cast<std::uint8_t>(message.size())};
    out.insert(out.end(), message.begin(), message.end());
    write("icr_messages_fuzz", name, out);
  };
  Heartbeat beat;
  beat.number = 1;
  beat.role = Role::standby;
  beat.sync = Sync::hot;
  keep("heartbeat", writer.write(header, beat));
  beat.role = Role::master;
  beat.lag = Lag{1, 2, 3, 4, true};
  keep("heartbeat-of-a-master", writer.write(header, beat));
  keep("handover", writer.write(header, Handover{5, 9}));
  keep("sync-request", writer.write(header, SyncRequest{5}));
  keep("sync-request-that-compares", writer.write(header, SyncRequest{5, true, 3000}));
  keep("digests", writer.write(header, Digests{position, 64, 4, {1, 2, 3}}));
  keep("compared", writer.write(header, Compared{position, {5}}));
  keep("stream-begin", writer.write(header, StreamBegin{position, 1024}));
  BatchEncoder encoder = batch();
  keep("batch", writer.write(header, Batch{position}, encoder));
  keep("bulk-end", writer.write(header, BulkEnd{position}));
  keep("audit", writer.write(header, Audit{position, 0, 64, 3, 99}));
  keep("ack", writer.write(header, Ack{5, 1, 2}));
  keep("nack", writer.write(header, Nack{5, 1, 2}));
}

void queries() {
  flatbuffers::FlatBufferBuilder builder;
  const auto keep = [&](const std::string& name) {
    write("icr_query_fuzz", name, bytes_of(builder.GetBufferPointer(), builder.GetSize()));
  };
  QueryRequest request;
  request.kind = QueryKind::page;
  request.limit = 10;
  request.filter.protocol = 6;
  request.filter.source_prefix = Prefix::parse("198.18.0.0/24");
  request.filter.service_sets = {1, 2};
  encode_request(request, builder);
  keep("request");
  QueryReply reply;
  BatchEncoder sessions = batch();
  reply.counts.push_back({1, {1, 2, 3, 4}});
  reply.counters.push_back({"cgn", {{"packets-in", 5}}});
  reply.status.emplace_back();
  reply.status.back().reason = "test";
  reply.text = "done";
  reply.names = {{1, "cgn"}, {2, "plain"}};
  encode_reply(reply, sessions, builder);
  keep("reply");

  request = {};
  request.kind = QueryKind::bindings;
  request.limit = 10;
  request.record_kinds = kind_bit(RecordKind::mapping) | kind_bit(RecordKind::pairing);
  request.filter.nat_pool = 0;
  request.filter.translated = true;
  encode_request(request, builder);
  keep("request-bindings");
  request = {};
  request.kind = QueryKind::deterministic;
  request.host = IpAddress::parse("198.18.0.10");
  request.translated = IpAddress::parse("203.0.113.1");
  request.port = 1024;
  encode_request(request, builder);
  keep("request-deterministic");
  request = {};
  request.kind = QueryKind::statistics;
  request.group = StatisticsGroup::tcp;
  encode_request(request, builder);
  keep("request-statistics");
  request = {};
  request.kind = QueryKind::largest;
  request.limit = 20;
  request.order = SessionOrder::bytes;
  request.floor = 1000;
  encode_request(request, builder);
  keep("request-largest");
  request = {};
  request.kind = QueryKind::groups;
  request.grouping = SessionGrouping::source_prefix;
  request.prefix_length = 24;
  encode_request(request, builder);
  keep("request-groups");
  request = {};
  request.kind = QueryKind::past_sessions;
  request.at = 1'757'836'005'250;
  request.limit = 10;
  encode_request(request, builder);
  keep("request-past");
  reply = {};
  BatchEncoder no_sessions;
  reply.next_cursor = 100;
  reply.groups = {{{IpAddress::v4(0xc6120000U), 0}, {1, 2, 3}}, {{{}, 5}, {4, 5, 6}}};
  encode_reply(reply, no_sessions, builder);
  keep("reply-groups");

  reply = {};
  BatchEncoder none;
  reply.nat_pools.resize(2);
  reply.nat_pools[1].use = NatPoolUse::port_blocks;
  reply.nat_pools[1].ports_in_use = 5;
  reply.uses = {{9, 1, 2}};
  reply.deterministic = {{1, 0, {0xc6120001, 0xcb007101, 1024, 2047}, 3}};
  encode_reply(reply, none, builder);
  keep("reply-nat");
  reply = {};
  reply.statistics.resize(1);
  reply.statistics[0].group(StatisticsGroup::tcp) = {{"tcp-open-close-counters/tcp-first-pkt-rst", 5}};
  reply.analysis.peak_sessions = 7;
  reply.analysis.created.add(5000);
  reply.usage = {1000, 500, 400, 450, 10, {{1, 300}}};
  reply.live = {{10, 6}, {5, 4}, {3, 1}};
  encode_reply(reply, none, builder);
  keep("reply-statistics");
  reply = {};
  reply.system.release = "1";
  reply.system.load = {1, 2, 3};
  reply.system.interfaces.resize(1);
  reply.system.interfaces[0].addresses = {{*IpAddress::parse("198.18.0.1"), 24}};
  reply.term_hits = {{9, TermKind::nat, "rule", "term", true, false, 7, 3}};
  reply.traffic = {{11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
  reply.status.resize(1);
  reply.status[0].alarms = {{{5, true, "rs1: peer right is not connected"}}};
  encode_reply(reply, none, builder);
  keep("reply-system");
  reply = {};
  reply.log = {77, 5, 9, {{log::Level::error, 1'757'836'005'000, "port: gone"}}};
  encode_reply(reply, none, builder);
  keep("reply-log");
  reply = {};
  reply.failovers = {icr::test::sample_failover()};
  encode_reply(reply, none, builder);
  keep("reply-failovers");
}

void checkpoints() {
  using namespace icr::storage;
  const auto keep = [](const std::string& name, const RecordBytes& bytes) {
    Bytes plain = {1};
    plain.insert(plain.end(), bytes.data(), bytes.data() + bytes.size());
    write("icr_checkpoint_fuzz", name, plain);
    Bytes sealed = {0};
    const auto seal = seal_of({bytes.data(), bytes.size()});
    sealed.insert(sealed.end(), seal.begin(), seal.end());
    sealed.insert(sealed.end(), bytes.data(), bytes.data() + bytes.size());
    write("icr_checkpoint_fuzz", name + "-sealed", sealed);
  };
  flatbuffers::FlatBufferBuilder builder;
  BatchEncoder encoder = batch();
  keep("batch", encode_batch(builder, BatchHeader{"rs1", 1, 2, 3, 4}, encoder));
  keep("manifest", encode_manifest("rs1", Manifest{}));
  keep("identity", encode_identity(StoreIdentity{"left", "fuzz", 1}, 5));
  keep("term", encode_terms("rs1", {9, 0}));
}

// -- NAT64 and sequences --

void nat64() {
  namespace make = node::test;
  constexpr auto kHost = "2001:db8:1::10", kServer6 = "2001:db8:64::c633:6407";
  constexpr auto kPool = "203.0.113.1", kServer4 = "198.51.100.7";
  const auto keep = [](const std::string& name, const Bytes& packet, std::uint8_t options = 1) {
    Bytes input = {options, 20};
    input.insert(input.end(), packet.begin(), packet.end());
    write("icr_nat64_fuzz", name, input);
  };
  const Bytes udp6 = make::build(make::udp(kHost, 4000, kServer6, 53, 40));
  const Bytes udp4 = make::build(make::udp(kServer4, 53, kPool, 5000, 40));
  keep("udp6", udp6);
  keep("udp4", udp4, 0);
  make::Spec none = make::udp(kServer4, 53, kPool, 5000, 41);
  none.udp_without_checksum = true;
  keep("udp4-without-checksum", make::build(none));
  keep("large", make::build(make::udp(kServer4, 53, kPool, 5000, 2000)), 3);
  keep("tcp6", make::build(make::tcp(kHost, 4000, kServer6, 80, make::kSyn, 1, 0)), 5);
  keep("tcp4", make::build(make::tcp(kServer4, 80, kPool, 5000, make::kAck, 1, 2, 100)));
  keep("echo6", make::build(make::echo(kHost, kServer6, 7)));
  keep("echo4", make::build(make::echo(kServer4, kPool, 7, true)));
  keep("fragment6", make::fragments_of(make::build(make::udp(kHost, 4000, kServer6, 53, 400)), 200)[0]);
  keep("fragment4", make::fragments_of(make::build(make::udp(kServer4, 53, kPool, 5000, 400)), 200)[1]);
  make::Spec options = make::udp(kServer4, 53, kPool, 5000, 8);
  options.ip_options = {7, 7, 4, 0, 0, 0, 0, 0};
  keep("options", make::build(options));
  make::Spec extensions = make::udp(kHost, 4000, kServer6, 53, 8);
  extensions.v6_first = 60;
  extensions.v6_extensions = {43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 4, 0, 0, 0, 0, 0};
  keep("extensions", make::build(extensions));
  keep("error4", make::icmp_error("192.0.2.1", kPool, 11, 0, make::build(make::udp(kPool, 5000, kServer4, 53, 40))));
  keep("error6",
       make::icmp_error("2001:db8:64::1", kServer6, 2, 0, make::build(make::udp(kServer6, 53, kHost, 4000, 40))));
  Bytes extended = make::build(make::udp(kPool, 5000, kServer4, 53, 40));
  extended.resize(128);
  extended.insert(extended.end(), {0x20, 0, 0, 0, 0, 8, 1, 1, 1, 2, 3, 4});
  make::Spec outer = make::echo("192.0.2.1", kPool, 32);
  outer.icmp_type = 11;
  outer.icmp_sequence = 0;
  outer.payload = extended;
  keep("error4-extended", make::build(outer));
}

/// Steps of tests/fuzz/engine_fuzz.cpp.
void sequences() {
  constexpr std::uint8_t kInside = 0, kOutside = 8, kInside6 = 16, kOutside6 = 24;  // a fresh packet there
  constexpr std::uint8_t kBurst = 2, kWhole = 1, kAnswer = 3, kError = 5, kTime = 6, kTakeover = 7;
  const auto keep = [](const std::string& name, const Bytes& steps) { write("icr_engine_fuzz", name, steps); };
  // Every host inside: a datagram, its answer, an error about it from a router and from the server.
  for (std::uint8_t host = 0; host < 14; ++host) {
    const std::uint8_t whom = host == 11 ? 10 : 1;  // the twelfth asks for what is translated
    keep("host-" + std::to_string(host), {kInside, kWhole,    host, whom,    0x50,   0,    0,    20,  //
                                          kAnswer, 0,         30,   0,       kError, 0,    1,    kError, 0, 2, kTime,
                                          200,     kTakeover, 0,    kInside, kWhole, host, whom, 0x50,   4, 0, 9});
  }
  // TCP: handshake, data, the end.
  keep("tcp", {kInside, kWhole,  2, 0, 0x50, 1,       8, 0, 0x02, 0,       0, kAnswer, 0,    0,     0x12, kAnswer, 1, 0,
               0x50,    kAnswer, 2, 9, 0x58, kAnswer, 3, 0, 0x51, kAnswer, 4, 0,       0x51, kTime, 60});
  // To an outside address from inside, and from outside: hairpin and endpoint-independent filtering.
  keep("hairpin", {kInside, kWhole, 1,       0, 0x50, 0, 0,        9,      kInside, kWhole, 2,    5, 0x61, 0,
                   0,       9,      kAnswer, 1, 3,    0, kOutside, kWhole, 2,       5,      0x51, 0, 0,    9});
  keep("dnat", {kOutside, kWhole, 0, 11, 0x50, 0, 0, 9, kAnswer, 0, 3, 0, kError, 0, 3});
  // NAT64 in fragments, too big with and without DF, the last hop; NPTv6.
  keep("nat64", {kInside6, kWhole,   0,      2, 0x50, 0,    0, 40, kAnswer,  0,       9, 0, kError, 0, 3,
                 kInside6, 0,        0,      2, 0x50, 0,    0, 99, kInside6, kWhole,  0, 2, 0x50,   0, 1,
                 9,        kInside6, kWhole, 0, 2,    0x50, 2, 0,  9,        kAnswer, 1, 4, 0});
  keep("nat64-large", {kInside6, kWhole, 0,         2,      0x50, 0, 0, 40, kOutside6, kWhole,  0x80, 0,   5,
                       0,        4,      kOutside6, kWhole, 0x80, 0, 5, 0,  6,         kAnswer, 0,    200, 0});
  keep("nptv6", {kInside6, kWhole, 0, 0,        0x50,   0, 0, 40,   kAnswer, 0, 9, 0,
                 kError,   0,      3, kInside6, kWhole, 1, 0, 0x50, 2,       0, 40});
  keep("fragments", {kInside, 0,       0,  1, 0x50, 0,    0, 99, kInside, 4,     0,   1,       0x50, 0,  0,
                     99,      kInside, 12, 0, 1,    0x50, 0, 0,  99,      kTime, 100, kAnswer, 0,    99, 0});
  keep("burst", {kInside, kWhole,  1, 0,    0x50, 0, 0, 9, kInside + kBurst,
                 3,       1,       0, 0x61, 0,    0, 9, 1, 1,
                 0x61,    1,       8, 0,    0x02, 0, 0, 4, 0,
                 1,       2,       0, 9,    5,    2, 0, 2, 0,
                 9,       kAnswer, 1, 9,    0});
  // An answer to the last fragment of an ICMP message, one octet of it.
  keep("fragment-tail", {kOutside, 0, 0,    0, 0,    0, 0,    0, 0,    0, 0,    0xff, 0xff, 0xca,   0, 0x71,
                         kAnswer,  1, 0x30, 0, 0x50, 0, 0x46, 0, 0x09, 3, 0xaa, 0x0f, 0x24, kError, 0, 3});
  keep("refused",
       {kInside, kWhole, 0, 3, 0x50, 0,    0, 9, kInside,   kWhole, 0, 3, 0x50, 1, 0, 0, 2,    0, 0, kInside, kWhole, 0,
        1,       0x54,   1, 0, 0,    0x30, 0, 0, kOutside6, kWhole, 0, 0, 0x50, 1, 0, 0, 0x10, 0, 0});
}

void commands() {
  const auto seed = [](const std::string& name, const std::string& text) {
    write("icr_command_fuzz", name, Bytes(text.begin(), text.end()));
  };
  seed("filters", "show services sessions extensive protocol tcp source-prefix 198.18/16 limit 5\n");
  seed("pipes",
       "show services flows | match \"tcp|udp\" | except ^a{1,3} | find [0-9]+$ | trim 2 | last 3\ntcp 1\nudp 2\n");
  seed("resolve",
       "show services sessions | resolve | resolve full-names\n192.0.2.1:80 2001:db8::1:443 198.18.0.0/15\n");
  seed("nat", "sh serv nat map det p1 serv ss1 | count\na\nb");
  seed("request", "request services redundancy-set id 1 switchover dry-run extensive\n");
  seed("local", "commit confirmed 5 \"a file\" comment x\n");
}

void netconf() {
  const auto seed = [](const std::string& name, char pieces, const std::string& text) {
    Bytes out = {static_cast<std::uint8_t>(pieces)};
    out.insert(out.end(), text.begin(), text.end());
    write("icr_netconf_fuzz", name, out);
  };
  const std::string call =
      "<rpc message-id=\"1\"><get-msp-session-table><source-prefix>192.0.2.0/24</source-prefix><extensive/>"
      "</get-msp-session-table></rpc>";
  const std::string command =
      "<nc:rpc xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"2\"><command format=\"text\">show "
      "version</command></nc:rpc>";
  seed("marked", 0x20, call + "]]>]]>" + command + "]]>]]>");
  seed("chunked", 3,
       fmt::format("\n#{}\n{}\n##\n\n#10\n{}\n#{}\n{}\n##\n", call.size(), call, command.substr(0, 10),
                   command.size() - 10, command.substr(10)));
  seed("doctype", 0x7e, "<!DOCTYPE a [<!ENTITY b \"c\">]><rpc message-id=\"1\"><a/></rpc>]]>]]>");
}

void http() {
  const auto seed = [](const std::string& name, const std::string& text) {
    write("icr_http_fuzz", name, Bytes(text.begin(), text.end()));
  };
  seed("sessions", "/v1/services/sessions?source-prefix=192.0.2.0%2F24&extensive&limit=5&protocol=tcp");
  seed("path-value", "/v1/services/nat/deterministic-nat/nat-port-block/203.0.113.1?port=1024&service-set=ss1");
  seed("required", "/v1/services/sessions?by=bytes&top=3&count=false");
  seed("name", "/v1/services/nat/mappings?name=p%31&detail=true");
  seed("compare", "/v1/system/rollback/compare/0/1");
  seed("quotes", "/v1/configuration/services/nat/pool/a%22%20%7C%20count");
  seed("host", "[::1]:8080");
  seed("tokens", "# x\nview 0123456789abcdef\nsuper-user QmFzZTY0LW9mLXJhbmRvbQ==\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  packets();
  records();
  messages();
  queries();
  checkpoints();
  nat64();
  sequences();
  commands();
  netconf();
  http();
  const std::string whole = std::string(fuzz::kClusterHead).append(fuzz::kClusterTail);
  write("icr_cluster_file_fuzz", "cluster",
        bytes_of(reinterpret_cast<const std::uint8_t*>(whole.data()), whole.size()));
  write("icr_cluster_file_fuzz", "small", [] {
    const std::string text = "cluster: x\nchassis: [ { name: a } ]\nservice-sets: []\n";
    return Bytes(text.begin(), text.end());
  }());
  return 0;
}
