// What a meter says of a port.
#include "node/card/port_meter.h"

#include <gtest/gtest.h>

namespace icr::node {
namespace {

class CountingPort final : public Port {
 public:
  std::size_t rx_burst(std::span<Packet> /*packets*/) override { return 0; }
  void tx(const Packet& /*packet*/) override {}
  [[nodiscard]] int descriptor() const override { return -1; }
  [[nodiscard]] Totals totals() const override { return now; }
  void append_to(CounterList& out) const override {
    out.push_back({"rx-packets", 100});
    out.push_back({"rx-errors", 1});
    out.push_back({"rx-dropped-late", 2});
    out.push_back({"rx-dropped-full", 4});
    out.push_back({"tx-dropped-full", 8});
  }
  Totals now;
};

TEST(PortMeter, RatesAreThoseOfTheLastInterval) {
  CountingPort port;
  PortMeter meter;
  port.now = {10, 1000, 20, 3000};
  EXPECT_EQ(meter.traffic(7, port).input_pps, 0U) << "no interval has ended";
  meter.sample(port, 1s);
  port.now = {40, 5000, 20, 3000};
  meter.sample(port, 2s);
  port.now = {1000, 90'000, 21, 3100};  // counts for the next interval
  const PortTraffic traffic = meter.traffic(7, port);
  EXPECT_EQ(traffic.unit, 7U);
  EXPECT_EQ(traffic.input_pps, 15U);
  EXPECT_EQ(traffic.input_bps, 16'000U);
  EXPECT_EQ(traffic.output_pps, 0U);
  EXPECT_EQ(traffic.output_bps, 0U);
  EXPECT_EQ(traffic.input_errors, 7U);
  EXPECT_EQ(traffic.output_errors, 8U);
}

}  // namespace
}  // namespace icr::node
