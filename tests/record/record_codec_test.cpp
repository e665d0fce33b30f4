#include "model/record/record_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "tests/record/sample_records.h"

namespace icr {
namespace {

using test::expect_equal;
using test::random_binding;
using test::random_record;
using testing::HasSubstr;

/// A finished buffer at an 8-aligned address.
struct Buffer {
  std::vector<std::uint64_t> words;
  std::size_t size = 0;
  [[nodiscard]] const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(words.data()); }
  [[nodiscard]] std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(words.data()); }
};

Buffer finished(flatbuffers::FlatBufferBuilder& builder, flatbuffers::Offset<fbs::SessionBatch> batch) {
  builder.Finish(batch);
  Buffer out;
  out.size = builder.GetSize();
  out.words.resize((out.size + 7) / 8);
  std::memcpy(out.data(), builder.GetBufferPointer(), out.size);
  return out;
}

Buffer encoded(BatchEncoder& encoder) {
  flatbuffers::FlatBufferBuilder builder;
  return finished(builder, encoder.finish(builder));
}

/// As the receivers do it: verifier first, then the codec's own checks.
Result<BatchDecoder> decoded(const Buffer& buffer, std::size_t max_rows = 1000) {
  flatbuffers::Verifier::Options options;
  options.max_tables = 4;
  flatbuffers::Verifier verifier(buffer.data(), buffer.size, options);
  if (!verifier.VerifyBuffer<fbs::SessionBatch>(nullptr)) return fail("the verifier refuses it");
  return BatchDecoder::check(flatbuffers::GetRoot<fbs::SessionBatch>(buffer.data()), max_rows);
}

TEST(RecordCodec, AnyMixOfRecordsComesBack) {
  BatchEncoder encoder;
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<SessionRecord> four;
    std::vector<SessionRecord> six;
    std::vector<SessionRecord> bindings;
    std::vector<SessionRef> dead;
    for (unsigned i = 0; i < seed * 3; ++i) {
      const unsigned kind = static_cast<unsigned>(random() % 4);
      if (kind == 3) {
        bindings.push_back(random_binding(random));
        encoder.add(bindings.back());
      } else if (kind == 2) {
        dead.push_back({static_cast<std::uint32_t>(random() % kMaxRecordSlots), static_cast<std::uint32_t>(random())});
        encoder.add_tombstone(dead.back());
      } else {
        auto& column = kind == 0 ? four : six;
        column.push_back(random_record(random, kind == 1));
        encoder.add(column.back());
      }
    }
    EXPECT_EQ(encoder.size(), four.size() + six.size() + bindings.size() + dead.size());
    const std::size_t payload = encoder.bytes();
    const auto buffer = encoded(encoder);
    EXPECT_TRUE(encoder.empty());
    EXPECT_GE(buffer.size, payload);
    // The library pads each of the six columns to the size of its rows, and the table with it.
    EXPECT_LE(buffer.size, payload + 512);

    const auto decoder = decoded(buffer);
    ASSERT_TRUE(decoder) << decoder.error().message;
    EXPECT_EQ(decoder->sessions(), four.size() + six.size());
    EXPECT_EQ(decoder->bindings(), bindings.size());
    EXPECT_EQ(decoder->tombstones(), dead.size());
    auto expected = four;
    expected.insert(expected.end(), six.begin(), six.end());
    expected.insert(expected.end(), bindings.begin(), bindings.end());
    std::size_t row = 0;
    decoder->for_each_session([&](const SessionRecord& record) { expect_equal(record, expected[row++]); });
    EXPECT_EQ(row, expected.size());
    row = 0;
    decoder->for_each_tombstone([&](SessionRef ref) { EXPECT_EQ(ref, dead[row++]); });
    EXPECT_EQ(row, dead.size());
  }
}

TEST(RecordCodec, OneIpv6AddressMakesTheRowIpv6) {
  std::mt19937 random(7);
  auto record = random_record(random, false);
  record.flow[1].destination = *IpAddress::parse("2001:db8::1");
  record.flow[0].protocol = record.flow[1].protocol = ip_protocol::tcp;
  BatchEncoder encoder;
  encoder.add(record);
  const auto buffer = encoded(encoder);
  const auto decoder = decoded(buffer);
  ASSERT_TRUE(decoder);
  decoder->for_each_session([&](const SessionRecord& back) { expect_equal(back, record); });
}

