// What a chassis tells its peers about its commits.
#pragma once

#include <atomic>
#include <cstdint>

namespace icr::node {

/// Every heartbeat carries it. Written by the thread that takes commits, read by workers. The values need not be of one
/// moment: they are hints, and what a chassis fetches because of them is checked.
struct CommitBeacon {
  std::atomic<std::uint64_t> number{0};   ///< of the newest commit
  std::atomic<std::uint64_t> running{0};  ///< digest of the snapshot that the chassis runs; 0: it does not say
  std::atomic<bool> waits{false};         ///< it is master of something and waits for its turn to take that commit
};

}  // namespace icr::node
