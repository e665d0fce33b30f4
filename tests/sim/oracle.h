// Knows the traffic, watches both chassis, and says when something that must never happen has happened.
//
// Every conversation has a flow key of its own that is never used again once an active chassis has removed its session,
// so a session that is seen again after that has come back from somewhere. Invariants (docs/architecture.md):
//   2  a term is used by one chassis, in one life of it, and is on its disk, if that works; it was granted by its
//      witness, and by its disk unless that fails or took too long; sessions are set up in it by one chassis only;
//   3  no two sessions of an active table own the same translated address, port and protocol, and each uses mappings,
//      blocks and addresses of its own host only;
//   1  what a packet told the world that left an output-commit service set, its peer has: the session with its
//      translation, in the state that the packet made or found; and a standby that takes over with a complete copy has
//      all of that, unless the session has ended since;
//   4  a session that a chassis has seen removed does not appear in it again - unless the chassis has meanwhile become
//      the standby of another master, whose word it then takes, or has restarted from a checkpoint that is older.
//      A standby may remove a session that its master has lost in a crash, after the master has set up another one of
//      the same conversation in the same slot, generation and translation: that one has not been removed. A master with
//      a replication-threshold may tell of that other one long after a copy has removed the lost one;
//   -  sessions that a master set up beside the other one, before it yielded, live on there or were counted as
//      conflicts; nothing else appears in a master without a packet;
//   -  a chassis that has heard a new process of its peer does not go back to the former one;
//   5  after quiet, the digests are equal (World::settle);
//   -  a chassis that stops to take a commit has what it had, as far as its new file has a place for it; a member that
//      hands over finds all of that at the other one, and nothing else;
//   -  a master does not stop to take a commit while a peer could take over, or was there when the commit came;
//   -  a chassis that takes a commit while it runs has the same sessions and bindings afterwards, in the same role;
//   -  an active table holds only what its own file has a place for and, once it was reviewed, what it admits.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/chassis.h"
#include "tests/sim/files.h"
#include "tests/sim/traffic.h"

namespace icr::sim {

class Oracle {
 public:
  /// A chassis has started: what it holds now came from its checkpoint.
  void on_start(Chassis& chassis, TimePoint now);
  void on_crash(const Chassis& chassis, bool everything_durable, TimePoint now);
  /// `other` is the peer, which may have handed over.
  void on_master(Chassis& chassis, const Chassis& other, std::uint64_t term, TimePoint now);
  /// `chassis` follows `other`, in whose favour it may have yielded.
  void on_standby(Chassis& chassis, const Chassis& other, TimePoint now);
  /// A commit comes to the chassis.
  void on_commit(const Chassis& chassis);
  /// The chassis is about to stop, to take a commit; and has stopped.
  void before_stop(const Chassis& chassis, TimePoint now);
  void on_stop(const Chassis& chassis, bool written, TimePoint now);
  /// The chassis is about to take a commit while it runs; and has taken it.
  void before_take(const Chassis& chassis, TimePoint now);
  void on_take(const Chassis& chassis, TimePoint now);
  /// Checks that a chassis whose table is active was granted its term, and that its disk, if it works, has the term.
  void check_term(const Chassis& chassis, TimePoint now);
  /// Checks whether a merge of `chassis` has ended, and what became of its conversations.
  void check_merge(Chassis& chassis, TimePoint now);
  /// Looks at what has changed in a table. `sent_by`: the conversation whose packet it has just handled, if any.
  /// Returns conversations whose session an active chassis has removed.
  std::vector<std::uint32_t> look(Chassis& chassis, TimePoint now, std::optional<std::uint32_t> sent_by);
  /// A packet has come to the chassis, and waits until the peer knows what it changed.
  void on_wait(const Chassis& chassis, std::uint32_t conversation, TimePoint now);
  /// A packet of a session leaves the chassis, after it waited or at once.
  void on_leave(const Chassis& chassis, const Chassis& other, const Passed& packet, bool waited, TimePoint now);
  /// Scans a whole table for translated ports with two owners, and for sessions that use what another host owns.
  void check_ports(const Chassis& chassis, TimePoint now);

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] std::uint64_t births() const { return births_; }
  [[nodiscard]] std::uint64_t deaths() const { return deaths_; }
  /// Sessions that only a member that yielded had, and how many of them were counted as conflicts.
  [[nodiscard]] std::uint64_t only_there() const { return only_there_; }
  [[nodiscard]] std::uint64_t conflicts() const { return conflicts_; }
  /// Sessions that were compared across a restart for a commit, or a switchover.
  [[nodiscard]] std::uint64_t kept() const { return kept_; }
  /// Packets of output-commit service sets that left when the peer had what they told, those of them that had waited,
  /// and those that left without a peer.
  [[nodiscard]] std::uint64_t left_known() const { return left_known_; }
  [[nodiscard]] std::uint64_t left_waited() const { return left_waited_; }
  [[nodiscard]] std::uint64_t left_alone() const { return left_alone_; }
  /// Sessions of which the world had heard, and that were looked for after a takeover.
  [[nodiscard]] std::uint64_t survived() const { return survived_; }
  /// Live bindings seen by the scans.
  [[nodiscard]] std::uint64_t bindings() const { return bindings_; }

