#include "node/set/silence.h"

#include <string>

namespace icr::node {
namespace {

std::uint64_t in_micros(Duration time) { return static_cast<std::uint64_t>(time / 1us); }

}  // namespace

SilenceStatus silence_of(const DetectorStatus& d, bool present) {
  SilenceStatus out{
      in_micros(d.floor),    in_micros(d.limit),     in_micros(d.threshold), in_micros(d.silence),
      in_micros(d.own_late), in_micros(d.peer_late), in_micros(d.peer_says), d.avoided,
      d.probes_sent,         d.probes_answered,      "hears the peer",       std::string(to_string(d.probe))};
  if (!present) {
    out.state = "peer is lost";
  } else if (d.silence > d.floor) {
    out.state = "peer is silent, which is still tolerated";
  }
  return out;
}

}  // namespace icr::node
