// Messages: what is written is read back; whatever else arrives is refused, with a counter.
#include "replication/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "replication/protocol_generated.h"
#include "tests/support/sessions.h"

namespace icr::replication {
namespace {

using Bytes = std::vector<std::uint8_t>;

const Header kSender{0x1122334455667788ULL, 77, 5, 3, 1, 0xc1c1c1c1, 0x5e5e5e5e};

class ProtocolTest : public ::testing::Test {
 protected:
  Bytes keep(MessageWriter::Bytes bytes) { return {bytes.begin(), bytes.end()}; }
  std::uint64_t refused() const {
    CounterList list;
    reader_.append_to(list);
    std::uint64_t sum = 0;
    for (const auto& counter : list) sum += counter.value;
    return sum;
  }
  /// One of each kind.
  std::vector<Bytes> one_of_each() {
    Heartbeat beat;
    beat.number = 9;
    beat.role = Role::master;
    beat.sync = Sync::cold;
    beat.state_term = 4;
    beat.stream = {11, 1, 0};
    beat.health_weight = 100;
    beat.health_reasons = "disk is full";
    beat.addresses.resize(2);
    beat.lag = Lag{1, 2, 3, 4, true};
    std::vector<Bytes> out;
    out.push_back(keep(writer_.write(kSender, beat)));
    out.push_back(keep(writer_.write(kSender, Handover{11, 4})));
    out.push_back(keep(writer_.write(kSender, SyncRequest{11})));
    out.push_back(keep(writer_.write(kSender, StreamBegin{{11, 1, 1}, 1024})));
    BatchEncoder rows;
    for (std::uint32_t i = 0; i < 3; ++i) {
      auto record = test::udp_session(i);
      record.ref = {i, 1};
      record.has_counters = i == 1;
      rows.add(record);
    }
    rows.add_tombstone({7, 2});
    out.push_back(keep(writer_.write(kSender, Batch{{11, 1, 2}, nullptr, 7, true}, rows)));
    out.push_back(keep(writer_.write(kSender, BulkEnd{{11, 1, 3}, 8})));
    out.push_back(keep(writer_.write(kSender, Audit{{11, 1, 4}, 0, 64, 3, 99, 9})));
    out.push_back(keep(writer_.write(kSender, Ack{11, 1, 3})));
    out.push_back(keep(writer_.write(kSender, Nack{11, 1, 3})));
    for (std::uint32_t i = 0; i < 2; ++i) {
      auto record = test::udp_session(i);
      record.ref = {i, 1};
      rows.add(record);
    }
    out.push_back(keep(writer_.write(kSender, Adopt{3, 1, true, nullptr}, rows)));
    out.push_back(keep(writer_.write(kSender, AdoptAck{3, 1, {2, 1}})));
    out.push_back(keep(writer_.write(kSender, Configuration{{{"nat.pools[p]", 1}}, {{"cluster", 2}}, true})));
    out.push_back(keep(writer_.write(kSender, RelayedPacket{77, true, true, 1400, packet_})));
    out.push_back(keep(writer_.write(kSender, Digests{{11, 1, 5}, 64, 4, {7, 0, ~0ULL}})));
    out.push_back(keep(writer_.write(kSender, Compared{{11, 1, 5}, {5}})));
    return out;
  }