 private:
  /// One life of a conversation's session. The packets of a conversation may give it a new one in another slot or
  /// generation; or in the same one, but with another translation, if a chassis becomes master that had no place for
  /// the former one.
  struct Life {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    std::uint32_t conversation = 0;
    std::uint64_t translation = 0;  ///< a hash
    auto operator<=>(const Life&) const = default;
  };
  struct Removal {
    std::uint64_t lineage = 0;
    TimePoint at;
  };
  struct View {
    std::uint64_t lineage = 0;                    ///< grows when the chassis begins to take another one's word
    std::map<std::uint32_t, Life> held;           ///< by slot
    std::map<std::uint32_t, TimePoint> heard_at;  ///< by slot: when it set up, or heard of, what it holds
    std::map<Life, Removal> removed;              ///< when it was last seen removed
    std::set<Life> durable;                       ///< removals that must be on disk
    std::optional<TimePoint> master_since;
    std::uint64_t peer_boot = 0;              ///< the process of the peer that it listens to
    std::set<std::uint64_t> peers_heard;      ///< those that it has listened to in this life
    bool heard_peer = false;                  ///< it heard the peer when it was looked at last
    std::map<std::uint32_t, TimePoint> born;  ///< conversations that this chassis set up, as master
    bool peer_at_commit = false;              ///< it heard its peer when its newest commit came
    std::vector<SessionRecord> stopped;       ///< what it had when it stopped to take a commit
    TimePoint stopped_at;
    /// By conversation: the versions of the session in which its waiting packets left it, in order.
    std::map<std::uint32_t, std::deque<std::uint32_t>> waiting;
    std::map<std::uint32_t, Life> told;  ///< by conversation: what the world has heard that the peer has, too
  };
  /// A merge of a member that yielded, with the conversations that only this member has.
  struct Merge {
    std::set<std::uint32_t> missing;
    std::uint64_t boot = 0;
    std::uint64_t completed = 0;  ///< merges of it until then
    std::uint64_t refused = 0;    ///< records of them that were refused, or not sent
  };
  /// What must not change when a chassis takes a commit while it runs.
  struct Standing {
    std::map<std::uint32_t, std::uint64_t> slots;  ///< slot -> digest of the session or binding in it
    std::uint64_t digest = 0;
    std::uint64_t ports = 0;
    Role role = Role::initializing;
    std::uint64_t term = 0;
    bool operator==(const Standing&) const = default;
  };
  [[nodiscard]] static Standing standing_of(const Chassis& chassis, TimePoint now);
  [[nodiscard]] static Life life_of(const SessionRecord& record);
  void violation(TimePoint now, const std::string& text);
  /// Returns true if a standby that was told of the life at `told`, and not since then, has an elder session than the
  /// one that a packet set up last under the same slot, generation and translation.
  [[nodiscard]] bool is_elder(const Life& life, TimePoint told, TimePoint now) const;
  void check_peer(const Chassis& chassis, View& view, TimePoint now);
  void check_stopped(const Chassis& chassis, View& view, TimePoint now);
  void check_survivors(const Chassis& chassis, const Chassis& other, TimePoint now);
  void check_handed_over(const Chassis& from, const Chassis& to, TimePoint now);
  void check_bindings(const Chassis& chassis, const std::vector<SessionRecord>& sessions, TimePoint now);

  std::array<View, 2> views_;
  Standing before_take_;
  std::array<std::optional<Merge>, 2> merges_;    ///< by the member that yielded
  std::array<std::set<std::uint32_t>, 2> given_;  ///< all its conversations; it may die while they are on their way
  std::map<std::uint64_t, std::pair<std::uint16_t, std::uint64_t>> terms_;  ///< term -> chassis, boot
  std::map<std::uint64_t, std::uint16_t> setters_;  ///< term -> the chassis that set sessions up in it
  std::map<Life, TimePoint> set_up_;                ///< when a packet set the life up last
  Duration threshold_{};  ///< the longest replication-threshold of all files that chassis started with
  std::map<std::uint64_t, std::size_t> boots_;  ///< boot -> number of processes that had started before it
  std::vector<std::string> violations_;
  std::uint64_t births_ = 0;
  std::uint64_t deaths_ = 0;
  std::uint64_t only_there_ = 0;
  std::uint64_t conflicts_ = 0;
  std::uint64_t bindings_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t left_known_ = 0;
  std::uint64_t left_waited_ = 0;
  std::uint64_t left_alone_ = 0;
  std::uint64_t survived_ = 0;
};

/// The conversation that a session belongs to, by its flow key (see Traffic).
[[nodiscard]] std::uint32_t conversation_of(const SessionRecord& record);

}  // namespace icr::sim