TEST(RecordCodec, AnEmptyBatchIsABatch) {
  BatchEncoder encoder;
  const auto buffer = encoded(encoder);
  const auto decoder = decoded(buffer);
  ASSERT_TRUE(decoder);
  EXPECT_EQ(decoder->sessions() + decoder->tombstones(), 0U);
}

TEST(RecordCodec, ClearForgets) {
  std::mt19937 random(3);
  BatchEncoder encoder;
  encoder.add(random_record(random, true));
  encoder.add(random_record(random, false));
  encoder.add(random_binding(random));
  encoder.add_tombstone({1, 2});
  EXPECT_GT(encoder.bytes(), 0U);
  encoder.clear();
  EXPECT_EQ(encoder.bytes(), 0U);
  EXPECT_TRUE(encoder.empty());
}

TEST(RecordCodec, RefusesNoBatch) {
  const auto decoder = BatchDecoder::check(nullptr, 10);
  ASSERT_FALSE(decoder);
  EXPECT_THAT(decoder.error().message, HasSubstr("no session batch"));
}

TEST(RecordCodec, RefusesMoreRowsThanItWants) {
  std::mt19937 random(3);
  BatchEncoder encoder;
  for (unsigned i = 0; i < 3; ++i) encoder.add(random_record(random, i == 1));
  encoder.add_tombstone({1, 2});
  const auto buffer = encoded(encoder);
  EXPECT_TRUE(decoded(buffer, 4));
  const auto refused = decoded(buffer, 3);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("4 rows in a batch, at most 3"));
}

struct CoreFields {
  std::uint32_t slot = 5;
  std::uint32_t generation = 1;
  std::uint16_t parts = 0;
  std::uint8_t tcp_state = 0;
  std::uint8_t nat_type_flag = 0;
  std::uint8_t alg = 0;
};

fbs::SessionCore core(const CoreFields& f) {
  return fbs::SessionCore(f.slot, f.generation, 1, 30, 0, 0, 0, 1, 2, 2, 1, 0, 0, 0, f.parts, 6, f.tcp_state,
                          f.nat_type_flag, f.alg);
}

/// Builds a batch of one session by hand, as a hostile sender could, and returns what check() says about it.
std::string refusal(const CoreFields& fields, std::size_t tcp_rows, std::size_t counter_rows, bool v6,
                    std::uint8_t scale = 0) {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<fbs::Session4> fours(v6 ? 0 : 1, fbs::Session4(1, 2, 2, 1, core(fields)));
  const fbs::Address16 address(0x1234, 0x5678);
  const std::vector<fbs::Session6> sixes(v6 ? 1 : 0, fbs::Session6(address, address, address, address, core(fields)));
  const fbs::WindowPart window(1, 2, 3, scale, 0, 0);
  const std::vector<fbs::TcpPart> tcp(tcp_rows, fbs::TcpPart(fbs::WindowPart(1, 2, 3, 0, 0, 0), window));
  const std::vector<fbs::CounterPart> counters(counter_rows, fbs::CounterPart(1, 2, 3, 4));
  const auto v4_column = builder.CreateVectorOfStructs(fours);
  const auto v6_column = builder.CreateVectorOfStructs(sixes);
  const auto tcp_column = builder.CreateVectorOfStructs(tcp);
  const auto counter_column = builder.CreateVectorOfStructs(counters);
  const auto buffer =
      finished(builder, fbs::CreateSessionBatch(builder, v4_column, v6_column, tcp_column, counter_column));
  const auto decoder = decoded(buffer);
  return decoder ? "" : decoder.error().message;
}

