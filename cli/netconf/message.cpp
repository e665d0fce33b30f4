#include "cli/netconf/message.h"

#include <algorithm>

namespace icr::cli::netconf {
namespace {

constexpr std::size_t kMostMarkup = 20'000;  ///< tags, comments and attributes
constexpr std::size_t kMostLevels = 32;
constexpr std::string_view kBlanks = " \t\r\n";

/// Returns the number of tags and attributes, which decide how much memory the nodes take; at most a few more than are
/// there, as what comments contain is counted.
std::size_t markup_in(std::string_view text) {
  std::size_t found = 0;
  bool in_tag = false;
  for (const char c : text) {
    if (c == '<') {
      ++found;
      in_tag = true;
    } else if (c == '>') {
      in_tag = false;
    } else if (c == '=' && in_tag) {
      ++found;
    }
  }
  return found;
}

/// Finds out whether a document has more than kMostLevels levels.
class Levels final : public pugi::xml_tree_walker {
 public:
  bool for_each(pugi::xml_node& /*node*/) override { return depth() < static_cast<int>(kMostLevels); }
};

/// Returns true for a name of ASCII letters, digits, `_`, `-` and `.`, with or without a prefix.
bool is_name(std::string_view name) {
  bool begins = true;
  bool has_prefix = false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (c == ':') {
      if (begins || has_prefix) return false;
      has_prefix = begins = true;
      continue;
    }
    if (!letter && (begins || !((c >= '0' && c <= '9') || c == '-' || c == '.'))) return false;
    begins = false;
  }
  return !begins;
}

std::string prefix_of(std::string_view name) {
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? std::string() : std::string(name.substr(0, colon));
}

}  // namespace

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

std::vector<pugi::xml_node> elements_of(const pugi::xml_node& node) {
  std::vector<pugi::xml_node> out;
  for (const auto& child : node.children()) {
    if (child.type() == pugi::node_element) out.push_back(child);
  }
  return out;
}

pugi::xml_node child_named(const pugi::xml_node& node, std::string_view name) {
  for (const auto& child : node.children()) {
    if (child.type() == pugi::node_element && local_name(child) == name) return child;
  }
  return {};
}

std::string whole_text(const pugi::xml_node& node) {
  std::string out;
  for (const auto& child : node.children()) {
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) out += child.value();
  }
  return out;
}

std::string trimmed_text(const pugi::xml_node& node) {
  const std::string text = whole_text(node);
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

Result<Message> Message::read(std::string text) {
  if (markup_in(text) > kMostMarkup) return fail("more than {} tags and attributes", kMostMarkup);
  if (text.find('\0') != std::string::npos) return fail("not well-formed: a character that XML does not have");
  Message message;
  message.text_.assign(text.begin(), text.end());
  const auto parsed = message.document_.load_buffer_inplace(
      message.text_.data(), message.text_.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8);
  if (!parsed) return fail("not well-formed: {}, at octet {}", parsed.description(), parsed.offset);
  std::size_t roots = 0;
  for (const auto& node : message.document_.children()) {
    if (node.type() == pugi::node_doctype) return fail("a document type is not accepted");
    if (node.type() == pugi::node_element) ++roots;
  }
  if (roots != 1) return fail("not well-formed: {} outermost elements", roots);
  Levels levels;
  if (!message.document_.traverse(levels)) return fail("more than {} levels", kMostLevels);
  return message;
}

std::vector<std::pair<std::string, std::string>> attributes_for_reply(const pugi::xml_node& rpc) {
  std::vector<std::string> prefixes = {"", "xml", "xmlns", "junos"};
  for (const auto& each : rpc.attributes()) {
    const std::string_view name = each.name();
    if (prefix_of(name) == "xmlns" && *each.value() != '\0') prefixes.emplace_back(name.substr(6));
  }
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& each : rpc.attributes()) {
    std::string name = each.name();
    const bool known = std::find(prefixes.begin(), prefixes.end(), prefix_of(name)) != prefixes.end();
    const bool twice = std::any_of(out.begin(), out.end(), [&](const auto& other) { return other.first == name; });
    // The reply has these two already.
    const bool undeclares = name.substr(0, 6) == "xmlns:" && *each.value() == '\0';
    if (undeclares || !is_name(name) || !known || twice || name == "xmlns" || name == "xmlns:junos") continue;
    out.emplace_back(std::move(name), each.value());
  }
  return out;
}

}  // namespace icr::cli::netconf
