// Cluster files.
#include "model/config/cluster_file.h"
#include "node/flow/shard.h"
#include "tests/fuzz/fuzz_cluster.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icr;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto cluster = parse_cluster(text, "fuzz");
  if (!cluster) {
    fuzz::require(!cluster.error().message.empty());
    return 0;
  }
  // What was accepted can be run.
  for (std::uint16_t set = 0; set < cluster->redundancy_sets.size(); ++set) {
    std::uint64_t addresses = 0;
    for (const auto& pool : cluster->nat_pools) addresses += pool.address_count();
    if (cluster->redundancy_sets[set].max_sessions > 4096 || addresses > 16) continue;
    const node::Shard shard(*cluster, set, 1, TimePoint{});
    fuzz::require(shard.sessions() == 0);
  }
  for (const auto& service : cluster->service_sets) {
    fuzz::require(service.inside_unit != service.outside_unit);
    for (const auto rule : service.nat_rules) fuzz::require(rule < cluster->nat_rules.size());
    for (const auto rule : service.firewall_rules) fuzz::require(rule < cluster->firewall_rules.size());
  }
  return 0;
}