TEST(RecordCodec, RefusesWhatTheVerifierCannotKnow) {
  const auto with = [](const std::function<void(CoreFields&)>& change) {
    CoreFields fields;
    change(fields);
    return fields;
  };
  for (const bool v6 : {false, true}) {
    EXPECT_EQ(refusal({}, 0, 0, v6), "");
    EXPECT_EQ(refusal(with([](auto& f) { f.parts = 7; }), 1, 1, v6), "");
    EXPECT_EQ(refusal(with([](auto& f) { f.slot = kMaxSlots - 1; }), 0, 0, v6), "");
    EXPECT_THAT(refusal(with([](auto& f) { f.slot = kMaxSlots; }), 0, 0, v6), HasSubstr("slot 67108864 out of range"));
    EXPECT_THAT(refusal(with([](auto& f) { f.generation = 0; }), 0, 0, v6), HasSubstr("generation 0"));
    EXPECT_THAT(refusal(with([](auto& f) { f.parts = 1; }), 0, 0, v6), HasSubstr("0 TCP rows for 1 TCP sessions"));
    EXPECT_THAT(refusal({}, 1, 0, v6), HasSubstr("1 TCP rows for 0 TCP sessions"));
    EXPECT_THAT(refusal(with([](auto& f) { f.parts = 2; }), 0, 0, v6), HasSubstr("0 counter rows for 1 sessions"));
    EXPECT_THAT(refusal({}, 0, 3, v6), HasSubstr("3 counter rows for 0 sessions"));
    EXPECT_EQ(refusal(with([](auto& f) { f.parts = 1; }), 1, 0, v6, 14), "");
    EXPECT_THAT(refusal(with([](auto& f) { f.parts = 1; }), 1, 0, v6, 15), HasSubstr("TCP window scale out of range"));
  }
}

TEST(RecordCodec, RefusesATombstoneOutOfRange) {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<fbs::Tombstone> dead = {fbs::Tombstone(1, 1), fbs::Tombstone(kMaxRecordSlots, 1)};
  const auto column = builder.CreateVectorOfStructs(dead);
  const auto buffer = finished(builder, fbs::CreateSessionBatch(builder, 0, 0, 0, 0, column));
  const auto decoder = decoded(buffer);
  ASSERT_FALSE(decoder);
  EXPECT_THAT(decoder.error().message, HasSubstr("tombstone of slot"));
}

TEST(RecordCodec, SkipsOrReducesWhatOnlyALaterReleaseKnows) {
  // Of IPv4 and of IPv6: one that is known, four that are taken without something, two that are skipped. All but the
  // known one have a row in another column, which must not be taken for that of the next session.
  std::vector<CoreFields> fields(7);
  for (std::uint32_t i = 0; i < fields.size(); ++i) fields[i].slot = 10 + i;
  for (auto& each : fields) each.parts = each.slot == 10 ? 0 : 2;
  fields[1].parts |= 0x80;
  fields[2].nat_type_flag = kSessionFlagCount << 4U | 1;
  fields[3].alg = static_cast<std::uint8_t>(application_protocols().size());
  fields[4].tcp_state = kTcpStateCount;
  fields[5].nat_type_flag = kNatTypeCount;
  fields[6].parts |= 0x8000;
  flatbuffers::FlatBufferBuilder builder;
  std::vector<fbs::Session4> fours;
  std::vector<fbs::Session6> sixes;
  std::vector<fbs::CounterPart> counters;
  const fbs::Address16 address(0x1234, 0x5678);
  for (const bool v6 : {false, true}) {
    for (const auto& each : fields) {
      if (v6) {
        sixes.emplace_back(address, address, address, address, core(each));
      } else {
        fours.emplace_back(1, 2, 2, 1, core(each));
      }
      if (each.parts != 0) counters.emplace_back(each.slot, 1, 1, 1);
    }
  }
  const std::vector<fbs::Binding> bindings = {
      fbs::Binding(address, address, 1, 70, 3, 1, 300, 0, 0, 0, 1, 2, 0, 0, kRecordKindCount, 0, 0, 0, 0),
      fbs::Binding(address, address, 1, 71, 1, 1, 300, 0, 0, 0, 1, 2, 0, 0, 1, 0, kKnownBindingFlags + 1, 0, 0)};
  const auto v4_column = builder.CreateVectorOfStructs(fours);
  const auto v6_column = builder.CreateVectorOfStructs(sixes);
  const auto counter_column = builder.CreateVectorOfStructs(counters);
  const auto binding_column = builder.CreateVectorOfStructs(bindings);
  const auto buffer =
      finished(builder, fbs::CreateSessionBatch(builder, v4_column, v6_column, 0, counter_column, 0, binding_column));
  const auto decoder = decoded(buffer);
  ASSERT_TRUE(decoder) << decoder.error().message;
  EXPECT_EQ(decoder->unknown().records, 5U);
  EXPECT_EQ(decoder->unknown().reduced, 9U);
  std::vector<std::uint32_t> taken;
  decoder->for_each_session([&](const SessionRecord& r) {
    taken.push_back(r.ref.slot);
    EXPECT_EQ(r.has_counters ? r.counters[0].packets : r.ref.slot, r.ref.slot);
    EXPECT_LT(static_cast<unsigned>(r.flag), kSessionFlagCount);
    EXPECT_LT(r.alg, application_protocols().size());
    EXPECT_EQ(r.binding.flags & ~kKnownBindingFlags, 0);
  });
  EXPECT_THAT(taken, testing::ElementsAre(10, 11, 12, 13, 16, 10, 11, 12, 13, 16, 71));
  std::vector<std::uint32_t> skipped;
  decoder->for_each_unknown([&](SessionRef ref) { skipped.push_back(ref.slot); });
  EXPECT_THAT(skipped, testing::ElementsAre(14, 15, 14, 15, 70));
}

