// YAML, read strictly: a tree of our own with the place of every node, typed access to it, and a list of mistakes.
//
// yaml-cpp parses; its node API is not used, because it takes duplicate keys silently, guesses types (`010` is 8) and
// follows aliases. Here a document is one tree of scalars, sequences and maps; anchors, aliases, tags, complex keys and
// second documents are refused; size, depth and number of nodes are bounded. One thread per document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "model/base/time.h"
#include "model/record/address.h"

namespace icr {

inline constexpr std::size_t kMaxYamlBytes = 1U << 25;
inline constexpr std::size_t kMaxYamlNodes = 2'000'000;
inline constexpr std::size_t kMaxYamlDepth = 32;

/// Line and column as editors count them: from 1.
struct YamlPlace {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  friend auto operator<=>(const YamlPlace&, const YamlPlace&) = default;
};

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, sequence, map };
  struct Entry;

  Kind kind = Kind::null;
  YamlPlace place;
  std::string text;     ///< scalar
  bool quoted = false;  ///< scalar written in quotes or as a block: it is text, never a number
  std::vector<YamlNode> items;
  std::vector<Entry> entries;  ///< in order of the file; keys may be there twice (YamlMap reports it)
};

struct YamlNode::Entry {
  std::string key;
  YamlPlace place;
  YamlNode value;
};

/// The mistakes of one file. They are kept in order of the file, whatever order they are found in.
class Mistakes {
 public:
  static constexpr std::size_t kMaxLines = 20;

  explicit Mistakes(std::string file) : file_(std::move(file)) {}
  void add(YamlPlace place, std::string_view path, std::string_view message);
  [[nodiscard]] bool empty() const { return found_.empty(); }
  /// "FILE:LINE:COLUMN: PATH: MESSAGE" for the first kMaxLines of them, one a line, without a newline at the end.
  [[nodiscard]] std::string to_string() const;

 private:
  struct Mistake {
    YamlPlace place;
    std::string text;
  };
  std::string file_;
  std::vector<Mistake> found_;
};

/// The tree of `text`. What is not well-formed, or not of the subset above, goes to `mistakes`, and there is no tree.
[[nodiscard]] std::optional<YamlNode> parse_yaml(std::string_view text, Mistakes& mistakes);

/// A node with the path that leads to it. Cheap to copy; the tree and the list of mistakes must outlive it. The typed
/// readers answer nothing where the node is not what was asked for, after they reported it.
class YamlField {
 public:
  YamlField(const YamlNode& node, std::string path, Mistakes& mistakes)
      : node_(&node), path_(std::move(path)), mistakes_(&mistakes) {}

  [[nodiscard]] const YamlNode& node() const { return *node_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Mistakes& mistakes() const { return *mistakes_; }
  /// Reports `what_is_wrong; what_is_right` at this node.
  void wrong(std::string_view what_is_wrong, std::string_view what_is_right) const;

  [[nodiscard]] bool is_map() const { return node_->kind == YamlNode::Kind::map; }
  [[nodiscard]] bool is_scalar() const { return node_->kind == YamlNode::Kind::scalar; }

  /// Any scalar, not empty, without control characters, at most `longest` bytes.
  [[nodiscard]] std::optional<std::string> text(std::size_t longest) const;
  /// 1..63 characters: a letter or digit, then letters, digits and . _ : / -
  [[nodiscard]] std::optional<std::string> name() const;
  /// Name of a kernel network interface: 1..15 characters.
  [[nodiscard]] std::optional<std::string> interface_name() const;
  /// Decimal digits without sign, leading zero or quotes.
  [[nodiscard]] std::optional<std::uint64_t> number(std::uint64_t low, std::uint64_t high) const;
  /// Seconds with at most three digits after the point.
  [[nodiscard]] std::optional<Duration> seconds(Duration low, Duration high) const;
  /// yes, no, true, false.
  [[nodiscard]] std::optional<bool> yes_no() const;
  /// Index into `words`.
  [[nodiscard]] std::optional<std::size_t> one_of(std::span<const std::string_view> words) const;
  [[nodiscard]] std::optional<IpAddress> address() const;
  /// Address block with its host bits clear.
  [[nodiscard]] std::optional<Prefix> prefix() const;
  /// The items of a sequence of at least `fewest`. Items are named by their `name` key, if they are maps with one,
  /// otherwise by their index.
  [[nodiscard]] std::vector<YamlField> list(std::size_t fewest) const;
  /// The same, or a scalar as a list of one.
  [[nodiscard]] std::vector<YamlField> list_or_one() const;

 private:
  const YamlNode* node_;
  std::string path_;
  Mistakes* mistakes_;
};

/// A map whose keys are all known. Unknown and duplicate keys, keys without a value, and nodes that are no maps are
/// reported when it is made.
class YamlMap {
 public:
  YamlMap(const YamlField& field, std::span<const std::string_view> known);
  YamlMap(const YamlField& field, std::initializer_list<std::string_view> known)
      : YamlMap(field, std::span(known.begin(), known.size())) {}

  [[nodiscard]] const YamlField& field() const { return field_; }
  /// Returns the value of `key` (one of the known ones). A key without a value counts as absent.
  [[nodiscard]] std::optional<YamlField> get(std::string_view key) const;
  /// The same; absence is a mistake, and `what` says what the key is for.
  [[nodiscard]] std::optional<YamlField> require(std::string_view key, std::string_view what) const;
  /// True if the key is written there, with or without a value.
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

 private:
  [[nodiscard]] const YamlNode::Entry* find(std::string_view key) const;
  [[nodiscard]] std::string path_of(std::string_view key) const;

  YamlField field_;
};

/// The word of `words` that is most like `word`, or "" if none is near.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> words);
/// "a, b or c"
[[nodiscard]] std::string alternatives(std::span<const std::string_view> words);

}  // namespace icr
