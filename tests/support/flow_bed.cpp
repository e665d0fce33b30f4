#include "tests/support/flow_bed.h"

#include <gtest/gtest.h>

#include "model/config/arrangement.h"
#include "model/config/cluster_file.h"
#include "model/config/reserved_endpoints.h"

namespace icr::node::test {
namespace {

std::string indented(const std::string& lines, const std::string& indent) {
  std::string out;
  std::string line;
  for (const char c : lines + "\n") {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (!line.empty()) out += indent + line + "\n";
    line.clear();
  }
  return out;
}

std::string chassis(const std::string& name, unsigned number, bool four_units) {
  const std::string n = std::to_string(number);
  std::string out = "  - name: " + name + "\n    inter-chassis: { address: 192.0.2." + n +
                    ", port: 7400 }\n    query: { address: 192.0.2." + n +
                    ", port: 7300 }\n    cards:\n      - name: ms-" + n + "/0/0\n        ports:\n";
  for (unsigned unit = 1; unit <= (four_units ? 4U : 2U); ++unit) {
    out +=
        "          - { unit: " + std::to_string(unit) + ", type: tun, device: " + name + std::to_string(unit) + " }\n";
  }
  return out;
}

std::string text_of(const Plan& p) {
  std::string out =
      "cluster: bed\nchassis:\n" + chassis("left", 1, p.second_service_set) + chassis("right", 2, p.second_service_set);
  out += "redundancy-sets:\n  - name: rs1\n    id: 1\n    members:\n";
  out += "      - { chassis: left, card: ms-1/0/0, priority: 200 }\n";
  out += "      - { chassis: right, card: ms-2/0/0, priority: 100 }\n";
  out += std::string("    service-sets: [cgn") + (p.second_service_set ? ", plain" : "") + "]\n";
  out += "    max-sessions: " + std::to_string(p.max_sessions) + "\n";
  out += "service-sets:\n  - name: cgn\n    inside-unit: 1\n    outside-unit: 2\n";
  out += "    stateful-firewall-rules: [rule]\n";
  if (p.nat) out += "    nat-rules: [to-the-pool]\n";
  out += indented(p.service_options, "    ");
  // Most tests are about drops alone.
  if (p.service_options.find("session-refusal") == std::string::npos) out += "    session-refusal: silent\n";
  if (p.second_service_set) {
    out += "  - { name: plain, inside-unit: 3, outside-unit: 4, stateful-firewall-rules: [open] }\n";
  }
  out += "stateful-firewall:\n  rules:\n    - name: rule\n      match-direction: input-output\n      terms:\n";
  out += p.firewall_terms;
  if (p.second_service_set) {
    out += "    - { name: open, match-direction: input-output, terms: [ { name: all, then: accept } ] }\n";
  }
  if (p.nat) {
    out += "nat:\n  pools:\n    - { name: pool1, addresses: [" + p.pool +
           "], port-range: { low: " + std::to_string(p.port_low) + ", high: " + std::to_string(p.port_high) + " } }\n";
    out += "  rules:\n    - name: to-the-pool\n      match-direction: input\n      terms:\n";
    out +=
        "        - { name: hosts, from: { source-address: [198.18.0.0/16] }, then: { translated: { source-pool: "
        "pool1, translation-type: napt-44 } } }\n";
  }
  if (!p.applications.empty()) out += "applications:\n" + p.applications;
  out += "timeouts:\n" + p.timeouts;
  return out;
}

}  // namespace

Cluster make_cluster(const Plan& plan) {
  auto cluster = parse_cluster(text_of(plan), "bed");
  if (!cluster) {
    ADD_FAILURE() << cluster.error().message;
    std::abort();
  }
  return std::move(*cluster);
}

Bed::Bed(const Plan& plan, std::uint64_t seed, bool active) : cluster(make_cluster(plan)), seed_(seed) {
  shard = std::make_unique<Shard>(cluster, std::uint16_t{0}, seed, now);
  make_engine();
  if (active) shard->activate(now);
}

void Bed::make_engine() { engine = std::make_unique<Engine>(cluster, std::vector<Shard*>{shard.get()}, seed_); }

void Bed::take(const Plan& plan) {
  auto next = std::make_unique<Cluster>(arranged(taken_ ? *taken_ : cluster, make_cluster(plan)));
  const auto reservations = reserved_endpoints(*next);
  {
    ShardUpdate update = shard->prepare(*next, reservations);
    EngineUpdate engine_update = engine->prepare(*next);
    shard->take(update);
    engine->take(engine_update);
  }
  taken_ = std::move(next);
}

std::uint32_t Bed::plant(const FlowKey& initiator, const FlowKey& responder, NatType type, bool initiated_outside,
                         bool hairpin) {
  SessionTable& table = shard->table();
  const std::uint32_t slot = table.allocate().value();
  Session& session = table.at(slot);
  session.set_keys(initiator, responder);
  session.nat_type = type;
  session.initiated_outside = initiated_outside;
  session.hairpin = hairpin;
  session.generation = 1;
  session.tcp_state = initiator.protocol == 6 ? TcpState::syn_sent : TcpState::none;
  session.created = session.last_activity = Shard::ticks_of(now);
  session.set_timeout_s(30);
  EXPECT_TRUE(table.insert(slot));
  return slot;
}

std::vector<Sent> Bed::send(std::uint32_t unit, const Bytes& packet) {
  // Headroom as ports give it, and room for nothing beyond the packet: a write past its end is seen by the sanitizer.
  Bytes buffer(kPacketHeadroom);
  buffer.insert(buffer.end(), packet.begin(), packet.end());
  const auto size = static_cast<std::uint32_t>(packet.size());
  Packet p{buffer.data() + kPacketHeadroom, size, size, unit, kPacketHeadroom};
  out.sent.clear();
  engine->process(std::span(&p, 1), now, out);
  return out.sent;
}

Seen Bed::pass(std::uint32_t unit, const Spec& spec) {
  const auto sent = send(unit, spec);
  if (sent.size() != 1) {
    CounterList counters;
    engine->counters().append_to(counters);
    std::string text;
    for (const auto& c : counters) {
      if (c.value != 0) text += c.name + "=" + std::to_string(c.value) + " ";
    }
    ADD_FAILURE() << sent.size() << " packets came out instead of one; " << text;
    return {};
  }
  EXPECT_EQ(sent[0].unit, unit % 2 == 1 ? unit + 1 : unit - 1);
  Seen seen = look(sent[0].bytes);
  EXPECT_TRUE(seen.checksums);
  return seen;
}

void Bed::expect_drop(std::uint32_t unit, const Bytes& packet, Drop reason) {
  const std::uint64_t before = drops(reason);
  const std::uint64_t all_before = engine->counters().dropped();
  EXPECT_TRUE(send(unit, packet).empty());
  EXPECT_EQ(drops(reason), before + 1) << to_string(reason);
  EXPECT_EQ(engine->counters().dropped(), all_before + 1);
}

void Bed::wait(Duration time) {
  for (const TimePoint end = now + time; now < end;) {
    now = std::min(end, now + 100ms);
    while (!shard->tick(now, 64)) {
    }
    while (!shard->tell_counters(now, 64)) {
    }
    engine->tick(now);
  }
}

SessionRecord Bed::record(std::uint32_t slot) const {
  SessionRecord out_record;
  EXPECT_TRUE(shard->read(slot, now, out_record)) << "slot " << slot << " is empty";
  return out_record;
}

std::uint64_t Bed::slow_digest() const {
  std::uint64_t sum = 0;
  SessionRecord r;
  for (std::uint32_t slot = 0; slot < shard->capacity(); ++slot) {
    if (shard->read(slot, now, r)) sum += digest_of(r);
  }
  return sum;
}

void Bed::expect_accounted() const {
  const EngineCounters& c = engine->counters();
  EXPECT_EQ(c.packets_in + c.rejects_sent + c.errors_sent + c.fragments_made, c.packets_out + c.relayed + c.dropped());
}

}  // namespace icr::node::test
