// parse_yaml: the only user of yaml-cpp. Its events become our tree; an event we do not want ends the parse.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>

#include "model/config/reader/yaml_reader.h"

namespace icr {
namespace {

/// Ends the parse from inside the library; never leaves this file.
struct Refused {
  YamlPlace place;
  std::string message;
};

YamlPlace place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ != 0) throw Refused{place_of(mark), "a second YAML document; one file holds one cluster"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.place = place_of(mark);
    refuse_anchor(node.place, anchor);
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{place_of(mark), "YAML aliases are not accepted; write the value out"};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.place = place_of(mark);
    refuse_anchor(node.place, anchor);
    refuse_tag(node.place, tag);
    node.text = value;
    node.quoted = tag == "!";
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  [[nodiscard]] bool complete() const { return documents_ == 1 && complete_; }
  [[nodiscard]] YamlNode take() { return std::move(root_); }

 private:
  /// A collection that is still open; in a map, `key` is the key that waits for its value.
  struct Open {
    YamlNode node;
    std::optional<YamlNode> key;
  };

  static void refuse_anchor(YamlPlace place, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) throw Refused{place, "YAML anchors are not accepted; write the value out"};
  }
  /// Plain nodes carry "?" or nothing, quoted ones "!".
  static void refuse_tag(YamlPlace place, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{place, "YAML tags are not accepted; the type of a value follows from its key"};
    }
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    Open collection;
    collection.node.kind = kind;
    collection.node.place = place_of(mark);
    refuse_anchor(collection.node.place, anchor);
    refuse_tag(collection.node.place, tag);
    if (open_.size() == kMaxYamlDepth) {
      throw Refused{collection.node.place, fmt::format("nested more than {} deep", kMaxYamlDepth)};
    }
    open_.push_back(std::move(collection));
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (++nodes_ > kMaxYamlNodes) throw Refused{node.place, fmt::format("more than {} values", kMaxYamlNodes)};
    if (open_.empty()) {
      root_ = std::move(node);
      complete_ = true;
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      if (node.kind != YamlNode::Kind::scalar) throw Refused{node.place, "a key must be a word"};
      parent.key = std::move(node);
    } else {
      YamlNode::Entry entry;
      entry.key = std::move(parent.key->text);
      entry.place = parent.key->place;
      entry.value = std::move(node);
      parent.key.reset();
      parent.node.entries.push_back(std::move(entry));
    }
  }

  std::vector<Open> open_;
  YamlNode root_;
  std::size_t nodes_ = 0;
  unsigned documents_ = 0;
  bool complete_ = false;
};

/// The first tab that stands in the indentation of the lines up to `last_line`.
std::optional<YamlPlace> find_tab(std::string_view text, std::uint32_t last_line) {
  YamlPlace place;
  bool indentation = true;
  for (const char c : text) {
    if (indentation && c == '\t') return place;
    ++place.column;
    if (c == '\n') {
      place = {place.line + 1, 1};
      if (place.line > last_line) return std::nullopt;
      indentation = true;
    } else if (c != ' ') {
      indentation = false;
    }
  }
  return std::nullopt;
}

/// Lets the library read the caller's bytes in place.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // the get area of a streambuf is not const, but it is only read
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

std::optional<YamlNode> parse_yaml(std::string_view text, Mistakes& mistakes) {
  if (text.size() > kMaxYamlBytes) {
    mistakes.add({}, {}, fmt::format("the file has more than {} bytes, which is the most that is read", kMaxYamlBytes));
    return std::nullopt;
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto before = text.substr(0, nul);
    const auto newline = before.rfind('\n');
    const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
    const auto column = nul - (newline == std::string_view::npos ? 0 : newline + 1);
    mistakes.add({line + 1, static_cast<std::uint32_t>(column) + 1}, {}, "a zero byte; the file must be UTF-8 text");
    return std::nullopt;
  }
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    TreeBuilder tree;
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(tree)) {
    }
    if (tree.complete()) return tree.take();
    mistakes.add({}, {}, "the file is empty; a cluster file begins with 'cluster: NAME'");
  } catch (const Refused& refused) {
    mistakes.add(refused.place, {}, refused.message);
  } catch (const YAML::Exception& e) {
    if (const auto tab = find_tab(text, place_of(e.mark).line)) {
      mistakes.add(*tab, {}, "not YAML: a tab in the indentation; indent with blanks");
    } else {
      mistakes.add(place_of(e.mark), {}, fmt::format("not YAML: {}; mend the syntax here or before", e.msg));
    }
  } catch (const std::exception& e) {
    mistakes.add({}, {}, fmt::format("not readable as YAML: {}", e.what()));
  }
  return std::nullopt;
}

}  // namespace icr
