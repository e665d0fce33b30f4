#include "tests/nat_model/rig.h"

#include <fmt/format.h>

#include "tests/nat_model/wire.h"

namespace icr::node::test::nat_model {
namespace {

std::string what(const SessionRecord& r) {
  if (r.kind == RecordKind::session) {
    return fmt::format("slot {}, a session of {}: {} | {}", r.ref.slot, to_string(r.nat_type), describe(r.flow[0]),
                       describe(r.flow[1]));
  }
  return fmt::format("slot {}, kind {}: {}:{} as {}:{}", r.ref.slot, static_cast<unsigned>(r.kind),
                     r.binding.internal.to_string(), r.binding.internal_port, r.binding.external.to_string(),
                     r.binding.external_port);
}

}  // namespace

Rig::Rig(const Cluster& cluster, std::uint64_t seed) : cluster_(cluster), seed_(seed) {
  for (Side& side : sides_) side = make_side();
  sides_[0].shard->activate(now_);
}

Rig::Side Rig::make_side() {
  Side side;
  side.incarnation = made_++;
  const std::uint64_t seed = seed_ * 64 + side.incarnation;
  side.changes = std::make_unique<Changes>();
  side.shard = std::make_unique<Shard>(cluster_, std::uint16_t{0}, seed, now_);
  side.shard->add_listener(*side.changes);
  side.engine = std::make_unique<Engine>(cluster_, std::vector<Shard*>{side.shard.get()}, seed);
  return side;
}

Outcome Rig::process(Side& side, std::uint32_t unit, const Bytes& packet) {
  const EngineCounters before = side.engine->counters();
  // Room for nothing beyond what the engine may write: a write past it is seen by the sanitizer.
  constexpr std::size_t kRoom = 2048;
  const auto buffer = std::make_unique<std::uint8_t[]>(std::max(packet.size(), kRoom));
  std::copy(packet.begin(), packet.end(), buffer.get());
  Packet p{buffer.get(), static_cast<std::uint32_t>(packet.size()),
           static_cast<std::uint32_t>(std::max(packet.size(), kRoom)), unit};
  Sink sink;
  side.engine->process(std::span(&p, 1), now_, sink);
  const EngineCounters& after = side.engine->counters();
  Outcome out;
  out.sent = std::move(sink.sent);
  for (std::size_t i = 0; i < after.drops.size(); ++i) {
    for (std::uint64_t n = before.drops[i]; n < after.drops[i]; ++n) out.drops.push_back(static_cast<Drop>(i));
  }
  for (std::size_t i = 0; i < after.header_errors.size(); ++i) {
    out.unreadable += after.header_errors[i] - before.header_errors[i];
  }
  out.held = after.fragments_held - before.fragments_held;
  out.rejects = after.rejects_sent - before.rejects_sent;
  out.rejects_suppressed = after.rejects_suppressed - before.rejects_suppressed;
  return out;
}

Outcome Rig::send(std::uint32_t unit, const Bytes& packet) { return process(sides_[active_], unit, packet); }
Outcome Rig::send_to_standby(std::uint32_t unit, const Bytes& packet) {
  return process(sides_[1 - active_], unit, packet);
}

void Rig::tick() {
  now_ += kTick;
  for (Side& side : sides_) {
    while (!side.shard->tick(now_, 64)) {
    }
    side.engine->tick(now_);
  }
}

std::string Rig::compare() {
  if (active().digest() != standby().digest()) return "the digests of the twins differ";
  if (active().sessions() != standby().sessions()) return "the twins count different numbers of sessions";
  if (active().ports_in_use() != standby().ports_in_use()) {
    return fmt::format("ports in use: {} here, {} in the twin", active().ports_in_use(), standby().ports_in_use());
  }
  return {};
}

std::string Rig::replicate() {
  std::set<std::uint32_t> slots = std::move(sides_[active_].changes->slots);
  sides_[active_].changes->slots.clear();
  for (const std::uint32_t slot : slots) {
    SessionRecord r;
    const bool live = active().read(slot, now_, r);
    const Applied applied = live ? standby().apply(r, now_) : standby().erase(r.ref, now_);
    if (applied == Applied::refused) return "the twin refuses " + what(r);
  }
  return compare();
}

std::string Rig::copy_all() {
  SessionRecord r;
  standby().begin_pass(now_);
  for (std::uint32_t slot = 0; slot < active().high_water(); ++slot) {
    r = SessionRecord{};
    const bool live = active().read(slot, now_, r);
    const Applied applied = live ? standby().apply(r, now_) : standby().erase(r.ref, now_);
    if (applied == Applied::refused) return "the twin refuses in a copy " + what(r);
  }
  (void)standby().end_pass(now_);
  sides_[active_].changes->slots.clear();
  return compare();
}

std::string Rig::take_over(bool fresh) {
  std::string wrong = replicate();
  if (!wrong.empty()) return wrong;
  if (fresh) sides_[1 - active_] = make_side();
  wrong = copy_all();  // idle times, to the tick
  if (!wrong.empty()) return wrong;
  active().deactivate(now_);
  active_ = 1 - active_;
  active().activate(now_);
  // A card ticks many times before the clock does: timers are armed.
  while (!active().tick(now_, 64)) {
  }
  return copy_all();
}

std::vector<SessionRecord> Rig::records() {
  std::vector<SessionRecord> out;
  SessionRecord r;
  for (std::uint32_t slot = 0; slot < active().high_water(); ++slot) {
    r = SessionRecord{};
    if (active().read(slot, now_, r)) out.push_back(r);
  }
  return out;
}

std::string Rig::accounts(std::uint64_t held) const {
  for (std::size_t i = 0; i < sides_.size(); ++i) {
    const EngineCounters& c = sides_[i].engine->counters();
    const std::uint64_t kept = i == active_ ? held : 0;
    if (c.packets_in + c.rejects_sent + c.errors_sent + c.fragments_made != c.packets_out + c.dropped() + kept) {
      return fmt::format("engine {}: {} packets in and {} made, {} out, {} dropped, {} held", i, c.packets_in,
                         c.rejects_sent, c.packets_out, c.dropped(), kept);
    }
  }
  return {};
}

}  // namespace icr::node::test::nat_model
