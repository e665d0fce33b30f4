// The interface by which commands send questions to chassis.
#pragma once

#include <cstdint>
#include <optional>

#include "model/base/result.h"
#include "model/query/query.h"

namespace icr::cli {

/// The outcome of one question.
struct Answer {
  std::uint16_t chassis = 0;  ///< index into Cluster::chassis
  QueryRequest request;       ///< the question
  Result<QueryReply> reply;   ///< the error says: no answer, a refusal, or an invalid reply
};

/// Sends questions at once; answers arrive in any order. Thread: one.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Sends a question; its deadline starts now. The transport sets the cluster digest and the request id.
  virtual void ask(std::uint16_t chassis, QueryRequest request) = 0;
  /// Returns the next answer or failure of a question that was sent, or nullopt if none is outstanding. Blocks until
  /// the earliest deadline at most.
  virtual std::optional<Answer> next() = 0;
};

}  // namespace icr::cli
