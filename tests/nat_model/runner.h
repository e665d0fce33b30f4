// Draws what happens next: packets, time, operators, takeovers.
#pragma once

#include "tests/nat_model/model.h"

namespace icr::node::test::nat_model {

class Runner {
 public:
  Runner(std::uint64_t seed, Dice& dice, const World& world, Coverage& coverage);
  /// About as many packets; then quiet. Stops at the first failure.
  void run(std::uint64_t packets);
  /// The same without the quiet afterwards: `packets` is the number since the beginning.
  void advance(std::uint64_t packets);
  [[nodiscard]] Rig& rig() { return rig_; }
  [[nodiscard]] std::uint64_t packets() const { return model_.packets(); }
  [[nodiscard]] bool failed() const { return model_.failed(); }
  [[nodiscard]] std::uint64_t step() const { return step_; }

 private:
  void act();
  void from_inside();
  void from_outside();
  void answer();
  void talk(Live& session);
  void tcp(Live& session);
  void error_about();
  void wrong_side();
  void pass_time();

  [[nodiscard]] Wire fresh(const IpAddress& source, std::uint16_t sport, const IpAddress& destination,
                           std::uint16_t dport, std::uint8_t protocol);
  void decorate(Wire& wire);
  /// A protocol that NAT knows no ports of; ICMP of the other family above all.
  [[nodiscard]] std::uint8_t portless(bool v6);
  [[nodiscard]] Cut cut(const Wire& wire);
  [[nodiscard]] std::uint16_t any_service_set();
  [[nodiscard]] Live* any_session();
  /// A port of an external address that somebody has, mostly.
  [[nodiscard]] std::uint16_t known_port(const IpAddress& external, std::uint16_t otherwise);
  void send(std::uint32_t unit, Wire wire);

  Dice& dice_;
  const World& world_;
  Rig rig_;
  Model model_;
  bool nat64_ = false;  ///< some service set translates between the families
  std::uint64_t step_ = 0;
};

}  // namespace icr::node::test::nat_model
