// Carries out the pipes of a command on the text of its answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar/pipe.h"
#include "model/base/result.h"

namespace icr::cli {

/// Returns the name of the file that an operator means: ~/ at its beginning stands for his home folder.
[[nodiscard]] std::string file_named(std::string_view typed);

class HostNames;
class PipeStage;

/// The pipes of one command. The answer flows through it in pieces of any size; nothing is kept but a line that is not
/// complete, what `last` prints at the end, and some lines of `resolve`. Thread: one.
class Chain {
 public:
  using Out = std::function<void(std::string_view text)>;

  /// Opens the files of `pipes`. Returns an error if one cannot be opened. `screen_lines` is what `last` prints without
  /// a number. `names` is what `resolve` asks. `out` takes what comes out at the end, and messages such as `Count: 3
  /// lines`. REQUIRES: `names` outlives the chain.
  [[nodiscard]] static Result<Chain> open(const std::vector<Pipe>& pipes, std::uint32_t screen_lines, HostNames& names,
                                          Out out);

  Chain(Chain&&) noexcept;
  Chain& operator=(Chain&&) = delete;
  ~Chain();

  /// Takes a piece of the answer.
  void write(std::string_view text);
  /// Takes the end of the answer: prints what only the end tells, and closes the files. Returns an error if a file was
  /// not written completely. REQUIRES: called once, last.
  [[nodiscard]] Result<void> finish();

 private:
  explicit Chain(Out out);

  Out out_;
  std::vector<std::unique_ptr<PipeStage>> stages_;
  std::string partial_;  ///< a line whose end has not come
};

}  // namespace icr::cli
