// Inside of model/query: how the parts of a reply travel that a chassis says about itself. Not for use by other rooms.
#pragma once

#include "model/base/result.h"
#include "model/query/query_status_codec.h"
#include "model/query/system.h"

namespace icr::query_codec {

[[nodiscard]] flatbuffers::Offset<fbs::SystemStatus> encode_system(const SystemStatus& in, Builder& builder);
/// Reads a part of a message from the network, with numbers of rows and prefix lengths checked; a message without the
/// part gives null.
[[nodiscard]] Result<SystemStatus> decode_system(const fbs::SystemStatus* in);

[[nodiscard]] Vector<flatbuffers::Offset<fbs::PortTraffic>> encode_traffic(const std::vector<PortTraffic>& in,
                                                                           Builder& builder);
[[nodiscard]] Result<std::vector<PortTraffic>> decode_traffic(const Rows<fbs::PortTraffic>* in);

[[nodiscard]] Vector<flatbuffers::Offset<fbs::TermHits>> encode_term_hits(const std::vector<TermHitsRow>& in,
                                                                          Builder& builder);
[[nodiscard]] Result<std::vector<TermHitsRow>> decode_term_hits(const Rows<fbs::TermHits>* in);

[[nodiscard]] flatbuffers::Offset<fbs::LogPage> encode_log(const LogPage& in, Builder& builder);
[[nodiscard]] Result<LogPage> decode_log(const fbs::LogPage* in);

[[nodiscard]] Vector<flatbuffers::Offset<fbs::Alarm>> encode_alarms(const std::vector<Alarm>& in, Builder& builder);
[[nodiscard]] Result<std::vector<Alarm>> decode_alarms(const Rows<fbs::Alarm>& in);

}  // namespace icr::query_codec
