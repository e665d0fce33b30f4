#include "tests/sim/oracle.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "tests/support/flow_bed.h"

namespace icr::sim {
namespace {

/// A removal older than this has certainly been written by a checkpointer whose disk works.
constexpr Duration kCertainlyWritten = 1s;
/// A change that is older has certainly come to a standby that is hot, whatever was lost on its way.
constexpr Duration kCertainlyArrived = 5s;
/// A term is offered to a disk that works with each round.
constexpr Duration kTermIsWritten = 20ms;
/// Idle times are restored from the wall clock, to the tick.
constexpr std::uint32_t kTicksOfDoubt = 3, kTicksPerSecond = 10;
constexpr Duration kTick = 100ms;

}  // namespace

std::uint32_t conversation_of(const SessionRecord& record) {
  // One of eight hosts, and the port, carry the number.
  return (record.flow[0].source_port - 0x4000U) << 3U | (record.flow[0].source.to_v4() & 7U);
}

Oracle::Life Oracle::life_of(const SessionRecord& record) {
  return {record.ref.slot, record.ref.generation, conversation_of(record), hash_of(record.flow[1], 0)};
}

void Oracle::violation(TimePoint now, const std::string& text) {
  if (violations_.size() < 20) {
    violations_.push_back(fmt::format("{} ms: {}", now.time_since_epoch() / Duration(1ms), text));
  }
}

void Oracle::on_start(Chassis& chassis, TimePoint now) {
  View& view = views_[chassis.index()];
  boots_.emplace(chassis.boot(), boots_.size());
  for (const ServiceSet& set : chassis.cluster().service_sets) {
    threshold_ = std::max<Duration>(threshold_, std::chrono::seconds(set.replication_threshold_s));
  }
  view.peer_boot = 0;
  view.peers_heard.clear();
  view.heard_peer = false;
  ++view.lineage;
  view.held.clear();
  view.heard_at.clear();
  view.removed.clear();
  view.born.clear();
  view.waiting.clear();
  // What the peer of either has is not known any more: this one is new.
  for (View& each : views_) each.told.clear();
  view.master_since.reset();
  merges_ = {};
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < chassis.shard().high_water(); ++slot) {
    if (!chassis.shard().read(slot, now, record) || record.kind != RecordKind::session) continue;
    const Life life = life_of(record);
    view.held[slot] = life;
    view.heard_at[slot] = now;
    if (chassis.whole() && view.durable.contains(life)) {
      violation(now, fmt::format("chassis {}: conversation {} came back from a checkpoint that was written after its "
                                 "end",
                                 chassis.index(), life.conversation));
    }
  }
  view.durable.clear();
  check_stopped(chassis, view, now);
}

void Oracle::on_commit(const Chassis& chassis) {
  views_[chassis.index()].peer_at_commit = chassis.status().peer_present;
}

void Oracle::before_stop(const Chassis& chassis, TimePoint now) {
  View& view = views_[chassis.index()];
  if (chassis.active() && (chassis.status().peer_present || view.peer_at_commit)) {
    violation(now, fmt::format("chassis {} is master and stops to take a commit, and its peer is {}", chassis.index(),
                               chassis.status().peer_present ? "there" : "not back yet"));
  }
  view.stopped.clear();
  view.stopped_at = now;
  // A standby whose copy is not complete may have anything.
  if (!chassis.active() && chassis.status().sync != Sync::hot) return;
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < chassis.shard().table().high_water(); ++slot) {
    if (chassis.shard().read(slot, now, record)) view.stopped.push_back(record);
  }
}

void Oracle::on_stop(const Chassis& chassis, bool written, TimePoint now) {
  on_crash(chassis, written, now);
  if (!written) views_[chassis.index()].stopped.clear();
}

Oracle::Standing Oracle::standing_of(const Chassis& chassis, TimePoint now) {
  const node::Shard& shard = chassis.shard();
  Standing out{{}, shard.digest(), shard.ports_in_use(), chassis.member().role(), chassis.member().term()};
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < shard.high_water(); ++slot) {
    if (shard.read(slot, now, record)) out.slots[slot] = digest_of(record);
  }
  return out;
}

void Oracle::before_take(const Chassis& chassis, TimePoint now) { before_take_ = standing_of(chassis, now); }

