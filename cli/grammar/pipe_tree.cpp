// The words behind `|`.
#include <algorithm>

#include "cli/grammar/grammar.h"
#include "cli/grammar/options.h"
#include "cli/grammar/pattern.h"
#include "cli/grammar/values.h"
#include "model/query/commit.h"

namespace icr::cli {
namespace {

constexpr std::uint64_t kMostLines = 1'000'000;
constexpr std::uint32_t kRefreshSeconds = 5;

template <Pipe::Kind kind>
void add_pipe(Command& c) {
  c.pipes.push_back({kind, {}, kind == Pipe::Kind::refresh ? kRefreshSeconds : 0});
}

bool has(const Command& c, Pipe::Kind kind) {
  return std::any_of(c.pipes.begin(), c.pipes.end(), [&](const Pipe& pipe) { return pipe.kind == kind; });
}

// Why a pipe may not follow the others of a command.

std::string_view refuse_refresh(const Command& c) {
  if (!only_shows(c.verb)) return "'refresh' is for 'show' commands.";
  return has(c, Pipe::Kind::refresh) ? "'refresh' can be given once." : "";
}

std::string_view refuse_display(const Command& c) {
  return c.display != Display::text ? "'display' can be given once." : "";
}

/// Of pipes through which lines flow.
std::string_view refuse_lines(const Command& c) {
  return has(c, Pipe::Kind::save) || has(c, Pipe::Kind::append) ? "no lines come out of 'save' and 'append'." : "";
}

template <Display display>
void set_display(Command& c) {
  c.display = display;
}

Result<void> take_pattern(Command& c, std::string_view v) {
  auto pattern = Pattern::compile(v);
  if (!pattern) return tl::unexpected(pattern.error());
  c.pipes.back().text = v;
  return {};
}

Result<void> take_file(Command& c, std::string_view v) {
  if (v.empty() || v.find('\0') != std::string_view::npos) return fail("invalid filename '{}'", v);
  c.pipes.back().text = v;
  return {};
}

template <std::uint64_t low, std::uint64_t high>
Result<void> take_count(Command& c, std::string_view v) {
  const auto number = parse_number(v, low, high);
  if (!number) return tl::unexpected(number.error());
  c.pipes.back().number = static_cast<std::uint32_t>(*number);
  return {};
}

using Take = Result<void> (*)(Command&, std::string_view);

GrammarNode value(std::string_view name, std::string_view help, Take take) {
  GrammarNode node;
  node.value = name;
  node.help = help;
  node.complete = true;
  node.take = take;
  return node;
}

/// Returns a pipe that needs a value.
GrammarNode with_value(std::string_view word, std::string_view help, void (*enter)(Command&), GrammarNode needed) {
  GrammarNode node = keyword(word, help, {std::move(needed)});
  node.enter = enter;
  return node;
}

/// Returns a pipe that may have a value.
GrammarNode with_optional_value(std::string_view word, std::string_view help, void (*enter)(Command&),
                                GrammarNode optional) {
  GrammarNode node = with_value(word, help, enter, std::move(optional));
  node.complete = true;
  return node;
}

GrammarNode display() {
  GrammarNode xml = command("xml", "Show output as XML tags", set_display<Display::xml>, {});
  xml.children = {command("rpc", "Show xml rpc for the command", set_display<Display::xml_rpc>, {})};
  return keyword("display", "Show additional kinds of information",
                 {
                     command("json", "Show output as JSON", set_display<Display::json>, {}),
                     command("set", "Show 'set' commands that create configuration", set_display<Display::set>, {}),
                     std::move(xml),
                 });
}

GrammarNode compare() {
  GrammarNode rollback =
      with_value("rollback", "Compare with prior rollback number", add_pipe<Pipe::Kind::compare>,
                 value("rollback", "Number of a former commit (0..49)", take_count<0, kMaxCommits - 1>));
  return keyword("compare", "Compare configuration changes with prior version", {std::move(rollback)});
}

GrammarNode resolve() {
  GrammarNode full = command("full-names", "Don't truncate names to the width of the address",
                             [](Command& c) { c.pipes.back().number = 1; }, {});
  GrammarNode node = command("resolve", "Resolve IP addresses", add_pipe<Pipe::Kind::resolve>, {});
  node.children = {std::move(full)};
  return node;
}

GrammarNode build_pipes() {
  using Kind = Pipe::Kind;
  const auto pattern = [] { return value("pattern", "Pattern to search for", take_pattern); };
  const auto file = [] { return value("filename", "Name of the file", take_file); };
  const auto unless = [](std::string_view (*refusal)(const Command&), GrammarNode node) {
    node.refusal = refusal;
    return node;
  };
  return keyword(
      "", "",
      {
          unless(refuse_lines, with_value("append", "Append output text to file", add_pipe<Kind::append>, file())),
          compare(),
          unless(refuse_lines, command("count", "Count occurrences", add_pipe<Kind::count>, {})),
          unless(refuse_display, display()),
          unless(refuse_lines, with_value("except", "Show only text that does not match a pattern",
                                          add_pipe<Kind::except>, pattern())),
          unless(refuse_lines,
                 with_value("find", "Search for first occurrence of pattern", add_pipe<Kind::find>, pattern())),
          command("hold", "Hold text without exiting the --More-- prompt", add_pipe<Kind::hold>, {}),
          unless(refuse_lines,
                 with_optional_value("last", "Display end of output only", add_pipe<Kind::last>,
                                     value("lines", "Number of lines (1..1000000)", take_count<1, kMostLines>))),
          unless(refuse_lines,
                 with_value("match", "Show only text that matches a pattern", add_pipe<Kind::match>, pattern())),
          command("no-more", "Don't paginate output", add_pipe<Kind::no_more>, {}),
          unless(refuse_refresh,
                 with_optional_value("refresh", "Refresh a continuous display of the command", add_pipe<Kind::refresh>,
                                     value("seconds", "Seconds between refreshes (1..604800)", take_count<1, 604800>))),
          unless(refuse_lines, resolve()),
          unless(refuse_lines, with_value("save", "Save output text to file", add_pipe<Kind::save>, file())),
          unless(refuse_lines, with_value("tee", "Write to standard output and file", add_pipe<Kind::tee>, file())),
          unless(refuse_lines,
                 with_value("trim", "Trim specified number of columns from start of line", add_pipe<Kind::trim>,
                            value("columns", "Number of columns (1..65535)", take_count<1, 65535>))),
      });
}

}  // namespace

const GrammarNode& pipe_grammar() {
  static const GrammarNode root = build_pipes();
  return root;
}

}  // namespace icr::cli
