// One NETCONF session (RFC 6241), as Junos speaks it: the exchange of capabilities, and the answers to requests. No
// I/O.
#pragma once

#include <memory>
#include <string_view>

#include "cli/netconf/framing.h"
#include "cli/netconf/host.h"
#include "cli/netconf/message.h"
#include "cli/netconf/operations.h"

namespace icr::cli::netconf {

/// REQUIRES: host outlives it. Thread: one.
class Session {
 public:
  Session(const Host& host, FrameWriter::Out out);

  /// Says hello. REQUIRES: called first.
  void begin();
  /// Takes octets of the client, and answers the requests that are complete. Returns false if the session has ended.
  [[nodiscard]] bool take(std::string_view octets);

 private:
  [[nodiscard]] bool take_message(std::string text);
  [[nodiscard]] bool take_hello(const pugi::xml_node& hello);
  [[nodiscard]] bool take_rpc(const pugi::xml_node& rpc);

  const Host& host_;
  FrameReader reader_;
  FrameWriter writer_;
  Operations operations_;
  bool greeted_ = false;  ///< the client has said hello
};

}  // namespace icr::cli::netconf
