#include "cli/netconf/calls.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cli/grammar/grammar.h"
#include "cli/grammar/quotes.h"
#include "cli/rpc.h"

namespace icr::cli::netconf {
namespace {

/// A word of a command line, or the value of an argument.
struct Step {
  std::string word;  ///< of a value: the name of its argument
  bool is_value = false;
};

/// A command that a call can be.
struct Route {
  std::string call;
  std::vector<Step> steps;
  const GrammarNode* end = nullptr;  ///< its options are arguments as well
  Verb verb = Verb::show_sessions;
};

/// The first words of a command are no arguments: "show services", "clear services".
constexpr std::size_t kFirstWords = 2;

/// Stores some value that an option or node accepts.
template <class Taker>
void take_sample(const Taker& taker, Command& command) {
  constexpr std::array<std::string_view, 3> samples = {"192.0.2.1", "1", "x"};
  for (const auto sample : samples) {
    if (taker.take(command, sample)) return;
  }
}

void collect(const GrammarNode& node, const Command& before, const std::vector<Step>& steps, std::vector<Route>& out) {
  if (node.complete) {
    const auto call = rpc_name(before);
    if (!call.empty()) out.push_back({std::string(call), steps, &node, before.verb});
    for (const auto& option : node.options) {
      Command with = before;
      take_sample(option, with);
      const auto other = rpc_name(with);
      if (other.empty() || other == call) continue;
      auto longer = steps;
      longer.push_back({std::string(option.word), false});
      if (option.has_value) longer.push_back({std::string(argument_of(with.verb, option.word)), true});
      out.push_back({std::string(other), std::move(longer), &node, with.verb});
    }
  }
  for (const auto& child : node.children) {
    Command command = before;
    auto longer = steps;
    if (child.word.empty()) {
      // The word in front of a value is the name of the argument.
      const std::string name = steps.empty() ? std::string() : steps.back().word;
      take_sample(child, command);
      longer.push_back({name, true});
    } else {
      longer.push_back({std::string(child.word), false});
    }
    if (child.enter != nullptr) child.enter(command);
    collect(child, command, longer, out);
  }
}

const std::vector<Route>& routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> out;
    collect(grammar(), {}, {}, out);
    return out;
  }();
  return all;
}

/// Names of the YANG models for what another call asks as well.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kOtherNames = {{
    {"get-service-sfw-flow-table-information", "get-service-msp-flow-table-information"},
    {"get-nat-mapping", "get-service-nat-mapping-brief"},
    {"get-nat-mapping-summary", "get-service-nat-mapping-summary"},
    {"get-nat-app-mapping", "get-service-nat-mapping-address-pooling-paired"},
    {"get-nat-endpoint-independent-mapping", "get-service-nat-mapping-endpoint-independent"},
}};

const Argument* find(const std::vector<Argument>& arguments, std::string_view name) {
  const auto found =
      std::find_if(arguments.begin(), arguments.end(), [&](const Argument& each) { return each.name == name; });
  return found == arguments.end() ? nullptr : &*found;
}

/// Returns how many of the arguments are steps of the route; nothing if a value is missing.
std::optional<std::size_t> fit(const Route& route, const std::vector<Argument>& arguments) {
  std::size_t out = 0;
  for (std::size_t i = kFirstWords; i < route.steps.size(); ++i) {
    const bool given = find(arguments, route.steps[i].word) != nullptr;
    if (route.steps[i].is_value && !given) return std::nullopt;
    if (given) ++out;
  }
  return out;
}

bool is_step(const Route& route, const Argument& argument) {
  for (std::size_t i = kFirstWords; i < route.steps.size(); ++i) {
    if (route.steps[i].word == argument.name && (route.steps[i].is_value || argument.value.empty())) return true;
  }
  return false;
}

}  // namespace

tl::expected<std::string, CallError> line_of_call(std::string_view name, std::vector<Argument> arguments) {
  for (Argument& each : arguments) {
    // The file is an argument of the call, and a word of the command.
    if (name == "get-log" && each.name == "filename" && each.value == "messages") each = {"messages", ""};
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    for (std::size_t before = 0; before < i; ++before) {
      if (arguments[before].name == arguments[i].name) {
        return tl::unexpected(CallError{false, arguments[i].name, "syntax error"});
      }
    }
  }
  const Route* route = nullptr;
  std::optional<std::size_t> best;
  bool known = false;
  for (const auto& each : routes()) {
    if (each.call != name) continue;
    known = true;
    const auto fits = fit(each, arguments);
    if (!fits || (best && *fits <= *best)) continue;
    best = fits;
    route = &each;
  }
  if (!known) return tl::unexpected(CallError{true, std::string(name), "syntax error, expecting <rpc>"});
  if (route == nullptr) return tl::unexpected(CallError{false, std::string(name), "syntax error, expecting <data>."});
  std::string line;
  for (const auto& step : route->steps) {
    if (!line.empty()) line += ' ';
    line += step.is_value ? in_quotes(find(arguments, step.word)->value) : step.word;
  }
  std::string behind;  // options that need another one before them, and names without a keyword
  for (const auto& argument : arguments) {
    if (is_step(*route, argument)) continue;
    const auto& options = route->end->options;
    const auto option = std::find_if(options.begin(), options.end(), [&](const GrammarOption& each) {
      return argument_of(route->verb, each.word) == argument.name;
    });
    if (option == options.end() || (!option->has_value && !argument.value.empty())) {
      return tl::unexpected(CallError{false, argument.name, "syntax error"});
    }
    std::string& target = option->required != 0 || option->word.empty() ? behind : line;
    if (!option->word.empty()) target += fmt::format(" {}", option->word);
    if (option->has_value) target += ' ' + in_quotes(argument.value);
  }
  return line + behind;
}

std::string_view usual_name(std::string_view call) {
  for (const auto& [other, usual] : kOtherNames) {
    if (other == call) return usual;
  }
  return call;
}

std::vector<std::string> names_of_calls() {
  std::vector<std::string> out;
  for (const auto& each : routes()) out.push_back(each.call);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace icr::cli::netconf
