// Decides to which process of the peer a member listens: the newest one. Each process has a random number, its *boot*.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <vector>

namespace icr::node {

class PeerBoots {
 public:
  enum class Verdict : std::uint8_t {
    present,   ///< it is the process that is known
    replaced,  ///< it is a new process, which is the known one from now on
    refused,   ///< its messages are ignored
  };

  /// Judges a message of process `boot`. `number` is the number of its heartbeat, or 0 for other messages. Only a
  /// heartbeat makes a boot known, and messages of the boot that it replaces are refused from then on. `silent` tells
  /// that the known process is silent: an older one that goes on then becomes known again, because the newer one was a
  /// late message of a process that had died before.
  [[nodiscard]] Verdict judge(std::uint64_t boot, std::uint64_t number, bool silent);
  /// Takes a heartbeat of the known process. Returns false if a later one has overtaken it.
  [[nodiscard]] bool in_order(std::uint64_t number);

  [[nodiscard]] std::uint64_t present() const { return present_; }  ///< 0 if none is known

 private:
  static constexpr std::size_t kRetired = 16;
  struct Retired {
    std::uint64_t boot = 0;
    std::uint64_t last_number = 0;  ///< number of its last heartbeat
  };
  std::uint64_t present_ = 0;
  std::uint64_t number_ = 0;
  std::vector<Retired> retired_;
};

}  // namespace icr::node
