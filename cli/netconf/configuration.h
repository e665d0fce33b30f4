// The configuration in a NETCONF session: shown, locked, loaded as the text of a cluster file, and committed.
#pragma once

#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "cli/netconf/host.h"
#include "cli/netconf/reply.h"

namespace icr::cli::netconf {

/// The candidate is that of the session: a whole cluster file. REQUIRES: host outlives it. Thread: one.
class Configuration {
 public:
  explicit Configuration(const Host& host) : host_(host) {}
  Configuration(const Configuration&) = delete;
  Configuration& operator=(const Configuration&) = delete;
  ~Configuration() { unlock(); }

  /// Carries out `operation` if it is about the configuration; returns false if it is not.
  [[nodiscard]] bool carry_out(const pugi::xml_node& operation, Reply& reply);

 private:
  void get(const pugi::xml_node& operation, Reply& reply);
  void open(const pugi::xml_node& operation, Reply& reply);
  void close(Reply& reply);
  /// Returns true if the session holds the lock now. Otherwise the reply says who holds it.
  [[nodiscard]] bool lock(Reply& reply);
  void unlock();
  void load(const pugi::xml_node& operation, Reply& reply);
  /// `minutes`: the time until a confirmation is in minutes, as in Junos, and not in seconds, as in RFC 6241.
  void commit(const pugi::xml_node& operation, bool minutes, Reply& reply);
  void send(const CommitCommand& command, Reply& reply);

  const Host& host_;
  std::optional<std::string> candidate_;
  bool locked_ = false;
};

}  // namespace icr::cli::netconf
