// The table of sessions of one redundancy set: a slab of sessions by slot, and an index with both directions of each.
//
// Fixed capacity, allocated and touched at construction; nothing allocates afterwards. Open addressing: a bucket is one
// cache line of 8 tags and 8 references; each flow has two candidate buckets, and goes to the first, or, if that is
// crowded, to the emptier one; a handful that find both full go to a short list on the side. One thread.
#pragma once

#include <emmintrin.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "model/base/bit_set.h"
#include "model/base/huge_array.h"
#include "model/base/prefetch.h"
#include "model/record/flow_key.h"
#include "model/record/session.h"
#include "node/flow/session.h"

namespace icr::node {

/// A flow found in the index. A key is one of a service set: hosts of two of them may have the same addresses.
struct FlowRef {
  std::uint32_t slot = 0;
  Direction direction = Direction::initiator;
};

class SessionTable {
 public:
  /// `capacity` slots, 1..kMaxSlots. `seed` keys the hash.
  SessionTable(std::uint32_t capacity, std::uint64_t seed);

  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint32_t size() const { return capacity_ - free_.size(); }
  [[nodiscard]] std::uint32_t high_water() const { return high_water_; }
  [[nodiscard]] Session& at(std::uint32_t slot) { return slab_[slot]; }
  [[nodiscard]] const Session& at(std::uint32_t slot) const { return slab_[slot]; }

  [[nodiscard]] std::uint64_t hash(std::uint16_t service_set, const FlowKey& key) const {
    return hash_of(key, seed_of(service_set));
  }
  [[nodiscard]] std::uint64_t hash_v4(std::uint16_t service_set, std::uint32_t source, std::uint32_t destination,
                                      std::uint16_t source_port, std::uint16_t destination_port,
                                      std::uint8_t protocol) const {
    return hash_of_v4(source, destination, ports_word(source_port, destination_port, protocol), seed_of(service_set));
  }
  /// Asks for the cache lines that find() of a key with this hash will read first.
  void prefetch(std::uint64_t hash) const { prefetch_line(&buckets_[first_bucket(hash)]); }
  /// The same for one that will not be found, and entered then: both its buckets.
  void prefetch_entry(std::uint64_t hash) const {
    prefetch_line(&buckets_[first_bucket(hash)]);
    prefetch_line(&buckets_[second_bucket(hash)]);
  }
  /// Lines of a session that a packet will touch, beside the first: bits.
  static constexpr unsigned kLineTcp = 1, kLineWide = 2;
  static constexpr std::uint32_t kNoReference = 0xffffffffU;
  /// Second stage: the flow behind the first tag that matches, of which no more is known than that; its session is
  /// asked for. kNoReference: none, and the second bucket is asked for.
  [[nodiscard]] std::uint32_t candidate(std::uint64_t hash, unsigned lines) const {
    const std::uint32_t reference = candidate_in(first_bucket(hash), tag_of(hash), lines);
    if (reference == kNoReference) [[unlikely]]
      prefetch_line(&buckets_[second_bucket(hash)]);
    return reference;
  }
  /// Third stage, after kNoReference: the same in the second bucket.
  [[nodiscard]] std::uint32_t candidate_second(std::uint64_t hash, unsigned lines) const {
    return candidate_in(second_bucket(hash), tag_of(hash), lines);
  }
  /// A reference taken apart.
  [[nodiscard]] static FlowRef flow_of(std::uint32_t reference) { return {reference >> 1, direction_of(reference)}; }
  [[nodiscard]] std::optional<FlowRef> find(std::uint16_t service_set, const FlowKey& key, std::uint64_t hash) const;
  [[nodiscard]] std::optional<FlowRef> find(std::uint16_t service_set, const FlowKey& key) const {
    return find(service_set, key, hash(service_set, key));
  }

  /// Takes the next free slot (the one free the longest, roughly), or nullopt when there is none. The slot is not live
  /// yet.
  [[nodiscard]] std::optional<std::uint32_t> allocate();
  /// Calls `each(slot)` for most of what the next `count` calls of allocate() will return.
  template <class Each>
  void upcoming(std::uint32_t count, Each&& each) const {
    free_.upcoming(count, each);
  }
  /// Takes this very slot, which must be free.
  void claim(std::uint32_t slot);
  /// Gives a slot that is not live back; its generation stays.
  void release(std::uint32_t slot);

  /// Enters both flows of a session, whose keys and service set are set, into the index and makes it live. Returns
  /// false and changes nothing if a flow is already there, or if both buckets of a flow and the side list are full.
  [[nodiscard]] bool insert(std::uint32_t slot);
  /// Does the same for a session whose initiator flow was looked for just now. `initiator`: its hash(). REQUIRES: that
  /// flow is not in the index.
  [[nodiscard]] bool insert_first(std::uint32_t slot, std::uint64_t initiator);
  /// Removes both flows from the index; the session is no longer live. The slot is not released.
  void remove(std::uint32_t slot);

