// The way to the chassis, as commands see it.
#pragma once

#include <cstdint>
#include <optional>

#include "model/query.h"
#include "model/result.h"

namespace icr::cli {

/// What became of one question.
struct Answer {
  std::uint16_t chassis = 0;  ///< index into Cluster::chassis
  QueryRequest request;       ///< the question
  Result<QueryReply> reply;   ///< or why there is none: no answer, refused, not to be understood
};

/// Questions go out at once; answers come in any order. One thread.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Sends a question; its deadline starts now. The transport sets the cluster digest and the request id.
  virtual void ask(std::uint16_t chassis, QueryRequest request) = 0;
  /// The next answer or failure of a question that was asked; nullopt when none is outstanding. Blocks at most until
  /// the earliest deadline.
  virtual std::optional<Answer> next() = 0;
};

}  // namespace icr::cli
