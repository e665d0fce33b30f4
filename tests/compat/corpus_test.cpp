// What released programs wrote is read for ever: the files below tests/compat/ (README.md says how they were made).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "model/config/cluster_file.h"
#include "replication/protocol.h"
#include "replication/zmq/link.h"
#include "storage/record.h"
#include "tests/redundancy/member_pair.h"
#include "tests/support/free_ports.h"

namespace icr {
namespace {

namespace rep = icr::replication;
using test::MemberPairTest;

const std::filesystem::path kCorpus = "tests/compat/39ebb76";
/// What 39ebb76 computed for cluster-configs/two-chassis.yaml.
constexpr std::uint64_t kDigest = 0xcefde5241572bead;
const rep::Header kSender{kDigest, 0xb001, 6, 0, 0};
const rep::Position kPlace{0x77, 3, 9};

/// The file, at an aligned address.
struct Bytes {
  explicit Bytes(const std::string& name) {
    std::ifstream stream(kCorpus / name, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    EXPECT_FALSE(text.empty()) << name << " is missing";
    size = text.size();
    words.resize((size + 7) / 8);
    std::copy(text.begin(), text.end(), reinterpret_cast<char*>(words.data()));
  }
  [[nodiscard]] std::span<const std::uint8_t> span() const {
    return {reinterpret_cast<const std::uint8_t*>(words.data()), size};
  }
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
};

/// Reads a message of the corpus; the body must be of that kind.
template <class Body>
void read(const std::string& name, const std::function<void(const Body&)>& check) {
  rep::MessageReader reader(kSender);
  const Bytes bytes(name);
  const auto* message = reader.read(bytes.span());
  ASSERT_NE(message, nullptr) << name;
  EXPECT_EQ(message->header.boot, kSender.boot);
  EXPECT_EQ(message->header.term, kSender.term);
  ASSERT_TRUE(std::holds_alternative<Body>(message->body)) << name;
  check(std::get<Body>(message->body));
}

bool same_place(const rep::Position& a, const rep::Position& b) {
  return a.epoch == b.epoch && a.base == b.base && a.sequence == b.sequence;
}

/// The two sessions, three bindings and one tombstone of the corpus.
void check_rows(const BatchDecoder& rows) {
  EXPECT_EQ(rows.unknown().records + rows.unknown().reduced, 0U);
  std::vector<SessionRecord> records;
  rows.for_each_session([&](const SessionRecord& r) { records.push_back(r); });
  ASSERT_EQ(records.size(), 5U);
  for (const std::size_t i : {0U, 1U}) {
    const SessionRecord& r = records[i];
    const bool six = i == 1;
    EXPECT_EQ(r.kind, RecordKind::session);
    EXPECT_EQ(r.ref, (SessionRef{six ? 12U : 11U, 3U}));
    EXPECT_EQ(r.version, 5U);
    EXPECT_EQ(r.flow[0].source.to_string(), six ? "2001:db8:18::1" : "198.18.0.1");
    EXPECT_EQ(r.flow[0].destination.to_string(), six ? "2001:db8:19::7" : "198.19.0.7");
    EXPECT_EQ(r.flow[1].destination.to_string(), six ? "2001:db8:18::1" : "203.0.113.9");
    EXPECT_EQ(r.flow[0].source_port, 40000);
    EXPECT_EQ(r.flow[1].destination_port, six ? 40000 : 5000);
    EXPECT_EQ(r.flow[0].protocol, ip_protocol::tcp);
    EXPECT_EQ(r.tcp_state, TcpState::established);
    EXPECT_EQ(r.nat_type, six ? NatType::none : NatType::napt44);
    EXPECT_EQ(r.flag, SessionFlag::found_existing);
    EXPECT_EQ(r.alg, 7);
    // That release wrote places in the lists of its cluster file, which name nothing here.
    EXPECT_EQ(r.service_set, 0U);
    EXPECT_EQ(r.policy, 0U);
    EXPECT_EQ(r.nat_pool, 0U);
    EXPECT_EQ(r.timeout_s, 600U);
    EXPECT_EQ(r.idle, 15U);
    EXPECT_EQ(r.age, 3000U);
    EXPECT_EQ(r.lifetime_s, 86400U);
    ASSERT_TRUE(r.has_tcp && r.has_counters);
    EXPECT_EQ(r.tcp[0], (TcpWindow{1000, 2000, 65535, 7, 5}));
    EXPECT_EQ(r.tcp[1], (TcpWindow{3000, 4000, 32768, 0, 4}));
    EXPECT_EQ(r.counters[0], (FlowCounters{10, 1500}));
    EXPECT_EQ(r.counters[1], (FlowCounters{20, 30000}));
  }
  for (std::size_t i = 2; i < 5; ++i) {
    const SessionRecord& r = records[i];
    EXPECT_EQ(r.kind, static_cast<RecordKind>(i - 1));
    EXPECT_EQ(r.ref, (SessionRef{static_cast<std::uint32_t>(131072 + i - 2), 2U}));
    const BindingRecord& b = r.binding;
    EXPECT_EQ(b.term, 6U);
    EXPECT_EQ(b.internal.to_string(), "198.18.0.1");
    EXPECT_EQ(b.external.to_string(), "203.0.113.9");
    EXPECT_EQ(b.internal_port, r.kind == RecordKind::mapping ? 40000 : 0);
    EXPECT_EQ(b.external_port, r.kind == RecordKind::pairing ? 0 : 5000);
    EXPECT_EQ(b.last_port, r.kind == RecordKind::port_block ? 5127 : 0);
    EXPECT_EQ(b.flags, kBindingInUse);
    EXPECT_EQ(b.timeout_s, 300U);
    EXPECT_EQ(b.idle, 4U);
    EXPECT_EQ(b.age, 70U);
  }
  std::vector<SessionRef> dead;
  rows.for_each_tombstone([&](SessionRef ref) { dead.push_back(ref); });
  EXPECT_THAT(dead, testing::ElementsAre(SessionRef{13, 8}));
}

TEST(Corpus, MessagesOf39ebb76AreRead) {
  read<rep::Heartbeat>("heartbeat.icrm", [](const rep::Heartbeat& b) {
    EXPECT_EQ(b.number, 42U);
    EXPECT_EQ(b.heard_boot, 0xb002U);
    EXPECT_EQ(b.role, Role::master);
    EXPECT_EQ(b.sync, Sync::hot);
    EXPECT_EQ(b.priority, 200U);
    EXPECT_EQ(b.state_term, 5U);
    EXPECT_EQ(b.warnings, 1);
    EXPECT_TRUE(b.asks_switchover);
    EXPECT_TRUE(same_place(b.stream, kPlace));
    EXPECT_EQ(b.health_weight, 0U) << "a release that does not know health is healthy";
    EXPECT_TRUE(b.addresses.empty());
    EXPECT_EQ(b.schema, 0U);
  });
  read<rep::Handover>("handover.icrm", [](const rep::Handover& b) {
    EXPECT_EQ(b.epoch, 0x77U);
    EXPECT_EQ(b.sequence, 9U);
  });
  read<rep::SyncRequest>("sync-request.icrm", [](const rep::SyncRequest& b) { EXPECT_EQ(b.epoch, 0x77U); });
  read<rep::StreamBegin>("stream-begin.icrm", [](const rep::StreamBegin& b) {
    EXPECT_TRUE(same_place(b.position, kPlace));
    EXPECT_EQ(b.capacity, 131075U);
  });
  read<rep::Batch>("batch.icrm", [](const rep::Batch& b) {
    EXPECT_TRUE(same_place(b.position, kPlace));
    const auto rows = BatchDecoder::check(b.sessions, rep::kMaxBatchRows);
    ASSERT_TRUE(rows) << rows.error().message;
    check_rows(*rows);
  });
  read<rep::BulkEnd>("bulk-end.icrm", [](const rep::BulkEnd& b) { EXPECT_TRUE(same_place(b.position, kPlace)); });
  read<rep::Audit>("audit.icrm", [](const rep::Audit& b) {
    EXPECT_EQ(b.count, 1024U);
    EXPECT_EQ(b.sessions, 2U);
    EXPECT_EQ(b.digest, 0x1234567890U);
  });
  read<rep::Ack>("ack.icrm", [](const rep::Ack& b) { EXPECT_EQ(b.applied, 8U); });
  read<rep::Nack>("nack.icrm", [](const rep::Nack& b) { EXPECT_EQ(b.expected, 8U); });
}

TEST(Corpus, StoreRecordsOf39ebb76AreRead) {
  const Bytes batch("batch.icrs");
  const auto view = storage::decode_batch(batch.span());
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_EQ(view->header.set, "rs1");
  EXPECT_EQ(view->header.sequence, 17U);
  EXPECT_EQ(view->header.term, 6U);
  EXPECT_EQ(view->header.written_ms, 1700000000000);
  EXPECT_EQ(view->header.cluster_digest, kDigest);
  check_rows(view->rows);
  const Bytes manifest("manifest.icrs");
  const auto base = storage::decode_manifest(manifest.span(), "rs1");
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_EQ(base->from_sequence, 3U);
  EXPECT_EQ(base->to_sequence, 17U);
  EXPECT_EQ(base->sessions, 2U);
  EXPECT_EQ(base->tombstones, 1U);
  const Bytes identity("identity.icrs");
  const auto owner = storage::decode_identity(identity.span());
  ASSERT_TRUE(owner) << owner.error().message;
  EXPECT_EQ(owner->chassis, "left");
  EXPECT_EQ(owner->cluster, "lab");
  EXPECT_EQ(owner->cluster_digest, kDigest);
  EXPECT_LT(owner->schema, kFirstSchemaWithNames) << "so the store is set aside";
  const Bytes term("term.icrs");
  const auto highest = storage::decode_terms(term.span(), "rs1");
  ASSERT_TRUE(highest) << highest.error().message;
  EXPECT_EQ(highest->seen, 6U);
  EXPECT_EQ(highest->claimed, 0U);
}

class Dialogue : public MemberPairTest {};

TEST_F(Dialogue, With39ebb76IsRefusedAndTheReasonNamesTheRelease) {
  const Bytes beat("heartbeat.icrm");
  right_.start();
  right_.member->on_peer_connected(now_);
  for (int i = 0; i < 100; ++i) {
    run_for(100ms);
    right_.member->on_former(now_, beat.span());
  }
  EXPECT_EQ(right_.member->role(), Role::initializing) << "it does not draw traffic away from a living master";
  EXPECT_EQ(right_.member->status().reason, "peer runs a release that is too old to pair with this one");
  EXPECT_EQ(right_.counter("refused-wrong-cluster"), 100U);
  // Without it, this one serves.
  ASSERT_TRUE(run_until([this] { return right_.role == "master"; }, 5s));
}

/// Chassis right of cluster-configs/two-chassis.yaml ran 39ebb76; control-connection.zmtp is what it sent to left.
TEST_F(Dialogue, TheControlConnectionOf39ebb76IsToldFromStrangers) {
  auto cluster = load_cluster_file("cluster-configs/two-chassis.yaml");
  ASSERT_TRUE(cluster) << cluster.error().message;
  const std::uint16_t port = test::free_ports();
  for (auto& chassis : cluster->chassis) chassis.inter_chassis_address = IpAddress::v4(INADDR_LOOPBACK);
  cluster->chassis[0].inter_chassis_port = port;
  cluster->chassis[1].inter_chassis_port = static_cast<std::uint16_t>(port + 2);  // nobody needs to be there
  auto context = transport::Context::create();
  ASSERT_TRUE(context) << context.error().message;
  auto link = rep::Link::open(*context, *cluster, 0, 0);
  ASSERT_TRUE(link) << link.error().message;

  const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  ASSERT_EQ(::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval limit{10, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const Bytes recorded("control-connection.zmtp");
  const auto* const bytes = recorded.span().data();
  const auto play = [&](std::size_t from, std::size_t to) {
    ASSERT_EQ(::send(connection, bytes + from, to - from, MSG_NOSIGNAL), static_cast<ssize_t>(to - from));
  };
  std::array<std::uint8_t, 256> answer{};
  const auto hear = [&](std::size_t size) {
    ASSERT_EQ(::recv(connection, answer.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
  };
  // A greeting and a command from either side, which has its size in its second byte; then messages.
  constexpr std::size_t kGreeting = 64;
  const std::size_t messages = kGreeting + 2 + bytes[kGreeting + 1];
  play(0, messages);
  hear(kGreeting);
  hear(2);
  hear(answer[1]);
  play(messages, recorded.size);

  // The member of left is started beside it, and takes what the link hands over.
  struct Visitor : rep::LinkVisitor {
    void on_control(std::span<const std::uint8_t>) override { ++others; }
    void on_data(std::span<const std::uint8_t>) override { ++others; }
    void on_former(std::span<const std::uint8_t> message) override {
      former.emplace_back(message.begin(), message.end());
    }
    void on_connected() override {}
    void on_disconnected() override {}
    std::vector<std::vector<std::uint8_t>> former;
    int others = 0;
  } visitor;
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (visitor.former.size() < 3 && std::chrono::steady_clock::now() < until) {
    if ((*link)->drain(visitor, 16)) continue;
    std::vector<pollfd> polled;
    for (const int descriptor : (*link)->descriptors()) polled.push_back({descriptor, POLLIN, 0});
    ::poll(polled.data(), polled.size(), 20);
  }
  ::close(connection);
  ASSERT_EQ(visitor.former.size(), 3U) << "heartbeats";
  EXPECT_EQ(visitor.others, 0);
  left_.start();
  left_.member->on_peer_connected(now_);
  for (const auto& message : visitor.former) left_.member->on_former(now_, message);
  EXPECT_EQ(left_.counter("refused-wrong-cluster"), 3U);
  EXPECT_EQ(left_.member->status().reason, "peer runs a release that is too old to pair with this one");
}

}  // namespace
}  // namespace icr
