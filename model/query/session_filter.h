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
/// it, before translation. A filter has no interfaces, because they choose cards and service sets before any session is
/// read.
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

  /// Returns true if the session is one that is asked for. The application protocols rpc, rpc-portmap, dce-rpc and
  /// dce-rpc-portmap are one, as in Junos: a question for any of them matches sessions of all four.
  [[nodiscard]] bool matches(const SessionRecord& record) const;
  /// Returns false if the initiator flow `key` alone shows that matches() is false. For tables that can look at a key
  /// without making a record.
  [[nodiscard]] bool admits(const FlowKey& key) const;
  /// Returns true if the binding is one that is asked for. Its source is the host with its port, and its destination
  /// the translated address and port.
  [[nodiscard]] bool matches(const BindingRecord& binding) const;
  [[nodiscard]] bool has_service_set(StableId service_set) const;
  /// Returns true if nothing but the service set decides, so that counters of service sets are the answer to a count.
  [[nodiscard]] bool only_service_sets() const;

  friend bool operator==(const SessionFilter&, const SessionFilter&) = default;
};

}  // namespace icr
