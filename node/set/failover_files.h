// The reports of takeovers on disk: a folder with a JSON file for each of them, and the thread that writes it.
//
//   rs1-7.json.new --fsync, rename--> rs1-7.json
//
// The file of a report that changes is replaced as a whole. Of each redundancy set the newest kMaxFailovers reports are
// kept. Workers hand reports over and never wait for the disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "model/base/result.h"
#include "model/query/failover.h"

namespace icr::node {

class FailoverFiles {
 public:
  /// Opens the folder, or creates it, removes the unfinished files in it, and reads the reports. A file that is no
  /// report is logged, counted and left alone. An error means that the folder cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<FailoverFiles>> open(const std::filesystem::path& folder);
  ~FailoverFiles();  ///< calls stop()
  FailoverFiles(const FailoverFiles&) = delete;
  FailoverFiles& operator=(const FailoverFiles&) = delete;

  /// Returns the reports of a redundancy set that open() has found, in any order.
  [[nodiscard]] std::vector<FailoverReport> reports_of(std::string_view set) const;

  /// Starts the thread that writes.
  void start();
  /// Writes what waits, and ends the thread. Idempotent. REQUIRES: nothing is kept afterwards.
  void stop();
  /// Hands a report to the thread that writes. If the same report still waits for the disk, this newer one takes its
  /// place. Thread: any; it never waits for the disk.
  void keep(const FailoverReport& report);

  /// Thread: any.
  void append_to(CounterList& out) const;

 private:
  /// So many reports may wait for the disk. Further ones are not written, and are counted as such.
  static constexpr std::size_t kMostWaiting = 1024;
  using Key = std::pair<std::string, std::uint64_t>;  ///< set and number

  explicit FailoverFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void read_folder();
  void run();
  void write(const FailoverReport& report);
  void remove_old(const FailoverReport& newest) const;
  [[nodiscard]] std::filesystem::path file_of(std::string_view set, std::uint64_t number) const;

  const std::filesystem::path folder_;
  std::vector<FailoverReport> found_;
  bool failing_ = false;  ///< the last report could not be written, and the log has said so

  InheritingMutex mutex_;  ///< held for moments only
  ConditionVariable wake_;
  std::map<Key, FailoverReport> waiting_ ICR_GUARDED_BY(mutex_);
  bool stopping_ ICR_GUARDED_BY(mutex_) = false;
  std::thread thread_;

  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> not_written_{0};
  std::uint64_t unreadable_ = 0;
};

}  // namespace icr::node