void Oracle::on_take(const Chassis& chassis, TimePoint now) {
  const Standing after = standing_of(chassis, now);
  if (after == before_take_) return;
  violation(now,
            fmt::format("chassis {} takes a commit while it runs, and does not have afterwards what it had before: "
                        "{} slots in use instead of {}, digest {:x} instead of {:x}, {} ports instead of {}, role "
                        "{} instead of {}, term {} instead of {}",
                        chassis.index(), after.slots.size(), before_take_.slots.size(), after.digest,
                        before_take_.digest, after.ports, before_take_.ports, to_string(after.role),
                        to_string(before_take_.role), after.term, before_take_.term));
}

void Oracle::check_stopped(const Chassis& chassis, View& view, TimePoint now) {
  const auto away = static_cast<std::uint32_t>((now - view.stopped_at) / kTick);
  for (const SessionRecord& record : std::exchange(view.stopped, {})) {
    if (!chassis.whole()) return;
    const bool over = record.idle + away + kTicksOfDoubt >= record.timeout_s * kTicksPerSecond;
    if (over || !lives_on(chassis.cluster(), record)) continue;
    ++kept_;
    const auto found = view.held.find(record.ref.slot);
    if (found != view.held.end() && found->second.conversation == conversation_of(record)) continue;
    violation(now, fmt::format("chassis {} has restarted to take a commit, and conversation {} in slot {} is gone; it "
                               "had been idle for {} ticks of {} s before that, and it was away for {} ticks",
                               chassis.index(), conversation_of(record), record.ref.slot, record.idle, record.timeout_s,
                               away));
  }
}

void Oracle::check_handed_over(const Chassis& from, const Chassis& to, TimePoint now) {
  std::set<std::uint32_t> there;
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < to.shard().table().high_water(); ++slot) {
    if (to.shard().read(slot, now, record)) there.insert(conversation_of(record));
  }
  std::set<std::uint32_t> beyond = there;
  for (std::uint32_t slot = 0; slot < from.shard().table().high_water(); ++slot) {
    if (!from.shard().read(slot, now, record)) continue;
    beyond.erase(conversation_of(record));
    if (!lives_on(to.cluster(), record)) continue;
    ++kept_;
    if (there.contains(conversation_of(record))) continue;
    violation(now, fmt::format("chassis {} has handed over, and conversation {} is not at the other one", from.index(),
                               conversation_of(record)));
  }
  // The word that a session has ended may be on its way.
  for (const auto& [life, removal] : views_[from.index()].removed) {
    if (now - removal.at < kCertainlyArrived) beyond.erase(life.conversation);
  }
  for (const std::uint32_t conversation : beyond) {
    violation(now,
              fmt::format("chassis {} has handed over, and conversation {}, which it did not have, is at the other "
                          "one",
                          from.index(), conversation));
  }
}

void Oracle::on_crash(const Chassis& chassis, bool everything_durable, TimePoint now) {
  View& view = views_[chassis.index()];
  view.durable.clear();
  view.master_since.reset();
  merges_ = {};
  if (!everything_durable) return;
  for (const auto& [life, removal] : view.removed) {
    if (now - removal.at > kCertainlyWritten) view.durable.insert(life);
  }
}

void Oracle::on_master(Chassis& chassis, const Chassis& other, std::uint64_t term, TimePoint now) {
  if (chassis.status().reason == "switchover" && other.active() && other.status().handing_over) {
    check_handed_over(other, chassis, now);
  }
  View& view = views_[chassis.index()];
  if (chassis.member().takeover() && chassis.member().takeover()->how.hot) check_survivors(chassis, other, now);
  if (!view.master_since) {
    view.master_since = now;
    view.born.clear();
  }
  merges_[chassis.index()].reset();  // it goes on with what it has
  if (!chassis.witness.granted(term)) {
    violation(now,
              fmt::format("chassis {} is master in term {}, which its witness did not grant", chassis.index(), term));
  }
  const bool waived =
      chassis.disk().failing() || now - chassis.disk().asked_at() >= chassis.cluster().redundancy_sets[0].claim_limit;
  if (!waived && !chassis.term_kept(term)) {
    violation(now, fmt::format("chassis {} is master in term {} before its disk has it", chassis.index(), term));
  }
  // A term that a failing disk did not keep may be taken again, by the same chassis only.
  const std::pair<std::uint16_t, std::uint64_t> who{chassis.index(), chassis.term_kept(term) ? chassis.boot() : 0};
  const auto [known, fresh] = terms_.emplace(term, who);
  const auto& [index, boot] = known->second;
  if (!fresh && (index != who.first || (boot != 0 && boot != chassis.boot()))) {
    violations_.push_back(
        fmt::format("term {} is used twice: by chassis {} and chassis {}", term, known->second.first, who.first));
  }
}

