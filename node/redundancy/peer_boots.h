// Which process of the peer is listened to: the newest one. Each process has a random number, its *boot*.
#pragma once

#include <cstdint>
#include <vector>

namespace icr::node {

class PeerBoots {
 public:
  enum class Verdict : std::uint8_t {
    present,   ///< the process that is known
    replaced,  ///< another one from now on
    refused,   ///< not listened to
  };

  /// A message of process `boot`. `number` is that of its heartbeat, 0 for other messages: a boot becomes known by a
  /// heartbeat only, and the one it replaces is not listened to any more. Unless that goes on while the new one is
  /// silent
  /// (`silent`): then the new one was a late message of a process that died before.
  [[nodiscard]] Verdict judge(std::uint64_t boot, std::uint64_t number, bool silent);
  /// A heartbeat of the present process. False: it was overtaken by a later one.
  [[nodiscard]] bool in_order(std::uint64_t number);

  [[nodiscard]] std::uint64_t present() const { return present_; }  ///< 0: none is known

 private:
  static constexpr std::size_t kRetired = 16;
  struct Retired {
    std::uint64_t boot = 0;
    std::uint64_t last_number = 0;  ///< of its heartbeats
  };
  std::uint64_t present_ = 0;
  std::uint64_t number_ = 0;
  std::vector<Retired> retired_;
};

}  // namespace icr::node
