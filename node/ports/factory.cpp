#include "node/ports/factory.h"

#include "node/ports/late_port.h"
#include "node/ports/pcap_port.h"
#include "node/ports/tun_port.h"

namespace icr::node {

Result<std::unique_ptr<Port>> open_port(const PacketPort& config, const std::function<void()>& schedule) {
  const auto as_port = [](auto opened) -> Result<std::unique_ptr<Port>> {
    if (!opened) return tl::unexpected(opened.error());
    return std::unique_ptr<Port>(std::move(*opened));
  };
  if (config.kind == PacketPort::Kind::pcap) return as_port(PcapPort::open(config));
  if (config.kind == PacketPort::Kind::af_packet) return as_port(LatePort::open(config, schedule));
  return as_port(TunPort::open(config));
}

}  // namespace icr::node