void Oracle::check_term(const Chassis& chassis, TimePoint now) {
  if (chassis.active() && !chassis.witness.granted(chassis.member().term())) {
    violation(now, fmt::format("chassis {} forwards in term {}, which was not granted", chassis.index(),
                               chassis.member().term()));
  }
  if (!chassis.active() || chassis.paused || now - kTermIsWritten < chassis.disk_works_since()) return;
  const std::uint64_t term = chassis.member().term();
  if (chassis.term_persisted(term)) return;
  violation(now, fmt::format("chassis {} acts in term {}, which its disk does not have", chassis.index(), term));
}

void Oracle::check_peer(const Chassis& chassis, View& view, TimePoint now) {
  const std::uint64_t before = std::exchange(view.peer_boot, chassis.member().peer_boot());
  const bool heard = std::exchange(view.heard_peer, chassis.member().hears_peer());
  if (before == view.peer_boot || view.peers_heard.insert(view.peer_boot).second) return;
  // A silent process may have been heard only by late messages, and the former one lives.
  if (!heard || boots_[before] < boots_[view.peer_boot]) return;
  violation(now, fmt::format("chassis {} hears the new process of its peer, and goes back to the former one",
                             chassis.index()));
}

std::uint64_t refused_in_merges(const Chassis& chassis) {
  std::uint64_t sum = chassis.counter("merge-not-sent");
  for (const char* why : {"invalid", "flow-taken", "port-taken", "binding-taken", "limit", "table-full"}) {
    sum += chassis.counter(fmt::format("merge-sent-refused-{}", why));
  }
  return sum;
}

void Oracle::on_standby(Chassis& chassis, const Chassis& other, TimePoint now) {
  View& view = views_[chassis.index()];
  view.waiting.clear();
  view.told.clear();
  ++view.lineage;
  if (!std::exchange(view.master_since, std::nullopt)) return;
  const View& master = views_[other.index()];
  if (!other.up() || !master.master_since) return;
  Merge merge{{}, chassis.boot(), chassis.counter("merges-completed"), refused_in_merges(chassis)};
  std::set<std::uint32_t>& given = given_[chassis.index()];
  given.clear();
  for (const auto& [slot, life] : view.held) {
    given.insert(life.conversation);
    const auto born = view.born.find(life.conversation);
    if (born != view.born.end() && born->second > *master.master_since) merge.missing.insert(life.conversation);
  }
  for (const auto& [slot, life] : master.held) merge.missing.erase(life.conversation);
  only_there_ += merge.missing.size();
  if (!merge.missing.empty() && !chassis.status().merging) {
    violation(now, fmt::format("chassis {} yields with {} sessions that only it has, and tells nobody", chassis.index(),
                               merge.missing.size()));
  }
  merges_[chassis.index()].reset();
  if (!merge.missing.empty()) merges_[chassis.index()] = std::move(merge);
}

void Oracle::check_merge(Chassis& chassis, TimePoint now) {
  auto& open = merges_[chassis.index()];
  if (!open || !chassis.up() || chassis.boot() != open->boot || chassis.status().merging) return;
  if (chassis.counter("merges-completed") == open->completed) return;
  const std::uint64_t counted = refused_in_merges(chassis) - open->refused;
  conflicts_ += open->missing.size();
  if (open->missing.size() > counted) {
    violation(now, fmt::format("chassis {} has yielded: {} sessions that it had set up do not live at the master, and "
                               "{} conflicts were counted",
                               chassis.index(), open->missing.size(), counted));
  }
  open.reset();
}

bool Oracle::is_elder(const Life& life, TimePoint told, TimePoint now) const {
  const auto again = set_up_.find(life);
  if (again == set_up_.end()) return false;
  // A message takes longer than no time, so one that tells of the later session comes after its first packet.
  if (told <= again->second) return true;
  // What the standby has is from its checkpoint then: no master tells of a session that is so young.
  return now - again->second < threshold_;
}

