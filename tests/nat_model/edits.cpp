#include "tests/nat_model/edits.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <utility>
#include <vector>

namespace icr::node::test::nat_model {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& text) {
  Lines out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool begins(const std::string& line, std::string_view with) { return line.compare(0, with.size(), with) == 0; }

/// A cluster file as lists of entries. An entry is the text of all its lines.
class Editor {
 public:
  Editor(const std::string& text, Dice& dice) : dice_(dice), lines_(lines_of(text)) {}

  [[nodiscard]] std::string edited();

 private:
  /// A list: its entries begin with `indent` and a dash, after the line `head` (and after the line `above`).
  struct Place {
    std::string_view above, head, indent;
  };
  static constexpr Place kChassis{"", "chassis:", "  "};
  static constexpr Place kServiceSets{"", "service-sets:", "  "};
  static constexpr Place kFirewall{"stateful-firewall:", "  rules:", "    "};
  static constexpr Place kPools{"nat:", "  pools:", "    "};
  static constexpr Place kNat{"nat:", "  rules:", "    "};
  static constexpr Place kApplications{"", "applications:", "  "};

  /// Takes the entries of a list out, lets `change` change them, and puts them back.
  template <class Change>
  void change(const Place& place, Change change);
  template <class Change>
  void each_line(Change change) {
    for (std::string& line : lines_) change(line);
  }
  void replace_all(const std::string& pattern, const std::string& by);
  void shuffle(Lines& entries);
  void add_another();
  void change_pool(std::string& entry);
  void change_terms(Lines& rules, bool nat);
  void change_times();
  void remove_service_set();
  void limit_service_sets();