  MessageReader reader_{kSender};
  MessageWriter writer_;
  const Bytes packet_ = Bytes(60, 0x45);
};

TEST_F(ProtocolTest, EveryKindComesBackAsItWasWritten) {
  const auto messages = one_of_each();
  ASSERT_EQ(messages.size() + 1, std::variant_size_v<Body>) << "the last is what this release cannot write";
  for (std::size_t kind = 0; kind < messages.size(); ++kind) {
    const Message* message = reader_.read(messages[kind]);
    ASSERT_NE(message, nullptr) << kind;
    EXPECT_EQ(message->body.index(), kind);
    EXPECT_EQ(message->header.boot, kSender.boot);
    EXPECT_EQ(message->header.term, kSender.term);
  }
  const Message* message = reader_.read(messages[0]);
  const auto& beat = std::get<Heartbeat>(message->body);
  EXPECT_EQ(beat.number, 9U);
  EXPECT_EQ(beat.role, Role::master);
  EXPECT_EQ(beat.stream.epoch, 11U);
  message = reader_.read(messages[4]);
  const auto rows = BatchDecoder::check(std::get<Batch>(message->body).sessions, kMaxBatchRows);
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows->sessions(), 3U);
  EXPECT_EQ(rows->tombstones(), 1U);
  message = reader_.read(messages[9]);
  const auto& adopt = std::get<Adopt>(message->body);
  EXPECT_EQ(adopt.former_term, 3U);
  EXPECT_TRUE(adopt.last);
  ASSERT_TRUE(BatchDecoder::check(adopt.sessions, kMaxBatchRows));
  EXPECT_EQ(BatchDecoder::check(adopt.sessions, kMaxBatchRows)->sessions(), 2U);
  message = reader_.read(messages[10]);
  EXPECT_EQ(std::get<AdoptAck>(message->body).counts, (AdoptedCounts{2, 1}));
  message = reader_.read(messages[12]);
  const auto& relayed = std::get<RelayedPacket>(message->body);
  EXPECT_EQ(relayed.service_set, 77U);
  EXPECT_TRUE(relayed.inside);
  EXPECT_TRUE(relayed.partial_checksum);
  EXPECT_EQ(relayed.segment_bytes, 1400U);
  EXPECT_TRUE(std::equal(relayed.packet.begin(), relayed.packet.end(), packet_.begin(), packet_.end()));
  message = reader_.read(messages[13]);
  const auto& digests = std::get<Digests>(message->body);
  EXPECT_EQ(digests.position.sequence, 5U);
  EXPECT_EQ(digests.first, 64U);
  EXPECT_EQ(digests.range_slots, 4U);
  EXPECT_EQ(digests.digests, (std::vector<std::uint64_t>{7, 0, ~0ULL}));
  message = reader_.read(messages[14]);
  const auto& compared = std::get<Compared>(message->body);
  EXPECT_EQ(compared.position.sequence, 5U);
  EXPECT_EQ(compared.equal, std::vector<std::uint8_t>{5});
  message = reader_.read(keep(writer_.write(kSender, SyncRequest{11, true, 77})));
  EXPECT_TRUE(std::get<SyncRequest>(message->body).compares);
  EXPECT_EQ(std::get<SyncRequest>(message->body).age_ms, 77U);
  EXPECT_EQ(refused(), 0U);
}

TEST_F(ProtocolTest, IsReadAtAnyAlignment) {
  const auto messages = one_of_each();
  for (const auto& bytes : messages) {
    for (std::size_t shift = 0; shift < 8; ++shift) {
      Bytes moved(bytes.size() + shift);
      std::copy(bytes.begin(), bytes.end(), moved.begin() + static_cast<std::ptrdiff_t>(shift));
      EXPECT_NE(reader_.read(std::span(moved).subspan(shift)), nullptr);
    }
  }
}

TEST_F(ProtocolTest, EveryTruncationIsRefused) {
  std::uint64_t expected = 0;
  for (const auto& bytes : one_of_each()) {
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      // A copy of exactly that size, so that reading beyond it is found by the sanitizer.
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
      // FlatBuffers pads at the end for alignment only; what is cut there may still be whole.
      if (reader_.read(cut) == nullptr) ++expected;
    }
  }
  EXPECT_EQ(reader_.refused(Refusal::malformed) + reader_.refused(Refusal::wrong_cluster) +
                reader_.refused(Refusal::unknown_body) + reader_.refused(Refusal::bad_value),
            expected);
  EXPECT_GT(expected, 500U);
}

TEST_F(ProtocolTest, FlippedBitsNeverBreakTheReader) {
  std::mt19937_64 random(1);
  std::uint64_t refused_here = 0;
  for (const auto& bytes : one_of_each()) {
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      Bytes damaged = bytes;
      damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ 1U << (bit % 8));
      const Message* message = reader_.read(damaged);
      if (message == nullptr) {
        ++refused_here;
      } else if (const auto* batch = std::get_if<Batch>(&message->body)) {
        // The rows may be anything now; the decoder must take or refuse them without harm.
        if (const auto rows = BatchDecoder::check(batch->sessions, kMaxBatchRows)) {
          std::size_t seen = 0;
          rows->for_each_session([&seen](const SessionRecord&) { ++seen; });
          rows->for_each_tombstone([&seen](SessionRef) { ++seen; });
          EXPECT_EQ(seen + rows->unknown().records, rows->sessions() + rows->tombstones());
        }
      }
    }
  }
  EXPECT_EQ(refused(), refused_here);
  EXPECT_GT(refused_here, 1000U);
}

TEST_F(ProtocolTest, NoiseIsRefused) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 5000; ++round) {
    Bytes noise(random() % 600);
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    if (noise.size() >= 8 && round % 2 == 0) std::copy_n("ICRM", 4, noise.begin() + 4);
    EXPECT_EQ(reader_.read(noise), nullptr);
  }
  EXPECT_EQ(refused(), 5000U);
}

