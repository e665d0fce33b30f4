// Asks the addresses that a redundancy set probes, in a thread of its own and of ordinary priority, so that no worker
// waits for a socket or for the kernel's search for a neighbour. The worker gets the addresses that do not answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/base/counters.h"
#include "model/base/mutex.h"
#include "model/base/result.h"
#include "model/config/cluster.h"
#include "node/kernel/prober.h"
#include "node/redundancy/address_probes.h"

namespace icr::node {

/// Thread: the worker of the set, except where a function says otherwise.
class ProbeThread {
 public:
  struct Parts {
    std::string set;               ///< name of the redundancy set, for the log
    std::uint16_t identifier = 0;  ///< ICMP identifier of the requests that the thread sends
    std::uint64_t seed = 0;        ///< of AddressProbes
  };
  [[nodiscard]] static Result<std::unique_ptr<ProbeThread>> start(Parts parts, std::vector<AddressProbe> probes);
  ~ProbeThread();
  ProbeThread(const ProbeThread&) = delete;
  ProbeThread& operator=(const ProbeThread&) = delete;

  /// Probes these addresses from now on.
  void take(std::vector<AddressProbe> probes);
  /// Copies the addresses that do not answer to `out` and returns true, if they have changed since the last call. Never
  /// blocks: what is being written is taken by a later call.
  [[nodiscard]] bool take_report(std::vector<ProbeTrouble>& out);
  /// Returns a descriptor that becomes readable when take_report() has something new.
  [[nodiscard]] int descriptor() const { return news_; }
  /// Thread: any.
  void append_to(CounterList& out) const;

 private:
  ProbeThread(Parts parts, int wake, int news) : parts_(std::move(parts)), wake_(wake), news_(news) {}
  void run();
  /// Takes what the worker wants, if it wants something new.
  void take_wanted(TimePoint now);
  void send_due(TimePoint now);
  void read_answers(TimePoint now);
  void report();
  void sleep(TimePoint now);
  Prober& prober_of(const std::string& interface);

  const Parts parts_;
  const int wake_;  ///< eventfd: there is something new to do
  const int news_;  ///< eventfd: there is a new report
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> sent_{0}, answered_{0}, deaths_{0};

  InheritingMutex wanted_mutex_;  ///< held only while addresses are copied
  std::vector<AddressProbe> wanted_ ICR_GUARDED_BY(wanted_mutex_);
  bool wants_ ICR_GUARDED_BY(wanted_mutex_) = true;

  Mutex report_mutex_;  ///< held only while a report is copied and announced
  std::vector<ProbeTrouble> report_ ICR_GUARDED_BY(report_mutex_);
  std::atomic<std::uint64_t> written_{0};
  std::uint64_t read_ = 0;  ///< used by the worker only

  // Used by the thread only.
  std::unique_ptr<AddressProbes> probes_;
  std::map<std::string, std::unique_ptr<Prober>> probers_;  ///< by interface
  std::vector<ProbeTrouble> told_;

  std::thread thread_;
};

}  // namespace icr::node
