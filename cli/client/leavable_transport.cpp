#include "cli/client/leavable_transport.h"

namespace icr::cli {

void LeavableTransport::ask(std::uint16_t chassis, QueryRequest request) {
  if (!abandoned_ || !abandoned_()) return inner_.ask(chassis, std::move(request));
  failed_.push_back({chassis, std::move(request), fail("nobody waits for the answer")});
}

std::optional<Answer> LeavableTransport::next() {
  if (failed_.empty()) return inner_.next();
  Answer out = std::move(failed_.back());
  failed_.pop_back();
  return out;
}

}  // namespace icr::cli