TEST_F(ProtocolTest, OversizedIsRefusedUnread) {
  const Bytes big(kMaxMessageBytes + 1);
  EXPECT_EQ(reader_.read(big), nullptr);
  EXPECT_EQ(reader_.refused(Refusal::oversized), 1U);
}

TEST_F(ProtocolTest, StrangersAreToldApart) {
  const auto refused_for = [this](Header header, Refusal why) {
    const auto before = reader_.refused(why);
    EXPECT_EQ(reader_.read(writer_.write(header, SyncRequest{1})), nullptr);
    return reader_.refused(why) - before;
  };
  Header other = kSender;
  ++other.cluster_digest;
  EXPECT_NE(reader_.read(writer_.write(other, SyncRequest{1})), nullptr) << "another file of the same cluster";
  other = kSender;
  ++other.cluster;
  EXPECT_EQ(refused_for(other, Refusal::wrong_cluster), 1U);
  EXPECT_FALSE(reader_.stranger_is_old());
  other.cluster = 0;
  EXPECT_EQ(refused_for(other, Refusal::wrong_cluster), 1U);
  EXPECT_TRUE(reader_.stranger_is_old());
  other = kSender;
  other.set = 4;
  EXPECT_EQ(refused_for(other, Refusal::wrong_set), 1U);
  other = kSender;
  other.member = 0;  // ourselves
  EXPECT_EQ(refused_for(other, Refusal::wrong_member), 1U);
  other.member = 9;
  EXPECT_EQ(refused_for(other, Refusal::wrong_member), 1U);
  other = kSender;
  ++other.sender;  // a chassis that is not the peer
  EXPECT_EQ(refused_for(other, Refusal::wrong_member), 1U);
  other = kSender;
  other.boot = 0;
  EXPECT_EQ(refused_for(other, Refusal::bad_value), 1U);
  other = kSender;
  other.term = kMaxNumber;
  EXPECT_EQ(refused_for(other, Refusal::bad_value), 1U);
}

TEST_F(ProtocolTest, NumbersOutOfRangeAreRefused) {
  const auto check = [this](const auto& body) { return reader_.read(writer_.write(kSender, body)) == nullptr; };
  EXPECT_TRUE(check(SyncRequest{0}));
  EXPECT_TRUE(check(StreamBegin{{0, 1, 1}, 10}));
  EXPECT_TRUE(check(StreamBegin{{1, 2, 1}, 10}));  // before its own attempt
  EXPECT_TRUE(check(StreamBegin{{1, 1, 1}, kMaxRecordSlots + 1}));
  EXPECT_TRUE(check(BulkEnd{{1, 1, kMaxNumber}}));
  EXPECT_TRUE(check(Audit{{1, 1, 1}, 0, kMaxAuditSlots + 1, 0, 0}));
  EXPECT_TRUE(check(Audit{{1, 1, 1}, kMaxRecordSlots, 1, 0, 0}));
  EXPECT_TRUE(check(Digests{{0, 1, 1}, 0, 4, {1}}));
  EXPECT_TRUE(check(Digests{{1, 1, kMaxNumber}, 0, 4, {1}}));
  EXPECT_TRUE(check(Digests{{1, 1, 1}, 0, 0, {1}}));
  EXPECT_TRUE(check(Digests{{1, 1, 1}, 0, kMaxAuditSlots + 1, {1}}));
  EXPECT_TRUE(check(Digests{{1, 1, 1}, 0, 4, {}}));
  EXPECT_TRUE(check(Digests{{1, 1, 1}, 0, 4, std::vector<std::uint64_t>(kMaxDigests + 1)}));
  EXPECT_TRUE(check(Digests{{1, 1, 1}, kMaxRecordSlots - 4, 4, {1, 2}}));
  EXPECT_FALSE(check(Digests{{1, 1, 1}, kMaxRecordSlots - 4, 4, {1}}));
  EXPECT_FALSE(check(Digests{{1, 1, 1}, 0, 4, std::vector<std::uint64_t>(kMaxDigests)}));
  EXPECT_TRUE(check(Compared{{1, 2, 1}, {1}}));
  EXPECT_TRUE(check(Compared{{1, 1, 1}, {}}));
  EXPECT_TRUE(check(Compared{{1, 1, 1}, std::vector<std::uint8_t>(kMaxDigests / 8 + 1)}));
  EXPECT_TRUE(check(Ack{1, 1, kMaxNumber}));
  EXPECT_TRUE(check(Nack{1, 1, 0}));
  EXPECT_TRUE(check(AdoptAck{0, 1, {}}));
  EXPECT_TRUE(check(AdoptAck{3, kMaxNumber, {}}));
  EXPECT_TRUE(check(AdoptAck{kSender.term, 1, {}}));
  Heartbeat beat;
  beat.number = 1;
  EXPECT_FALSE(check(beat));
  beat.role = static_cast<Role>(3);
  EXPECT_TRUE(check(beat));
  beat.role = Role::initializing;
  beat.sync = static_cast<Sync>(3);
  EXPECT_TRUE(check(beat));
  beat.sync = Sync::off;
  beat.state_term = kSender.term + 1;  // claims a state of a term that it does not know
  EXPECT_TRUE(check(beat));
  EXPECT_EQ(reader_.refused(Refusal::bad_value), 25U);
}

