#include "cli/http/counters.h"

namespace icr::cli::http {
namespace {

/// In the order of the enumeration.
constexpr std::array<std::string_view, kEvents> kNames = {
    "connections",
    "answers",
    "descriptions",
    "refused-bad-requests",
    "refused-without-token",
    "refused-by-class",
    "refused-unknown-paths",
    "refused-methods",
    "refused-bodies",
    "refused-hosts",
    "refused-long-headers",
    "failed-here",
    "refused-too-many-questions",
    "refused-too-many-connections",
    "nobody-answered",
    "cut-off-slow-requests",
    "cut-off-slow-readers",
    "clients-left",
};

bool is_refusal(Event event) { return event > Event::described && event != Event::client_left; }

}  // namespace

std::string_view name_of(Event event) { return kNames.at(static_cast<std::size_t>(event)); }

Event event_of(unsigned status) {
  switch (status) {
    case 400:
      return Event::bad_request;
    case 401:
      return Event::no_token;
    case 403:
      return Event::class_denied;
    case 404:
      return Event::unknown_path;
    case 405:
      return Event::other_method;
    case 413:
      return Event::with_body;
    case 421:
      return Event::other_host;
    case 431:
      return Event::long_header;
    case 500:
      return Event::failed;
    case 503:
      return Event::too_many_questions;
    case 504:
      return Event::nobody_answered;
    default:
      return Event::described;
  }
}

void Counters::add_to(Tree& tree) const {
  tree.leaf("connections-now", connections.load(std::memory_order_relaxed));
  tree.leaf("questions-now", questions.load(std::memory_order_relaxed));
  for (std::size_t i = 0; i < kEvents; ++i) {
    const auto event = static_cast<Event>(i);
    tree.leaf(name_of(event), of(event));
  }
}

std::string RefusalLog::next_line() {
  std::string out;
  for (std::size_t i = 0; i < kEvents; ++i) {
    const auto event = static_cast<Event>(i);
    const auto now = counters_.of(event);
    const auto more = now - told_[i];
    told_[i] = now;
    if (more == 0 || !is_refusal(event)) continue;
    out += fmt::format("{}{} +{}", out.empty() ? "icr serve: " : ", ", name_of(event), more);
  }
  return out;
}

}  // namespace icr::cli::http
