#include "node/ports/late_port.h"

#include <net/if.h>
#include <time.h>

#include <utility>

#include "model/base/log.h"
#include "node/kernel/netlink.h"
#include "node/kernel/tun_routing.h"

namespace icr::node {
namespace {

TimePoint coarse_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

int index_of(const std::string& interface) { return static_cast<int>(if_nametoindex(interface.c_str())); }

}  // namespace

Result<std::unique_ptr<LatePort>> LatePort::open(const PacketPort& config) {
  std::unique_ptr<LatePort> out(new LatePort(config));
  out->index_ = index_of(config.device);
  if (out->index_ != 0) {
    auto opened = EthernetPort::open(config);
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
  if (opening_.joinable()) opening_.join();
}

void LatePort::look(TimePoint now) {
  if (now < next_look_) return;
  next_look_ = now + kLook;
  if (opening_.joinable()) {
    if (is_opened_.load(std::memory_order_acquire)) take_opened(now);
    return;
  }
  const int index = index_of(config_.device);
  if (port_ && index == index_) return;
  if (port_) close_port();
  index_ = index;
  if (index != 0) start_opening();
}

void LatePort::close_port() {
  log::warn("port", "interface={} was removed: unit {} waits for another one of this name", config_.device,
            config_.unit);
  ++losses_;
  CounterList last;
  port_->append_to(last);
  add_counters(former_, last);
  port_.reset();
}

void LatePort::start_opening() {
  is_opened_ = false;
  opening_ = std::thread([this] {
    opened_ = EthernetPort::open(config_);
    is_opened_.store(true, std::memory_order_release);
  });
}

void LatePort::take_opened(TimePoint now) {
  opening_.join();
  if (opened_) {
    port_ = std::move(*opened_);
    opened_ = {};
    told_.clear();
    log::info("port", "interface={} is there: unit {} receives and sends on it", config_.device, config_.unit);
    return;
  }
  next_look_ = now + kRetry;
  // An interface that vanished again is waited for like one that was never there.
  if (index_of(config_.device) == 0 || told_ == opened_.error().message) return;
  told_ = opened_.error().message;
  log::error("port", "{}", told_);
}

std::size_t LatePort::rx_burst(std::span<Packet> packets) {
  look(coarse_now());
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
