// The words and formats of `pool brief` are what parsers of real routers expect. Those of `detail` come from captures
// where there are any. The rest is inferred from the SRX family and from the leaf names of the XML replies.
#include "cli/render/nat.h"

#include <algorithm>
#include <iterator>

namespace icr::cli {
namespace {

template <class Value>
void line(std::string& out, std::string_view label, const Value& value, int width = 19) {
  fmt::format_to(std::back_inserter(out), "{:<{}}: {}\n", label, width, value);
}

/// Returns the text that replaces the figures of a pool if another service set shows them.
std::string shared_with(const Cluster& cluster, const PoolUse& use) {
  return fmt::format("Shared with service set {}, which shows its figures\n",
                     cluster.service_sets[*use.counted_with].name);
}

std::uint64_t address_count(const NatPool& pool) { return pool.address_count(); }

void append_blocks(const NatPool& pool, const NatPoolStatus& s, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "    Max number of port blocks used: {}, Current number of port blocks in use: {}, Port block "
                 "allocation errors: {}\n"
                 "    Port blocks limit exceeded errors: {}, Port block allocations: {}, Port block releases: {}, "
                 "Port block logs lost: {}\n",
                 s.max_blocks_in_use, s.blocks_in_use, s.out_of_block_errors, s.max_blocks_exceeded_errors,
                 s.block_allocations, s.block_releases, s.block_log_overflows);
  const std::uint32_t ports = std::uint32_t{pool.port_high} - pool.port_low + 1;
  const std::uint32_t whole = s.block_size == 0 ? 0 : ports / s.block_size;
  fmt::format_to(to,
                 "    Port block size: {}, Max port blocks per address: {}, Active block timeout: {}\n"
                 "    Effective port range: {}-{}, Effective port blocks: {}, Effective ports: {}\n",
                 s.block_size, s.max_blocks_per_host, pool.blocks ? pool.blocks->active_block_timeout_s : 0,
                 pool.port_low, whole == 0 ? pool.port_high : pool.port_low + whole * s.block_size - 1, s.blocks,
                 s.blocks * s.block_size);
}

void append_port_figures(const Cluster& cluster, std::uint16_t index, const NatPoolStatus& s, std::string& out) {
  const NatPool& pool = cluster.nat_pools[index];
  auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "    Port range: {}-{}, Ports in use: {}, Out of port errors: {}, Max ports used: {}\n"
                 "    Parity port errors: {}, Preserve range errors: {}\n"
                 "    APP port errors: {}, APP exceed port limit errors: {}\n"
                 "    Mem alloc errors: {}\n"
                 "    EIF inbound session count: {}, EIF inbound session limit exceed drops: {}\n",
                 pool.port_low, pool.port_high, s.ports_in_use, s.out_of_port_errors, s.max_ports_in_use,
                 s.parity_port_errors, s.preserve_range_errors, s.app_port_errors, s.app_exceed_port_limit_errors,
                 s.memory_allocation_errors, s.eif_sessions, s.eif_limit_exceeded);
  if (s.use == NatPoolUse::port_blocks) append_blocks(pool, s, out);
  if (s.use == NatPoolUse::deterministic) {
    fmt::format_to(to, "    Port block size: {}, Port blocks: {}, Port blocks in use: {}\n", s.block_size, s.blocks,
                   s.blocks_in_use);
  }
  // Lines that Junos does not have.
  fmt::format_to(to,
                 "    {}Address mappings: {}, Endpoint independent mappings: {}\n"
                 "    EIF sessions created: {}, EIF refused: {}, Conflicts refused: {}\n"
                 "    Held before reuse: {}, Reused early: {}\n",
                 counts_users(cluster, index, s) ? fmt::format("Users: {}, ", s.users) : std::string(), s.pairings,
                 s.mappings, s.eif_sessions_created, s.eif_refused, s.conflicts_refused, s.held, s.reused_early);
}

}  // namespace

std::string nat_heading(std::string_view interface, std::string_view service_set) {
  return fmt::format("Interface: {}, Service set: {}\n", interface, service_set);
}

std::string range_text(const AddressRange& range) {
  return fmt::format("{}-{}", range.low.to_string(), range.high.to_string());
}

std::string render_pool_columns() {
  return "NAT pool              Type    Address                         Port        Ports used\n";
}

