// Finds out in what the cluster files of the two members of a redundancy set differ, once their digests do.
//
// Each member tells the other the digests of the parts of its file (a service set, a pool, a rule ...), and, of parts
// that differ, those of single settings. Values are not sent. Sans-I/O, bounded by the size of a message.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/base/time.h"
#include "model/config/settings.h"
#include "replication/protocol.h"

namespace icr::node {

class ConfigurationCheck {
 public:
  /// `cluster` must outlive it.
  ConfigurationCheck(const Cluster& cluster, std::uint16_t set) : cluster_(&cluster), set_(set) {}

  /// Compares the parts of another cluster from now on. `cluster` must outlive this object.
  void take(const Cluster& cluster);

  /// Tells that the peer was heard, and compares another digest. Nothing is told to it for a moment: while a commit
  /// goes from one member to the other, their files differ, and nobody need be told.
  void on_other_digest(TimePoint now);
  /// Tells that the peer compares the same digest, so nothing is told to it any more.
  void on_same_digest();
  /// Returns true if what differs is known now, and was not, or was something else.
  bool on_configuration(const replication::Configuration& peer);
  /// Returns what is to be sent to the peer now, about once a second while the digests differ for longer than a moment.
  [[nodiscard]] std::optional<replication::Configuration> due(TimePoint now);
  /// Returns "service sets: cgn; keys: nat.pools[p].port.range.high (this chassis: 65534)", or an empty text if nothing
  /// is known to differ.
  [[nodiscard]] const std::string& difference() const { return difference_; }

 private:
  /// A setting that the peer must have alike, by its path.
  struct Own {
    std::uint64_t digest = 0;
    std::string value;
  };
  struct Part {
    std::uint64_t digest = 0;
    std::map<std::string, Own, std::less<>> settings;
  };

  void load();
  [[nodiscard]] std::string describe(const replication::Configuration& peer) const;

  const Cluster* cluster_;
  std::uint16_t set_;
  bool differs_ = false;
  TimePoint next_ = TimePoint::min();
  std::map<std::string, Part, std::less<>> parts_;     ///< empty until it is needed
  std::optional<std::vector<std::string>> different_;  ///< names of parts; nullopt: the peer has not told its parts
  std::string difference_;
};

}  // namespace icr::node
