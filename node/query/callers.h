// Who asks a chassis, and what they may ask.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/cluster.h"
#include "model/query/query.h"

namespace icr::node {

struct Caller {
  std::string name;  ///< "client noc", "chassis right", or the address from which an unknown one asks
  ClientClass permitted = ClientClass::view;
};

/// The chassis and clients of a cluster file. A chassis may ask what it needs of another one, which is to view; a
/// client may ask what its class permits. Where sockets are not encrypted nobody is known: then everybody may do
/// everything but commit, and who asks from the machine itself may commit.
class Callers {
 public:
  explicit Callers(const Cluster& cluster);

  /// Returns the public keys of all of them; empty if the cluster is not encrypted.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// Returns who asks. `key` is the key of the connection, and `address` where it comes from. One whose key was taken
  /// away after its message had come has no name, and may ask nothing.
  [[nodiscard]] Caller find(std::string_view key, std::string_view address) const;
  /// Returns why the caller may not ask this; empty if it may.
  [[nodiscard]] std::string refusal(const Caller& caller, const QueryRequest& request) const;

 private:
  bool encrypted_;
  std::map<std::string, Caller, std::less<>> by_key_;
};

/// Returns the least class that may ask this.
[[nodiscard]] ClientClass class_for(const QueryRequest& request);

}  // namespace icr::node
