// What every command does: survey the cluster, ask sources, remember who did not answer or refused.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/execute.h"
#include "cli/merge/session_stream.h"
#include "cli/merge/survey.h"
#include "cli/render/tables.h"

namespace icr::cli {

/// One command on its way. The command and the environment must outlive it.
class Asking {
 public:
  Asking(const Command& command, const Environment& environment)
      : command_(command), env_(environment), cluster_(environment.cluster) {}

  void survey();
  /// Prints who did not answer. What `icr` exits with.
  [[nodiscard]] ExitCode finish();

  [[nodiscard]] const Command& command() const { return command_; }
  [[nodiscard]] const Cluster& cluster() const { return cluster_; }
  [[nodiscard]] const Environment& environment() const { return env_; }
  [[nodiscard]] const Survey& surveyed() const { return survey_; }
  [[nodiscard]] std::vector<Silence>& silent() { return silent_; }

  /// One source for each redundancy set that the words of the command leave.
  [[nodiscard]] std::vector<Source> sources(const Selection& selection) const;
  /// Of those, the ones that are masters: who may change something. A set without a master is refused, and said.
  [[nodiscard]] std::vector<Source> masters(const Selection& selection, std::string_view what);

  /// Asks each source the question that `fill` makes of it, all at once; hands the replies to `take`, in the order of
  /// the sources. Chassis that fail or refuse are remembered.
  using Fill = std::function<void(const Source& source, QueryRequest& request)>;
  using Take = std::function<void(const Source& source, const QueryReply& reply)>;
  void ask_each(const std::vector<Source>& sources, const Fill& fill, const Take& take);
  /// Rows per service set that a question answers, in the order of the sources.
  [[nodiscard]] std::vector<ServiceSetRow> ask_for_rows(const std::vector<Source>& sources, const Fill& fill);

  /// The reply, if the chassis did what it was asked. What a card refuses is the operator's error; anything else is a
  /// chassis that does not answer.
  const QueryReply* accepted(const Answer& answer);
  void refuse(std::string_view why);

  /// Prints records as they come, in pieces, so that a listing of any length needs little memory.
  using Append =
      std::function<void(const Read& read, const SessionRecord& record, const BindingUse& use, std::string& out)>;
  void stream(const std::vector<Read>& reads, std::optional<std::uint32_t> limit, const Append& append);
  /// The same, by page.
  using AppendPage = std::function<void(const Read& read, const QueryReply& page, std::string& out)>;
  void stream_pages(const std::vector<Read>& reads, const AppendPage& append);

 private:
  void flush(std::string& text, bool all) const;

  const Command& command_;
  const Environment& env_;
  const Cluster& cluster_;
  Survey survey_;
  std::vector<Silence> silent_;
  bool refused_ = false;
};

}  // namespace icr::cli