struct BindingFields {
  std::uint32_t slot = kMaxRecordSlots - 1;
  std::uint32_t generation = 1;
  std::uint16_t first = 1024;
  std::uint16_t last = 1151;
  std::uint8_t kind = 1;
  std::uint8_t flags = 0;
};

std::string refusal(const BindingFields& f) {
  flatbuffers::FlatBufferBuilder builder;
  const fbs::Address16 a(1, 2);
  const std::vector<fbs::Binding> rows(
      1, fbs::Binding(a, a, 1, f.slot, f.generation, 1, 300, 0, 0, 0, f.first, f.last, 0, 0, f.kind, 0, f.flags, 0, 0));
  const auto column = builder.CreateVectorOfStructs(rows);
  const auto buffer = finished(builder, fbs::CreateSessionBatch(builder, 0, 0, 0, 0, 0, column));
  const auto decoder = decoded(buffer);
  return decoder ? "" : decoder.error().message;
}

TEST(RecordCodec, RefusesABindingOutOfRange) {
  EXPECT_EQ(refusal(BindingFields{}), "");
  BindingFields bad;
  bad.slot = kMaxRecordSlots;
  EXPECT_THAT(refusal(bad), HasSubstr("slot 134217728 of a binding"));
  bad = {};
  bad.generation = 0;
  EXPECT_THAT(refusal(bad), HasSubstr("generation 0"));
  bad = {};
  bad.kind = 0;
  EXPECT_THAT(refusal(bad), HasSubstr("kind 0"));
  bad = {};
  bad.last = 1023;
  EXPECT_THAT(refusal(bad), HasSubstr("ports 1024 to 1023"));
  bad.kind = static_cast<std::uint8_t>(RecordKind::mapping);
  EXPECT_EQ(refusal(bad), "") << "only a block has a last port";
}

TEST(RecordCodec, Nat64SpeaksIcmpv6OnOneSide) {
  std::mt19937 random(3);
  auto record = random_record(random, true);
  record.nat_type = NatType::stateful_nat64;
  record.flow[1] = random_record(random, false).flow[1];
  record.flow[0].protocol = ip_protocol::icmp6;
  record.flow[1].protocol = ip_protocol::icmp;
  BatchEncoder encoder;
  encoder.add(record);
  std::swap(record.flow[0], record.flow[1]);
  encoder.add(record);
  const auto buffer = encoded(encoder);
  const auto decoder = decoded(buffer);
  ASSERT_TRUE(decoder);
  unsigned row = 0;
  decoder->for_each_session([&](const SessionRecord& back) {
    EXPECT_EQ(back.flow[0].protocol, row == 0 ? ip_protocol::icmp6 : ip_protocol::icmp);
    EXPECT_EQ(back.flow[1].protocol, row == 0 ? ip_protocol::icmp : ip_protocol::icmp6);
    ++row;
  });
  EXPECT_EQ(row, 2U);
}

Buffer good_buffer(std::mt19937& random) {
  BatchEncoder encoder;
  for (unsigned i = 0; i < 12; ++i) encoder.add(random_record(random, i % 3 == 0));
  for (unsigned i = 0; i < 3; ++i) encoder.add(random_binding(random));
  encoder.add_tombstone({9, 4});
  return encoded(encoder);
}

