// Standard input, output and error of a program.
#pragma once

namespace icr {

/// Opens /dev/null in place of each of the three standard files that the program was started without. Otherwise the
/// next file or socket that is opened would take its number, and what is printed would go there. What a program writes
/// to a standard output that was closed still fails, so that it can say so. Returns false if it is not possible.
/// REQUIRES: called first in main().
[[nodiscard]] bool hold_standard_files();

/// Lets the process have as many descriptors as it may. Services managers and shells give it few, and questions to a
/// thousand chassis, or a store with a long history, need thousands.
void take_descriptors();

}  // namespace icr