  /// Asks for what remove() of this slot, whose session is at hand, will need.
  void prefetch_removal(std::uint32_t slot) const {
    const Session& session = slab_[slot];
    prefetch(hash(session.service_set, session.initiator()));
    prefetch(hash(session.service_set, session.responder()));
  }

  /// Bytes held: slab, index and free set.
  [[nodiscard]] std::size_t memory() const;

 private:
  static constexpr unsigned kWays = 8;
  static constexpr unsigned kCrowdedWays = 4;  ///< free ways below which the second bucket is considered
  static constexpr std::size_t kSideEntries = 64;

  struct alignas(64) Bucket {
    std::uint16_t tags[kWays];        ///< 0: empty
    std::uint32_t references[kWays];  ///< slot << 1 | direction
    std::uint8_t padding[16];
  };
  static_assert(sizeof(Bucket) == 64);
  struct SideEntry {
    std::uint64_t hash;
    std::uint32_t reference;
  };
  [[nodiscard]] std::uint64_t seed_of(std::uint16_t service_set) const {
    return seed_ ^ std::uint64_t{service_set} << 48;
  }
  [[nodiscard]] std::size_t first_bucket(std::uint64_t hash) const { return scale(hash); }
  [[nodiscard]] std::size_t second_bucket(std::uint64_t hash) const { return scale(hash * 0x9e3779b97f4a7c15ULL); }
  [[nodiscard]] std::size_t scale(std::uint64_t hash) const {
    return static_cast<std::size_t>((hash >> 32) * bucket_count_ >> 32);
  }
  static std::uint16_t tag_of(std::uint64_t hash) {
    const auto tag = static_cast<std::uint16_t>(hash);
    return tag == 0 ? std::uint16_t{1} : tag;
  }
  [[nodiscard]] static Direction direction_of(std::uint32_t reference) {
    return (reference & 1U) == 0 ? Direction::initiator : Direction::responder;
  }
  /// What is looked for.
  struct Wanted {
    std::uint16_t service_set;
    const FlowKey& key;
    bool v4;
  };
  [[nodiscard]] bool is(std::uint32_t reference, const Wanted& wanted) const {
    const Session& session = slab_[reference >> 1];
    return session.service_set == wanted.service_set && session.matches(direction_of(reference), wanted.key, wanted.v4);
  }
  /// Two bits of the result for each way that holds the tag.
  static unsigned ways_with(const Bucket& line, std::uint16_t tag) {
    const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(line.tags));
    const __m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16(static_cast<short>(tag)));
    return static_cast<unsigned>(_mm_movemask_epi8(equal));
  }
  /// One bit of the result for each way that is empty.
  static unsigned empty_ways(const Bucket& line) {
    const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(line.tags));
    const __m128i empty = _mm_cmpeq_epi16(tags, _mm_setzero_si128());
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(empty, _mm_setzero_si128())));
  }
  /// True if fewer than kCrowdedWays ways are empty.
  static bool crowded(unsigned empty) {
    for (unsigned i = 1; i < kCrowdedWays; ++i) empty &= empty - 1;
    return empty == 0;
  }
  [[nodiscard]] std::uint32_t candidate_in(std::size_t bucket, std::uint16_t tag, unsigned lines) const {
    const Bucket& line = buckets_[bucket];
    const unsigned mask = ways_with(line, tag);
    if (mask == 0) return kNoReference;
    const std::uint32_t reference = line.references[static_cast<unsigned>(__builtin_ctz(mask)) / 2];
    const char* const session = reinterpret_cast<const char*>(&slab_[reference >> 1]);
    prefetch_line(session);
    if ((lines & kLineTcp) != 0) prefetch_line(session + 64);
    if ((lines & kLineWide) != 0) prefetch_line(session + 128);
    return reference;
  }
  [[nodiscard]] std::optional<std::uint32_t> find_in(std::size_t bucket, std::uint16_t tag, const Wanted& wanted) const;
  [[nodiscard]] bool enter(std::uint64_t hash, std::uint32_t reference);
  void leave(std::uint64_t hash, std::uint32_t reference);

  std::uint32_t capacity_;
  std::uint64_t seed_;
  std::uint64_t bucket_count_;
  std::uint32_t high_water_ = 0;
  BitSet free_;
  HugeArray<Session> slab_;
  HugeArray<Bucket> buckets_;
  std::vector<SideEntry> side_;
};

}  // namespace icr::node