/// Reads everything; the sanitizers watch. Returns something that depends on every record.
std::uint64_t read_all(const BatchDecoder& decoder) {
  std::uint64_t sum = 0;
  decoder.for_each_session([&](const SessionRecord& record) {
    EXPECT_LT(record.ref.slot, record.kind == RecordKind::session ? kMaxSlots : kMaxRecordSlots);
    EXPECT_LT(static_cast<unsigned>(record.kind), kRecordKindCount);
    EXPECT_LT(static_cast<unsigned>(record.tcp_state), kTcpStateCount);
    EXPECT_LT(static_cast<unsigned>(record.nat_type), kNatTypeCount);
    EXPECT_LT(static_cast<unsigned>(record.flag), kSessionFlagCount);
    EXPECT_LT(record.alg, application_protocols().size());
    sum += digest_of(record) + (record.has_tcp ? record.tcp[0].end : 0) +
           (record.has_counters ? record.counters[1].bytes : 0);
  });
  decoder.for_each_tombstone([&](SessionRef ref) {
    EXPECT_LT(ref.slot, kMaxRecordSlots);
    sum += ref.generation;
  });
  return sum;
}

TEST(RecordCodec, NoTruncatedBufferIsReadBeyondItsEnd) {
  std::mt19937 random(11);
  const auto good = good_buffer(random);
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < good.size; ++size) {
    // A block of exactly that size, so that the sanitizer sees the first byte behind it.
    const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size]);
    std::memcpy(bytes.get(), good.data(), size);
    flatbuffers::Verifier::Options options;
    options.max_tables = 4;
    flatbuffers::Verifier verifier(bytes.get(), size, options);
    if (!verifier.VerifyBuffer<fbs::SessionBatch>(nullptr)) continue;
    const auto decoder = BatchDecoder::check(flatbuffers::GetRoot<fbs::SessionBatch>(bytes.get()), 1000);
    if (!decoder) continue;
    ++accepted;
    (void)read_all(*decoder);
  }
  EXPECT_LE(accepted, 8U);  // only padding at the end may be missing
}

TEST(RecordCodec, DamagedBuffersAreRefusedOrReadSafely) {
  std::size_t refused = 0;
  constexpr std::uint32_t kRuns = 20'000;
  std::mt19937 random(17);
  const auto good = good_buffer(random);
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    auto bad = good;
    const unsigned hits = 1 + static_cast<unsigned>(random() % 4);
    for (unsigned hit = 0; hit < hits; ++hit) {
      // Half of the hits go to the envelope: the offsets and the vtable are at the beginning.
      const std::size_t range = random() % 2 == 0 ? std::min<std::size_t>(bad.size, 64) : bad.size;
      bad.data()[random() % range] = static_cast<std::uint8_t>(random());
    }
    const auto decoder = decoded(bad);
    if (decoder) {
      (void)read_all(*decoder);
    } else {
      EXPECT_FALSE(decoder.error().message.empty());
      ++refused;
    }
  }
  EXPECT_GT(refused, kRuns / 10);
  EXPECT_LT(refused, kRuns);
}

TEST(RecordCodec, RefusesAMisalignedColumn) {
  // The verifier passes a vector whose elements are not aligned, where check_alignment is off or cannot see it.
  std::mt19937 random(5);
  BatchEncoder encoder;
  auto record = random_record(random, true);
  record.has_tcp = record.has_counters = false;
  encoder.add(record);
  const auto good = encoded(encoder);
  std::vector<std::uint64_t> words(good.words.size() + 1);
  auto* shifted = reinterpret_cast<std::uint8_t*>(words.data()) + 4;
  std::memcpy(shifted, good.data(), good.size);
  const auto decoder = BatchDecoder::check(flatbuffers::GetRoot<fbs::SessionBatch>(shifted), 10);
  ASSERT_FALSE(decoder);
  EXPECT_THAT(decoder.error().message, HasSubstr("misaligned column"));
}

TEST(Aligned, CopiesOnlyWhatIsNotAligned) {
  alignas(8) std::uint8_t bytes[32];
  for (std::uint8_t i = 0; i < sizeof bytes; ++i) bytes[i] = i;
  std::vector<std::uint64_t> scratch;
  EXPECT_EQ(aligned(bytes, sizeof bytes, scratch), bytes);
  EXPECT_TRUE(scratch.empty());
  for (std::size_t offset = 1; offset < 8; ++offset) {
    const auto* copy = aligned(bytes + offset, 20, scratch);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy) % 8, 0U);
    EXPECT_EQ(std::memcmp(copy, bytes + offset, 20), 0);
  }
}

}  // namespace
}  // namespace icr
