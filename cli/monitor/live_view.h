// What `monitor` draws: lines of text, made of looks at the cluster and of the keys that the operator has pressed.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/monitor/look.h"

namespace icr::cli {

/// The lines of a screen, and where the operator may scroll. Thread: one.
class LiveView {
 public:
  LiveView() = default;
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;
  virtual ~LiveView() = default;

  /// Takes what the cluster has answered.
  virtual void take(Look look) = 0;
  /// Takes a key in small letters, or kUp or kDown; those that mean nothing are ignored.
  virtual void press(int key) = 0;
  /// Returns the rows below the heading: those that stay, those that scroll, and what the keys are.
  struct Page {
    std::vector<std::string> fixed;
    std::vector<std::string> scrolled;
    std::string keys;
  };
  [[nodiscard]] virtual Page page() const = 0;
};

/// Returns the view of a `monitor` command.
[[nodiscard]] std::unique_ptr<LiveView> make_live_view(const Command& command, const Cluster& cluster);

/// What stands above every view.
struct Heading {
  std::string name;        ///< of the cluster
  long seconds = 0;        ///< since the beginning
  std::string time;        ///< of the day, "15:46:29"
  std::string under_time;  ///< below it
};

/// Returns exactly `rows` rows of at most `columns` columns. `first` is the first row that is scrolled to; it is made
/// smaller if there are not so many.
[[nodiscard]] std::vector<std::string> screen_of(const LiveView& view, const std::vector<std::string>& errors,
                                                 const Heading& heading, std::size_t rows, std::size_t columns,
                                                 std::size_t& first);

}  // namespace icr::cli