std::vector<std::uint32_t> Oracle::look(Chassis& chassis, TimePoint now, std::optional<std::uint32_t> sent_by) {
  View& view = views_[chassis.index()];
  check_peer(chassis, view, now);
  std::vector<Life> appeared;
  std::vector<Life> gone;
  std::set<Life> elders;
  SessionRecord record;
  for (const std::uint32_t slot : chassis.take_changed_slots()) {
    if (slot >= chassis.shard().table().capacity()) continue;  // a binding
    const bool live = chassis.shard().read(slot, now, record);
    const Life life = live ? life_of(record) : Life{slot, record.ref.generation, 0, 0};
    const auto before = view.held.find(slot);
    const TimePoint told = std::exchange(view.heard_at[slot], now);
    if (before != view.held.end()) {
      if (live && before->second == life) continue;
      gone.push_back(before->second);
      if (!chassis.active() && is_elder(before->second, told, now)) elders.insert(before->second);
      view.held.erase(before);
    }
    if (live) appeared.push_back(life);
  }
  // While a copy comes in, sessions may move to the slots that the master keeps them in. What a standby lacks when it
  // is hot is removed, and does not come back. An elder session may be replaced by its namesake after it was removed.
  if (chassis.active() || chassis.status().sync == Sync::hot) {
    for (const Life& life : gone) {
      if (!elders.contains(life)) view.removed[life] = {view.lineage, now};
    }
  }
  for (const Life& life : appeared) {
    view.held[life.slot] = life;
    if (auto& merge = merges_[1U - chassis.index()]) merge->missing.erase(life.conversation);
    if (chassis.active()) {
      ++births_;
      if (sent_by == life.conversation) {
        view.born[life.conversation] = now;
        set_up_[life] = now;
        const std::uint64_t term = chassis.member().term();
        if (setters_.emplace(term, chassis.index()).first->second != chassis.index()) {
          violation(now, fmt::format("both chassis set sessions up in term {}", term));
        }
        // Born, wherever another life of the same slot and generation may have ended in a split.
        for (View& each : views_) each.removed.erase(life);
        continue;
      }
      if (given_[1U - chassis.index()].contains(life.conversation)) continue;
      violation(now, fmt::format("chassis {} is master and conversation {} appeared in it without a packet",
                                 chassis.index(), life.conversation));
    }
    const auto removed = view.removed.find(life);
    if (removed == view.removed.end()) continue;
    if (removed->second.lineage == view.lineage) {
      violation(now,
                fmt::format("chassis {}: conversation {} came back in slot {}, {} ms after its end", chassis.index(),
                            life.conversation, life.slot, (now - removed->second.at) / Duration(1ms)));
    }
    view.removed.erase(removed);
  }
  for (const Life& life : gone) {
    const auto told = view.told.find(life.conversation);
    if (told != view.told.end() && told->second == life) view.told.erase(told);
  }
  std::vector<std::uint32_t> ended;
  if (!chassis.active()) return ended;
  for (const Life& life : gone) {
    const bool goes_on = std::any_of(appeared.begin(), appeared.end(),
                                     [&life](const Life& a) { return a.conversation == life.conversation; });
    if (!goes_on) ended.push_back(life.conversation);
  }
  deaths_ += gone.size();
  return ended;
}

