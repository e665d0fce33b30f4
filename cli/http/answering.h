// The answer to one HTTP request, without the connection: what status it has, and when its body begins.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/answer.h"
#include "cli/http/target.h"

namespace icr::cli::http {

/// The most octets of a warning. Each chassis may have one to say, and a header has an end.
inline constexpr std::size_t kMostWarning = 1000;

/// What stands in front of the body of a response.
struct Head {
  unsigned status = 200;
  std::string_view type = "application/json";
  std::optional<ExitCode> code = std::nullopt;  ///< of `icr`, if it is known before the body begins
  std::string warning = {};                     ///< a line for people, of at most kMostWarning octets
};

/// Takes a response. Thread: one.
class Response {
 public:
  virtual ~Response() = default;
  /// Begins a response whose length is not known. REQUIRES: called once.
  virtual void begin(const Head& head) = 0;
  virtual void write(std::string_view piece) = 0;
  /// Returns true once nobody takes it any more.
  [[nodiscard]] virtual bool abandoned() const = 0;
  /// Ends it, and tells the exit code behind the body.
  virtual void end(ExitCode code) = 0;
};

/// What an answer needs of the program.
struct Host {
  /// Reads the cluster file.
  std::function<Result<Cluster>()> read_cluster;
  /// Carries out a command as if it had been typed.
  struct Outlets {
    Printer out;
    Printer error;
    Reporter notice;
    std::function<bool()> abandoned;
  };
  std::function<ExitCode(const Command& command, const Result<Cluster>& cluster, const Outlets& outlets)> answer;
};

/// Returns the body of a response that is a refusal.
[[nodiscard]] std::string body_of(const Refusal& refusal);

/// Asks the cluster, and gives the answer to `response`: as JSON, or as text if the command has no other form. Nothing
/// is given before there is much of it, so that an answer which nobody gives has a status that says so.
void answer_question(const Question& question, const Result<Cluster>& cluster, const Host& host, Response& response);

/// Returns true if the answer of a command is JSON.
[[nodiscard]] bool is_json(const Command& command);

}  // namespace icr::cli::http
