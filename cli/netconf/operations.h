// The operations of NETCONF: commands of the grammar, and those that are about the session itself.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "cli/netconf/configuration.h"
#include "cli/netconf/host.h"
#include "cli/netconf/reply.h"

namespace icr::cli::netconf {

/// The form of an answer that a client asks for.
enum class Form : std::uint8_t { xml, text, json };

/// REQUIRES: host outlives it. Thread: one.
class Operations {
 public:
  explicit Operations(const Host& host) : host_(host), configuration_(host) {}

  /// Carries out what the element of a request asks for. Returns false if the session ends.
  [[nodiscard]] bool carry_out(const pugi::xml_node& operation, Reply& reply);

 private:
  void command(const pugi::xml_node& operation, Reply& reply);
  void kill(const pugi::xml_node& operation, Reply& reply);
  void system_information(const pugi::xml_node& operation, Reply& reply);
  void call(const pugi::xml_node& operation, Reply& reply);
  /// Carries out a line as if it had been typed. `call` is the name of the call that it came from; empty: it was typed.
  void line(const std::string& line, Form form, std::string_view call, Reply& reply);

  const Host& host_;
  Configuration configuration_;
};

}  // namespace icr::cli::netconf
