// The paths between the two members of a redundancy set: one link (link.h) for each pair of their inter-chassis
// addresses.
//
// Heartbeats leave by every path, so that the peer is given up only when it is heard by none; the receiver passes over
// those that it has already. Everything else leaves by one path, the active one: the first of those that are up.
// Another one takes its place when its connection is closed, or when heartbeats go on coming by another path and none
// comes by it; it has its place again when it was up for some seconds. What was on the way then may be lost or come
// late, as with a connection that is made again (replication/protocol.fbs).
//
// Thread: the one that opened the paths. No function blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/base/counters.h"
#include "model/base/result.h"
#include "model/base/time.h"
#include "model/config/cluster.h"
#include "model/record/path.h"
#include "replication/zmq/link.h"

namespace icr::replication {

struct PathTiming {
  /// A path is silent when nothing came by it for so much longer than by another one.
  Duration silence;
  /// A path with a lower number than the active one becomes active when it was up for so long.
  Duration stable = std::chrono::seconds(5);
};

class Paths final {
 public:
  /// Opens the links of the member of `set` on `chassis`, which are indices into `cluster`: as Link::open(), by each
  /// path.
  [[nodiscard]] static Result<std::unique_ptr<Paths>> open(const std::shared_ptr<transport::Context>& context,
                                                           const Cluster& cluster, std::uint16_t set,
                                                           std::uint16_t chassis, const PathTiming& timing);
  ~Paths();
  Paths(const Paths&) = delete;
  Paths& operator=(const Paths&) = delete;

  /// Returns the descriptors of all links (Link::descriptors()).
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }

  /// Sends a copy of the message by every path. Returns false if none took it.
  bool send_heartbeat(std::span<const std::uint8_t> message);
  /// Sends a copy of the message by the active path. Returns false, and takes nothing, if that has no connection or is
  /// full.
  bool send_control(std::span<const std::uint8_t> message);
  bool send_data(std::span<const std::uint8_t> message);
  /// As Link::send_former(), by the path with the number 0.
  bool send_former(std::span<const std::uint8_t> message);

  /// As Link::set_peer_keys(), for every path.
  void set_peer_keys(const std::vector<std::string>& keys);
  void set_timing(const PathTiming& timing) { timing_ = timing; }

  /// Hands over what has arrived, at most `budget` messages of each path. The visitor hears that the peer is connected
  /// when the first path is up, and that it is disconnected when the last one is not up any more. Returns true if there
  /// is more.
  bool drain(LinkVisitor& visitor, std::size_t budget);
  /// Returns true if drain() would deliver something now. Also clears the edge of the descriptors.
  [[nodiscard]] bool pending();

  /// Returns the state of each path, by its number.
  [[nodiscard]] std::vector<PathStatus> status() const;
  /// Appends the counters of the paths, and of the links: for each name, the sum over all links.
  void append_to(CounterList& out) const;

 private:
  class Path;
  Paths(std::string name, const PathTiming& timing);
  /// Finds out which paths are up and which is active, and tells the visitor what changed.
  void judge(LinkVisitor& visitor, TimePoint now);
  /// Returns the number of the path that should be active.
  [[nodiscard]] std::size_t best(TimePoint now) const;
  void collect_descriptors();

  const std::string name_;  ///< of the redundancy set, for the log
  PathTiming timing_;
  std::vector<std::unique_ptr<Path>> paths_;  ///< by number; at least one
  std::size_t active_ = 0;
  bool connected_ = false;  ///< the visitor was told so
  std::uint64_t losses_ = 0;
  std::uint64_t changes_ = 0;
  std::vector<int> descriptors_;
};

}  // namespace icr::replication