  Dice& dice_;
  Lines lines_;
  std::vector<std::pair<std::string, std::string>> renamed_;
};

template <class Change>
void Editor::change(const Place& place, Change change) {
  auto at = place.above.empty() ? lines_.begin() : std::find(lines_.begin(), lines_.end(), place.above);
  at = std::find(at, lines_.end(), place.head);
  if (at == lines_.end()) return;
  const auto first = at + 1;
  auto last = first;
  Lines entries;
  for (; last != lines_.end() && begins(*last, place.indent); ++last) {
    if ((*last)[place.indent.size()] == '-') {
      entries.push_back(*last);
    } else if ((*last)[place.indent.size()] == ' ') {
      entries.back() += "\n" + *last;
    } else {
      break;
    }
  }
  const auto index = first - lines_.begin();
  lines_.erase(first, last);
  change(entries);
  Lines flat;
  for (const std::string& entry : entries) {
    for (std::string& line : lines_of(entry + "\n")) flat.push_back(std::move(line));
  }
  lines_.insert(lines_.begin() + index, flat.begin(), flat.end());
}

void Editor::replace_all(const std::string& pattern, const std::string& by) {
  const std::regex what(pattern);
  each_line([&](std::string& line) { line = std::regex_replace(line, what, by); });
}

void Editor::shuffle(Lines& entries) {
  for (std::size_t i = entries.size(); i > 1; --i) {
    std::swap(entries[i - 1], entries[dice_.below(static_cast<std::uint32_t>(i))]);
  }
}

/// Adds another service set, pool, rule and application, before all others.
void Editor::add_another() {
  const auto in_front = [](const char* entry) {
    return [entry](Lines& entries) { entries.insert(entries.begin(), entry); };
  };
  replace_all("^        ports:$",
              "        ports:\n          - { unit: 5, type: tun, device: x5 }\n          - { unit: 6, "
              "type: tun, device: x6 }");
  replace_all("^    service-sets: \\[", "    service-sets: [another, ");
  change(kServiceSets, in_front("  - { name: another, inside-unit: 5, outside-unit: 6, nat-rules: [another] }"));
  change(kApplications, in_front("  - { name: another, protocol: udp, destination-port: 9 }"));
  if (std::find(lines_.begin(), lines_.end(), "nat:") == lines_.end())
    lines_.insert(lines_.end(), {"nat:", "  rules:"});
  const auto nat = std::find(lines_.begin(), lines_.end(), "nat:");
  if (std::find(nat, lines_.end(), "  pools:") == lines_.end()) lines_.insert(nat + 1, "  pools:");
  change(kPools, in_front("    - { name: another, address: [203.0.250.0/30], port: { range: { low: 1024, high: 1063 }, "
                          "secured-port-block-allocation: { block-size: 4 } } }"));
  change(kNat,
         in_front("    - { name: another, match-direction: input, terms: [ { name: t, then: { translated: { "
                  "source-pool: another, translation-type: napt-44, mapping-type: endpoint-independent } } } ] }"));
}

void Editor::change_pool(std::string& entry) {
  const auto number = [&](const char* pattern, auto to) {
    std::smatch found;
    if (!std::regex_search(entry, found, std::regex(pattern))) return;
    const auto value = static_cast<std::uint32_t>(std::stoul(found[1].str()));
    entry.replace(static_cast<std::size_t>(found.position(1)), static_cast<std::size_t>(found.length(1)),
                  std::to_string(to(value)));
  };
  switch (dice_.below(7)) {
    case 0:
      return number("high: (\\d+)",
                    [&](std::uint32_t high) { return high - std::min(high - 1, dice_.between(1, 12)); });
    case 1:
      return number("low: (\\d+)", [&](std::uint32_t low) { return low + dice_.between(1, 12); });
    case 2:
      return number("block-size: (\\d+)", [&](std::uint32_t size) { return size == 0 ? 0 : dice_.between(1, 8); });
    case 3:
      return number("mapping-timeout: (\\d+)", [&](std::uint32_t) { return dice_.between(4, 60); });
    case 4:  // other addresses, or some of them and others
      return number("203\\.0\\.(\\d+)\\.", [&](std::uint32_t third) { return third + 100; });
    case 5:
      return number("203\\.0\\.\\d+\\.\\d+/(\\d+)", [&](std::uint32_t length) { return std::min(32U, length + 1); });
    default: {
      std::smatch found;
      if (std::regex_search(entry, found, std::regex("name: (p\\d+),"))) {
        renamed_.emplace_back(found[1].str(), "renamed-" + found[1].str());
      }
    }
  }
}

void Editor::change_terms(Lines& rules, bool nat) {
  for (std::string& rule : rules) {
    if (!dice_.chance(40)) continue;
    Lines lines = lines_of(rule + "\n");
    Lines terms;
    while (lines.size() > 1 && begins(lines.back(), "        - ")) {
      terms.insert(terms.begin(), lines.back());
      lines.pop_back();
    }
    if (terms.empty()) continue;
    const auto which = dice_.below(static_cast<std::uint32_t>(terms.size()));
    switch (dice_.below(4)) {
      case 0:
        if (terms.size() > 1) terms.erase(terms.begin() + which);
        break;
      case 1:
        shuffle(terms);
        break;
      case 2:  // under another name it is another term
        terms[which] = std::regex_replace(terms[which], std::regex("\\{ name: (\\w+)"), "{ name: other-$1");
        break;
      default:
        terms.insert(terms.begin(), nat ? "        - { name: never, from: { source-address: [198.51.100.0/24] }, then: "
                                          "no-translation }"
                                        : "        - { name: closed, then: discard }");
    }
    rule.clear();
    for (const Lines* part : {&lines, &terms}) {
      for (const std::string& line : *part) rule += (rule.empty() ? "" : "\n") + line;
    }
  }
}

void Editor::change_times() {
  const auto at = std::find(lines_.begin(), lines_.end(), "timeouts:");
  if (at == lines_.end()) return;
  for (auto line = at + 1; line != lines_.end() && begins(*line, "  "); ++line) {
    if (dice_.chance(60)) {
      *line = line->substr(0, line->find(": ") + 2) + std::to_string(dice_.between(4, 40));
    }
  }
}

void Editor::remove_service_set() {
  if (std::find(lines_.begin(), lines_.end(), "  - name: s1") == lines_.end()) return;
  change(kServiceSets, [](Lines& sets) {
    sets.erase(std::remove_if(sets.begin(), sets.end(), [](const auto& s) { return begins(s, "  - name: s1"); }),
               sets.end());
  });
  replace_all(", s1\\]", "]");
}

void Editor::limit_service_sets() {
  change(kServiceSets, [this](Lines& sets) {
    for (std::string& set : sets) {
      if (set.find("session-limit") == std::string::npos && begins(set, "  - name")) {
        set += fmt::format("\n    session-limit: {}", dice_.between(1, 30));
      }
    }
  });
}

std::string Editor::edited() {
  const bool turn = dice_.chance(60);
  if (dice_.chance(50)) {
    change(kPools, [this](Lines& pools) {
      for (std::string& pool : pools) {
        if (dice_.chance(40)) change_pool(pool);
      }
    });
  }
  if (dice_.chance(50)) change(kNat, [this](Lines& rules) { change_terms(rules, true); });
  if (dice_.chance(50)) change(kFirewall, [this](Lines& rules) { change_terms(rules, false); });
  if (dice_.chance(40)) change_times();
  if (dice_.chance(20)) limit_service_sets();
  if (dice_.chance(15)) remove_service_set();
  if (turn) {
    for (const Place* place : {&kChassis, &kServiceSets, &kFirewall, &kPools, &kNat, &kApplications}) {
      change(*place, [this](Lines& entries) { shuffle(entries); });
    }
  }
  if (dice_.chance(50)) add_another();
  for (const auto& [from, to] : renamed_) replace_all("\\b" + from + "\\b", to);
  std::string out;
  for (const std::string& line : lines_) out += line + "\n";
  return out;
}

}  // namespace

World edited(const World& world, Dice& dice, Edits& edits) {
  const std::uint32_t slots = world.cluster.redundancy_sets[0].max_sessions;
  for (int attempt = 0; attempt < 50; ++attempt) {
    const std::uint32_t room = dice.chance(80) ? slots : dice.between(6, 300);
    if (auto other = with_file(world, Editor(world.text, dice).edited(), room)) {
      ++edits.made;
      return std::move(*other);
    }
    ++edits.refused;
  }
  return world;
}

}  // namespace icr::node::test::nat_model
