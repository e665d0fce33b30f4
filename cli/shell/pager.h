// Shows an answer in pages: `---(more)---`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/shell/spool.h"
#include "cli/shell/terminal.h"

namespace icr::cli {

/// What `set cli` and the pipes of a command say about pages.
struct Paging {
  std::optional<std::uint32_t> length;  ///< lines on the screen; 0: no pages; without a value those of the terminal
  std::optional<std::uint32_t> width;   ///< likewise; 0: any
  bool hold = false;                    ///< wait at the end, too
};

/// The pager of one answer. Thread: one.
class Pager {
 public:
  enum class End : std::uint8_t { shown, left, interrupted };

  /// `interrupted` becomes true when the operator types Ctrl-C while an answer is coming. `source` is where it comes
  /// from.
  Pager(int source, const Paging& paging, const volatile bool& interrupted)
      : source_(source), paging_(paging), interrupted_(interrupted) {}

  /// Shows what comes until the end, or until the operator has seen enough.
  [[nodiscard]] End show();

 private:
  enum class Next : std::uint8_t { go_on, leave };

  /// Reads until line `index` is complete. Returns false if it does not exist.
  bool has(std::size_t index);
  void read_all();
  /// Prints lines from `next_` on, as many as fit into `rows`.
  void print(std::size_t rows);
  void flush();
  [[nodiscard]] ScreenSize size() const;
  [[nodiscard]] bool paged() const { return size().rows != 0; }
  [[nodiscard]] std::size_t rows_of(const std::string& line) const;

  /// Shows the prompt, and does what the operator wants.
  Next ask(bool at_end);
  void go_back(std::size_t rows);
  void search();
  void save(const RawKeys& keys);
  /// Reads a line at the prompt. Returns nothing if the operator changed his mind.
  static std::optional<std::string> read_line(const RawKeys& keys, std::string_view label);

  int source_;
  Paging paging_;
  const volatile bool& interrupted_;
  Spool spool_;
  std::string out_;  ///< what is not written yet
  bool ended_ = false;
  bool broken_ = false;     ///< the terminal is gone
  std::size_t next_ = 0;    ///< the first line that was not shown
  std::size_t budget_ = 0;  ///< rows to be printed before the next prompt
  std::string pattern_;     ///< of the last search
};

}  // namespace icr::cli
