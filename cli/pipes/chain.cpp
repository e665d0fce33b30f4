#include "cli/pipes/chain.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "cli/grammar/pattern.h"
#include "cli/pipes/resolve.h"
#include "cli/pipes/stage.h"

namespace icr::cli {

std::string file_named(std::string_view typed) {
  const char* home = std::getenv("HOME");
  if (typed.substr(0, 2) != "~/" || home == nullptr || *home == '\0') return std::string(typed);
  return std::string(home) + std::string(typed.substr(1));
}

namespace {

class MatchStage final : public PipeStage {
 public:
  MatchStage(Pattern pattern, bool wanted) : pattern_(std::move(pattern)), wanted_(wanted) {}
  void line(std::string_view text) override {
    if (pattern_.matches(text) == wanted_) pass(text);
  }

 private:
  Pattern pattern_;
  bool wanted_;
};

class FindStage final : public PipeStage {
 public:
  explicit FindStage(Pattern pattern) : pattern_(std::move(pattern)) {}
  void line(std::string_view text) override {
    found_ = found_ || pattern_.matches(text);
    if (found_) pass(text);
  }
  Result<void> end() override {
    if (!found_) print("Pattern not found");
    return {};
  }

 private:
  Pattern pattern_;
  bool found_ = false;
};

class CountStage final : public PipeStage {
 public:
  void line(std::string_view /*text*/) override { ++lines_; }
  Result<void> end() override {
    pass(fmt::format("Count: {} lines", lines_));
    return {};
  }

 private:
  std::uint64_t lines_ = 0;
};

class LastStage final : public PipeStage {
 public:
  explicit LastStage(std::size_t most) : most_(most) {}
  void line(std::string_view text) override {
    if (lines_.size() == most_) {
      // The oldest string is used again, so that its memory is.
      std::string oldest = std::move(lines_.front());
      lines_.pop_front();
      oldest = text;
      lines_.push_back(std::move(oldest));
    } else {
      lines_.emplace_back(text);
    }
  }
  Result<void> end() override {
    for (const auto& each : lines_) pass(each);
    return {};
  }

 private:
  std::size_t most_;
  std::deque<std::string> lines_;
};

class TrimStage final : public PipeStage {
 public:
  explicit TrimStage(std::size_t columns) : columns_(columns) {}
  void line(std::string_view text) override { pass(text.substr(std::min(columns_, text.size()))); }

 private:
  std::size_t columns_;
};

/// Writes lines to a file; `tee` also passes them on.
class FileStage final : public PipeStage {
 public:
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  FileStage(File file, std::string name, bool tee) : file_(std::move(file)), name_(std::move(name)), tee_(tee) {}

  void line(std::string_view text) override {
    ++lines_;
    if (error_ == 0 && (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
                        std::fputc('\n', file_.get()) == EOF)) {
      error_ = errno;
    }
    if (tee_) pass(text);
  }
  Result<void> end() override {
    if (std::fclose(file_.release()) != 0 && error_ == 0) error_ = errno;
    if (error_ != 0) return fail("could not write '{}': {}", name_, error_text(error_));
    if (!tee_) print(fmt::format("Wrote {} lines of output to '{}'", lines_, name_));
    return {};
  }

 private:
  File file_;
  std::string name_;
  bool tee_;
  std::uint64_t lines_ = 0;
  int error_ = 0;
};

Result<std::unique_ptr<PipeStage>> file_stage(const Pipe& pipe) {
  const std::string name = file_named(pipe.text);
  FileStage::File file(std::fopen(name.c_str(), pipe.kind == Pipe::Kind::append ? "ae" : "we"), std::fclose);
  if (file == nullptr) return fail("could not open '{}': {}", name, error_text(errno));
  return std::make_unique<FileStage>(std::move(file), name, pipe.kind == Pipe::Kind::tee);
}

/// Returns the stage of a pipe, or null for a pipe that does not change the text.
Result<std::unique_ptr<PipeStage>> stage_of(const Pipe& pipe, std::uint32_t screen_lines, HostNames& names) {
  switch (pipe.kind) {
    case Pipe::Kind::match:
    case Pipe::Kind::except:
    case Pipe::Kind::find: {
      auto pattern = Pattern::compile(pipe.text);
      if (!pattern) return tl::unexpected(pattern.error());
      if (pipe.kind == Pipe::Kind::find) return std::make_unique<FindStage>(std::move(*pattern));
      return std::make_unique<MatchStage>(std::move(*pattern), pipe.kind == Pipe::Kind::match);
    }
    case Pipe::Kind::count:
      return std::make_unique<CountStage>();
    case Pipe::Kind::last:
      return std::make_unique<LastStage>(pipe.number != 0 ? pipe.number : screen_lines);
    case Pipe::Kind::trim:
      return std::make_unique<TrimStage>(pipe.number);
    case Pipe::Kind::resolve:
      return resolve_stage(names, pipe.number != 0);
    case Pipe::Kind::append:
    case Pipe::Kind::save:
    case Pipe::Kind::tee:
      return file_stage(pipe);
    case Pipe::Kind::compare:
    case Pipe::Kind::hold:
    case Pipe::Kind::no_more:
    case Pipe::Kind::refresh:
      break;
  }
  return nullptr;
}

}  // namespace

Chain::Chain(Out out) : out_(std::move(out)) {}
Chain::~Chain() = default;

Chain::Chain(Chain&& other) noexcept
    : out_(std::move(other.out_)), stages_(std::move(other.stages_)), partial_(std::move(other.partial_)) {
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    stages_[i]->pass_to(i + 1 < stages_.size() ? stages_[i + 1].get() : nullptr, &out_);
  }
}

Result<Chain> Chain::open(const std::vector<Pipe>& pipes, std::uint32_t screen_lines, HostNames& names, Out out) {
  Chain chain(std::move(out));
  for (const auto& pipe : pipes) {
    auto stage = stage_of(pipe, screen_lines, names);
    if (!stage) return tl::unexpected(stage.error());
    if (*stage != nullptr) chain.stages_.push_back(std::move(*stage));
  }
  return chain;  // moving it connects the stages
}

void Chain::write(std::string_view text) {
  if (stages_.empty()) return out_(text);
  std::size_t end = 0;
  while ((end = text.find('\n')) != std::string_view::npos) {
    if (partial_.empty()) {
      stages_[0]->line(text.substr(0, end));
    } else {
      partial_ += text.substr(0, end);
      stages_[0]->line(partial_);
      partial_.clear();
    }
    text.remove_prefix(end + 1);
  }
  partial_ += text;
}

Result<void> Chain::finish() {
  if (!partial_.empty()) stages_[0]->line(partial_);
  Result<void> out;
  for (auto& stage : stages_) {
    if (auto ended = stage->end(); !ended && out) out = std::move(ended);
  }
  return out;
}

}  // namespace icr::cli
