#include "cli/render/bindings.h"

#include <iterator>

#include "cli/builders/sessions.h"
#include "cli/render/nat.h"

namespace icr::cli {
namespace {

std::string state_of_binding(RecordKind kind, const BindingRecord& binding, const BindingUse& use) {
  // A pairing that is held only by mappings without sessions has no session. Its timeout begins when these mappings are
  // gone.
  const bool in_use = kind != RecordKind::pairing && (binding.flags & kBindingInUse) != 0;
  const bool active = use.sessions != 0 || in_use;
  return active ? std::string("Active") : fmt::format("Timeout ({}s)", seconds_left(binding.timeout_s, binding.idle));
}

constexpr auto* kBlockRow = "{:<30}{:<35}{:<23}{:>7}/{}*{}";

}  // namespace

void MappingRenderer::head(const Source& source, const std::string& service_set, std::string& out) {
  const std::string heading = nat_heading(source.interface, service_set);
  if (heading == heading_) return;
  heading_ = heading;
  pool_.reset();
  out += heading + "\n";
}

void MappingRenderer::add(const Source& source, const SessionRecord& record, const BindingUse& use, std::string& out) {
  const BindingRecord& b = record.binding;
  head(source, cluster_.name_of_service_set(b.service_set), out);
  if (pool_ != b.pool) {
    out += fmt::format("NAT pool: {}\n\n", cluster_.name_of_pool(b.pool));
    pool_ = b.pool;
  }
  auto to = std::back_inserter(out);
  if (record.kind == RecordKind::mapping) {
    fmt::format_to(to, "{:<17}: {:<15}:{:>5}  --> {:<13}:{:>5}\n", "Mapping", b.internal.to_string(), b.internal_port,
                   b.external.to_string(), b.external_port);
  } else {
    fmt::format_to(to, "{:<17}: {:<16}--> {}\n{:<17}: {:>5}\n", "Mapping", b.internal.to_string(),
                   b.external.to_string(), "Ports In Use", use.ports);
  }
  fmt::format_to(to, "{:<17}: {:>5}\n{:<17}: {}\n\n", "Session Count", use.sessions, "Mapping State",
                 state_of_binding(record.kind, b, use));
}

void MappingRenderer::add_prefix(const Source& source, std::uint16_t service_set, const std::string& from,
                                 const std::string& to, std::string& out) {
  head(source, cluster_.service_sets[service_set].name, out);
  fmt::format_to(std::back_inserter(out), "{:<17}: {:<16} --> {}\n{:<17}: Active\n\n", "Mapping", from, to,
                 "Mapping State");
}

std::string render_mapping_totals(const std::string& interface, const MappingTotals& totals) {
  return fmt::format("{:<60}{}\n{:<60}{}\n{:<60}{}\n{:<60}{}\n", "Service Interface:", interface,
                     "Total number of address mappings:", totals.addresses,
                     "Total number of endpoint independent port mappings:", totals.endpoints,
                     "Total number of endpoint independent filters:", totals.filters);
}

std::string render_deterministic(const Cluster& cluster, const std::string& interface, const DeterministicRow& row) {
  const auto& b = row.binding;
  return nat_heading(interface, cluster.name_of_service_set(row.service_set)) +
         fmt::format("NAT pool: {}\n    Internal host: {}, NAT IP address: {}, NAT port low: {}, NAT port high: {}\n",
                     cluster.name_of_pool(row.pool), IpAddress::v4(b.internal).to_string(),
                     IpAddress::v4(b.external).to_string(), b.first_port, b.last_port);
}

std::string render_deterministic_head(const NatPool& pool, const NatPoolStatus& status) {
  return fmt::format(
      "Pool name: {}\n"
      "Port-overloading-factor:     1     Port block size: {}\n"
      "Used/total port blocks: {}/{}\n"
      "\n"
      "Host_IP                       External_IP                         Port_Block              Ports_Used/\n"
      "                                                                    Range                 Ports_Total\n",
      pool.name, status.block_size, status.blocks_in_use, status.blocks);
}

std::string render_deterministic_row(const DeterministicRow& row, std::uint32_t block_size) {
  const auto& b = row.binding;
  return fmt::format(fmt::runtime(kBlockRow), IpAddress::v4(b.internal).to_string(),
                     IpAddress::v4(b.external).to_string(), fmt::format("{}-{}", b.first_port, b.last_port),
                     row.ports_in_use, block_size, 1) +
         "\n";
}

std::string render_block_head(const NatPool& pool, const NatPoolStatus& status) {
  return fmt::format(
      "Pool name: {}\n"
      "Port-overloading-factor:     1     Port block size: {}\n"
      "Max port blocks per host:  {:>5}     Port block active timeout: {}\n"
      "Used/total port blocks: {}/{}\n"
      "\n"
      "Host_IP                       External_IP                         Port_Block              Ports_Used/       "
      "Block_State/\n"
      "                                                                    Range                 Ports_Total       "
      "Left_Time(s)\n",
      pool.name, status.block_size, status.max_blocks_per_host, pool.blocks ? pool.blocks->active_block_timeout_s : 0,
      status.blocks_in_use, status.blocks);
}

std::string render_block_row(const SessionRecord& record, const BindingUse& use) {
  const BindingRecord& b = record.binding;
  const bool active = (b.flags & kBindingActiveBlock) != 0;
  // A block without sessions ends when its timeout is over.
  const std::string left = use.ports != 0 || (b.flags & kBindingInUse) != 0
                               ? std::string("-")
                               : std::to_string(seconds_left(b.timeout_s, b.idle));
  const std::string row =
      fmt::format(fmt::runtime(kBlockRow), b.internal.to_string(), b.external.to_string(),
                  fmt::format("{}-{}", b.external_port, b.last_port), use.ports, b.last_port - b.external_port + 1, 1);
  return fmt::format("{:<108}{}/{}\n", row, active ? "Active" : "Inactive", left);
}

}  // namespace icr::cli
