// The steps that all commands share: survey the cluster, ask sources, and remember which chassis did not answer or
// refused.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/builders/counts.h"
#include "cli/execute.h"
#include "cli/faces/face.h"
#include "cli/merge/session_stream.h"
#include "cli/merge/survey.h"

namespace icr::cli {

/// The execution of one command. REQUIRES: command, environment and face outlive it. Thread: one.
class Asking {
 public:
  Asking(const Command& command, const Environment& environment, Face& face)
      : command_(command), env_(environment), face_(face), cluster_(&environment.cluster) {}

  /// Asks every card for its status. REQUIRES: called first.
  void survey();
  /// Prints an error for each chassis that did not answer, and puts all errors into the tree of the answer. Returns the
  /// exit code of `icr`. REQUIRES: the elements of the answer have ended.
  [[nodiscard]] ExitCode finish();

  [[nodiscard]] const Command& command() const { return command_; }
  /// Returns the cluster file, with the names that chassis with another file told in the survey.
  [[nodiscard]] const Cluster& cluster() const { return *cluster_; }
  [[nodiscard]] const Environment& environment() const { return env_; }
  /// Returns what takes the tree of the answer.
  [[nodiscard]] Tree& tree() const { return face_; }
  /// Returns true if the answer is printed as text.
  [[nodiscard]] bool is_text() const { return command_.display == Display::text; }
  [[nodiscard]] const Survey& surveyed() const { return survey_; }
  [[nodiscard]] std::vector<Unreachable>& unreachable() { return unreachable_; }

  /// Returns one source for each redundancy set that `selection` includes.
  [[nodiscard]] std::vector<Source> sources(const Selection& selection) const;
  /// Returns those of sources() that are masters, because only masters may be changed. Prints an error for each set
  /// without a master, in which `what` names the things that are not cleared.
  [[nodiscard]] std::vector<Source> masters(const Selection& selection, std::string_view what);

  /// Asks all sources at once. `fill` completes the request to a source, in which card and set are set already. Calls
  /// `take` for each reply, in the order of the sources. A chassis that fails or refuses is remembered, and has no
  /// reply.
  using Fill = std::function<void(const Source& source, QueryRequest& request)>;
  using Take = std::function<void(const Source& source, const QueryReply& reply)>;
  void ask_each(const std::vector<Source>& sources, const Fill& fill, const Take& take);
  /// Asks all sources at once, as ask_each(). Returns the counts of each service set, in the order of the sources.
  [[nodiscard]] std::vector<ServiceSetRow> ask_for_rows(const std::vector<Source>& sources, const Fill& fill);

  /// Returns the reply, or null if the chassis failed or refused, which is remembered. A request that a card refuses is
  /// an error of the operator; all other failures count as a chassis that does not answer.
  const QueryReply* accepted(const Answer& answer);
  /// Prints `why` as an error; finish() then returns command_error.
  void refuse(std::string_view why);
  /// Remembers that twins are not equal, or could not be compared; finish() then returns different.
  void found_difference() { different_ = true; }

  /// Reads all records and prints what `append` makes of each, in pieces, so that a listing of any length needs little
  /// memory. Prints at most `limit` records.
  using Append =
      std::function<void(const Read& read, const SessionRecord& record, const BindingUse& use, std::string& out)>;
  void stream(const std::vector<Read>& reads, std::optional<std::uint32_t> limit, const Append& append);
  /// Reads at most `limit` records, one page at a time from each chassis, and calls `take` for each.
  void read(const std::vector<Read>& reads, std::optional<std::uint32_t> limit, const RecordPrinter& take);
  /// Reads all pages, and calls `take` for each.
  void read_pages(const std::vector<Read>& reads, const PagePrinter& take);
  /// Reads all pages and prints what `append` makes of each, in pieces.
  using AppendPage = std::function<void(const Read& read, const QueryReply& page, std::string& out)>;
  void stream_pages(const std::vector<Read>& reads, const AppendPage& append);

 private:
  void flush(std::string& text, bool all) const;

  const Command& command_;
  const Environment& env_;
  Face& face_;
  const Cluster* cluster_;
  std::unique_ptr<const Cluster> learned_;  ///< the cluster with further names, if any were told
  Survey survey_;
  std::vector<Unreachable> unreachable_;
  std::vector<std::string> refusals_;
  bool different_ = false;
};

}  // namespace icr::cli