TEST_F(ProtocolTest, ARelayedPacketIsNeitherEmptyNorLongerThanAPacketCanBe) {
  const Bytes longest(kMaxRelayedBytes + 1);
  const auto check = [&](std::size_t size, bool partial, std::uint16_t segment) {
    const RelayedPacket body{1, false, partial, segment, std::span(longest).first(size)};
    return reader_.read(writer_.write(kSender, body)) == nullptr;
  };
  EXPECT_FALSE(check(1, false, 0));
  EXPECT_FALSE(check(kMaxRelayedBytes, true, 1400));
  EXPECT_FALSE(check(kMaxRelayedBytes, true, 0));
  EXPECT_TRUE(check(0, false, 0));
  EXPECT_TRUE(check(kMaxRelayedBytes + 1, false, 0));
  EXPECT_TRUE(check(3000, false, 1400)) << "nobody computes the checksum of a segment beforehand";
  EXPECT_EQ(reader_.refused(Refusal::bad_value), 3U);
}

TEST_F(ProtocolTest, OnlyAMemberThatGaveUpALowerTermOfItsOwnAsksForAMerge) {
  const auto check = [this](const Adopt& body) {
    BatchEncoder rows;
    rows.add(test::udp_session(1));
    return reader_.read(writer_.write(kSender, body, rows)) == nullptr;
  };
  ASSERT_EQ(kSender.member, 1);
  EXPECT_FALSE(check({3, 1, false, nullptr}));
  EXPECT_TRUE(check({0, 1, false, nullptr}));
  EXPECT_TRUE(check({2, 1, false, nullptr})) << "a term of the other member";
  EXPECT_TRUE(check({kSender.term, 1, false, nullptr})) << "it is master in the term in force";
  EXPECT_TRUE(check({kSender.term + 2, 1, false, nullptr}));
  EXPECT_TRUE(check({3, 0, false, nullptr}));
  EXPECT_TRUE(check({3, kMaxNumber, false, nullptr}));
}

