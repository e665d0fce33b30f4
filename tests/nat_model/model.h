// The slow, obviously right engine: maps, and the rules of the RFCs. It knows the configuration, the packets that went
// in and those that came out. Where the engine may choose (a port, an address) it checks that the choice is legal and
// remembers it; everywhere else it says what must come out, to the octet.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/nat_model/nat.h"
#include "tests/nat_model/rig.h"
#include "tests/nat_model/tcp.h"
#include "tests/nat_model/wire.h"
#include "tests/nat_model/world.h"

namespace icr::node::test::nat_model {

/// A session of the model.
struct Live {
  std::array<FlowKey, 2> key;           ///< as each flow arrives
  std::array<std::uint32_t, 2> unit{};  ///< where it arrives
  std::uint16_t service_set = 0;
  std::optional<std::uint16_t> application;
  IpAddress subscriber;
  Translation translation;
  Tcp tcp;
  std::uint32_t timeout_s = 0;
  Ticks created = 0, last = 0;
  std::array<std::uint64_t, 2> packets{}, bytes{};
};

/// How a packet is cut up on its way to the engine.
struct Cut {
  std::size_t chunk = 0;           ///< octets of a fragment; 0: whole
  std::vector<std::size_t> order;  ///< which fragment comes when; those not named do not come
};

/// What has happened in all runs: a test that meets nothing finds nothing.
struct Coverage {
  std::set<NatType> types;
  std::set<Drop> drops;
  std::uint64_t hairpins = 0, inbound = 0, restarts = 0, takeovers = 0;
  std::uint64_t both_ends = 0;  ///< from outside to a mapping, and the source is translated as well
};

class Model {
 public:
  Model(const World& world, Rig& rig, Coverage& coverage);

  /// One packet through the engine. True: it passed.
  bool packet(std::uint32_t unit, const Wire& wire, const Cut& cut = {});
  /// An ICMP error (`wire.about` as it was seen where it comes from).
  void icmp_error(std::uint32_t unit, const Wire& wire);
  /// Time passes.
  void wait(Ticks ticks);
  /// The operator clears a session.
  void clear(std::size_t which);
  void take_over(bool fresh);
  void replicate();
  /// Compares sessions and totals.
  void check();
  /// Beyond all timeouts: nothing may be left.
  void quiet();

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::list<Live>& sessions() { return sessions_; }
  [[nodiscard]] const Nat& nat() const { return nat_; }
  [[nodiscard]] std::uint64_t packets() const { return packets_; }
  /// The session that a packet with this key belongs to.
  [[nodiscard]] Live* find(std::uint32_t unit, const FlowKey& key);
  [[nodiscard]] std::uint16_t next_ip_id() { return ++ip_id_; }

 private:
  struct Flow {
    Live* session = nullptr;
    unsigned direction = 0;
  };
  struct KeyOrder {
    bool operator()(const FlowKey& a, const FlowKey& b) const;
  };
  struct IdOrder {
    using Pair = std::tuple<IpAddress, IpAddress, std::uint8_t>;
    bool operator()(const Pair& a, const Pair& b) const {
      const auto octets = [](const Pair& p) {
        return std::tie(std::get<0>(p).bytes, std::get<1>(p).bytes, std::get<2>(p));
      };
      return octets(a) < octets(b);
    }
  };
  /// What must become of a packet.
  struct Verdict {
    std::vector<Drop> reasons;   ///< it is dropped, for one of these; empty: it passes
    bool reject = false;         ///< and its sender is told
    Flow flow;                   ///< the session it belongs to; none: it begins one
    NatPlan plan;                ///< of a session that begins
    std::vector<Drop> may_fail;  ///< a choice that is the engine's decides whether a session can begin
  };

  [[nodiscard]] Flow flow_of(std::uint16_t service_set, const FlowKey& key) const;
  [[nodiscard]] Verdict judge(std::uint32_t unit, const Wire& wire);
  [[nodiscard]] Verdict judge_first(std::uint32_t unit, const Wire& wire);
  [[nodiscard]] Ticks deadline(const Live& session) const;
  [[nodiscard]] std::uint32_t idle_timeout(const Live& session) const;
  void set_timeout(Live& session);
  Live* begin(std::uint32_t unit, const Wire& wire, const NatPlan& plan, const FlowKey& egress);
  void touch(const Flow& flow, const Wire& wire);
  void end(Live& session);
  void expire();
  [[nodiscard]] bool take_setup_token(std::uint16_t service_set);
  /// The packet as it must leave; what the translator may choose is taken from the outcome.
  [[nodiscard]] Wire leaves(const Wire& wire, const Flow& flow, const Outcome& outcome, bool fragments) const;
  /// True if the packet gets another identification: its source is shared, and it is or may become fragments (RFC
  /// 6864).
  [[nodiscard]] static bool renumbered(const Wire& wire, const IpAddress& source, bool fragments);
  void expect_new_id(const Wire& out);
  /// Who an ICMP error seems to come from, on the other side.
  [[nodiscard]] IpAddress error_source(std::uint32_t unit, const Wire& wire, const Flow& flow) const;
  /// The packet, or its first fragment, came out of the engine or not. True: it passed.
  [[nodiscard]] bool first_piece(std::uint32_t unit, const Wire& wire, const Outcome& outcome, const Verdict& verdict,
                                 const std::vector<Bytes>& in, std::size_t waiting);
  void compare(const Outcome& outcome, const Flow& flow, const std::vector<Bytes>& want,
               const std::vector<std::size_t>& waiting);
  void compare(const SessionRecord& record);
  void account(const Flow& flow, const Bytes& in);
  /// The sender is told: by a RST, or by ICMP. `sent`: when that was done before.
  void expect_reject(const Outcome& outcome, std::uint32_t unit, const Wire& wire, const Bytes& as_sent, bool reset,
                     std::vector<Ticks>& sent);
  /// True if a host inside is told that its session is refused for one of these reasons (RFC 5508 REQ-8).
  [[nodiscard]] bool tells_host(std::uint32_t unit, const std::vector<Drop>& reasons) const;
  [[nodiscard]] static std::string fate_of(const Outcome& outcome);
  void fail(const std::string& what);
  void trace(const std::string& what) const;

  Coverage& coverage_;
  const Cluster& cluster_;
  Rig& rig_;
  Nat nat_;
  std::list<Live> sessions_;
  std::map<std::uint16_t, std::map<FlowKey, Flow, KeyOrder>>
      flows_;  ///< by service set: hosts of two may be called the same
  Ticks activated_ = 0;
  std::map<std::pair<unsigned, std::uint16_t>, std::pair<std::uint64_t, Ticks>> setup_tokens_;
  std::vector<Ticks> rejects_;   ///< when the last were sent
  std::vector<Ticks> refusals_;  ///< the same
  std::uint16_t ip_id_ = 0;
  std::map<std::tuple<IpAddress, IpAddress, std::uint8_t>, std::set<std::uint16_t>, IdOrder> ids_;  ///< given so far
  std::uint64_t packets_ = 0;
  bool failed_ = false;
  std::string about_;  ///< the packet at hand, for failures
};

}  // namespace icr::node::test::nat_model
