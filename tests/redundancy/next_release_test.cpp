// A pair whose left member is of a later release: it sends a column, a NAT type and a kind of message that the right
// one does not know, and announces a later record schema. The pair goes on; the right one skips and counts. What the
// later release would send is made here from what this one sends, with a FlatBuffers schema that is longer by hand.
#include "replication/protocol_generated.h"
#include "tests/redundancy/member_pair.h"

namespace icr::test {
namespace {

namespace rep = icr::replication;

constexpr std::uint16_t kNewPart = 0x80;           // announces a row of the new column
constexpr std::uint8_t kNewNatType = 13;           // of sessions in every fifth slot
constexpr std::uint8_t kNewKind = 40;              // in the place of audits
constexpr flatbuffers::voffset_t kNewColumn = 18;  // SessionBatch has 4, 6, ... 16

bool is_new(std::uint32_t slot) { return slot % 5 == 4; }

fbs::SessionCore extended(const fbs::SessionCore& c) {
  const auto nat =
      static_cast<std::uint8_t>(is_new(c.slot()) ? (c.nat_type_flag() & 0xf0U) | kNewNatType : c.nat_type_flag());
  return fbs::SessionCore(c.slot(), c.generation(), c.version(), c.timeout_s(), c.lifetime_s(), c.idle(), c.age(),
                          c.initiator_source_port(), c.initiator_destination_port(), c.responder_source_port(),
                          c.responder_destination_port(), c.service_set(), c.policy(), c.nat_pool(),
                          static_cast<std::uint16_t>(c.parts() | kNewPart), c.protocol(), c.tcp_state(), nat, c.alg());
}

template <class T>
flatbuffers::Offset<flatbuffers::Vector<const T*>> copied(flatbuffers::FlatBufferBuilder& builder,
                                                          const flatbuffers::Vector<const T*>* from) {
  std::vector<T> rows;
  for (unsigned i = 0; from != nullptr && i < from->size(); ++i) rows.push_back(*from->Get(i));
  return builder.CreateVectorOfStructs(rows);
}

flatbuffers::Offset<fbs::SessionBatch> extended(flatbuffers::FlatBufferBuilder& builder,
                                                const fbs::SessionBatch& from) {
  std::vector<fbs::Session4> sessions;
  std::vector<fbs::Tombstone> parents;
  for (unsigned i = 0; from.v4() != nullptr && i < from.v4()->size(); ++i) {
    const fbs::Session4& s = *from.v4()->Get(i);
    sessions.emplace_back(s.initiator_source(), s.initiator_destination(), s.responder_source(),
                          s.responder_destination(), extended(s.core()));
    parents.emplace_back(s.core().slot(), 1);
  }
  const auto v4 = builder.CreateVectorOfStructs(sessions);
  const auto tcp = copied(builder, from.tcp());
  const auto counters = copied(builder, from.counters());
  const auto tombstones = copied(builder, from.tombstones());
  std::vector<StableId> ids;
  for (unsigned i = 0; from.names() != nullptr && i < from.names()->size(); ++i) ids.push_back(from.names()->Get(i));
  const auto names = builder.CreateVector(ids);
  const auto column = builder.CreateVectorOfStructs(parents);
  const auto table = builder.StartTable();
  builder.AddOffset(fbs::SessionBatch::VT_V4, v4);
  builder.AddOffset(fbs::SessionBatch::VT_TCP, tcp);
  builder.AddOffset(fbs::SessionBatch::VT_COUNTERS, counters);
  builder.AddOffset(fbs::SessionBatch::VT_TOMBSTONES, tombstones);
  builder.AddOffset(fbs::SessionBatch::VT_NAMES, names);
  builder.AddOffset(kNewColumn, column);
  return {builder.EndTable(table)};
}

/// What a program of the later release sends where this one sends `bytes`.
VirtualWire::Bytes of_next_release(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint64_t> scratch;
  const fbs::Envelope& e = *fbs::GetEnvelope(aligned(bytes.data(), bytes.size(), scratch));
  flatbuffers::FlatBufferBuilder builder;
  const auto seal = [&](std::uint8_t kind, flatbuffers::Offset<void> body, const rep::Position& place = {0, 0, 0}) {
    fbs::FinishEnvelopeBuffer(
        builder, fbs::CreateEnvelope(builder, e.cluster_digest(), e.boot(), e.term(), e.member(),
                                     static_cast<fbs::Body>(kind), body, place.epoch, place.base, place.sequence,
                                     e.cluster(), e.redundancy_set(), e.sender()));
    return VirtualWire::Bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  };
  const auto kind = static_cast<std::uint8_t>(e.body_type());
  if (const auto* batch = e.body_as_Batch()) {
    const auto rows = extended(builder, *batch->sessions());
    return seal(kind, fbs::CreateBatch(builder, batch->epoch(), batch->base(), batch->sequence(), rows).Union());
  }
  if (const auto* audit = e.body_as_Audit()) {
    const auto body = builder.StartTable();
    builder.AddElement<std::uint64_t>(4, 77, 0);
    return seal(kNewKind, {builder.EndTable(body)}, {audit->epoch(), audit->base(), audit->sequence()});
  }
  if (const auto* beat = e.body_as_Heartbeat()) {
    return seal(kind, fbs::CreateHeartbeat(builder, beat->number(), beat->heard_boot(), beat->role(), beat->sync(),
                                           beat->priority(), beat->state_term(), beat->warnings(),
                                           beat->asks_switchover(), beat->epoch(), beat->base(), beat->sequence(),
                                           beat->health_weight(), 0, beat->late_us(), 0, kSchemaGeneration + 1)
                          .Union());
  }
  return {bytes.begin(), bytes.end()};
}

using NextRelease = MemberPairTest;

TEST_F(NextRelease, ANewColumnANewValueAndANewKindOfMessageDoNotPartAPair) {
  left_.rewrite = of_next_release;
  fill(left_, 200);
  bring_up();
  // The copy: whatever this release knows is there, and nothing is asked for again and again.
  const auto as_far_as_known = [this](std::uint32_t count) {
    for (std::uint32_t slot = 0; slot < count; ++slot) {
      if (right_.table->live(slot) == is_new(slot)) return false;
    }
    return true;
  };
  EXPECT_TRUE(as_far_as_known(200));
  EXPECT_EQ(right_.counter("records-unknown"), 40U);
  EXPECT_EQ(right_.counter("records-reduced"), 160U);
  EXPECT_EQ(right_.counter("peer-record-schema"), kSchemaGeneration + 1);
  EXPECT_EQ(left_.counter("peer-record-schema"), kSchemaGeneration);

  // Changes.
  for (std::uint32_t slot = 200; slot < 300; ++slot) left_.table->create(slot, udp_session(slot), now_);
  for (std::uint32_t slot = 0; slot < 50; ++slot) left_.table->create(slot, udp_session(1000 + slot), now_);
  ASSERT_TRUE(run_until([&] { return as_far_as_known(300); }, 5s));
  left_.table->destroy(4);
  left_.table->destroy(5);
  ASSERT_TRUE(run_until([this] { return !right_.table->live(5); }, 5s));
  run_for(90s);
  EXPECT_GT(right_.counter("messages-unknown"), 100U);
  for (const auto* name : {"invalid-batches", "negative-acknowledgements-sent", "streams-restarted", "audits-failed"}) {
    EXPECT_EQ(right_.counter(name), 0U) << name;
  }
  EXPECT_EQ(left_.counter("attempts-after-loss"), 0U);
  EXPECT_EQ(left_.counter("streams-started"), 1U);

  // A switchover, and back to back copies in the other direction.
  ASSERT_TRUE(left_.member->request_switchover(now_));
  ASSERT_TRUE(run_until([this] { return right_.role == "master" && left_.hot(); }, 10s));
  ASSERT_TRUE(right_.member->takeover());
  EXPECT_FALSE(right_.member->takeover()->risk.bound(true)) << "that release does not tell its lag";
  ASSERT_TRUE(run_until([this] { return equal(); }, 10s));
  EXPECT_EQ(right_.table->size(), 239U);
  ASSERT_TRUE(run_until([this] { return right_.member->status().peer_sync == Sync::hot; }, 10s));
  const auto back = right_.member->request_switchover(now_);
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_TRUE(run_until([this] { return left_.role == "master" && right_.hot(); }, 10s));
}

TEST_F(NextRelease, AnAuditOfARangeWithSkippedRecordsIsNotCompared) {
  left_.rewrite = [](std::span<const std::uint8_t> bytes) {
    std::vector<std::uint64_t> scratch;
    const auto* data = aligned(bytes.data(), bytes.size(), scratch);
    const bool batch = fbs::GetEnvelope(data)->body_type() == fbs::Body::Batch;
    return batch ? of_next_release(bytes) : VirtualWire::Bytes(bytes.begin(), bytes.end());
  };
  fill(left_, 50);
  bring_up();
  run_for(90s);
  EXPECT_GT(right_.counter("audits-not-compared"), 100U);
  EXPECT_EQ(right_.counter("audits-failed"), 0U);
  EXPECT_EQ(right_.counter("streams-restarted"), 0U);
}

}  // namespace
}  // namespace icr::test
