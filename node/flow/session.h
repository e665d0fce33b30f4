// A session as the engine keeps it: three cache lines, ordered by how often they are needed. The record format of
// everyone else is SessionRecord (model/record/session.h).
//
// An established packet of IPv4 touches line 0 alone, TCP lines 0 and 1, IPv6 (and NAT64) also line 2.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "model/record/flow_key.h"
#include "model/record/session.h"

namespace icr::node {

/// Which side's RST closed the session. Data from that same side later proves that the connection is still alive.
enum class ResetBy : std::uint8_t {
  unknown,    ///< another chassis saw the RST
  initiator,  ///< the values of Direction, + 1
  responder,
  refusal,  ///< the RST answered a SYN, so there is no connection
};

struct alignas(64) Session {
  // -- Line 0: what every packet needs. Private members are reached by the accessors below. --
 private:
  /// Initiator's source and destination, responder's source and destination; host order. Of a wide session: the
  /// initiator's source, 16 octets.
  std::uint32_t near_[4] = {};
  std::uint16_t ports_[4] = {};  ///< in the same order
  std::uint8_t protocols_[2] = {};

 public:
  bool live : 1 = false;
  /// Some address is not IPv4: three of the four are in line 2.
  bool wide : 1 = false;
  bool initiated_outside : 1 = false;  ///< the initiator came in through the service set's outside port
  /// The responder flow arrives on the initiator's side: both ends are behind the same side of the service set.
  bool hairpin : 1 = false;
  ResetBy reset_by : 2 = ResetBy::unknown;  ///< of TcpState::closed
  /// The RST was accepted because it is at the end of what was forwarded. Its receiver may not have got that far and so
  /// may have ignored it; a segment that it sends then reopens the connection.
  bool reset_unproven : 1 = false;
  bool asymmetric : 1 = false;  ///< a packet of it came to the standby, which relayed it
  TcpState tcp_state : 4 = TcpState::none;
  /// Bits by Direction: a FIN of that side passed while its sequence numbers were in doubt. It counts once the other
  /// side has acknowledged exactly this FIN.
  std::uint8_t doubted_fins : 2 = 0;
  Ticks last_activity = 0;

 private:
  std::uint64_t bytes_[2] = {};
  std::uint32_t packets_[2] = {};  ///< low halves

 public:
  std::uint16_t service_set = 0;

 private:
  // Low bits of the ticks at which peer and disk, or the peer, last heard of counters and idle time.
  std::uint16_t told_ = 0;
  std::uint16_t told_peer_ = 0;

 public:
  NatType nat_type = NatType::none;
  SessionFlag flag = SessionFlag::none;

  // -- Line 1: TCP, and what changes with the state. --
  TcpWindow windows[2];
  /// The activation of the shard in which it set the session up, or learnt `windows` (of TCP). In another activation,
  /// windows are learnt again. 0: none.
  std::uint16_t window_epoch = 0;
  ApplicationProtocol alg = kNoApplicationProtocol;
  /// For each side, the last acknowledgement of what it sends: the next number that its receiver expects. After a
  /// takeover, until the receiver has sent something, the replicated end of that side. 0 if unknown.
  std::uint32_t acked[2] = {};
  std::uint32_t syn_end = 0;     ///< what an answer to the last SYN acknowledges
  std::uint32_t generation = 0;  ///< survives the session: the slot's tombstone
  std::uint32_t version = 0;

 private:
  std::uint32_t timeout_s_ = 0;
  static constexpr Ticks kRemembered = 0x4000;

 public:
  Ticks created = 0;

  // -- Line 2: the other addresses of a wide session, and what only set-up, end and questions need. --
 private:
  /// Initiator's destination, responder's source and destination; only if `wide`.
  alignas(64) IpAddress far_[3] = {};
  std::uint16_t packets_high_[2] = {};  ///< packets are counted in 48 bits

 public:
  std::uint16_t policy = 0;    ///< ordinal of the firewall term that admitted it, + 1
  std::uint16_t nat_pool = 0;  ///< as in SessionRecord: index + 1
  /// Application of the terms that admitted the session, which sets its timeout: index + 1; 0 for none. Records of a
  /// peer or a checkpoint do not contain it, so it is found again when it is needed.
  static constexpr std::uint16_t kUnknownApplication = 0xffff;
  std::uint16_t application = kUnknownApplication;
  std::uint32_t pass = 0;  ///< last pass (SessionSink::begin_pass) that named this slot

  // -- Keys --

  [[nodiscard]] FlowKey flow(Direction d) const {
    const unsigned i = static_cast<unsigned>(d) * 2;
    return FlowKey{address(i), address(i + 1), ports_[i], ports_[i + 1], protocols_[i / 2]};
  }
  [[nodiscard]] FlowKey initiator() const { return flow(Direction::initiator); }
  [[nodiscard]] FlowKey responder() const { return flow(Direction::responder); }
  /// Returns the wire key with which a packet of flow `d` leaves: the mirrored key of the other flow.
  [[nodiscard]] FlowKey egress(Direction d) const { return flow(opposite(d)).mirrored(); }
  [[nodiscard]] std::uint8_t protocol() const { return protocols_[0]; }

