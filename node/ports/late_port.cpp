#include "node/ports/late_port.h"

#include <net/if.h>

#include <array>
#include <utility>

#include "model/base/clock.h"
#include "model/base/log.h"
#include "node/kernel/netlink.h"
#include "node/kernel/tun_routing.h"

namespace icr::node {
namespace {

/// May make the kernel load a module if there is no such interface.
int index_of(const std::string& interface) { return static_cast<int>(if_nametoindex(interface.c_str())); }

bool has_name(int index, const std::string& name) {
  std::array<char, IF_NAMESIZE> found{};
  return if_indextoname(static_cast<unsigned>(index), found.data()) != nullptr && name == found.data();
}

}  // namespace

Result<std::unique_ptr<LatePort>> LatePort::open(const PacketPort& config, std::function<void()> schedule) {
  std::unique_ptr<LatePort> out(new LatePort(config, std::move(schedule)));
  out->index_ = index_of(config.device);
  if (out->index_ != 0) {
    auto opened = EthernetPort::open(config, out->schedule_);
    if (!opened) return tl::unexpected(opened.error());
    out->port_ = std::move(*opened);
    return out;
  }
  const std::string where = fmt::format("port unit {} interface {}", config.unit, config.device);
  auto socket = netlink::open_route_socket();
  if (!socket) return tl::unexpected(socket.error().in(where));
  if (auto done = keep_from_forwarding(socket->get(), config.device); !done) {
    return tl::unexpected(done.error().in(where));
  }
  log::warn("port", "interface={} does not exist yet: unit {} waits for it", config.device, config.unit);
  return out;
}

LatePort::~LatePort() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (changing_.joinable()) changing_.join();
}

void LatePort::look(TimePoint now) {
  if (changing_.joinable()) {
    if (is_changed_.load(std::memory_order_acquire)) take_changed(now);
    return;
  }
  if (now < next_look_) return;
  next_look_ = now + kLook;
  if (!port_) return start_changing(nullptr);
  if (!has_name(index_, config_.device)) start_changing(give_up_port());
}

std::unique_ptr<EthernetPort> LatePort::give_up_port() {
  log::warn("port", "interface={} was removed: unit {} waits for another one of this name", config_.device,
            config_.unit);
  ++losses_;
  CounterList last;
  port_->append_to(last);
  add_counters(former_, last);
  former_totals_ = totals();
  return std::move(port_);
}

void LatePort::start_changing(std::unique_ptr<EthernetPort> former) {
  is_changed_ = false;
  changing_ = std::thread([this, former = std::move(former)]() mutable {
    former.reset();
    opened_ = wait_and_open();
    is_changed_.store(true, std::memory_order_release);
  });
}

LatePort::Opened LatePort::wait_and_open() {
  for (;;) {
    index_ = index_of(config_.device);
    if (index_ != 0) {
      auto opened = EthernetPort::open(config_, schedule_);
      // An interface that vanished again is waited for like one that was never there.
      if (opened || index_of(config_.device) != 0) return opened;
    }
    if (wait_for_end()) return nullptr;
  }
}

bool LatePort::wait_for_end() {
  const TimePoint until = coarse_monotonic_now() + kLook;
  const MutexLock lock(mutex_);
  while (!stopping_ && stop_.wait_until(mutex_, until)) {
  }
  return stopping_;
}

void LatePort::take_changed(TimePoint now) {
  changing_.join();
  if (opened_) {
    port_ = std::move(*opened_);
    opened_ = {};
    told_.clear();
    log::info("port", "interface={} exists now: unit {} receives and sends on it", config_.device, config_.unit);
    return;
  }
  next_look_ = now + kRetry;
  if (told_ == opened_.error().message) return;
  told_ = opened_.error().message;
  log::error("port", "{}", told_);
}

std::size_t LatePort::rx_burst(std::span<Packet> packets) {
  look(coarse_monotonic_now());
  return port_ ? port_->rx_burst(packets) : 0;
}

void LatePort::was_away(Duration absence, TimePoint now) {
  if (port_) port_->was_away(absence, now);
}

Duration LatePort::waited() const { return port_ ? port_->waited() : Duration{}; }

void LatePort::tx(const Packet& packet) {
  if (port_) return port_->tx(packet);
  ++dropped_;
}

void LatePort::flush() {
  if (port_) port_->flush();
}

Port::Totals LatePort::totals() const {
  const Totals present = port_ ? port_->totals() : Totals{};
  return {former_totals_.rx_packets + present.rx_packets, former_totals_.rx_bytes + present.rx_bytes,
          former_totals_.tx_packets + present.tx_packets, former_totals_.tx_bytes + present.tx_bytes};
}

void LatePort::append_to(CounterList& out) const {
  CounterList all = former_;
  CounterList present;
  if (port_) port_->append_to(present);
  add_counters(all, present);
  out.insert(out.end(), all.begin(), all.end());
  out.push_back({"interface-losses", losses_});
  out.push_back({"tx-dropped-no-interface", dropped_});
}

}  // namespace icr::node
