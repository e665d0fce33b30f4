#include "model/config/reader/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <utility>

namespace icr {
namespace {

constexpr std::size_t kMaxKeptMistakes = 4096;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// A value as it is quoted in a message: short, one line.
std::string shown(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
    case YamlNode::Kind::scalar:
      break;
  }
  std::string out = "'";
  for (const char c : node.text.substr(0, 60)) out += is_control(c) ? '?' : c;
  return out + (node.text.size() > 60 ? "...'" : "'");
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> words) {
  std::string_view best;
  std::size_t best_distance = 0;
  if (word.size() > 63) return best;
  for (const auto candidate : words) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance > 3 || distance * 2 > candidate.size()) continue;
    if (best.empty() || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string alternatives(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

void Mistakes::add(YamlPlace place, std::string_view path, std::string_view message) {
  if (found_.size() == kMaxKeptMistakes) return;
  std::string text =
      path.empty() ? std::string(message) : std::string(path.substr(0, 400)) + ": " + std::string(message);
  found_.push_back({place, std::move(text)});
}

std::string Mistakes::to_string() const {
  auto sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Mistake& a, const Mistake& b) { return a.place < b.place; });
  std::string out;
  for (std::size_t i = 0; i < sorted.size() && i < kMaxLines; ++i) {
    out += fmt::format("{}{}:{}:{}: {}", i == 0 ? "" : "\n", file_, sorted[i].place.line, sorted[i].place.column,
                       sorted[i].text);
  }
  return out;
}

void YamlField::wrong(std::string_view what_is_wrong, std::string_view what_is_right) const {
  mistakes_->add(node_->place, path_, fmt::format("{}; {}", what_is_wrong, what_is_right));
}

std::optional<std::string> YamlField::text(std::size_t longest) const {
  if (!is_scalar()) {
    wrong(shown(*node_) + " is no text", "write one word or a text in quotes");
    return std::nullopt;
  }
  if (node_->text.empty() || node_->text.size() > longest) {
    wrong(fmt::format("a text of {} characters", node_->text.size()), fmt::format("write 1 to {}", longest));
    return std::nullopt;
  }
  if (std::any_of(node_->text.begin(), node_->text.end(), is_control)) {
    wrong("control characters in a text", "write printable characters only");
    return std::nullopt;
  }
  return node_->text;
}

std::optional<std::string> YamlField::name() const {
  constexpr std::string_view kOthers = "._:/-";
  const bool good =
      is_scalar() && !node_->text.empty() && node_->text.size() <= 63 && is_letter_or_digit(node_->text[0]) &&
      std::all_of(node_->text.begin(), node_->text.end(),
                  [&](char c) { return is_letter_or_digit(c) || kOthers.find(c) != std::string_view::npos; });
  if (good) return node_->text;
  wrong(shown(*node_) + " is no name",
        "write 1 to 63 characters: a letter or digit first, then letters, digits and . _ : / -");
  return std::nullopt;
}

std::optional<std::string> YamlField::interface_name() const {
  const bool good = is_scalar() && !node_->text.empty() && node_->text.size() <= 15 && node_->text != "." &&
                    node_->text != ".." && std::all_of(node_->text.begin(), node_->text.end(), [](char c) {
                      return c > ' ' && c < 0x7f && c != '/' && c != ':';
                    });
  if (good) return node_->text;
  wrong(shown(*node_) + " is no name of a network interface", "write 1 to 15 characters without '/', ':' and blanks");
  return std::nullopt;
}

std::optional<std::uint64_t> YamlField::number(std::uint64_t low, std::uint64_t high) const {
  const auto right = fmt::format("write a whole number from {} to {}", low, high);
  if (!is_scalar()) {
    wrong(shown(*node_) + " is no number", right);
    return std::nullopt;
  }
  if (node_->quoted) {
    wrong(shown(*node_) + " in quotes is text", right + ", without quotes");
    return std::nullopt;
  }
  const std::string& digits = node_->text;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) {
    wrong(shown(*node_) + " is no whole number", right);
    return std::nullopt;
  }
  if (digits.size() > 1 && digits[0] == '0') {
    wrong(shown(*node_) + " has a leading zero, which some programs read as octal", right + " in decimal digits");
    return std::nullopt;
  }
  if (error != std::errc{} || end != digits.data() + digits.size() || value < low || value > high) {
    wrong(shown(*node_) + " is out of range", right);
    return std::nullopt;
  }
  return value;
}

std::optional<Duration> YamlField::seconds(Duration low, Duration high) const {
  const auto in_seconds = [](Duration d) { return std::chrono::duration<double>(d).count(); };
  const auto right =
      fmt::format("write seconds from {} to {}, with at most 3 decimals", in_seconds(low), in_seconds(high));
  if (!is_scalar() || node_->quoted) {
    wrong(shown(*node_) + " is no number of seconds", right);
    return std::nullopt;
  }
  const std::string_view all = node_->text;
  const auto point = all.find('.');
  const auto whole = all.substr(0, point);
  auto fraction = std::string(point == std::string_view::npos ? "0" : all.substr(point + 1));
  const bool good = !whole.empty() && whole.size() <= 9 && std::all_of(whole.begin(), whole.end(), is_digit) &&
                    (whole.size() == 1 || whole[0] != '0') && !fraction.empty() && fraction.size() <= 3 &&
                    std::all_of(fraction.begin(), fraction.end(), is_digit);
  if (!good) {
    wrong(shown(*node_) + " is no number of seconds", right);
    return std::nullopt;
  }
  fraction.resize(3, '0');
  std::int64_t seconds = 0;
  std::int64_t milliseconds = 0;
  (void)std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
  (void)std::from_chars(fraction.data(), fraction.data() + fraction.size(), milliseconds);
  const Duration value = std::chrono::seconds(seconds) + std::chrono::milliseconds(milliseconds);
  if (value < low || value > high) {
    wrong(shown(*node_) + " is out of range", right);
    return std::nullopt;
  }
  return value;
}

