#include "cli/render/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "cli/render/commits.h"
#include "cli/render/configuration.h"
#include "model/config/difference.h"

namespace icr::cli {
namespace {

/// Returns the child of `parent` with the same words as `child`, or null.
const Stanza* same_in(const Stanza& parent, const Stanza& child) {
  for (const auto& each : parent.children) {
    if (each.words == child.words && each.statement == child.statement) return &each;
  }
  return nullptr;
}

/// Appends the lines of a stanza that one side alone has, each with the mark of that side.
void append_marked(const Stanza& stanza, char mark, std::string& out) {
  if (!stanza.statement && stanza.children.empty()) return;
  const std::string text = with_braces(stanza);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    out += fmt::format("{}   {}\n", mark, std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
}

void append_comparison(const Stanza& former, const Stanza& present, const std::string& path, std::string& out) {
  std::string changes;
  for (const auto& child : former.children) {
    if (same_in(present, child) == nullptr) append_marked(child, '-', changes);
  }
  for (const auto& child : present.children) {
    if (same_in(former, child) == nullptr) append_marked(child, '+', changes);
  }
  if (!changes.empty()) out += fmt::format("[edit{}]\n{}", path, changes);
  for (const auto& child : present.children) {
    const Stanza* before = child.statement ? nullptr : same_in(former, child);
    if (before != nullptr) append_comparison(*before, child, path + " " + child.words, out);
  }
}

/// Returns `whole` with nothing but what is on the path, from its word `depth` on, and below it. Groups have paths of
/// their own inside.
Stanza only_path(const Stanza& whole, const std::vector<std::string>& path, std::size_t depth) {
  if (depth == path.size()) return whole;
  Stanza out{whole.words, {}, whole.statement};
  const bool is_last = depth + 1 == path.size();
  const std::string of_that_kind = path[depth] + " ";
  for (const auto& child : whole.children) {
    if (child.words == path[depth]) {
      out.children.push_back(only_path(child, path, depth + 1));
    } else if (is_last ? child.words.starts_with(of_that_kind) : child.words == of_that_kind + path[depth + 1]) {
      // "pool" without a name is every pool.
      out.children.push_back(only_path(child, path, std::min(depth + 2, path.size())));
    } else if (depth == 0 && child.words == "groups") {
      out.children.push_back({child.words, {}, false});
      for (const auto& group : child.children) out.children.back().children.push_back(only_path(group, path, 0));
    }
  }
  return out;
}

/// What of the settings of one kind of things `show configuration` shows.
struct KindInWords {
  std::string_view list;                       ///< "service-sets": the parts are "service-sets[NAME]"
  bool all;                                    ///< all but `keys` have words of Junos; otherwise these alone
  std::array<std::string_view, 17> keys = {};  ///< the last of several names, or two of them: "timeouts.open-timeout"
};

constexpr auto kInWords = std::to_array<KindInWords>({
    {"applications", true},
    {"nat.pools", true, {"port-reuse-hold"}},
    {"nat.rules", true},
    {"service-sets",
     false,
     {"inside-unit", "outside-unit", "stateful-firewall-rules", "nat-rules", "session-limit", "max-flows",
      "max-session-setup-rate", "tcp-mss", "timeouts.inactivity-timeout", "timeouts.inactivity-tcp-timeout",
      "timeouts.inactivity-non-tcp-timeout", "timeouts.open-timeout", "timeouts.close-timeout",
      "timeouts.session-timeout"}},
    {"stateful-firewall.rules", true, {"guarantee"}},
});

/// Returns the words of a value that both values have, in the order of `from`.
std::vector<std::string_view> common_words(std::string_view from, std::string_view other) {
  const auto split = [](std::string_view text) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      if (end != at) out.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return out;
  };
  auto out = split(from);
  const auto others = split(other);
  const std::set<std::string_view> known(others.begin(), others.end());
  out.erase(std::remove_if(out.begin(), out.end(), [&](std::string_view word) { return known.count(word) == 0; }),
            out.end());
  return out;
}

/// Returns true if the comparison in the words of Junos tells of the change.
bool is_in_words(const ConfigChange& change) {
  const auto kind = std::find_if(kInWords.begin(), kInWords.end(), [&](const KindInWords& each) {
    return change.part.starts_with(std::string(each.list) + "[");
  });
  if (kind == kInWords.end()) return false;
  if (change.path == change.part) return true;
  // A list that has another order does not differ there.
  if (change.before && change.after &&
      common_words(*change.before, *change.after) != common_words(*change.after, *change.before)) {
    return false;
  }
  const std::string_view path = change.path;
  const bool listed = std::any_of(kind->keys.begin(), kind->keys.end(), [&](std::string_view key) {
    return !key.empty() && path.ends_with("." + std::string(key));
  });
  return listed != kind->all;
}

/// Returns true if the change belongs to the part of a configuration that `path` names.
bool is_below(const ConfigChange& change, const std::vector<std::string>& path) {
  const auto is_one_of = [&](std::string_view list, std::size_t name) {
    return path.size() > name ? change.part == fmt::format("{}[{}]", list, path[name])
                              : change.part.starts_with(std::string(list) + "[");
  };
  if (path.empty()) return true;
  if (path[0] == "groups") {
    return change.path.find(path.size() > 1 ? fmt::format(".members[{}]", path[1]) : ".members[") != std::string::npos;
  }
  if (path[0] == "interfaces") return is_one_of("chassis", 1) && change.path.find("].cards[") != std::string::npos;
  if (path[0] == "applications") return is_one_of("applications", 2);
  if (path[0] != "services") return false;
  const std::string_view room = path.size() > 1 ? std::string_view(path[1]) : std::string_view();
  const std::string_view kind = path.size() > 2 ? std::string_view(path[2]) : std::string_view();
  return ((room.empty() || room == "service-set") && is_one_of("service-sets", 2)) ||
         ((room.empty() || room == "stateful-firewall") && is_one_of("stateful-firewall.rules", 3)) ||
         ((room.empty() || room == "nat") && (kind.empty() || kind == "pool") && is_one_of("nat.pools", 3)) ||
         ((room.empty() || room == "nat") && (kind.empty() || kind == "rule") && is_one_of("nat.rules", 3));
}

}  // namespace

std::string render_comparison(const Cluster& former, const Cluster& present, const std::vector<std::string>& path,
                              std::optional<std::uint16_t> only_chassis) {
  std::string out;
  const std::string chassis = only_chassis ? present.chassis[*only_chassis].name : std::string();
  // The chassis may have another place in the former file, or none.
  const auto then = only_chassis ? former.find_chassis(chassis) : std::nullopt;
  const Stanza before = only_chassis && !then ? Stanza{} : configuration_of(former, then);
  append_comparison(only_path(before, path, 0), only_path(configuration_of(present, only_chassis), path, 0), "", out);
  auto changes = difference(former, present);
  if (only_chassis) changes = changes_of_chassis(changes, former, present, chassis);
  // If the words of Junos show no difference (an application without conditions, say), settings show it.
  const bool no_words = out.empty();
  changes.erase(std::remove_if(changes.begin(), changes.end(),
                               [&](const ConfigChange& each) {
                                 return !is_below(each, path) || (!no_words && is_in_words(each));
                               }),
                changes.end());
  return out + render_difference(changes);
}

}  // namespace icr::cli
