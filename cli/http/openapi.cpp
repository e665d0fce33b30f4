#include "cli/http/openapi.h"

#include <map>
#include <vector>

#include "cli/faces/escape.h"
#include "cli/grammar/reference.h"
#include "cli/http/answering.h"
#include "cli/http/target.h"

namespace icr::cli::http {
namespace {

std::string in_json(std::string_view text) {
  std::string out;
  append_json_text(text, out);
  return out;
}

/// Returns what a program must know of an option.
std::string object_of(const GrammarOption& option) {
  std::string help(option.help);
  if (option.value_words != nullptr) {
    std::string_view before = ": ";
    for (const auto& each : option.value_words()) {
      help += fmt::format("{}{}", before, each.word);
      before = ", ";
    }
  }
  const auto name = parameter_of(option);
  const std::string_view schema = option.has_value ? R"({"type": "string"})" : R"({"type": "boolean"})";
  const std::string_view empty = option.has_value ? "" : R"(, "allowEmptyValue": true)";
  return fmt::format(R"({{"name": {}, "in": "query", "description": {}, "schema": {}{}}})", in_json(name),
                     in_json(help), schema, empty);
}

/// The parameters of all commands. Options of two commands that have one name, but mean different things, are two.
class Parameters {
 public:
  /// Returns the name under which the description has an option.
  std::string key_of(const GrammarOption& option) {
    const std::string object = object_of(option);
    if (const auto known = keys_.find(object); known != keys_.end()) return known->second;
    const std::string name(parameter_of(option));
    const unsigned number = ++used_[name];
    std::string key = number == 1 ? name : fmt::format("{}-{}", name, number);
    keys_.emplace(object, key);
    objects_.push_back(fmt::format("      {}: {}", in_json(key), object));
    return key;
  }
  [[nodiscard]] const std::vector<std::string>& objects() const { return objects_; }

 private:
  std::map<std::string, std::string> keys_;  ///< by object
  std::map<std::string, unsigned> used_;     ///< how many objects have a name
  std::vector<std::string> objects_;
};

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const auto& part : parts) out += out.empty() ? part : fmt::format("{}{}", between, part);
  return out;
}

/// Returns the names of the options that may not stand with this one.
std::vector<std::string> excluded_by(const GrammarNode& node, const GrammarOption& option) {
  std::vector<std::string> out;
  for (const auto& other : node.options) {
    if (&other != &option && (option.excluded & other.bit) != 0) out.push_back(in_json(parameter_of(other)));
  }
  return out;
}

std::string operation(std::string_view id, std::string_view summary, std::string_view privilege, std::string_view type,
                      const std::vector<std::string>& parameters, const std::vector<std::string>& exclusions) {
  std::string out = fmt::format("      \"get\": {{\n        \"operationId\": {},\n        \"summary\": {},\n",
                                in_json(id), in_json(summary));
  out += fmt::format("        \"x-icr-class\": {},\n", in_json(privilege));
  if (!exclusions.empty()) out += fmt::format("        \"x-icr-excludes\": {{{}}},\n", joined(exclusions, ", "));
  if (!parameters.empty()) {
    out += fmt::format("        \"parameters\": [\n          {}\n        ],\n", joined(parameters, ",\n          "));
  }
  const std::string_view schema = type == "application/json" ? R"({"type": "object"})" : R"({"type": "string"})";
  out += fmt::format(
      "        \"responses\": {{\n"
      "          \"200\": {{\"description\": \"The answer\", \"content\": {{{}: {{\"schema\": {}}}}}}},\n"
      "          \"default\": {{\"$ref\": \"#/components/responses/error\"}}\n        }}\n      }}",
      in_json(type), schema);
  return out;
}

/// Returns a name that a program can have for an operation.
std::string id_of(std::string_view words) {
  std::string out;
  for (const char c : words) {
    if (c != '<' && c != '>') out += c == ' ' ? '-' : c;
  }
  return out;
}

std::string path_of(const Route& route, Parameters& all) {
  std::vector<std::string> parameters;
  for (const auto& value : route.values) {
    parameters.push_back(fmt::format(
        R"({{"name": {}, "in": "path", "required": true, "description": {}, "schema": {{"type": "string"}}}})",
        in_json(value.name), in_json(value.help)));
  }
  std::vector<std::string> exclusions;
  for (const auto& option : route.node->options) {
    parameters.push_back(fmt::format(R"({{"$ref": "#/components/parameters/{}"}})", all.key_of(option)));
    const auto excluded = excluded_by(*route.node, option);
    if (!excluded.empty()) {
      exclusions.push_back(fmt::format("{}: [{}]", in_json(parameter_of(option)), joined(excluded, ", ")));
    }
  }
  const std::string_view type = is_json(route.command) ? "application/json" : "text/plain";
  return fmt::format(
      "    {}: {{\n{}\n    }}", in_json(route.path),
      operation(id_of(route.words), route.help, privilege_of(route.words), type, parameters, exclusions));
}

constexpr std::string_view kHead = R"({
  "openapi": "3.0.3",
  "info": {
    "title": "icr",
    "description": "What `icr serve` answers: each show command, asked of the whole cluster, in the form of `| display json`. Made from the grammar of icr: do not edit it.",
    "version": "1"
  },
  "security": [{"token": []}],
  "paths": {
)";

constexpr std::string_view kTail = R"(
    },
    "responses": {
      "error": {"description": "Why there is no answer, or a tree with nothing but errors", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}
    },
    "schemas": {
      "error": {
        "type": "object",
        "properties": {
          "error": {
            "type": "object",
            "required": ["status", "message"],
            "properties": {
              "status": {"type": "integer"},
              "message": {"type": "string"},
              "bad-element": {"type": "string"},
              "possible": {"type": "array", "items": {"type": "string"}}
            }
          }
        }
      }
    },
    "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}
  }
}
)";

}  // namespace

std::string openapi() {
  Parameters all;
  std::vector<std::string> paths;
  for (const auto& route : routes()) paths.push_back(path_of(route, all));
  const auto own = [&](std::string_view path, std::string_view id, std::string_view summary) {
    paths.push_back(fmt::format("    {}: {{\n{}\n    }}", in_json(fmt::format("{}{}", kRoot, path)),
                                operation(id, summary, "view", "application/json", {}, {})));
  };
  own("/openapi.json", "openapi", "This description");
  own("/serve/statistics", "serve-statistics", "What icr serve answered and refused");
  return fmt::format("{}{}\n  }},\n  \"components\": {{\n    \"parameters\": {{\n{}{}", kHead, joined(paths, ",\n"),
                     joined(all.objects(), ",\n"), kTail);
}

}  // namespace icr::cli::http
