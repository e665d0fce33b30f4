// The views of the `monitor` commands.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/monitor/live_view.h"

namespace icr::cli {

/// The counters since a moment. A counter that has become smaller belongs to another process, and begins anew.
class Baseline {
 public:
  /// Returns how much the counters of this interface have grown since they were seen first, or since clear().
  [[nodiscard]] PortTraffic since(const InterfaceLook& now) const;
  void take(const std::vector<InterfaceLook>& now);
  void clear() { begin_.clear(); }

 private:
  using Key = std::pair<std::string, std::string>;
  std::map<Key, PortTraffic> begin_;
};

/// `monitor interface NAME`, in the layout of Junos.
class LiveInterface final : public LiveView {
 public:
  void take(Look look) override;
  void press(int key) override;
  [[nodiscard]] Page page() const override;

 private:
  std::vector<InterfaceLook> interfaces_;
  std::size_t shown_ = 0;
  Baseline baseline_;
  bool frozen_ = false;
};

/// `monitor interface traffic`, in the layout of Junos. With several chassis, a column says which one it is.
class LiveTraffic final : public LiveView {
 public:
  explicit LiveTraffic(bool with_chassis) : with_chassis_(with_chassis) {}
  void take(Look look) override;
  void press(int key) override;
  [[nodiscard]] Page page() const override;

 private:
  std::vector<InterfaceLook> interfaces_;
  Baseline baseline_;
  bool with_chassis_;
  bool bytes_ = false;
  bool delta_ = false;
};

/// `monitor services sessions`: the largest sessions, those with the greatest rate first.
class LiveSessions final : public LiveView {
 public:
  explicit LiveSessions(bool by_packets) : by_packets_(by_packets) {}
  void take(Look look) override;
  void press(int key) override;
  [[nodiscard]] Page page() const override;

 private:
  struct Row {
    SessionLook session;
    std::uint64_t pps = 0;
    std::uint64_t bps = 0;
  };
  std::vector<Row> rows_;
  std::map<SessionLook::Key, std::pair<std::uint64_t, std::uint64_t>> before_;  ///< packets and bytes
  std::optional<TimePoint> when_;                                               ///< of before_
  bool by_packets_;
  bool frozen_ = false;
};

}  // namespace icr::cli
