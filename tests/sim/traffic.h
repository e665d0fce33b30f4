// Clients inside and servers outside: conversations over UDP, TCP and ICMP echo, each with a flow key of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/base/time.h"
#include "tests/support/packets.h"

namespace icr::sim {

using node::test::Bytes;

/// Sends one packet into the side of the cluster that the unit names; what came out of it, and on which side, or
/// nothing.
struct Passed {
  Bytes bytes;
  std::uint32_t unit = 0;
};
using Network =
    std::function<std::optional<Passed>(std::uint32_t unit, const Bytes& packet, std::uint32_t conversation)>;

class Traffic {
 public:
  Traffic(std::mt19937_64& random, Network network) : random_(random), network_(std::move(network)) {}

  /// Begins conversations (about `per_second`) and sends what is due.
  void run(TimePoint now, double per_second);
  /// Its session was removed: its key is never used again.
  void end(std::uint32_t conversation);

  [[nodiscard]] std::size_t open() const { return open_.size(); }
  [[nodiscard]] std::uint64_t begun() const { return next_number_ - 1; }
  [[nodiscard]] std::uint64_t round_trips() const { return round_trips_; }
  [[nodiscard]] std::uint64_t mapping_changes() const { return mapping_changes_; }
  /// Returns the conversations of which, since the last call, a packet was lost after there had been an answer, or that
  /// were translated anew.
  [[nodiscard]] std::vector<std::uint32_t> take_interrupted() { return std::exchange(interrupted_, {}); }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Conversation {
    std::uint8_t protocol = 17;
    std::string client;
    std::uint16_t client_port = 0;
    std::string server;
    TimePoint next;
    TimePoint until;
    Duration pause{};
    std::string translated;  ///< as the server saw it last
    bool answered = false;
    // TCP
    int phase = 0;  ///< 0: SYN, 1: data, 2: FIN, 3: last ACK
    std::uint32_t client_seq = 1000;
    std::uint32_t server_seq = 500000;
  };

  void begin(TimePoint now);
  /// False: the conversation is over.
  bool send(std::uint32_t number, Conversation& c, TimePoint now);
  [[nodiscard]] node::test::Spec client_packet(const Conversation& c, TimePoint now) const;
  [[nodiscard]] node::test::Spec server_packet(const Conversation& c, const node::test::Seen& seen) const;

  std::mt19937_64& random_;
  Network network_;
  std::unordered_map<std::uint32_t, Conversation> open_;
  std::vector<std::uint32_t> order_;  ///< of open_, so that a seed replays
  std::uint32_t next_number_ = 1;
  double due_ = 0;
  TimePoint last_run_;
  std::uint64_t round_trips_ = 0;
  std::uint64_t mapping_changes_ = 0;
  std::vector<std::uint32_t> interrupted_;
  std::vector<std::string> violations_;
};

}  // namespace icr::sim
