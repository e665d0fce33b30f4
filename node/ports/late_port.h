// An Ethernet port whose interface may appear after the start, and may be removed and created again while icrd runs (a
// VLAN that a network manager configures anew, a container that gets its networks one after the other).
//
// The interface is looked for every kLook. Opening a port reads the whole routing table of the machine, so a thread of
// ordinary priority does it, and the worker goes on with its other ports.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "model/config/cluster.h"
#include "node/ports/ethernet_port.h"
#include "node/ports/port.h"

namespace icr::node {

class LatePort final : public Port {
 public:
  static constexpr Duration kLook = 100ms;
  /// A port that could not be opened is tried again after this.
  static constexpr Duration kRetry = 1s;

  /// Keeps the kernel from forwarding what arrives on the interface, and opens the port if the interface exists. The
  /// error says why an interface that exists cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<LatePort>> open(const PacketPort& config);
  ~LatePort() override;
  LatePort(const LatePort&) = delete;
  LatePort& operator=(const LatePort&) = delete;

  [[nodiscard]] std::size_t rx_burst(std::span<Packet> packets) override;
  void was_away(Duration absence, TimePoint now) override;
  [[nodiscard]] Duration waited() const override;
  void tx(const Packet& packet) override;
  void flush() override;
  [[nodiscard]] int descriptor() const override { return port_ ? port_->descriptor() : -1; }
  void append_to(CounterList& out) const override;

 private:
  using Opened = Result<std::unique_ptr<EthernetPort>>;
  explicit LatePort(PacketPort config) : config_(std::move(config)) {}
  void look(TimePoint now);
  void close_port();
  void start_opening();
  void take_opened(TimePoint now);

  const PacketPort config_;
  std::unique_ptr<EthernetPort> port_;  ///< null while the interface does not exist or is being opened
  int index_ = 0;                       ///< of the interface that port_ was opened on, or is opened on
  TimePoint next_look_;
  std::thread opening_;  ///< writes opened_, then sets is_opened_
  Opened opened_;
  std::atomic<bool> is_opened_{false};
  std::string told_;    ///< why the port could not be opened, as it was logged last
  CounterList former_;  ///< counters of the ports on interfaces that are gone
  std::uint64_t losses_ = 0, dropped_ = 0;
};

}  // namespace icr::node
