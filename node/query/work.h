// Works on a question in slices. Only node/query uses it.
#pragma once

#include "node/query/mailbox.h"

namespace icr::node {

/// Works on `task` for about `max_slots` slots at most. Returns true if the task is finished and its reply complete.
[[nodiscard]] bool work_on(QueryTask& task, CardView& card, TimePoint now, std::uint32_t max_slots);

}  // namespace icr::node
