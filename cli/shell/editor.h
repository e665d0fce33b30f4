// Reads lines at a terminal: editing, history, help and completion (libedit).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/grammar/completion.h"

namespace icr::cli {

/// The line editor of a shell. Only one exists at a time, because it owns the terminal. Thread: one.
class Editor {
 public:
  /// Returns what `key` (a space, a tab or `?`) does behind `before`.
  using OnKey = std::function<Edit(char key, std::string_view before)>;

  explicit Editor(OnKey on_key);
  ~Editor();
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  /// Reads one line, without its newline. Returns nothing at the end of the input.
  [[nodiscard]] std::optional<std::string> read(const std::string& prompt);
  /// Makes `line` the newest one of the history.
  void remember(const std::string& line);

 private:
  friend struct EditorCallbacks;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace icr::cli
