// Octets of any kind as text of XML and of JSON. What is not UTF-8, or what XML cannot say, becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace icr::cli {

/// Appends `value` as the text of an XML element or attribute.
void append_xml_text(std::string_view value, std::string& out);
/// Appends `value` as a JSON string, with its quotes.
void append_json_text(std::string_view value, std::string& out);
/// Appends `name` as the name of an XML element or attribute; characters that a name cannot have become `_`.
void append_name(std::string_view name, std::string& out);

}  // namespace icr::cli