namespace {

bool is_guarded(const Cluster& cluster) {
  return std::any_of(cluster.service_sets.begin(), cluster.service_sets.end(),
                     [&cluster](const ServiceSet& s) { return may_guarantee(cluster, s); });
}

/// Returns the guarantee that the file gives the session: that of the term which admitted it, or of its service set if
/// the term has none or is gone.
Guarantee guarantee_of(const Cluster& cluster, const SessionRecord& session) {
  const ServiceSet& set = cluster.service_sets[*cluster.service_set_ids.find(session.service_set)];
  for (const std::uint16_t rule : set.firewall_rules) {
    for (const FirewallTerm& term : cluster.firewall_rules[rule].terms) {
      if (term.stable_id == session.policy) return term.guarantee.value_or(set.guarantee);
    }
  }
  return set.guarantee;
}

/// Finds the session of a packet that leaves, by its host inside or by what it is outside.
bool session_of(const Chassis& chassis, const Passed& packet, TimePoint now, SessionRecord& out) {
  const node::test::Seen seen = node::test::look(packet.bytes);
  const bool outwards = packet.unit == node::test::kOutside;
  for (std::uint32_t slot = 0; slot < chassis.shard().table().high_water(); ++slot) {
    if (!chassis.shard().read(slot, now, out) || out.protocol() != seen.protocol) continue;
    const FlowKey& inside = out.flow[0];
    const FlowKey& outside = out.flow[1];
    if (outwards ? outside.destination_port == seen.source_port && outside.destination.to_string() == seen.source
                 : inside.source_port == seen.destination_port && inside.source.to_string() == seen.destination) {
      return true;
    }
  }
  return false;
}

/// Returns true if the chassis has the bindings that this session uses.
bool has_bindings(const Chassis& chassis, const SessionRecord& session, TimePoint now) {
  const NatTerm& term = term_of(chassis.cluster());
  bool mapping = !term.endpoint_independent_mapping;
  bool block = !pool_of(chassis.cluster()).blocks.has_value();
  bool address = term.type != NatType::dynamic_nat44;
  SessionRecord record;
  const std::uint32_t first = chassis.shard().table().capacity();
  for (std::uint32_t slot = first; slot < chassis.shard().high_water(); ++slot) {
    if (!chassis.shard().read(slot, now, record)) continue;
    const BindingRecord& b = record.binding;
    if (b.external != session.flow[1].destination || b.internal != session.flow[0].source) continue;
    const std::uint16_t port = session.flow[1].destination_port;
    if (record.kind == RecordKind::mapping) {
      mapping |= b.external_port == port && b.protocol == session.protocol();
    } else if (record.kind == RecordKind::port_block) {
      block |= b.external_port <= port && port <= b.last_port;
    } else {
      address = true;
    }
  }
  return mapping && block && address;
}

}  // namespace

void Oracle::on_wait(const Chassis& chassis, std::uint32_t conversation, TimePoint now) {
  SessionRecord record;
  for (const auto& [slot, life] : views_[chassis.index()].held) {
    if (life.conversation != conversation || !chassis.shard().read(slot, now, record)) continue;
    views_[chassis.index()].waiting[conversation].push_back(record.version);
    return;
  }
}

void Oracle::on_leave(const Chassis& chassis, const Chassis& other, const Passed& packet, bool waited, TimePoint now) {
  View& view = views_[chassis.index()];
  SessionRecord record;
  if (!is_guarded(chassis.cluster()) || !chassis.active()) return;
  if (!session_of(chassis, packet, now, record)) return;  // it has ended since
  const std::uint32_t conversation = conversation_of(record);
  std::uint32_t version = record.version;
  if (auto& versions = view.waiting[conversation]; waited && !versions.empty()) {
    version = versions.front();
    versions.pop_front();
  }
  // A commit may have ended the guarantee while the packet waited.
  if (guarantee_of(chassis.cluster(), record) == Guarantee::asynchronous) return;
  if (!chassis.member().complete()) {
    ++left_alone_;
    return;
  }
  // A new process of the peer, or a peer that acts itself, has its own word of what the world has heard.
  if (!other.up() || other.boot() != chassis.member().peer_boot() || other.active()) return;
  ++left_known_;
  left_waited_ += waited ? 1U : 0U;
  SessionRecord there;
  const bool known = other.shard().read(record.ref.slot, now, there) && there.ref == record.ref &&
                     there.flow[0] == record.flow[0] && there.flow[1] == record.flow[1] && there.version >= version;
  if (!known) {
    violation(now,
              fmt::format("chassis {}: a packet of conversation {} left in version {} of its session, and the peer "
                          "has {}",
                          chassis.index(), conversation, version,
                          there.ref == record.ref ? fmt::format("version {}", there.version) : "nothing"));
  } else if (!has_bindings(other, record, now)) {
    violation(now, fmt::format("chassis {}: a packet of conversation {} left, and the peer lacks a binding of its "
                               "session",
                               chassis.index(), conversation));
  }
  view.told[conversation] = life_of(record);
}

void Oracle::check_survivors(const Chassis& chassis, const Chassis& other, TimePoint now) {
  const View& mine = views_[chassis.index()];
  for (const auto& [conversation, life] : std::exchange(views_[other.index()].told, {})) {
    const auto found = mine.held.find(life.slot);
    ++survived_;
    if (found != mine.held.end() && found->second == life) continue;
    violation(now, fmt::format("chassis {} has taken over with a complete copy, and does not have conversation {}, of "
                               "which the world has heard",
                               chassis.index(), conversation));
  }
}

