// Writes a random cluster file: firewall terms of every kind of condition, NAT of every kind.
#pragma once

#include <string>
#include <vector>

#include "tests/nat_model/world.h"

namespace icr::node::test::nat_model {

class Writer {
 public:
  explicit Writer(Dice& dice) : dice_(dice), sets_(dice.chance(30) ? 2 : 1) {}

  [[nodiscard]] std::string text();

 private:
  [[nodiscard]] std::string chassis(const std::string& name, unsigned number) const;
  [[nodiscard]] std::string applications();
  [[nodiscard]] std::string timeouts();
  [[nodiscard]] std::string service_set(unsigned set);
  void firewall_rules(unsigned set);
  void nat_rules(unsigned set);

  /// Entries of `from`, for packets from the inside or not; `fixed_source` and `fixed_destination` are written already.
  [[nodiscard]] std::vector<std::string> conditions(bool v6, bool from_inside, bool fixed_source = false,
                                                    bool fixed_destination = false);
  [[nodiscard]] std::string some_prefix(bool v6, bool near);
  [[nodiscard]] std::string some_port();
  /// A port, or a range of ports, of a pool out of which hosts of the service set get theirs.
  [[nodiscard]] std::string pool_port();

  /// A whole NAT term.
  [[nodiscard]] std::string nat_term(const std::string& name);
  [[nodiscard]] std::string destination_term(const std::string& name);
  /// A term that translates sources of those who come in from outside.
  [[nodiscard]] std::string inbound_term(const std::string& name);
  /// Defines a pool and returns its name.
  [[nodiscard]] std::string pool(bool with_ports);
  /// What a destination rule for `all` translates to: each to itself, or all to `one`, out of a pool of its own.
  [[nodiscard]] std::string to_servers(const std::string& all, const std::string& one);
  /// Where a rule that forwards these ports (a port or a range) sends them; nothing: they stay.
  [[nodiscard]] std::string translated_port(const std::string& from);
  [[nodiscard]] std::string port_options();
  [[nodiscard]] std::string mapping_options();
  [[nodiscard]] std::string source_pools(bool with_ports);
  /// So many addresses that nobody has yet.
  [[nodiscard]] std::string take_addresses(unsigned length);

  Dice& dice_;
  unsigned sets_;
  unsigned next_address_ = 0;
  unsigned next_pool_ = 0;
  std::string pools_, nat_, firewall_;
  std::vector<std::string> given_;  ///< prefixes of the pools out of which hosts of the service set get something
  std::vector<std::pair<unsigned, unsigned>> given_ports_;  ///< ranges of ports of those pools
  std::vector<std::vector<std::string>> firewall_names_, nat_names_;
};

}  // namespace icr::node::test::nat_model
