// One message of a NETCONF client, read as XML within limits.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/base/result.h"

namespace icr::cli::netconf {

/// Returns the name of a node without its prefix: "rpc" for `nc:rpc`.
[[nodiscard]] std::string_view local_name(const pugi::xml_node& node);
/// Returns the first element with that local name in `node`, or a null node.
[[nodiscard]] pugi::xml_node child_named(const pugi::xml_node& node, std::string_view name);
/// Returns the elements in `node`.
[[nodiscard]] std::vector<pugi::xml_node> elements_of(const pugi::xml_node& node);
/// Returns the text of a node, all pieces of it.
[[nodiscard]] std::string whole_text(const pugi::xml_node& node);
/// Returns the text of a node without the blanks around it.
[[nodiscard]] std::string trimmed_text(const pugi::xml_node& node);

/// A message that was read. Its nodes live as long as it does. Thread: one.
class Message {
 public:
  /// Reads a message. Refused are what is not well-formed or has several outermost elements, a document type (so that
  /// no entity can be declared), and more tags, attributes or levels than any request needs: memory grows with them.
  [[nodiscard]] static Result<Message> read(std::string text);

  [[nodiscard]] pugi::xml_node root() const { return document_.document_element(); }

 private:
  Message() = default;

  std::vector<char> text_;  ///< the nodes point into it
  pugi::xml_document document_;
};

/// Returns the attributes of a request that its reply has to have, each once, as a reply can have them.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> attributes_for_reply(const pugi::xml_node& rpc);

}  // namespace icr::cli::netconf
