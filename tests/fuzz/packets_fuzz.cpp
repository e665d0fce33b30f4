// Packets through the engine. An input is a list of packets: a unit, a time step, a length, octets.
#include <vector>

#include "node/flow/engine.h"
#include "tests/fuzz/fuzz_cluster.h"

namespace {

using namespace icr;
using namespace icr::node;

class Sink final : public PacketSink {
 public:
  void send(const Packet& packet) override {
    Headers headers;
    std::vector<std::uint8_t> copy(packet.data, packet.data + packet.length);
    // What leaves is readable, but for what is in it from the sender: a header error would be ours.
    fuzz::require(read_headers(copy.data(), packet.length, headers) == HeaderError::none);
    fuzz::require(packet.unit >= 1 && packet.unit <= 4);
  }
};

std::uint64_t slow_digest(const Shard& shard, TimePoint now) {
  std::uint64_t sum = 0;
  SessionRecord r;
  for (std::uint32_t slot = 0; slot < shard.high_water(); ++slot) sum += shard.read(slot, now, r) ? digest_of(r) : 0;
  return sum;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Made once, because that takes longer than an input; each input leaves nothing behind.
  static TimePoint now{std::chrono::hours(1)};
  static Shard shard(fuzz::cluster(), 0, 1, now);
  static Engine engine(fuzz::cluster(), {&shard}, 1);
  Sink sink;
  shard.activate(now);
  while (size >= 4) {
    const std::uint32_t unit = data[0] % 5;
    if (data[0] >= 250) {  // a takeover: windows are learnt again
      shard.deactivate(now);
      shard.activate(now);
    }
    now += std::chrono::milliseconds(data[1] * data[1]);
    const std::size_t length = std::min<std::size_t>(data[2] * 256U + data[3], size - 4);
    std::vector<std::uint8_t> packet(data + 4, data + 4 + length);
    packet.shrink_to_fit();
    Packet p{packet.data(), static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(length), unit};
    engine.process(std::span(&p, 1), now, sink);
    (void)shard.tick(now, 16);
    engine.tick(now);
    data += 4 + length;
    size -= 4 + length;
  }
  fuzz::require(shard.digest() == slow_digest(shard, now));
  // Longer than any timeout of the cluster.
  now += 150s;
  while (!shard.tick(now, 1000)) {
  }
  engine.tick(now);
  fuzz::require(shard.sessions() == 0 && shard.ports_in_use() == 0 && shard.digest() == 0);
  const EngineCounters& c = engine.counters();
  fuzz::require(c.packets_in + c.rejects_sent + c.errors_sent + c.fragments_made == c.packets_out + c.dropped());
  return 0;
}
