// How the parts of a reply travel that say how redundancy sets, NAT and service sets are. For model/query alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/query/query.h"

namespace icr::query_codec {

/// The most rows of a reply that stand for service sets.
inline constexpr std::size_t kMaxServiceSets = 10'000;  ///< as many as a cluster file may have

using Builder = flatbuffers::FlatBufferBuilder;
template <class T>
using Rows = flatbuffers::Vector<flatbuffers::Offset<T>>;
template <class T>
using Structs = flatbuffers::Vector<const T*>;
template <class T>
using Vector = flatbuffers::Offset<flatbuffers::Vector<T>>;

/// Returns a text of another process without control characters, because it is printed on an operator's terminal.
[[nodiscard]] std::string printable(const flatbuffers::String* text);

[[nodiscard]] fbs::Address16 to_address16(const IpAddress& address);
/// Returns nullopt if `address` is null.
[[nodiscard]] std::optional<IpAddress> to_address(const fbs::Address16* address);

[[nodiscard]] Vector<flatbuffers::Offset<fbs::Counter>> encode_counters(const CounterList& counters, Builder& builder);
[[nodiscard]] CounterList decode_counters(const Rows<fbs::Counter>* rows);

[[nodiscard]] Vector<const fbs::CountOfServiceSet*> encode_counts(const std::vector<ServiceSetCount>& counts,
                                                                  Builder& builder);
[[nodiscard]] Result<std::vector<ServiceSetCount>> decode_counts(const Structs<fbs::CountOfServiceSet>* rows);
[[nodiscard]] flatbuffers::Offset<fbs::Detector> encode_detector(const SilenceStatus& in, Builder& builder);
[[nodiscard]] SilenceStatus decode_detector(const fbs::Detector& in);
[[nodiscard]] Vector<flatbuffers::Offset<fbs::Failover>> encode_failovers(const std::vector<FailoverReport>& in,
                                                                          Builder& builder);
[[nodiscard]] Result<std::vector<FailoverReport>> decode_failovers(const Rows<fbs::Failover>* in);
[[nodiscard]] flatbuffers::Offset<fbs::SetStatus> encode_status(const SetStatus& status, Builder& builder);
[[nodiscard]] Result<SetStatus> decode_status(const fbs::SetStatus& in);

[[nodiscard]] Vector<flatbuffers::Offset<fbs::NatPool>> encode_pools(const std::vector<NatPoolStatus>& in, Builder& b);
[[nodiscard]] Result<std::vector<NatPoolStatus>> decode_pools(const Rows<fbs::NatPool>* in);
[[nodiscard]] Vector<const fbs::BindingUse*> encode_uses(const std::vector<BindingUse>& in, Builder& b);
/// Returns them in order of their slots.
[[nodiscard]] Result<std::vector<BindingUse>> decode_uses(const Structs<fbs::BindingUse>* in);
[[nodiscard]] Vector<const fbs::DeterministicBlock*> encode_deterministic(const std::vector<DeterministicRow>& in,
                                                                          Builder& b);
[[nodiscard]] Result<std::vector<DeterministicRow>> decode_deterministic(const Structs<fbs::DeterministicBlock>* in);
[[nodiscard]] Vector<flatbuffers::Offset<fbs::Statistics>> encode_statistics(const std::vector<ServiceSetStatus>& in,
                                                                             Builder& b);
[[nodiscard]] Result<std::vector<ServiceSetStatus>> decode_statistics(const Rows<fbs::Statistics>* in);
[[nodiscard]] flatbuffers::Offset<fbs::CardAnalysis> encode_analysis(const CardAnalysis& in, Builder& b);
[[nodiscard]] Result<CardAnalysis> decode_analysis(const fbs::CardAnalysis* in);
[[nodiscard]] flatbuffers::Offset<fbs::CardUsage> encode_usage(const CardUsage& in, Builder& b);
[[nodiscard]] Result<CardUsage> decode_usage(const fbs::CardUsage* in);
[[nodiscard]] flatbuffers::Offset<fbs::LiveSessions> encode_live(const LiveSessions& in, Builder& b);
/// Returns an error if the number of a part exceeds that of its whole.
[[nodiscard]] Result<LiveSessions> decode_live(const fbs::LiveSessions* in);

template <class T>
[[nodiscard]] std::optional<T> optional_of(const flatbuffers::Optional<T>& value) {
  return value.has_value() ? std::optional<T>(*value) : std::nullopt;
}

/// Checks how many rows there are and how they are aligned, which the verifier of FlatBuffers does not check.
template <class T>
[[nodiscard]] Result<void> check_rows(const Structs<T>* rows, std::size_t most, std::string_view what) {
  if (rows == nullptr || rows->size() == 0) return {};
  if (rows->size() > most) return fail("{} {}", rows->size(), what);
  if (reinterpret_cast<std::uintptr_t>(rows->Data()) % alignof(T) != 0) return fail("misaligned {}", what);
  return {};
}

[[nodiscard]] Vector<const fbs::SessionGroup*> encode_groups(const std::vector<SessionGroup>& groups, Builder& builder);
[[nodiscard]] Result<std::vector<SessionGroup>> decode_groups(const Structs<fbs::SessionGroup>* rows);

}  // namespace icr::query_codec
