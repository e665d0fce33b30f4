#include "cli/http/answering.h"

#include <algorithm>

#include "cli/faces/escape.h"
#include "cli/netconf/reply.h"
#include "model/base/text.h"

namespace icr::cli::http {
namespace {

/// So much of an answer is held back until its status is decided.
constexpr std::size_t kHeld = std::size_t{64} * 1024;

/// What is wrong with an answer.
struct Faults {
  std::size_t errors = 0;
  std::size_t warnings = 0;
  std::size_t denied = 0;  ///< of the errors: by the class of this program's key
  std::string text;        ///< what standard error would show
  std::string warning;     ///< what is worth knowing about an answer that is whole
};

/// Cuts a text in front of the character that does not fit. REQUIRES: it is printable_text().
void cut_to(std::size_t octets, std::string& text) {
  if (text.size() <= octets) return;
  while (octets > 0 && (static_cast<unsigned char>(text[octets]) & 0xc0U) == 0x80U) --octets;
  text.resize(octets);
}

/// Returns the status of an answer of which nothing was given yet.
unsigned status_of(ExitCode code, const Faults& faults, const Question& question, const Result<Cluster>& cluster) {
  switch (code) {
    case ExitCode::ok:
    case ExitCode::different:
      return 200;
    case ExitCode::bad_cluster_file:
      return 500;
    case ExitCode::command_error:
      return faults.denied != 0 && faults.denied == faults.errors ? 403 : 400;
    case ExitCode::incomplete:
      break;
  }
  // Where each chassis is asked by itself, each that does not answer is an error. Otherwise those are warnings if some
  // chassis answers.
  const bool each = question.command.member == "all";
  const bool nobody = each ? cluster && faults.errors >= cluster->chassis.size() : faults.warnings == 0;
  return nobody ? 504 : 200;
}

}  // namespace

bool is_json(const Command& command) { return has_tree(command); }

std::string body_of(const Refusal& refusal) {
  std::string out = fmt::format("{{\n  \"error\": {{\n    \"status\": {},\n    \"message\": ", refusal.status);
  append_json_text(refusal.message, out);
  if (!refusal.bad_element.empty()) {
    out += ",\n    \"bad-element\": ";
    append_json_text(refusal.bad_element, out);
  }
  if (!refusal.possible.empty()) {
    out += ",\n    \"possible\": [";
    std::string_view before;
    for (const auto& each : refusal.possible) {
      out += before;
      before = ", ";
      append_json_text(each, out);
    }
    out += ']';
  }
  return out + "\n  }\n}\n";
}

void answer_question(const Question& question, const Result<Cluster>& cluster, const Host& host, Response& response) {
  Command command = question.command;
  const bool json = is_json(command);
  if (json) command.display = Display::json;
  Head head;
  if (!json) head.type = "text/plain; charset=utf-8";
  std::string held;
  bool begun = false;
  Faults faults;
  Host::Outlets outlets;
  outlets.out = [&](std::string_view text) {
    if (begun) return response.write(text);
    held += text;
    if (held.size() < kHeld) return;
    begun = true;
    head.warning = faults.warning;
    response.begin(head);
    response.write(held);
    held = {};
  };
  outlets.error = [&](std::string_view text) {
    constexpr std::string_view warning = "warning: ";
    if (text.substr(0, warning.size()) != warning) {
      faults.text += text;
      return;
    }
    text.remove_prefix(warning.size());
    if (!faults.warning.empty()) faults.warning += "; ";
    faults.warning += printable_text(text.substr(0, text.find_last_not_of('\n') + 1));
    cut_to(kMostWarning, faults.warning);
  };
  outlets.notice = [&](std::string_view message, std::string_view severity) {
    ++(severity == "warning" ? faults.warnings : faults.errors);
    if (netconf::error_of(message, severity).tag == "access-denied") ++faults.denied;
  };
  outlets.abandoned = [&] { return response.abandoned(); };
  const auto code = host.answer(command, cluster, outlets);
  // In JSON the tree has its errors.
  if (!json && (begun || !held.empty()) && !faults.text.empty()) outlets.out(faults.text);
  if (begun) return response.end(code);
  head.status = status_of(code, faults, question, cluster);
  head.code = code;
  head.warning = faults.warning;
  if (held.empty() && head.status != 200) {
    head.type = "application/json";
    std::string_view why = faults.text;
    if (why.substr(0, 7) == "error: ") why.remove_prefix(7);
    held = body_of({head.status, std::string(why.substr(0, why.find_last_not_of('\n') + 1))});
  }
  response.begin(head);
  response.write(held);
  response.end(code);
}

}  // namespace icr::cli::http
