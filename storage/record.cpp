#include "storage/record.h"

#include <cstring>

#include "model/record/flow_key.h"
#include "storage/checkpoint_generated.h"

namespace icr::storage {
namespace {

/// Detects flipped, lost and moved bytes. It is no defence against an attacker who can write to the disk.
std::uint64_t checksum(std::span<const std::uint8_t> bytes) {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;
  std::uint64_t state = 0x5851f42d4c957f2dULL ^ bytes.size();
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8)
    state = icr::detail::mix(state ^ icr::detail::load64(bytes.data() + at), kStep);
  std::uint8_t tail[8] = {};
  for (std::size_t i = 0; at + i < bytes.size(); ++i) tail[i] = bytes[at + i];
  return icr::detail::mix(state ^ icr::detail::load64(tail), kStep);
}

RecordBytes finish(flatbuffers::FlatBufferBuilder& builder, flatbuffers::Offset<fbs::CheckpointBatch> batch,
                   flatbuffers::Offset<fbs::CheckpointManifest> manifest,
                   flatbuffers::Offset<fbs::StoreIdentity> identity, flatbuffers::Offset<fbs::TermMark> term) {
  fbs::FinishStoreRecordBuffer(builder, fbs::CreateStoreRecord(builder, batch, manifest, identity, term));
  return builder.Release();
}

Result<const fbs::StoreRecord*> open(std::span<const std::uint8_t> record) {
  if (record.size() < 12 || record.size() > kMaxRecordBytes) return fail("record of {} bytes", record.size());
  flatbuffers::Verifier verifier(record.data(), record.size(), /*max_depth=*/8, /*max_tables=*/8);
  if (!fbs::VerifyStoreRecordBuffer(verifier)) return fail("not a store record, or a damaged one");
  return fbs::GetStoreRecord(record.data());
}

}  // namespace

std::array<std::uint8_t, kSealBytes> seal_of(std::span<const std::uint8_t> record) {
  std::array<std::uint8_t, kSealBytes> out{};
  const std::uint64_t sum = checksum(record);
  for (unsigned i = 0; i < kSealBytes; ++i) out[i] = static_cast<std::uint8_t>(sum >> (8 * i));
  return out;
}

Result<void> unseal(std::span<const std::uint8_t> sealed, std::vector<std::uint64_t>& out, std::size_t& size) {
  if (sealed.size() < kSealBytes || sealed.size() > kMaxRecordBytes + kSealBytes) {
    return fail("value of {} bytes", sealed.size());
  }
  const auto record = sealed.subspan(kSealBytes);
  const auto seal = seal_of(record);
  if (std::memcmp(seal.data(), sealed.data(), kSealBytes) != 0) return fail("checksum does not match");
  size = record.size();
  out.resize((size + 7) / 8);
  if (size != 0) std::memcpy(out.data(), record.data(), size);
  return {};
}

RecordBytes encode_batch(flatbuffers::FlatBufferBuilder& builder, const BatchHeader& header, BatchEncoder& encoder) {
  const auto sessions = encoder.finish(builder);
  const auto set = builder.CreateString(header.set.data(), header.set.size());
  const auto layout = encode_layout(header.layout, builder);
  const auto batch =
      fbs::CreateCheckpointBatch(builder, set, header.sequence, header.term, header.written_ms, header.cluster_digest,
                                 sessions, layout, header.run, header.settled_ms, header.in_sync);
  return finish(builder, batch, 0, 0, 0);
}

RecordBytes encode_manifest(std::string_view set, const Manifest& m) {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(set.data(), set.size());
  const auto manifest = fbs::CreateCheckpointManifest(builder, name, m.from_sequence, m.to_sequence, m.term,
                                                      m.written_ms, m.cluster_digest, m.sessions, m.tombstones);
  return finish(builder, 0, manifest, 0, 0);
}

RecordBytes encode_identity(const StoreIdentity& identity, WallMillis created_ms) {
  flatbuffers::FlatBufferBuilder builder;
  const auto chassis = builder.CreateString(identity.chassis);
  const auto cluster = builder.CreateString(identity.cluster);
  const auto table =
      fbs::CreateStoreIdentity(builder, chassis, cluster, identity.cluster_digest, created_ms, identity.schema);
  return finish(builder, 0, 0, table, 0);
}

RecordBytes encode_terms(std::string_view set, const Terms& terms) {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(set.data(), set.size());
  return finish(builder, 0, 0, 0, fbs::CreateTermMark(builder, name, terms.seen, terms.claimed));
}

Result<BatchView> decode_batch(std::span<const std::uint8_t> record) {
  auto root = open(record);
  if (!root) return tl::unexpected(root.error());
  const fbs::CheckpointBatch* batch = (*root)->batch();
  if (batch == nullptr) return fail("not a batch");
  auto rows = BatchDecoder::check(batch->sessions(), kMaxBatchRows);
  if (!rows) return tl::unexpected(rows.error());
  BatchView out;
  out.header.set = batch->set()->string_view();
  out.header.sequence = batch->sequence();
  out.header.term = batch->term();
  out.header.written_ms = batch->written_ms();
  out.header.cluster_digest = batch->cluster_digest();
  auto layout = decode_layout(batch->layout());
  if (!layout) return tl::unexpected(layout.error());
  out.header.layout = std::move(*layout);
  out.header.run = batch->run();
  out.header.settled_ms = batch->settled_ms();
  out.header.in_sync = batch->in_sync();
  out.rows = *rows;
  out.columns = batch->sessions();
  return out;
}

Result<Manifest> decode_manifest(std::span<const std::uint8_t> record, std::string_view set) {
  auto root = open(record);
  if (!root) return tl::unexpected(root.error());
  const fbs::CheckpointManifest* m = (*root)->manifest();
  if (m == nullptr) return fail("not a manifest");
  if (m->set()->string_view() != set) return fail("manifest of another redundancy set");
  return Manifest{m->from_sequence(),  m->to_sequence(), m->term(),      m->written_ms(),
                  m->cluster_digest(), m->sessions(),    m->tombstones()};
}

Result<StoreIdentity> decode_identity(std::span<const std::uint8_t> record) {
  auto root = open(record);
  if (!root) return tl::unexpected(root.error());
  const fbs::StoreIdentity* identity = (*root)->identity();
  if (identity == nullptr) return fail("not an identity");
  return StoreIdentity{identity->chassis()->str(), identity->cluster()->str(), identity->cluster_digest(),
                       identity->schema()};
}

Result<Terms> decode_terms(std::span<const std::uint8_t> record, std::string_view set) {
  auto root = open(record);
  if (!root) return tl::unexpected(root.error());
  const fbs::TermMark* mark = (*root)->term();
  if (mark == nullptr) return fail("not a term");
  if (mark->set()->string_view() != set) return fail("term of another redundancy set");
  return Terms{mark->term(), mark->claimed()};
}

}  // namespace icr::storage
