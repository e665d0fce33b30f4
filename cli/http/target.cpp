#include "cli/http/target.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cli/grammar/quotes.h"
#include "cli/grammar/reference.h"

namespace icr::cli::http {
namespace {

constexpr std::string_view kExpectingCommand = "syntax error, expecting <command>.";
constexpr std::string_view kExpectingData = "syntax error, expecting <data>.";

/// A parameter of a request.
struct Parameter {
  std::string name;
  std::string value;
  const GrammarOption* option = nullptr;
};

/// Where a path leads.
struct Place {
  const GrammarNode* node = nullptr;
  std::string line;   ///< the words of the command
  std::string words;  ///< those that are keywords
};

const GrammarNode& show() {
  const auto& first = grammar().children;
  return *std::find_if(first.begin(), first.end(), [](const GrammarNode& node) { return node.word == "show"; });
}

void collect(const GrammarNode& node, const Route& before, std::vector<Route>& out) {
  for (const auto& child : node.children) {
    Route route = before;
    route.node = &child;
    if (child.word.empty()) {
      const auto same = std::count_if(before.values.begin(), before.values.end(),
                                      [&](const PathValue& each) { return each.name == child.value; });
      std::string name = same == 0 ? std::string(child.value) : fmt::format("{}-{}", child.value, same + 1);
      route.path += fmt::format("/{{{}}}", name);
      route.words += fmt::format(" <{}>", child.value);
      route.values.push_back({std::move(name), child.help});
    } else {
      route.path += fmt::format("/{}", child.word);
      route.words += fmt::format(" {}", child.word);
      route.help = child.help;  // that of a value says less
    }
    if (child.enter != nullptr) child.enter(route.command);
    if (child.complete) out.push_back(route);
    collect(child, route, out);
  }
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Returns what may follow in a path: words, `{value}`, and parameters as `?word`.
std::vector<std::string> possible_after(const GrammarNode& node) {
  std::vector<std::string> out;
  for (const auto& child : node.children) {
    out.push_back(child.word.empty() ? fmt::format("{{{}}}", child.value) : std::string(child.word));
  }
  for (const auto& option : node.options) out.push_back(fmt::format("?{}", parameter_of(option)));
  return out;
}

tl::expected<Place, Refusal> place_of(std::string_view path) {
  Place place{&show(), "show", "show"};
  const auto unknown = [&](std::string bad) {
    return tl::unexpected(Refusal{404, std::string(kExpectingCommand), std::move(bad), possible_after(*place.node)});
  };
  if (path.substr(0, kRoot.size()) != kRoot || (path.size() > kRoot.size() && path[kRoot.size()] != '/')) {
    return tl::unexpected(Refusal{404, fmt::format("all paths begin with {}/", kRoot), std::string(path)});
  }
  path.remove_prefix(kRoot.size());
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto raw = path.substr(0, path.find('/'));
    path.remove_prefix(raw.size());
    const auto segment = percent_decoded(raw);
    if (!segment) return tl::unexpected(Refusal{400, "this is not percent-encoded", std::string(raw)});
    const auto& children = place.node->children;
    auto next = std::find_if(children.begin(), children.end(),
                             [&](const GrammarNode& child) { return !child.word.empty() && child.word == *segment; });
    const bool keyword = next != children.end();
    if (!keyword) {
      next =
          std::find_if(children.begin(), children.end(), [](const GrammarNode& child) { return child.word.empty(); });
    }
    if (next == children.end()) return unknown(*segment);
    place.node = &*next;
    place.line += ' ' + (keyword ? *segment : in_quotes(*segment));
    if (keyword) place.words += ' ' + *segment;
  }
  if (!place.node->complete) return unknown("");
  return place;
}

tl::expected<std::vector<Parameter>, Refusal> parameters_of(const GrammarNode& node, std::string_view query) {
  const auto refuse = [](std::string message, std::string_view bad, std::vector<std::string> possible = {}) {
    return tl::unexpected(Refusal{400, std::move(message), std::string(bad), std::move(possible)});
  };
  std::vector<Parameter> out;
  while (!query.empty()) {
    const auto piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), piece.size() + 1));
    const auto equals = piece.find('=');
    const auto name = percent_decoded(piece.substr(0, equals));
    const auto value = percent_decoded(equals == std::string_view::npos ? "" : piece.substr(equals + 1));
    if (!name || !value) return refuse("this is not percent-encoded", piece);
    const auto option = std::find_if(node.options.begin(), node.options.end(),
                                     [&](const GrammarOption& each) { return parameter_of(each) == *name; });
    if (option == node.options.end()) {
      std::vector<std::string> possible;
      for (const auto& each : node.options) possible.emplace_back(parameter_of(each));
      return refuse("syntax error, expecting <command>.", *name, std::move(possible));
    }
    if (std::any_of(out.begin(), out.end(), [&](const Parameter& each) { return each.option == &*option; })) {
      return refuse(fmt::format("the parameter {} is there twice", *name), *name);
    }
    if (option->has_value && value->empty()) return refuse(std::string(kExpectingData), *name);
    if (!option->has_value && !value->empty() && *value != "true" && *value != "false") {
      return refuse(fmt::format("the parameter {} takes no value but true and false", *name), *value,
                    {"true", "false"});
    }
    out.push_back({*name, *value, &*option});
  }
  return out;
}

