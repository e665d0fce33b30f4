// A slice of work on a question. Inside of node/query.
#pragma once

#include "node/query/mailbox.h"

namespace icr::node {

/// Works on `task` for at most about `max_slots` slots. True: finished, the reply is complete.
[[nodiscard]] bool work_on(QueryTask& task, CardView& card, TimePoint now, std::uint32_t max_slots);

}  // namespace icr::node