void Oracle::check_ports(const Chassis& chassis, TimePoint now) {
  if (!chassis.active()) return;
  std::map<std::tuple<IpAddress, std::uint16_t, std::uint8_t>, std::uint32_t> owners;
  std::vector<SessionRecord> sessions;
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < chassis.shard().high_water(); ++slot) {
    if (!chassis.shard().read(slot, now, record) || record.kind != RecordKind::session) continue;
    sessions.push_back(record);
    if (!has_place(chassis.cluster(), record)) {
      violation(now, fmt::format("chassis {}: the session in slot {} uses {}:{}, for which its file has no place",
                                 chassis.index(), slot, record.flow[1].destination.to_string(),
                                 record.flow[1].destination_port));
    } else if (!chassis.shard().reviews() && !lives_on(chassis.cluster(), record)) {
      violation(now, fmt::format("chassis {}: the session in slot {} of {} lives, and its file does not admit it",
                                 chassis.index(), slot, record.flow[0].source.to_string()));
    }
    const auto translated =
        std::make_tuple(record.flow[1].destination, record.flow[1].destination_port, record.protocol());
    const auto [owner, fresh] = owners.emplace(translated, slot);
    if (fresh) continue;
    violation(now, fmt::format("chassis {}: {}:{} protocol {} is owned by slot {} and slot {}", chassis.index(),
                               std::get<0>(translated).to_string(), std::get<1>(translated), record.protocol(),
                               owner->second, slot));
  }
  check_bindings(chassis, sessions, now);
}

void Oracle::check_bindings(const Chassis& chassis, const std::vector<SessionRecord>& sessions, TimePoint now) {
  const Cluster& cluster = chassis.cluster();
  std::vector<BindingRecord> blocks;
  std::map<std::tuple<IpAddress, std::uint16_t, std::uint8_t>, BindingRecord> mappings;
  std::map<IpAddress, IpAddress> addresses;  // external -> host
  std::map<IpAddress, IpAddress> pairings;   // host -> external
  SessionRecord record;
  for (std::uint32_t slot = chassis.shard().table().capacity(); slot < chassis.shard().high_water(); ++slot) {
    if (!chassis.shard().read(slot, now, record)) continue;
    const BindingRecord& b = record.binding;
    bool fresh = true;
    if (record.kind == RecordKind::port_block) {
      blocks.push_back(b);
    } else if (record.kind == RecordKind::mapping) {
      fresh = mappings.emplace(std::make_tuple(b.external, b.external_port, b.protocol), b).second;
    } else if ((b.flags & kBindingExclusive) != 0) {
      fresh = addresses.emplace(b.external, b.internal).second;
    } else {
      fresh = pairings.emplace(b.internal, b.external).second;
    }
    ++bindings_;
    if (!fresh) {
      violation(now, fmt::format("chassis {}: a second binding of {}:{} in slot {}", chassis.index(),
                                 b.external.to_string(), b.external_port, slot));
    }
  }
  const NatTerm& term = term_of(cluster);
  const bool in_blocks = pool_of(cluster).blocks.has_value();
  for (const SessionRecord& s : sessions) {
    const IpAddress& host = s.flow[0].source;
    const IpAddress& external = s.flow[1].destination;
    const std::uint16_t port = s.flow[1].destination_port;
    const char* missing = nullptr;
    if (term.type == NatType::dynamic_nat44) {
      const auto owner = addresses.find(external);
      if (owner == addresses.end() || owner->second != host) missing = "address";
    }
    if (term.endpoint_independent_mapping) {
      const auto mapping = mappings.find(std::make_tuple(external, port, s.protocol()));
      if (mapping == mappings.end() || mapping->second.internal != host ||
          mapping->second.internal_port != s.flow[0].source_port) {
        missing = "mapping";
      }
    }
    if (in_blocks && std::none_of(blocks.begin(), blocks.end(), [&](const BindingRecord& b) {
          return b.external == external && b.external_port <= port && port <= b.last_port && b.internal == host;
        })) {
      missing = "block";
    }
    if (missing != nullptr) {
      violation(now, fmt::format("chassis {}: the session in slot {} of {} uses {}:{}, whose {} is not its host's",
                                 chassis.index(), s.ref.slot, host.to_string(), external.to_string(), port, missing));
    }
  }
}

}  // namespace icr::sim
