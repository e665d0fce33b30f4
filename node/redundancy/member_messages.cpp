// What a member does with the messages of its peer.
#include <algorithm>
#include <utility>

#include "model/base/guilt.h"
#include "model/base/log.h"
#include "node/redundancy/identity.h"
#include "node/redundancy/member.h"

namespace icr::node {
namespace {

namespace rep = icr::replication;

constexpr const char* kTooOld = "peer runs a release that is too old to pair with this one";

}  // namespace

void RedundancyMember::on_control(TimePoint now, std::span<const std::uint8_t> message) {
  ++counters_.control_messages;
  detector_.wake(now);
  on_message(now, message, false);
}

void RedundancyMember::on_data(TimePoint now, std::span<const std::uint8_t> message) {
  ++counters_.data_messages;
  detector_.wake(now);
  if (drain_grace_) grace_until_ = std::min(now + kDrainGrace, grace_limit_);
  relayed_.reset();
  on_message(now, message, true);
}

void RedundancyMember::on_message(TimePoint now, std::span<const std::uint8_t> bytes, bool data_link) {
  const rep::Message* message = reader_.read(bytes);
  if (message == nullptr) {
    if (reader_.refusal() == rep::Refusal::wrong_cluster) {
      on_stranger(now, reader_.stranger_is_old() ? kTooOld : "peer belongs to another cluster");
    }
    return;
  }
  if (const auto* configuration = std::get_if<rep::Configuration>(&message->body)) {
    on_configuration(message->header, *configuration);
    return;
  }
  if (const auto* adopt = std::get_if<rep::Adopt>(&message->body)) {
    on_adopt(now, message->header, *adopt, data_link);
    return;
  }
  if (const auto* packet = std::get_if<rep::RelayedPacket>(&message->body)) {
    on_relayed(message->header, *packet, data_link);
    return;
  }
  const bool stream =
      std::holds_alternative<rep::StreamBegin>(message->body) || std::holds_alternative<rep::Batch>(message->body) ||
      std::holds_alternative<rep::BulkEnd>(message->body) || std::holds_alternative<rep::Audit>(message->body) ||
      std::holds_alternative<rep::Digests>(message->body) ||
      std::holds_alternative<rep::UnknownNumbered>(message->body);
  if (stream != data_link) {
    ++counters_.wrong_link;
    return;
  }
  if (const auto* beat = std::get_if<rep::Heartbeat>(&message->body)) {
    if (accept_boot(message->header.boot, beat->number)) on_heartbeat(now, message->header, *beat);
    return;
  }
  if (!accept_boot(message->header.boot, 0)) return;
  hear(now);
  if (!accept_term(message->header.term)) return;
  if (stream) {
    on_stream_message(now, *message);
  } else {
    on_feedback(now, *message);
  }
}

void RedundancyMember::on_former(TimePoint now, std::span<const std::uint8_t> message) {
  ++counters_.control_messages;
  if (!ICR_PEER_MUST(reader_.read(message) == nullptr, counters_.former_names)) return;
  if (reader_.refusal() != rep::Refusal::wrong_cluster || !reader_.stranger_is_old()) return;
  if (hears_peer() || !connected_) return;
  if (now >= former_until_) stranger_told_ = false;
  former_until_ = now + set_->detection_floor();
  on_stranger(now, kTooOld);
}

/// A stranger at the link of the peer cannot be understood, but it is alive and may well be master: whoever starts
/// beside it must not draw its traffic away.
void RedundancyMember::on_stranger(TimePoint now, const std::string& what) {
  role_.hold(now, now + set_->detection_floor(), what);
  if (stranger_told_) return;
  stranger_told_ = true;
  log::error("redundancy", "set={} {}: its messages are refused{}", set_->name, what,
             role_.role() == Role::initializing ? ", and this member does not become master beside it" : "");
}

/// A peer whose digest differs tells what its file is made of. The pair goes on: records name things by their
/// identities, and each member refuses those that do not fit its own file.
void RedundancyMember::on_configuration(const rep::Header& header, const rep::Configuration& configuration) {
  if (header.cluster_digest == own_.cluster_digest || !configuration_.on_configuration(configuration)) return;
  log::warn("redundancy", "set={} the cluster file differs from that of the peer: {}", set_->name,
            configuration_.difference());
}

/// Returns true if the peer should not become master without need. Records that it refuses because it runs another
/// configuration than this member are no reason: it refuses them because that configuration was committed.
bool RedundancyMember::warned(const rep::Heartbeat& beat) const {
  unsigned warnings = beat.warnings;
  const std::uint64_t own = commits_ == nullptr ? 0 : commits_->running.load(std::memory_order_relaxed);
  if (own != 0 && beat.running_digest != 0 && own != beat.running_digest) {
    warnings &= ~(unsigned{kWarnRefusedRecords} | unsigned{kWarnCapacity});
  }
  return warnings != 0;
}

/// Takes a sign of life. Messages from before the connection closed do not count.
void RedundancyMember::hear(TimePoint now) {
  if (drain_grace_) return;
  heard_at_ = now;
  detector_.on_heard(now);
}

bool RedundancyMember::accept_boot(std::uint64_t boot, std::uint64_t number) {
  switch (boots_.judge(boot, number, peer_lost_told_)) {
    case PeerBoots::Verdict::present:
      return true;
    case PeerBoots::Verdict::refused:
      ++counters_.other_boot;
      return false;
    case PeerBoots::Verdict::replaced:
      break;
  }
  detector_.on_other_process();
  // The receiver of this member's stream died with its process and everything that it knew, and so did the master of a
  // merge.
  merge_out_.stop();
  if (role_.role() == Role::master) {
    sender_.stop();
    sender_.nothing_is_shared();
  }
  return true;
}

bool RedundancyMember::accept_term(std::uint64_t term) {
  if (term == role_.term()) return true;
  ++(term < role_.term() ? counters_.lower_term : counters_.higher_term);
  return false;
}

void RedundancyMember::on_heartbeat(TimePoint now, const rep::Header& header, const rep::Heartbeat& beat) {
  if (!boots_.in_order(beat.number)) {
    ++counters_.heartbeats_overtaken;
    return;
  }
  const bool first_contact = peer_lost_told_ || peer_beat_.heard_boot != own_.boot;
  std::vector<IpAddress> addresses = addresses_to_ask(beat.addresses, addresses_);
  counters_.addresses_refused += beat.addresses.size() - addresses.size();
  addresses.push_back(peer_address_);
  detector_.on_condition(std::chrono::microseconds(beat.late_us), addresses);
  if (right_ != nullptr) {
    right_->on_heard(now, header.boot, beat.heard_boot == own_.boot, beat);
    // A peer that relies on promises has most of each if it is answered at once. Who relies as well makes none.
    const bool promises = !wants_to_act() && !role_.claiming();
    if (beat.relies ? promises : peer_beat_.relies) heartbeat_now_ = true;
  }
  peer_beat_ = beat;
  if (beat.lag) told_ = Told{*beat.lag, beat.stream, now};
  sender_.set_schema(record_schema(beat.schema));
  if (heard_ever_ && peer_lost_told_) log::info("redundancy", "set={} peer is heard again", set_->name);
  heard_ever_ = true;
  stranger_told_ = false;
  receiver_.expect_refusals(header.cluster_digest != own_.cluster_digest || may_drain_);
  if (header.cluster_digest == own_.cluster_digest) {
    configuration_.on_same_digest();
  } else {
    ++counters_.other_configuration;
    configuration_.on_other_digest(now);
  }
  hear(now);
  if (!drain_grace_) heartbeat_at_ = now;
  // This heartbeat was still awaited by the former timing.
  if (timing_changes_ && header.cluster_digest == own_.cluster_digest) end_change_of_timing();
  if (std::exchange(peer_lost_told_, false)) sender_.receiver_returned();

  PeerReport report;
  report.term = header.term;
  report.role = beat.role;
  report.sync = beat.sync;
  report.priority = beat.priority;
  report.state_term = beat.state_term;
  report.warned = warned(beat);
  report.ill = beat.health_weight >= kIllWeight;
  report.asks_switchover = beat.asks_switchover;
  role_.on_peer(now, report);

  if (role_.role() == Role::master && report.role == Role::standby && beat.stream.epoch != 0 &&
      header.term == role_.term()) {
    // What a standby says it has applied stands for an acknowledgement that got lost.
    const bool lacks = (beat.warnings & kWarnRefusedRecords) != 0;
    sender_.on_ack({beat.stream.epoch, beat.stream.base, beat.stream.sequence, lacks});
  }
  if (role_.follows_peer() && !merge_out_.active()) {
    receiver_.follow(now, header.boot, header.term);
    if (beat.stream.epoch != 0) receiver_.on_master_position(now, beat.stream);
    after_receiver(now);
  }
  // A peer that does not know us yet should not have to wait.
  if (first_contact && beat.heard_boot != own_.boot) heartbeat_now_ = true;
}

void RedundancyMember::on_stream_message(TimePoint now, const rep::Message& message) {
  if (!role_.follows_peer()) {
    ++counters_.wrong_role;
    return;
  }
  if (const auto* begin = std::get_if<rep::StreamBegin>(&message.body)) {
    receiver_.on_begin(now, *begin);
  } else if (const auto* batch = std::get_if<rep::Batch>(&message.body)) {
    receiver_.on_batch(now, *batch);
  } else if (const auto* end = std::get_if<rep::BulkEnd>(&message.body)) {
    receiver_.on_bulk_end(now, *end);
  } else if (const auto* audit = std::get_if<rep::Audit>(&message.body)) {
    receiver_.on_audit(now, *audit);
  } else if (const auto* digests = std::get_if<rep::Digests>(&message.body)) {
    receiver_.on_digests(now, *digests);
  } else if (const auto* unknown = std::get_if<rep::UnknownNumbered>(&message.body)) {
    receiver_.on_unknown(now, *unknown);
  }
  if (receiver_.ack_urgent()) receiver_.pump(now, header(), writer_, link_);
  after_receiver(now);
}

/// Takes what the peer, which was master and is standby in the current term, set up while both were master.
void RedundancyMember::on_adopt(TimePoint now, const rep::Header& header, const rep::Adopt& adopt, bool data_link) {
  if (!data_link) {
    ++counters_.wrong_link;
    return;
  }
  if (!accept_boot(header.boot, 0)) return;
  hear(now);
  if (!accept_term(header.term)) return;
  // The peer reported that it is standby before it sent this; a master does not send it.
  if (role_.role() != Role::master || role_.peer().role != Role::standby) {
    ++counters_.wrong_role;
    return;
  }
  merge_in_.on_adopt(now, header.boot, adopt);
}

/// Takes a packet that came to the peer, which is standby in the current term. It is no sign of life: packets may have
/// waited in the connection while the peer's worker stood still.
void RedundancyMember::on_relayed(const rep::Header& header, const rep::RelayedPacket& packet, bool data_link) {
  if (!data_link) {
    ++counters_.wrong_link;
    return;
  }
  if (!accept_boot(header.boot, 0) || !accept_term(header.term)) return;
  if (role_.role() != Role::master || role_.peer().role != Role::standby) {
    ++counters_.wrong_role;
    return;
  }
  relayed_ = packet;
}

/// What a standby says to its master, and a master's offer to its standby.
void RedundancyMember::on_feedback(TimePoint now, const rep::Message& message) {
  if (const auto* offer = std::get_if<rep::Handover>(&message.body)) {
    const auto position = receiver_.position();
    if (!role_.follows_peer() || offer->epoch != position.epoch || offer->sequence > position.sequence) {
      ++counters_.offers_too_early;  // it is repeated
      return;
    }
    role_.on_offer(now, message.header.term);
    return;
  }
  if (const auto* ack = std::get_if<rep::AdoptAck>(&message.body)) {
    if (!role_.follows_peer()) {
      ++counters_.wrong_role;
      return;
    }
    merge_out_.on_ack(now, *ack);
    return;
  }
  if (role_.role() != Role::master) {
    ++counters_.wrong_role;
    return;
  }
  if (const auto* request = std::get_if<rep::SyncRequest>(&message.body)) {
    // Names of one boot grow: a request for the present stream or a former one is late.
    if (sender_.active() && request->epoch <= sender_.position().epoch) {
      ++counters_.late_requests;
      return;
    }
    sender_.start(now, *request);
    log::info("redundancy", "set={} peer asks for a copy{}: {} slots to walk", set_->name,
              request->compares ? " of what differs" : "", source_.high_water());
  } else if (const auto* ack = std::get_if<rep::Ack>(&message.body)) {
    sender_.on_ack(*ack);
  } else if (const auto* nack = std::get_if<rep::Nack>(&message.body)) {
    sender_.on_nack(*nack);
  } else if (const auto* compared = std::get_if<rep::Compared>(&message.body)) {
    sender_.on_compared(*compared);
  }
}

/// Tells the role machine how far the copy is.
void RedundancyMember::after_receiver(TimePoint now) {
  const Sync before = role_.sync();
  role_.on_sync(now, std::max(receiver_.sync(), Sync::cold));  // a standby is at least that
  if (role_.sync() == before) return;
  heartbeat_now_ = true;
  log::info("redundancy", "set={} standby is {}", set_->name, to_string(role_.sync()));
}

}  // namespace icr::node