std::string render_pool_brief(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status) {
  const NatPool& pool = cluster.nat_pools[use.pool];
  std::string type(to_string(use.type));
  std::replace(type.begin(), type.end(), ' ',
               '-');  // a script that splits the line at blanks gets the type as one word
  std::string out;
  for (const auto& range : pool.addresses) {
    std::string row = fmt::format("{:<21} {:<7} {:<31}", pool.name, type, range_text(range));
    // Figures of the whole pool appear with its first range, and with one of the service sets that share it.
    const bool figures = &range == &pool.addresses.front() && !use.destination && !use.counted_with;
    if (figures && has_port_range(status)) {
      row += fmt::format(" {:<11} {}", fmt::format("{}-{}", pool.port_low, pool.port_high), status.ports_in_use);
    }
    out += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string render_pool_detail(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status) {
  const NatPool& pool = cluster.nat_pools[use.pool];
  std::string out = fmt::format("NAT pool: {}, Translation type: {}\n", pool.name, to_string(use.type));
  for (const auto& range : pool.addresses) out += fmt::format("    Address range: {}\n", range_text(range));
  if (use.destination || status.use == NatPoolUse::one_to_one) return out;
  if (use.counted_with) return out + "    " + shared_with(cluster, use);
  if (!has_port_range(status)) {
    out += fmt::format("    Available addresses: {}\n    Out of address errors: {}, Addresses in use: {}\n",
                       status.addresses - std::min(status.addresses, status.addresses_in_use),
                       status.out_of_address_errors, status.addresses_in_use);
    return out + fmt::format("    Conflicts refused: {}\n", status.conflicts_refused);
  }
  append_port_figures(cluster, use.pool, status, out);
  return out;
}

std::string render_source_pool(const Cluster& cluster, const PoolUse& use, const NatPoolStatus& status) {
  const NatPool& pool = cluster.nat_pools[use.pool];
  std::string out;
  line(out, "Pool name", pool.name);
  line(out, "Pool id", use.pool + 1);
  line(out, "Routing instance", "default");
  line(out, "Host address base", "0.0.0.0");
  line(out, "Port",
       has_port_range(status) ? fmt::format("[{}, {}]", pool.port_low, pool.port_high) : std::string("no translation"));
  line(out, "Port overloading", 1);
  line(out, "Address assignment", use.term->address_pooling_paired ? "paired" : "no-paired");
  line(out, "Total addresses", address_count(pool));
  if (pool.deterministic) {
    line(out, "Include boundary addresses", pool.deterministic->include_boundary_addresses ? "yes" : "no");
  }
  line(out, "EIM timeout", pool.mapping_timeout_s);
  line(out, "Mapping timeout", pool.mapping_timeout_s);
  if (use.counted_with) return out + shared_with(cluster, use);
  line(out, "EIF inbound flows count", status.eif_sessions, 31);
  line(out, "EIF flow limit exceeded drops", status.eif_limit_exceeded, 31);
  fmt::format_to(std::back_inserter(out), "{:<42}{:>14}{:>13}\n", "Address range", "Single Ports", "Twin Ports");
  for (const auto& range : pool.addresses) {
    const std::string text = fmt::format("{} - {}", range.low.to_string(), range.high.to_string());
    // Ports are counted per pool, so a single range has no figure; the total line has.
    const std::string ports = pool.addresses.size() == 1 ? std::to_string(status.ports_in_use) : std::string("-");
    fmt::format_to(std::back_inserter(out), "{:>38}    {:>14}{:>13}\n", text, ports, 0);
  }
  fmt::format_to(std::back_inserter(out), "{:<42}{:>14}{:>13}\n", "Total used ports   :", status.ports_in_use, 0);
  out += "Error counters:\n";
  const auto error = [&](std::string_view label, std::uint64_t value) {
    fmt::format_to(std::back_inserter(out), "  {:<29}: {}\n", label, value);
  };
  error("Out of port errors", status.out_of_port_errors);
  error("Out of address errors", status.out_of_address_errors);
  error("Parity port errors", status.parity_port_errors);
  error("Preserve range errors", status.preserve_range_errors);
  error("APP out of port errors", status.app_port_errors);
  error("APP exceed port limit errors", status.app_exceed_port_limit_errors);
  error("Out of block errors", status.out_of_block_errors);
  error("Block exceed limit errors", status.max_blocks_exceeded_errors);
  error("Mem alloc errors", status.memory_allocation_errors);
  return out;
}

std::string render_destination_pool(const Cluster& cluster, const PoolUse& use) {
  const NatPool& pool = cluster.nat_pools[use.pool];
  std::string out;
  line(out, "Pool name", pool.name);
  line(out, "Pool id", use.pool + 1);
  line(out, "Routing instance", "default");
  line(out, "Total address", address_count(pool));
  fmt::format_to(std::back_inserter(out), "{:<42}{:>14}\n", "Address range", "Port");
  for (const auto& range : pool.addresses) {
    fmt::format_to(std::back_inserter(out), "{:>38}    {:>14}\n",
                   fmt::format("{} - {}", range.low.to_string(), range.high.to_string()), 0);
  }
  return out;
}

}  // namespace icr::cli