/// Returns true if `command` has what the value of an option without a keyword stands for. Such a value could be taken
/// for a keyword, or for the beginning of one.
bool has_value_of(const Command& command, const Parameter& parameter) {
  Command expected;
  if (!parameter.option->take(expected, parameter.value)) return false;
  const auto card_of = [](const Command& of) { return of.interface ? of.interface->card : std::string(); };
  return expected.name == command.name && (!expected.interface || card_of(expected) == card_of(command));
}

}  // namespace

const std::vector<Route>& routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> out;
    Route root;
    root.path = kRoot;
    root.words = "show";
    collect(show(), root, out);
    return out;
  }();
  return all;
}

std::string_view parameter_of(const GrammarOption& option) { return option.word.empty() ? "name" : option.word; }

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? digit_of(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return std::nullopt;
    out += c;
  }
  return out;
}

tl::expected<Question, Refusal> question_of(std::string_view target, const Names* names) {
  const auto mark = target.find('?');
  const auto place = place_of(target.substr(0, mark));
  if (!place) return tl::unexpected(place.error());
  const auto parameters =
      parameters_of(*place->node, mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1));
  if (!parameters) return tl::unexpected(parameters.error());
  std::string line = place->line;
  std::string behind;  // options that need another one before them, and then names without a keyword
  std::string last;
  for (const auto& parameter : *parameters) {
    const GrammarOption& option = *parameter.option;
    if (!option.has_value && parameter.value == "false") continue;
    std::string& into = option.word.empty() ? last : option.required != 0 ? behind : line;
    if (!option.word.empty()) into += fmt::format(" {}", option.word);
    if (option.has_value) into += ' ' + in_quotes(parameter.value);
  }
  line += behind + last;
  auto command = parse_command(line, names);
  if (!command) {
    const auto& error = command.error();
    const auto word = line.substr(std::min(error.column, line.size()));
    auto bad = word.substr(0, word.find(' '));
    bad.erase(std::remove(bad.begin(), bad.end(), '"'), bad.end());
    return tl::unexpected(Refusal{400, error.message, std::move(bad)});
  }
  for (const auto& parameter : *parameters) {
    if (parameter.option->word.empty() && !has_value_of(*command, parameter)) {
      return tl::unexpected(Refusal{400, "a word of the command is no name here", parameter.value});
    }
  }
  if (!only_shows(command->verb)) return tl::unexpected(Refusal{404, std::string(kExpectingCommand)});
  return Question{std::move(*command), privilege_of(place->words)};
}

}  // namespace icr::cli::http
