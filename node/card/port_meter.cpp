#include "node/card/port_meter.h"

#include <string_view>

namespace icr::node {

void PortMeter::sample(const Port& port, Duration elapsed) {
  const auto rate = [&](std::uint64_t after, std::uint64_t before) {
    return (after - before) * 1000 / static_cast<std::uint64_t>(elapsed / 1ms);
  };
  const Port::Totals totals = port.totals();
  per_second_ = {rate(totals.rx_packets, from_.rx_packets), rate(totals.rx_bytes, from_.rx_bytes),
                 rate(totals.tx_packets, from_.tx_packets), rate(totals.tx_bytes, from_.tx_bytes)};
  from_ = totals;
}

PortTraffic PortMeter::traffic(std::uint32_t unit, const Port& port) const {
  constexpr std::uint64_t kBits = 8;
  const Port::Totals totals = port.totals();
  PortTraffic out{unit, totals.rx_packets, totals.rx_bytes, totals.tx_packets, totals.tx_bytes};
  out.input_pps = per_second_.rx_packets;
  out.input_bps = per_second_.rx_bytes * kBits;
  out.output_pps = per_second_.tx_packets;
  out.output_bps = per_second_.tx_bytes * kBits;
  CounterList counters;
  port.append_to(counters);
  for (const NamedCounter& counter : counters) {
    const std::string_view name = counter.name;
    if (name.starts_with("rx-dropped-") || name == "rx-errors") out.input_errors += counter.value;
    if (name.starts_with("tx-dropped-")) out.output_errors += counter.value;
  }
  return out;
}

}  // namespace icr::node
