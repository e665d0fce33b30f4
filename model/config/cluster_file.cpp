#include "model/config/cluster_file.h"

#include <algorithm>
#include <fstream>

#include "model/config/reader/cluster_draft.h"
#include "model/config/settings.h"

namespace icr {
namespace {

constexpr std::size_t kReadBytes = 1U << 16;

}  // namespace

namespace cluster_draft {

std::string NameBook::define(const Section& map) {
  const std::uint16_t index = count_;
  if (count_ == kMaxThings) {
    map.field().wrong(fmt::format("more than {} times {}", kMaxThings, what_), "write fewer");
    return {};
  }
  ++count_;
  const auto field = map.get("name");
  if (!field) return {};
  (void)field->name();
  if (!field->is_scalar()) return {};
  std::string name = field->node().text.substr(0, 63);
  const auto [place, added] = names_.emplace(name, Definition{index, field->node().place.line});
  if (!added) {
    field->wrong(fmt::format("{} '{}' is defined already in line {}", what_, name, place->second.line),
                 "write another name");
  }
  return name;
}

std::optional<std::uint16_t> NameBook::find(const YamlField& use) const {
  const auto name = use.name();
  if (!name) return std::nullopt;
  const auto found = names_.find(*name);
  if (found != names_.end()) return found->second.index;
  std::vector<std::string_view> known;
  for (const auto& entry : names_) known.emplace_back(entry.first);
  const auto guess = nearest(*name, known);
  std::string right = "define it or write a name that is defined";
  if (!guess.empty()) {
    right = fmt::format("did you mean '{}'?", guess);
  } else if (!known.empty() && known.size() <= 8) {
    right = "write " + alternatives(known) + ", or define it";
  }
  use.wrong(fmt::format("no {} is called '{}'", what_, *name), right);
  return std::nullopt;
}

bool NameBook::owns(std::string_view name, std::uint16_t index) const {
  const auto found = names_.find(name);
  return found != names_.end() && found->second.index == index;
}

std::vector<std::uint16_t> NameBook::find_all(const YamlField& list) const {
  std::vector<std::uint16_t> out;
  for (const auto& item : list.list_or_one()) {
    const auto index = find(item);
    if (!index) continue;
    if (std::find(out.begin(), out.end(), *index) != out.end()) {
      item.wrong("the name is in the list twice", "write it once");
      continue;
    }
    out.push_back(*index);
  }
  return out;
}

}  // namespace cluster_draft

Result<Cluster> parse_cluster(std::string_view text, std::string_view name) {
  using namespace cluster_draft;
  Mistakes mistakes{std::string(name)};
  const auto tree = parse_yaml(text, mistakes);
  if (!tree) return tl::unexpected(Error{mistakes.to_string()});

  Draft draft(mistakes);
  const Section map(YamlField(*tree, {}, mistakes), "");
  if (const auto f = map.get(key("", "cluster"))) draft.cluster.name = f->name().value_or("");
  map.word(key("", "security"), draft.cluster.security);
  if (const auto f = map.get(key("", "witness"))) read_witness(*f, draft);
  // Definitions are read before their uses, wherever they are in the file.
  if (const auto f = map.get(key("", "timeouts"))) read_timeouts(*f, draft.timeouts);
  if (const auto f = map.get(key("", "applications"))) read_applications(*f, draft);
  if (const auto f = map.get(key("", "application-sets"))) read_application_sets(*f, draft);
  if (const auto f = map.get(key("", "prefix-lists"))) read_prefix_lists(*f, draft);
  if (const auto f = map.get(key("", "screens"))) read_screens(*f, draft);
  if (const auto f = map.get(key("", "nat"))) read_nat(*f, draft);
  if (const auto f = map.get(key("", "stateful-firewall"))) read_stateful_firewall(*f, draft);
  if (const auto f = map.get(key("", "service-sets"))) read_service_sets(*f, draft);
  if (const auto f = map.get(key("", "chassis"))) read_chassis(*f, draft);
  if (const auto f = map.get(key("", "clients"))) read_clients(*f, draft);
  if (const auto f = map.get(key("", "redundancy-sets"))) read_redundancy_sets(*f, draft);
  if (tree->kind == YamlNode::Kind::map) {
    check_endpoints(draft);
    check_keys(draft);
    place_service_sets(draft);
    check_whole(draft);
  }
  if (mistakes.empty()) {
    for (const auto& collision : assign_identities(draft.cluster)) {
      map.field().wrong(collision, "rename one of them");
    }
  }
  if (!mistakes.empty()) return tl::unexpected(Error{mistakes.to_string()});
  add_warnings(draft);
  compute_digests(draft.cluster);
  return std::move(draft.cluster);
}

std::size_t max_cluster_file_bytes() { return kMaxYamlBytes; }

Result<std::string> read_cluster_text(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return fail("{}: cannot be opened; give the path of a cluster file that you may read", file.string());
  // A chunk more than the limit tells that the file is too large.
  std::string text;
  while (stream && text.size() <= kMaxYamlBytes) {
    const std::size_t had = text.size();
    text.resize(had + kReadBytes);
    stream.read(text.data() + had, kReadBytes);
    text.resize(had + static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad() || (stream.fail() && !stream.eof())) return fail("{}: cannot be read", file.string());
  return text;
}

Result<Cluster> load_cluster_file(const std::filesystem::path& file) {
  const auto text = read_cluster_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_cluster(*text, file.string());
}

}  // namespace icr
