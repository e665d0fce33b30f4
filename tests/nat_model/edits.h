// Another cluster file, made from a random one: what an operator changes from one commit to the next.
#pragma once

#include <string>

#include "tests/nat_model/world.h"

namespace icr::node::test::nat_model {

/// What became of a file, for the coverage of a test.
struct Edits {
  unsigned made = 0;     ///< files that differ
  unsigned refused = 0;  ///< texts that the reader of cluster files refused, and that were made anew
};

/// Returns a world with the same hosts and another file: lists in another order, things added, removed, renamed and
/// changed. The texts come from Writer.
[[nodiscard]] World edited(const World& world, Dice& dice, Edits& edits);

}  // namespace icr::node::test::nat_model
