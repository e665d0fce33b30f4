// A step of the pipes of a command.
#pragma once

#include <string_view>

#include "cli/pipes/chain.h"

namespace icr::cli {

/// Gets one line after the other, and passes on what comes out.
class PipeStage {
 public:
  PipeStage() = default;
  PipeStage(const PipeStage&) = delete;
  PipeStage& operator=(const PipeStage&) = delete;
  virtual ~PipeStage() = default;

  /// Takes a line without its newline.
  virtual void line(std::string_view text) = 0;
  /// Takes the end of the answer. Returns an error if something was not written.
  virtual Result<void> end() { return {}; }

  void pass_to(PipeStage* next, const Chain::Out* out) {
    next_ = next;
    out_ = out;
  }

 protected:
  /// Gives a line to the next stage, or prints it.
  void pass(std::string_view text) const {
    if (next_ != nullptr) return next_->line(text);
    print(text);
  }
  /// Prints a line past the stages behind this one.
  void print(std::string_view text) const {
    (*out_)(text);
    (*out_)("\n");
  }

 private:
  PipeStage* next_ = nullptr;
  const Chain::Out* out_ = nullptr;
};

}  // namespace icr::cli
