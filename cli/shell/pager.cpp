#include "cli/shell/pager.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cli/grammar/pattern.h"
#include "cli/pipes/chain.h"
#include "model/base/text.h"

namespace icr::cli {
namespace {

constexpr std::string_view kMore = "---(more)---";
constexpr std::string_view kMoreAtEnd = "---(more 100%)---";
constexpr std::string_view kErase = "\r\x1b[K";
constexpr std::size_t kPieceBytes = 64 * 1024;

constexpr std::string_view kKeys =
    "  Space, f     the next page           Enter, Down  the next line\n"
    "  d            the next half page      b, Page Up   the former page\n"
    "  g            the first page          G            the last page\n"
    "  /            search for a pattern    n            search for it again\n"
    "  s            save all lines          q, Ctrl-C    leave\n";

}  // namespace

ScreenSize Pager::size() const {
  ScreenSize out = screen_size();
  if (paging_.length) out.rows = *paging_.length;
  if (paging_.width) out.columns = *paging_.width;
  return out;
}

std::size_t Pager::rows_of(const std::string& line) const {
  const std::size_t columns = size().columns;
  const std::size_t needed = columns_of(line);
  return columns == 0 || needed == 0 ? 1 : (needed + columns - 1) / columns;
}

bool Pager::has(std::size_t index) {
  while (index >= spool_.lines() && !ended_) {
    flush();
    char piece[kPieceBytes];
    const auto got = ::read(source_, piece, sizeof piece);
    if (interrupted_) break;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      ended_ = true;
      spool_.end();
    } else if (spool_.usable()) {
      spool_.append({piece, static_cast<std::size_t>(got)});
    } else {
      // Without room for a file there are no pages.
      out_.append(piece, static_cast<std::size_t>(got));
    }
  }
  return index < spool_.lines() && !interrupted_;
}

void Pager::read_all() {
  while (!ended_ && !interrupted_) (void)has(spool_.lines());
}

void Pager::flush() {
  if (!out_.empty() && !write_out(out_)) broken_ = true;
  out_.clear();
}

void Pager::print(std::size_t rows) {
  bool first = true;
  while (!broken_ && has(next_)) {
    const std::string line = spool_.line(next_);
    const std::size_t needed = rows_of(line);
    if (paged() && !first && needed > rows) break;
    first = false;
    rows -= std::min(rows, needed);
    out_ += line;
    out_ += '\n';
    if (out_.size() >= kPieceBytes) flush();
    ++next_;
    if (paged() && rows == 0) break;
  }
  flush();
}

Pager::End Pager::show() {
  budget_ = size().rows - 1;
  while (!broken_) {
    print(budget_);
    if (interrupted_) return End::interrupted;
    const bool at_end = !has(next_);
    if (interrupted_) return End::interrupted;
    if (at_end && (!paging_.hold || !paged())) return End::shown;
    if (ask(at_end) == Next::leave) return at_end ? End::shown : End::left;
  }
  return End::left;
}

Pager::Next Pager::ask(bool at_end) {
  const RawKeys keys(interrupted_);
  while (true) {
    write_out(at_end ? kMoreAtEnd : kMore);
    const int key = keys.next();
    const std::size_t page = std::max<std::size_t>(2, size().rows) - 1;  // the terminal may have changed meanwhile
    switch (key) {
      case -1:
      case 'q':
      case 'Q':
        if (at_end) {
          write_out(kErase);
        } else {
          write_out("[abort]\n");
        }
        return Next::leave;
      case ' ':
      case 'f':
      case kPageDown:
        budget_ = page;
        break;
      case '\r':
      case '\n':
      case kDown:
        budget_ = 1;
        break;
      case 'd':
        budget_ = (page + 1) / 2;
        break;
      case 'b':
      case kPageUp:
        write_out(kErase);
        go_back(2 * page);
        budget_ = page;
        return Next::go_on;
      case 'g':
        next_ = 0;
        budget_ = page;
        break;
      case 'G':
        write_out(kErase);
        read_all();
        next_ = spool_.lines();
        go_back(page);
        budget_ = page;
        return Next::go_on;
      case '/':
      case 'n':
      case 's': {
        write_out(kErase);
        if (key == 's') {
          save(keys);
          continue;
        }
        if (key == '/') {
          const auto pattern = read_line(keys, "/");
          if (!pattern) continue;
          if (!pattern->empty()) pattern_ = *pattern;
        }
        const std::size_t before = next_;
        search();
        if (next_ == before) continue;
        budget_ = page - 1;
        return Next::go_on;
      }
      case 'h':
      case '?':
        write_out(kErase);
        write_out(kKeys);
        continue;
      default:
        write_out(kErase);
        continue;
    }
    // Behind the end nothing but leaving is left.
    write_out(kErase);
    return at_end && key != 'g' ? Next::leave : Next::go_on;
  }
}

void Pager::go_back(std::size_t rows) {
  while (next_ > 0 && rows > 0) {
    --next_;
    rows -= std::min(rows, rows_of(spool_.line(next_)));
  }
}

void Pager::save(const RawKeys& keys) {
  const auto typed = read_line(keys, "Save to file: ");
  if (!typed || typed->empty()) return;
  const std::string name = file_named(*typed);
  read_all();
  const auto saved = spool_.save(name);
  write_out(saved ? fmt::format("Wrote {} lines of output to '{}'\n", spool_.lines(), name)
                  : fmt::format("error: {}\n", saved.error().message));
}

void Pager::search() {
  if (pattern_.empty()) return;
  const auto pattern = Pattern::compile(pattern_);
  if (!pattern) {
    write_out(pattern.error().message + "\n");
    return;
  }
  for (std::size_t line = next_; has(line); ++line) {
    if (!pattern->matches(spool_.line(line))) continue;
    // A match in the line that comes next would look like no match at all: the search begins behind it next time.
    write_out("...skipping\n");
    next_ = line;
    print(1);
    return;
  }
  write_out("Pattern not found\n");
}

std::optional<std::string> Pager::read_line(const RawKeys& keys, std::string_view label) {
  std::string text;
  while (true) {
    write_out(fmt::format("{}{}{}", kErase, label, text));
    const int key = keys.next();
    if (key == -1 || key == kEscape) {
      write_out(kErase);
      return std::nullopt;
    }
    if (key == '\r' || key == '\n') {
      write_out(kErase);
      return text;
    }
    if (key == 127 || key == 8) {
      // A character of several octets goes at once.
      while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0U) == 0x80U) text.pop_back();
      if (!text.empty()) text.pop_back();
    } else if (key == 21) {
      text.clear();
    } else if (key >= ' ' && key < 256) {
      text += static_cast<char>(key);
    }
  }
}

}  // namespace icr::cli