  /// Sets both keys. REQUIRES: the session is not in the index.
  void set_keys(const FlowKey& initiator, const FlowKey& responder) {
    wide = !(initiator.is_v4() && responder.is_v4());
    const IpAddress* const addresses[4] = {&initiator.source, &initiator.destination, &responder.source,
                                           &responder.destination};
    if (wide) {
      std::memcpy(near_, initiator.source.bytes.data(), sizeof near_);
      for (unsigned i = 0; i < 3; ++i) far_[i] = *addresses[i + 1];
    } else {
      for (unsigned i = 0; i < 4; ++i) near_[i] = addresses[i]->to_v4();
    }
    ports_[0] = initiator.source_port;
    ports_[1] = initiator.destination_port;
    ports_[2] = responder.source_port;
    ports_[3] = responder.destination_port;
    protocols_[0] = initiator.protocol;
    protocols_[1] = responder.protocol;
  }

  /// Returns true if flow `d` has this key. `key_v4` is key.is_v4(), precomputed by callers that compare many sessions.
  [[nodiscard]] bool matches(Direction d, const FlowKey& key, bool key_v4) const {
    if (wide) return flow(d) == key;
    const unsigned i = static_cast<unsigned>(d) * 2;
    return key_v4 && near_[i] == key.source.to_v4() && near_[i + 1] == key.destination.to_v4() &&
           ports_[i] == key.source_port && ports_[i + 1] == key.destination_port && protocols_[i / 2] == key.protocol;
  }

  /// matches() of a live session that is neither wide nor a hairpin, from the parts of the key (host order).
  [[nodiscard]] bool matches_plain(Direction d, std::uint32_t source, std::uint32_t destination,
                                   std::uint16_t source_port, std::uint16_t destination_port,
                                   std::uint8_t protocol) const {
    const unsigned i = static_cast<unsigned>(d) * 2;
    return live && !wide && !hairpin && near_[i] == source && near_[i + 1] == destination && ports_[i] == source_port &&
           ports_[i + 1] == destination_port && protocols_[i / 2] == protocol;
  }
  struct PlainEgress {
    std::uint32_t source, destination;
    std::uint16_t source_port, destination_port;
  };
  /// egress() of a session that is not wide.
  [[nodiscard]] PlainEgress plain_egress(Direction d) const {
    const unsigned i = static_cast<unsigned>(opposite(d)) * 2;
    return {near_[i + 1], near_[i], ports_[i + 1], ports_[i]};
  }

  // -- Counters --

  [[nodiscard]] FlowCounters counters(Direction d) const {
    const auto i = static_cast<unsigned>(d);
    return {std::uint64_t{packets_high_[i]} << 32 | packets_[i], bytes_[i]};
  }
  void set_counters(Direction d, const FlowCounters& c) {
    const auto i = static_cast<unsigned>(d);
    const std::uint64_t packets = std::min<std::uint64_t>(c.packets, (std::uint64_t{1} << 48) - 1);
    packets_[i] = static_cast<std::uint32_t>(packets);
    packets_high_[i] = static_cast<std::uint16_t>(packets >> 32);
    bytes_[i] = c.bytes;
  }
  void add_packet(Direction d, std::uint32_t bytes) {
    const auto i = static_cast<unsigned>(d);
    bytes_[i] += bytes;
    if (++packets_[i] == 0) [[unlikely]]
      ++packets_high_[i];
  }

  // -- Times --

  [[nodiscard]] std::uint32_t timeout_s() const { return timeout_s_; }
  void set_timeout_s(std::uint32_t seconds) { timeout_s_ = seconds; }

  /// Who has yet to hear of counters and idle time.
  enum class Untold : std::uint8_t { nobody, peer, peer_and_disk };
  /// Peer and disk know of everything until now.
  void told(Ticks now) { told_ = told_peer_ = static_cast<std::uint16_t>(now); }
  void told_peer(Ticks now) { told_peer_ = static_cast<std::uint16_t>(now); }
  /// Returns who ought to hear of the session now: the peer if it was used since the peer heard of it, `patience` ticks
  /// ago or more; the disk, too, after a quarter of its timeout, 1 s to 30 s. The peer never waits longer than the disk
  /// does. Of a live session it must be called every 25 minutes at least, as only low bits of times are kept.
  [[nodiscard]] Untold untold(Ticks now, Ticks patience) {
    const Ticks idle = now - last_activity;
    if (idle >= 2 * kRemembered) {
      // Peer and disk were told long ago. The low bits are kept from coming round to `now` again.
      if (static_cast<std::uint16_t>(now - told_ - kRemembered) >= 2 * kRemembered) told(now - kRemembered);
      return Untold::nobody;
    }
    const Ticks often = std::clamp<Ticks>(timeout_s_ * 10 / 4, 10, 300);
    const Ticks disk = static_cast<std::uint16_t>(now - told_);
    if (idle <= disk && disk >= often) return Untold::peer_and_disk;
    const Ticks peer = static_cast<std::uint16_t>(now - told_peer_);
    return idle <= peer && peer >= std::min(patience, often) ? Untold::peer : Untold::nobody;
  }

 private:
  [[nodiscard]] IpAddress address(unsigned i) const {
    if (!wide) return IpAddress::v4(near_[i]);
    if (i != 0) return far_[i - 1];
    IpAddress out;
    std::memcpy(out.bytes.data(), near_, sizeof near_);
    return out;
  }
};
static_assert(sizeof(Session) == 192);

}  // namespace icr::node
