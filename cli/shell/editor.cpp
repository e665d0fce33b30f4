#include "cli/shell/editor.h"

#include <histedit.h>

#include <clocale>
#include <cstdio>

#include "cli/shell/history.h"
#include "cli/shell/terminal.h"
#include "model/base/text.h"

namespace icr::cli {

struct Editor::State {
  OnKey on_key;
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::string prompt;
  std::string shown;       ///< to be shown before the line is edited further
  std::string kept;        ///< the line then
  int kept_behind = 0;     ///< how many characters of it are behind the cursor
  bool cancelled = false;  ///< the line was given up with Ctrl-C
};

namespace {

/// The key that brings back a line that was being edited. No keyboard sends it.
constexpr const char* kRestoreKey = "\x1f";
constexpr const char* kEndKey = "\n";

}  // namespace

// libedit knows nothing of members: these are its callbacks.
struct EditorCallbacks {
  static Editor::State& of(EditLine* editor) {
    void* state = nullptr;
    el_get(editor, EL_CLIENTDATA, &state);
    return *static_cast<Editor::State*>(state);
  }

  static char* prompt(EditLine* editor) { return of(editor).prompt.data(); }

  static unsigned char key(EditLine* editor, int ch) {
    Editor::State& state = of(editor);
    const LineInfo* line = el_line(editor);
    const std::string_view before(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
    const bool at_end = line->cursor == line->lastchar;
    const char pressed = static_cast<char>(ch);
    if (!at_end && pressed == ' ') return el_insertstr(editor, " ") == 0 ? CC_REFRESH : CC_ERROR;
    const Edit edit = state.on_key(pressed, before);
    if (!edit.insert.empty() && el_insertstr(editor, edit.insert.c_str()) != 0) return CC_ERROR;
    if (edit.shown.empty()) return edit.insert.empty() ? CC_NORM : CC_REFRESH;
    // The line ends here for libedit, so that the cursor goes behind it however many rows it takes.
    line = el_line(editor);
    state.kept.assign(line->buffer, line->lastchar);
    state.kept_behind =
        static_cast<int>(columns_of({line->cursor, static_cast<std::size_t>(line->lastchar - line->cursor)}));
    state.shown = edit.shown;
    el_push(editor, kEndKey);
    return CC_REFRESH;
  }

  static unsigned char restore(EditLine* editor, int /*ch*/) {
    Editor::State& state = of(editor);
    if (!state.kept.empty() && el_insertstr(editor, state.kept.c_str()) != 0) return CC_ERROR;
    el_cursor(editor, -state.kept_behind);
    state.kept.clear();
    return CC_REFRESH;
  }

  static unsigned char cancel(EditLine* editor, int /*ch*/) {
    of(editor).cancelled = true;
    el_push(editor, kEndKey);
    return CC_REFRESH;
  }
};

Editor::Editor(OnKey on_key) : state_(std::make_unique<State>()) {
  // libedit reads and draws characters, and must know how they are encoded.
  if (std::setlocale(LC_CTYPE, "") == nullptr) std::setlocale(LC_CTYPE, "C.UTF-8");
  state_->on_key = std::move(on_key);
  state_->history = history_init();
  HistEvent event;
  history(state_->history, &event, H_SETSIZE, static_cast<int>(kHistoryLines));
  history(state_->history, &event, H_SETUNIQUE, 1);
  EditLine* editor = el_init("icr", stdin, stdout, stderr);
  state_->editor = editor;
  el_set(editor, EL_CLIENTDATA, state_.get());
  el_set(editor, EL_PROMPT, &EditorCallbacks::prompt);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_SIGNAL, 1);  // a terminal that changes its size, or goes away
  el_set(editor, EL_HIST, &history, state_->history);
  el_set(editor, EL_ADDFN, "icr-key", "Help or completion", &EditorCallbacks::key);
  el_set(editor, EL_ADDFN, "icr-restore", "Edit the former line again", &EditorCallbacks::restore);
  el_set(editor, EL_ADDFN, "icr-cancel", "Give up the line", &EditorCallbacks::cancel);
  for (const char* key : {"?", " ", "\t"}) el_set(editor, EL_BIND, key, "icr-key", nullptr);
  el_set(editor, EL_BIND, kRestoreKey, "icr-restore", nullptr);
  // Ctrl-C is a key while a line is edited.
  el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
  el_set(editor, EL_BIND, "^C", "icr-cancel", nullptr);
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

Editor::~Editor() {
  el_end(state_->editor);
  history_end(state_->history);
}

std::optional<std::string> Editor::read(const std::string& prompt) {
  state_->prompt = prompt;
  while (true) {
    int length = 0;
    const char* got = el_gets(state_->editor, &length);
    if (got == nullptr || length <= 0) return std::nullopt;
    if (state_->cancelled) {
      state_->cancelled = false;
      continue;
    }
    if (!state_->shown.empty()) {
      write_out(state_->shown);
      state_->shown.clear();
      el_push(state_->editor, kRestoreKey);
      continue;
    }
    std::string line(got, static_cast<std::size_t>(length));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return line;
  }
}

void Editor::remember(const std::string& line) {
  HistEvent event;
  history(state_->history, &event, H_ENTER, line.c_str());
}

}  // namespace icr::cli
