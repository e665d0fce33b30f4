#include "cli/netconf/reply.h"

#include <algorithm>

#include "cli/faces/escape.h"
#include "cli/netconf/message.h"
#include "cli/result/junos.h"

namespace icr::cli::netconf {
namespace {

/// An error says so much of what a client sent.
constexpr std::size_t kMostOfError = 2048;

void append_element(std::string_view name, std::string_view value, std::string& out) {
  value = value.substr(0, kMostOfError);
  out += fmt::format("<{}>", name);
  append_xml_text(value, out);
  out += fmt::format("</{}>\n", name);
}

/// Returns how many octets at the end of `text` begin a UTF-8 character that is not complete.
std::size_t cut_character(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto octet = static_cast<std::uint8_t>(text[text.size() - back]);
    if ((octet & 0xC0U) == 0x80) continue;
    const std::size_t length = octet >= 0xF0 ? 4 : octet >= 0xE0 ? 3 : octet >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/// A chassis refuses so what the class of the client does not permit (node/query/callers.cpp).
constexpr std::string_view kOfClass = " is of class ";

}  // namespace

RpcError error_of(std::string_view message, std::string_view severity) {
  if (message.find(kOfClass) == std::string_view::npos) {
    return {"application", "operation-failed", std::string(severity), std::string(message)};
  }
  return {"protocol", "access-denied", "error", "permission denied", "reason", std::string(message)};
}

Reply::Reply(FrameWriter& writer, const pugi::xml_node* rpc) : writer_(writer) {
  std::string begin = fmt::format("<rpc-reply xmlns=\"{}\" xmlns:junos=\"{}\"", kBase, junos_namespace("junos"));
  if (rpc != nullptr) {
    for (const auto& [name, value] : attributes_for_reply(*rpc)) {
      begin += fmt::format(" {}=\"", name);
      append_xml_text(value, begin);
      begin += '"';
    }
  }
  xml(begin + ">\n");
}

Reply::~Reply() {
  end_text();
  xml("</rpc-reply>\n");
  writer_.end();
}

void Reply::text(std::string_view name, std::string_view text) {
  if (text.empty()) return;
  if (!in_text_) {
    in_text_ = true;
    element_ = name;
    if (!element_.empty()) xml(fmt::format("<{}>\n", element_));
  }
  std::string whole = std::move(cut_);
  whole += text;
  const std::size_t cut = cut_character(whole);
  cut_ = whole.substr(whole.size() - cut);
  std::string escaped;
  append_xml_text(std::string_view(whole).substr(0, whole.size() - cut), escaped);
  xml(escaped);
}

void Reply::end_text() {
  if (!in_text_) return;
  in_text_ = false;
  std::string rest;
  append_xml_text(cut_, rest);
  cut_.clear();
  if (!element_.empty()) rest += fmt::format("</{}>\n", element_);
  xml(rest);
}

void Reply::error(const RpcError& error) {
  end_text();
  has_errors_ = true;
  std::string out = "<rpc-error>\n";
  append_element("error-type", error.type, out);
  append_element("error-tag", error.tag, out);
  append_element("error-severity", error.severity, out);
  append_element("error-message", error.message, out);
  if (!error.info_name.empty()) {
    out += "<error-info>\n";
    append_element(error.info_name, error.info, out);
    out += "</error-info>\n";
  }
  xml(out + "</rpc-error>\n");
}

}  // namespace icr::cli::netconf
