// An Ethernet port whose interface may appear after the start, and may be removed and created again while icrd runs (a
// VLAN that a network manager configures anew, a container that gets its networks one after the other).
//
// Looking for an interface that does not exist may make the kernel load a module, opening a port reads the whole
// routing table of the machine, and closing one waits until the kernel sends it no more frames. A thread of ordinary
// priority does all three, and the worker goes on with its other ports.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "model/base/mutex.h"
#include "model/config/cluster.h"
#include "node/ports/ethernet_port.h"
#include "node/ports/port.h"

namespace icr::node {

class LatePort final : public Port {
 public:
  static constexpr Duration kLook = 100ms;
  /// A port that could not be opened is tried again after this.
  static constexpr Duration kRetry = 1s;

  /// Keeps the kernel from forwarding what arrives on the interface, and opens the port if the interface exists.
  /// `schedule` is what EthernetPort::open() takes. The error says why an interface that exists cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<LatePort>> open(const PacketPort& config, std::function<void()> schedule);
  ~LatePort() override;
  LatePort(const LatePort&) = delete;
  LatePort& operator=(const LatePort&) = delete;

  [[nodiscard]] std::size_t rx_burst(std::span<Packet> packets) override;
  void was_away(Duration absence, TimePoint now) override;
  [[nodiscard]] Duration waited() const override;
  void tx(const Packet& packet) override;
  void flush() override;
  [[nodiscard]] int descriptor() const override { return port_ ? port_->descriptor() : -1; }
  [[nodiscard]] Totals totals() const override;
  void append_to(CounterList& out) const override;

 private:
  using Opened = Result<std::unique_ptr<EthernetPort>>;
  LatePort(PacketPort config, std::function<void()> schedule)
      : config_(std::move(config)), schedule_(std::move(schedule)) {}
  void look(TimePoint now);
  [[nodiscard]] std::unique_ptr<EthernetPort> give_up_port();
  void start_changing(std::unique_ptr<EthernetPort> former);
  void take_changed(TimePoint now);
  [[nodiscard]] Opened wait_and_open();
  /// Waits for kLook, or until the port ends. Returns true if the port ends.
  [[nodiscard]] bool wait_for_end();

  const PacketPort config_;
  const std::function<void()> schedule_;
  std::unique_ptr<EthernetPort> port_;  ///< null while the interface does not exist or is being opened
  TimePoint next_look_;
  std::thread changing_;  ///< closes the former port, opens the next one, writes opened_, then sets is_changed_
  int index_ = 0;         ///< of the interface that port_ was opened on; the thread's while it runs
  Opened opened_;         ///< null if the port ended before there was an interface
  std::atomic<bool> is_changed_{false};
  Mutex mutex_;
  ConditionVariable stop_;  ///< stopping_ was set
  bool stopping_ ICR_GUARDED_BY(mutex_) = false;
  std::string told_;      ///< why the port could not be opened, as it was logged last
  CounterList former_;    ///< counters of the ports on interfaces that are gone
  Totals former_totals_;  ///< and what went through them
  std::uint64_t losses_ = 0, dropped_ = 0;
};

}  // namespace icr::node
