// Writes one reply of a NETCONF session, while its answer comes.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "cli/netconf/framing.h"

namespace icr::cli::netconf {

inline constexpr std::string_view kBase = "urn:ietf:params:xml:ns:netconf:base:1.0";

/// An error of a request, as in RFC 6241, 4.3.
struct RpcError {
  std::string type = "application";
  std::string tag = "operation-failed";
  std::string severity = "error";
  std::string message;
  std::string info_name = {};  ///< an element of error-info; empty: none
  std::string info = {};       ///< its text
};

/// Returns the error that a chassis or a command gives as `message`. What the class of the client does not permit is
/// `permission denied`, as clients of Junos expect it.
[[nodiscard]] RpcError error_of(std::string_view message, std::string_view severity);

/// One <rpc-reply>. Thread: one. REQUIRES: the writer outlives it.
class Reply {
 public:
  /// Begins a reply with the attributes of the request; null: the request could not be read.
  Reply(FrameWriter& writer, const pugi::xml_node* rpc);
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  /// Ends the reply.
  ~Reply();

  /// Writes XML.
  void xml(std::string_view text) { writer_.write(text); }
  /// Writes text in the element `name`, which begins with the first piece and ends with end_text(). An empty name means
  /// text in the reply itself. Pieces may end within a character.
  void text(std::string_view name, std::string_view text);
  void end_text();
  void error(const RpcError& error);
  void ok() { xml("<ok/>\n"); }
  [[nodiscard]] bool has_errors() const { return has_errors_; }

 private:
  FrameWriter& writer_;
  std::string element_;  ///< that has begun
  bool in_text_ = false;
  std::string cut_;  ///< the beginning of a character whose end has not come
  bool has_errors_ = false;
};

}  // namespace icr::cli::netconf
