#include "model/base/counters.h"

#include <algorithm>

namespace icr {

void add_counters(CounterList& sums, const CounterList& more) {
  for (std::size_t i = 0; i < more.size(); ++i) {
    // Two lists of the same component have the same order: the first guess is nearly always right.
    auto found = i < sums.size() && sums[i].name == more[i].name
                     ? sums.begin() + static_cast<std::ptrdiff_t>(i)
                     : std::find_if(sums.begin(), sums.end(),
                                    [&](const NamedCounter& counter) { return counter.name == more[i].name; });
    if (found == sums.end()) {
      sums.push_back(more[i]);
    } else {
      found->value += more[i].value;
    }
  }
}

}  // namespace icr
