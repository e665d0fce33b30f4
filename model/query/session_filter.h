// Which sessions an operator asks for: the filters of `show services sessions` and `clear services sessions`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/record/address.h"
#include "model/record/protocol.h"
#include "model/record/session.h"

namespace icr {

/// All conditions that are set must hold. Addresses and ports are those of the initiator flow as the initiator sends
/// it, before translation. Interfaces are not in here: they choose cards and service sets, before any session is read.
struct SessionFilter {
  std::optional<ApplicationProtocol> application_protocol;
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint16_t> source_port;       ///< never matches a protocol without ports
  std::optional<std::uint16_t> destination_port;  ///< never matches a protocol without ports
  std::optional<Prefix> source_prefix;
  std::optional<Prefix> destination_prefix;
  /// The public address and port of the inside host: those of a translated source, or of a translated destination. A
  /// side that is not translated never matches. For bindings, blocks and mappings are compared.
  std::optional<Prefix> xlated_prefix;
  std::optional<std::uint16_t> xlated_port;
  bool translated = false;             ///< sessions with address translation only
  std::optional<StableId> nat_pool;    ///< the source address is out of this pool
  std::vector<StableId> service_sets;  ///< ascending; empty: all

  /// A question for the application protocols rpc, rpc-portmap, dce-rpc and dce-rpc-portmap is one question (as in
  /// Junos): each of them matches sessions of all four.
  [[nodiscard]] bool matches(const SessionRecord& record) const;
  /// What `key`, the initiator flow, alone decides: false means that matches() is false as well. For tables that can
  /// look at a key without making a record.
  [[nodiscard]] bool admits(const FlowKey& key) const;
  /// For a binding: the source is the host with its port, the destination the translated address and port.
  [[nodiscard]] bool matches(const BindingRecord& binding) const;
  [[nodiscard]] bool has_service_set(StableId service_set) const;
  /// True where nothing but the service set decides, so that counters per service set are the answer to a count.
  [[nodiscard]] bool only_service_sets() const;

  friend bool operator==(const SessionFilter&, const SessionFilter&) = default;
};

}  // namespace icr
