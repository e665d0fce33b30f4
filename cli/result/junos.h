// What surrounds the answers of Junos: its release, namespaces, and errors in an answer.
#pragma once

#include <string>
#include <string_view>

#include "cli/result/tree.h"

namespace icr::cli {

/// The release of Junos whose forms `icr` prints: that of the captures of MX-SPC3 cards.
inline constexpr std::string_view kJunosRelease = "21.2R3";

/// Returns "http://xml.juniper.net/junos/21.2R3/junos" for "junos".
[[nodiscard]] std::string junos_namespace(std::string_view part);

/// Begins the outermost element of an answer, with the namespace that Junos gives it (none for answers about sessions
/// of ms- cards). `style` is the value of junos:style; an empty one is left out.
void begin_answer(Tree& tree, std::string_view name, std::string_view style = {});

/// Adds an error to an answer in the form of RFC 6241: a part of the answer is missing, for the reason of the message.
/// `severity` is `error`, or `warning` where the rest of the answer can be used without that part.
void add_error(Tree& tree, std::string_view message, std::string_view severity = "error");

}  // namespace icr::cli
