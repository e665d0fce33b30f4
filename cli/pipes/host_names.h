// The names of addresses, for the pipe `resolve`.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/time.h"
#include "model/record/address.h"

namespace icr::cli {

/// What looking up names may cost one answer.
struct NameBudget {
  std::size_t lookups = 256;  ///< addresses that are looked up
  Duration waiting = 5s;      ///< the time that the answer waits for names, in sum
};

/// Looks up the names of addresses and keeps them. Helper threads do the lookups, so find() returns when its budget is
/// used up, also while a lookup goes on. The process can end while a lookup hangs. Thread: any.
class HostNames {
 public:
  /// Returns the name of an address, or nothing if it has none. Several threads call it at the same time, maybe even
  /// after the HostNames is gone.
  using Lookup = std::function<std::optional<std::string>(const IpAddress& address)>;
  static constexpr std::size_t kThreads = 8;
  static constexpr std::size_t kMostNames = 4096;  ///< names that are kept
  static constexpr Duration kLifetime = 300s;      ///< after this time a name is looked up again
  static constexpr std::size_t kMostOctets = 255;  ///< of a name

  explicit HostNames(Lookup lookup);
  ~HostNames();
  HostNames(const HostNames&) = delete;
  HostNames& operator=(const HostNames&) = delete;

  /// Returns the names of the process, which ask the resolver of this machine: /etc/hosts, DNS, and what else
  /// /etc/nsswitch.conf says.
  [[nodiscard]] static HostNames& of_machine();

  using Found = std::map<IpAddress, std::string>;
  /// Returns the names of those `addresses` that have one. Takes what it uses off `budget`, and ends when that is used
  /// up. Octets that no host name has are `?`, because a name comes from strangers and goes to a terminal.
  [[nodiscard]] Found find(const std::vector<IpAddress>& addresses, NameBudget& budget);

 private:
  struct State;

  std::shared_ptr<State> state_;  ///< shared with the threads
};

}  // namespace icr::cli
