// What `icr serve` counts: what it answered and what it refused, and why.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/result/tree.h"

namespace icr::cli::http {

/// What happened to a connection or a request.
enum class Event : std::uint8_t {
  connected,
  answered,              ///< a request with an answer of the cluster, complete or not
  described,             ///< the description, the statistics, or the head of an answer
  bad_request,           ///< 400
  no_token,              ///< 401
  class_denied,          ///< 403
  unknown_path,          ///< 404
  other_method,          ///< 405
  with_body,             ///< 413
  other_host,            ///< 421: another name of this machine, or a web page
  long_header,           ///< 431
  failed,                ///< 500, or closed: the cluster file or the resources of this machine
  too_many_questions,    ///< 503
  too_many_connections,  ///< 503
  nobody_answered,       ///< 504
  slow_request,          ///< the request did not come in time
  slow_reader,           ///< the client did not take the answer in time
  client_left,           ///< the client closed the connection before the end of the answer
};
inline constexpr std::size_t kEvents = static_cast<std::size_t>(Event::client_left) + 1;

/// Thread: any.
class Counters {
 public:
  void note(Event event) { counts_[static_cast<std::size_t>(event)].fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t of(Event event) const {
    return counts_[static_cast<std::size_t>(event)].load(std::memory_order_relaxed);
  }
  /// Adds a leaf for each, and for what is going on now, to the element that has begun.
  void add_to(Tree& tree) const;

  std::atomic<std::uint32_t> connections{0};  ///< now
  std::atomic<std::uint32_t> questions{0};    ///< that are being answered now

 private:
  std::array<std::atomic<std::uint64_t>, kEvents> counts_{};
};

/// Says from time to time what was refused since it was last asked. Thread: one.
class RefusalLog {
 public:
  explicit RefusalLog(const Counters& counters) : counters_(counters) {}
  /// Returns one line without a newline; nothing if nothing was refused.
  [[nodiscard]] std::string next_line();

 private:
  const Counters& counters_;
  std::array<std::uint64_t, kEvents> told_{};
};

/// Returns the name of the counter: "refused-without-token".
[[nodiscard]] std::string_view name_of(Event event);
/// Returns the event that a response with this status is; `described` for one that is no refusal.
[[nodiscard]] Event event_of(unsigned status);

}  // namespace icr::cli::http
