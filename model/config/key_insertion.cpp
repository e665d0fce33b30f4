#include "model/config/key_insertion.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "model/config/cluster_file.h"
#include "model/config/reader/yaml_reader.h"

namespace icr {
namespace {

/// A text, and where in the file it is put.
struct Insertion {
  std::size_t at = 0;
  std::string text;
};

const YamlNode::Entry* find(const YamlNode& map, std::string_view key) {
  const auto found = std::find_if(map.entries.begin(), map.entries.end(),
                                  [&](const YamlNode::Entry& each) { return each.key == key; });
  return found == map.entries.end() ? nullptr : &*found;
}

std::size_t offset_of(std::string_view text, YamlPlace place) {
  std::size_t line = 0;
  for (std::uint32_t i = 1; i < place.line; ++i) line = std::min(text.find('\n', line), text.size() - 1) + 1;
  return std::min(line + place.column - 1, text.size());
}

/// Returns how the key of a chassis is put beside its name: into its line if the map is written in braces, otherwise
/// into a line of its own behind that.
Insertion beside_name(std::string_view text, const YamlNode::Entry& name, std::string_view public_key) {
  const std::size_t at = offset_of(text, name.place);
  const std::size_t line = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;  // npos + 1 is 0: the first line
  const std::size_t before = text.substr(line, at - line).find_last_not_of(" \t");
  const bool braces = before != std::string_view::npos && (text[line + before] == '{' || text[line + before] == ',');
  if (braces) return {at, fmt::format("public-keys: [\"{}\"], ", public_key)};
  const std::size_t end = text.find('\n', at);
  const std::string own_line = fmt::format("{}public-keys: [\"{}\"]\n", std::string(at - line, ' '), public_key);
  if (end == std::string_view::npos) return {text.size(), "\n" + own_line};
  return {end + 1, own_line};
}

bool is_only(const std::vector<std::string>& keys, std::string_view key) { return keys.size() == 1 && keys[0] == key; }

/// Returns true if the file has these keys, and none else.
bool has_exactly(const Cluster& cluster, const std::map<std::string, std::string>& of_chassis, std::string_view client,
                 std::string_view client_key) {
  const auto has_its_key = [&](const ChassisConfig& each) {
    const auto wanted = of_chassis.find(each.name);
    return wanted != of_chassis.end() && is_only(each.public_keys, wanted->second);
  };
  return std::all_of(cluster.chassis.begin(), cluster.chassis.end(), has_its_key) && cluster.clients.size() == 1 &&
         cluster.clients[0].name == client && cluster.clients[0].permitted == ClientClass::super_user &&
         is_only(cluster.clients[0].public_keys, client_key);
}

}  // namespace

Result<std::string> insert_public_keys(std::string_view text, std::string_view file,
                                       const std::map<std::string, std::string>& of_chassis, std::string_view client,
                                       std::string_view client_key) {
  Mistakes mistakes{std::string(file)};
  const auto tree = parse_yaml(text, mistakes);
  if (!tree) return tl::unexpected(Error{mistakes.to_string()});
  if (find(*tree, "clients") != nullptr) return fail("{}: has clients already", file);
  const YamlNode::Entry* const chassis = find(*tree, "chassis");
  if (chassis == nullptr) return fail("{}: has no chassis", file);
  std::vector<Insertion> insertions;
  for (const YamlNode& item : chassis->value.items) {
    const YamlNode::Entry* const name = find(item, "name");
    if (name == nullptr) continue;
    if (find(item, "public-keys") != nullptr) return fail("{}: chassis {} has keys already", file, name->value.text);
    const auto wanted = of_chassis.find(name->value.text);
    if (wanted != of_chassis.end()) insertions.push_back(beside_name(text, *name, wanted->second));
  }
  std::string out(text);
  std::sort(insertions.begin(), insertions.end(), [](const Insertion& a, const Insertion& b) { return a.at > b.at; });
  for (const Insertion& each : insertions) out.insert(each.at, each.text);
  if (out.empty() || out.back() != '\n') out += '\n';
  out += fmt::format("clients:\n  - {{ name: {}, class: super-user, public-keys: [\"{}\"] }}\n", client, client_key);
  const auto cluster = parse_cluster(out, file);
  if (!cluster || !has_exactly(*cluster, of_chassis, client, client_key)) {
    return fail(
        "{}: the keys cannot be added to a file that is written in this way; write each chassis as a map of "
        "several lines, or add public-keys and clients by hand",
        file);
  }
  return out;
}

}  // namespace icr