std::optional<bool> YamlField::yes_no() const {
  if (is_scalar() && !node_->quoted) {
    if (node_->text == "yes" || node_->text == "true") return true;
    if (node_->text == "no" || node_->text == "false") return false;
  }
  wrong(shown(*node_) + " is neither yes nor no", "write yes or no");
  return std::nullopt;
}

std::optional<std::size_t> YamlField::one_of(std::span<const std::string_view> words) const {
  if (is_scalar()) {
    const auto found = std::find(words.begin(), words.end(), node_->text);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  wrong(shown(*node_) + " is not known here", "write " + alternatives(words));
  return std::nullopt;
}

std::optional<IpAddress> YamlField::address() const {
  if (is_scalar()) {
    if (const auto parsed = IpAddress::parse(node_->text)) return parsed;
  }
  wrong(shown(*node_) + " is no address", "write an IPv4 or IPv6 address without prefix length, as 192.0.2.1");
  return std::nullopt;
}

std::optional<Prefix> YamlField::prefix() const {
  const auto parsed = is_scalar() ? Prefix::parse(node_->text) : std::nullopt;
  if (!parsed) {
    wrong(shown(*node_) + " is no address prefix", "write ADDRESS/LENGTH, as 192.0.2.0/24 or 2001:db8::/32");
    return std::nullopt;
  }
  const auto written = IpAddress::parse(std::string_view(node_->text).substr(0, node_->text.find('/')));
  if (written && *written != parsed->base) {
    wrong(shown(*node_) + " has host bits set", "write " + parsed->to_string());
    return std::nullopt;
  }
  return parsed;
}

std::vector<YamlField> YamlField::list(std::size_t fewest) const {
  std::vector<YamlField> out;
  if (node_->kind != YamlNode::Kind::sequence) {
    wrong(shown(*node_) + " is no list", "write [a, b] or lines that begin with '- '");
    return out;
  }
  if (node_->items.size() < fewest) {
    wrong(fmt::format("a list of {}", node_->items.size()), fmt::format("write at least {}", fewest));
  }
  out.reserve(node_->items.size());
  for (std::size_t i = 0; i < node_->items.size(); ++i) {
    const YamlNode& item = node_->items[i];
    std::string label = std::to_string(i);
    for (const auto& entry : item.entries) {
      if (entry.key == "name" && entry.value.kind == YamlNode::Kind::scalar && entry.value.text.size() <= 63) {
        label = shown(entry.value);
        label = label.substr(1, label.size() - 2);
        break;
      }
    }
    out.emplace_back(item, path_ + "[" + label + "]", *mistakes_);
  }
  return out;
}

std::vector<YamlField> YamlField::list_or_one() const {
  if (is_scalar()) return {*this};
  return list(1);
}

YamlMap::YamlMap(const YamlField& field, std::span<const std::string_view> known) : field_(field) {
  if (!field.is_map()) {
    field.wrong(shown(field.node()) + " is no map", "write keys and values: " + alternatives(known));
    return;
  }
  const auto& entries = field.node().entries;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
      const auto guess = nearest(entry.key, known);
      YamlNode key_node;
      key_node.kind = YamlNode::Kind::scalar;
      key_node.text = entry.key;
      field_.mistakes().add(
          entry.place, field_.path(),
          fmt::format("unknown key {}; {}", shown(key_node),
                      guess.empty() ? "known here: " + alternatives(known) : fmt::format("did you mean '{}'?", guess)));
      continue;
    }
    if (entry.value.kind == YamlNode::Kind::null) {
      field_.mistakes().add(entry.place, path_of(entry.key), "the key has no value; write one or remove the key");
    }
    const auto first = std::find_if(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(i),
                                    [&](const YamlNode::Entry& e) { return e.key == entry.key; });
    if (first != entries.begin() + static_cast<std::ptrdiff_t>(i)) {
      field_.mistakes().add(
          entry.place, path_of(entry.key),
          fmt::format("the key is there twice, first in line {}; keep one of them", first->place.line));
    }
  }
}

std::optional<YamlField> YamlMap::get(std::string_view key) const {
  const auto* entry = find(key);
  if (entry == nullptr || entry->value.kind == YamlNode::Kind::null) return std::nullopt;
  return YamlField(entry->value, path_of(key), field_.mistakes());
}

std::optional<YamlField> YamlMap::require(std::string_view key, std::string_view what) const {
  if (field_.is_map() && find(key) == nullptr) {
    field_.wrong(fmt::format("'{}' is missing", key), fmt::format("write {}: {}", key, what));
  }
  return get(key);
}

const YamlNode::Entry* YamlMap::find(std::string_view key) const {
  const auto& entries = field_.node().entries;
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const YamlNode::Entry& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string YamlMap::path_of(std::string_view key) const {
  return field_.path().empty() ? std::string(key) : field_.path() + "." + std::string(key);
}

}  // namespace icr
