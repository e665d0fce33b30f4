// A transport whose user may leave: then nothing more is asked.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "cli/client/transport.h"

namespace icr::cli {

/// Passes questions and answers on. Once nobody waits for the answer, each further question fails at once, so a command
/// ends soon, however much it would have read. REQUIRES: the other transport outlives it. Thread: one.
class LeavableTransport final : public Transport {
 public:
  /// `abandoned` returns true once nobody waits; it may be null.
  LeavableTransport(Transport& inner, std::function<bool()> abandoned)
      : inner_(inner), abandoned_(std::move(abandoned)) {}

  void ask(std::uint16_t chassis, QueryRequest request) override;
  std::optional<Answer> next() override;

 private:
  Transport& inner_;
  std::function<bool()> abandoned_;
  std::vector<Answer> failed_;  ///< questions that were not asked
};

}  // namespace icr::cli
