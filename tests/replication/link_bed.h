// Two ends of a ZeroMQ link over loopback TCP, for tests.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "replication/protocol.h"
#include "replication/zmq/link.h"
#include "tests/support/free_ports.h"

namespace icr::replication::test {

using Bytes = std::vector<std::uint8_t>;
using icr::test::free_ports;

inline Endpoint loopback(std::uint16_t port) { return {IpAddress::v4(INADDR_LOOPBACK), port}; }

class Log : public LinkVisitor {
 public:
  void on_control(std::span<const std::uint8_t> m) override { control.emplace_back(m.begin(), m.end()); }
  void on_data(std::span<const std::uint8_t> m) override { data.emplace_back(m.begin(), m.end()); }
  void on_former(std::span<const std::uint8_t> m) override { former.emplace_back(m.begin(), m.end()); }
  void on_connected() override { ++connected; }
  void on_disconnected() override { ++disconnected; }

  std::vector<Bytes> control;
  std::vector<Bytes> data;
  std::vector<Bytes> former;
  int connected = 0;
  int disconnected = 0;
};

struct End {
  std::unique_ptr<Link> link;
  Log log;
};

inline std::uint64_t counter(const Link& link, std::string_view name) {
  CounterList list;
  link.append_to(list);
  for (const auto& c : list) {
    if (c.name == name) return c.value;
  }
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    left_port_ = free_ports();
    do right_port_ = free_ports();
    while (right_port_ >= left_port_ - 1 && right_port_ <= left_port_ + 1);
  }
  /// A context starts threads when it is made, so a test that forks a process does that before.
  std::shared_ptr<transport::Context> context() {
    if (!context_) {
      auto made = transport::Context::create();
      if (!made) throw std::runtime_error(made.error().message);
      context_ = *made;
    }
    return context_;
  }
  /// Returns the ports and names of one of two ends that belong together.
  [[nodiscard]] LinkConfig config(bool left) const {
    LinkConfig out;
    out.bind = loopback(left ? left_port_ : right_port_);
    out.connect = loopback(left ? right_port_ : left_port_);
    out.own_id = left ? "0/0" : "0/1";
    out.peer_id = left ? "0/1" : "0/0";
    return out;
  }
  void open_with(End& end, const LinkConfig& config) {
    auto link = Link::open(context(), config);
    ASSERT_TRUE(link) << link.error().message;
    end.link = std::move(*link);
  }
  void open(End& end, bool left) { open_with(end, config(left)); }
  /// Waits on the descriptors as a worker does, until the condition holds.
  template <class Condition>
  bool await(std::initializer_list<End*> ends, Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < until) {
      std::vector<pollfd> polled;
      bool more = false;
      for (End* end : ends) {
        if (!end->link) continue;
        more = end->link->drain(end->log, 64) || more;
        for (const int fd : end->link->descriptors()) polled.push_back({fd, POLLIN, 0});
      }
      if (condition()) return true;
      if (!more) ::poll(polled.data(), polled.size(), 20);
    }
    return false;
  }
  static Bytes text(std::string_view s) { return {s.begin(), s.end()}; }

  std::shared_ptr<transport::Context> context_;
  std::uint16_t left_port_ = 0;
  std::uint16_t right_port_ = 0;
  End left_;
  End right_;
};

}  // namespace icr::replication::test