TEST_F(ProtocolTest, AHeartbeatCarriesTheConditionOfItsSender) {
  Heartbeat beat;
  beat.number = 1;
  beat.health_weight = 300;
  beat.health_reasons = "interface inside0 has no carrier";
  beat.late_us = 81'000;
  beat.addresses = {*IpAddress::parse("198.18.0.2"), *IpAddress::parse("2001:db8::2")};
  const Message* message = reader_.read(writer_.write(kSender, beat));
  ASSERT_NE(message, nullptr);
  const auto& read = std::get<Heartbeat>(message->body);
  EXPECT_EQ(read.health_weight, 300U);
  EXPECT_EQ(read.health_reasons, "interface inside0 has no carrier");
  EXPECT_EQ(read.late_us, 81'000U);
  EXPECT_EQ(read.addresses, beat.addresses);
  // What is too long or not printable is made fit by the writer: a heartbeat must not be refused for its text.
  beat.health_reasons = std::string(1000, 'x') + "\n";
  beat.addresses.resize(kMaxPeerAddresses + 3);
  message = reader_.read(writer_.write(kSender, beat));
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(std::get<Heartbeat>(message->body).health_reasons.size(), kMaxHealthReasons);
  EXPECT_EQ(std::get<Heartbeat>(message->body).addresses.size(), kMaxPeerAddresses);
  beat.health_reasons = "caf\xc3\xa9\n";
  message = reader_.read(writer_.write(kSender, beat));
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(std::get<Heartbeat>(message->body).health_reasons, "caf???");
}

TEST_F(ProtocolTest, AHeartbeatSaysWhetherItsSenderTakesPackets) {
  Heartbeat beat;
  beat.number = 1;
  const Message* message = reader_.read(writer_.write(kSender, beat));
  ASSERT_NE(message, nullptr);
  EXPECT_FALSE(std::get<Heartbeat>(message->body).takes_packets);
  beat.takes_packets = true;
  message = reader_.read(writer_.write(kSender, beat));
  ASSERT_NE(message, nullptr);
  EXPECT_TRUE(std::get<Heartbeat>(message->body).takes_packets);
}

TEST_F(ProtocolTest, AHeartbeatCarriesPromises) {
  Heartbeat beat;
  beat.number = 1;
  const Message* message = reader_.read(writer_.write(kSender, beat));
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(std::get<Heartbeat>(message->body).promise_us, 0U);
  EXPECT_FALSE(std::get<Heartbeat>(message->body).relies);
  beat.answers = 77;
  beat.promise_us = 60'000;
  beat.relies = true;
  message = reader_.read(writer_.write(kSender, beat));
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(std::get<Heartbeat>(message->body).answers, 77U);
  EXPECT_EQ(std::get<Heartbeat>(message->body).promise_us, 60'000U);
  EXPECT_TRUE(std::get<Heartbeat>(message->body).relies);
}

/// A release that knows nothing of health writes fewer fields; one that writes nonsense is refused.
TEST_F(ProtocolTest, TheConditionOfASenderIsOptionalAndChecked) {
  const auto read = [this](auto... condition) {
    flatbuffers::FlatBufferBuilder b;
    fbs::HeartbeatBuilder beat(b);
    beat.add_number(1);
    (condition(beat), ...);
    const auto body = beat.Finish();
    fbs::FinishEnvelopeBuffer(b, fbs::CreateEnvelope(b, kSender.cluster_digest, kSender.boot, kSender.term,
                                                     kSender.member, fbs::Body::Heartbeat, body.Union(), 0, 0, 0,
                                                     kSender.cluster, kSender.set, kSender.sender));
    return reader_.read({b.GetBufferPointer(), b.GetSize()});
  };
  const Message* message = read();
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(std::get<Heartbeat>(message->body).health_weight, 0U);
  EXPECT_TRUE(std::get<Heartbeat>(message->body).addresses.empty());
  EXPECT_EQ(read([](auto& beat) { beat.add_health_weight(kMaxHealthWeight + 1); }), nullptr);
  EXPECT_EQ(read([](auto& beat) { beat.add_late_us(kMaxLateMicros + 1); }), nullptr);
  EXPECT_EQ(read([](auto& beat) { beat.add_promise_us(kMaxPromiseMicros + 1); }), nullptr);
  const auto with = [this](std::string_view reasons, std::size_t octets) {
    flatbuffers::FlatBufferBuilder b;
    const auto text = b.CreateString(reasons.data(), reasons.size());
    const auto addresses = b.CreateVector(std::vector<std::uint8_t>(octets));
    fbs::HeartbeatBuilder beat(b);
    beat.add_number(1);
    beat.add_health_reasons(text);
    beat.add_addresses(addresses);
    const auto body = beat.Finish();
    fbs::FinishEnvelopeBuffer(b, fbs::CreateEnvelope(b, kSender.cluster_digest, kSender.boot, kSender.term,
                                                     kSender.member, fbs::Body::Heartbeat, body.Union(), 0, 0, 0,
                                                     kSender.cluster, kSender.set, kSender.sender));
    return reader_.read({b.GetBufferPointer(), b.GetSize()}) != nullptr;
  };
  EXPECT_TRUE(with(std::string(kMaxHealthReasons, 'x'), 16 * kMaxPeerAddresses));
  EXPECT_FALSE(with(std::string(kMaxHealthReasons + 1, 'x'), 0));
  EXPECT_FALSE(with("line one\nline two", 0));
  EXPECT_FALSE(with("", 15));
  EXPECT_FALSE(with("", 16 * (kMaxPeerAddresses + 1)));
  EXPECT_EQ(reader_.refused(Refusal::bad_value), 7U);
}

TEST_F(ProtocolTest, HugeCountsAreRefused) {
  BatchEncoder rows;
  for (std::uint32_t i = 0; i <= kMaxBatchRows; ++i) rows.add_tombstone({i, 1});
  const Bytes bytes = keep(writer_.write(kSender, Batch{{1, 1, 1}}, rows));
  const Message* message = reader_.read(bytes);
  ASSERT_NE(message, nullptr);
  EXPECT_FALSE(BatchDecoder::check(std::get<Batch>(message->body).sessions, kMaxBatchRows));
}

}  // namespace
}  // namespace icr::replication
