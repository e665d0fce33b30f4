// Mappings, pairings and blocks of ports. The tables of blocks are those of captures of `nat source deterministic`.
#include <string>

#include "cli/render/layouts.h"

namespace icr::cli {
namespace {

constexpr std::string_view kPlace = "Interface: {interface-name}, Service set: {service-set-name}\n";

/// The last lines of a mapping and of a pairing.
constexpr std::string_view kMappingUse =
    "Session Count    : {session-count:>5}\n"
    "Mapping State    : {mapping-state}\n"
    "\n";

std::string concatenated(std::initializer_list<std::string_view> texts) {
  std::string out;
  for (const auto text : texts) out += text;
  return out;
}

Layout mappings() {
  static const std::string place = concatenated({kPlace, "\n"});
  static const std::string mapping = concatenated(
      {"Mapping          : {internal-ip:<15}:{internal-port:>5}  --> {external-ip:<13}:{external-port:>5}\n",
       kMappingUse});
  static const std::string pairing = concatenated(
      {"Mapping          : {internal-ip:<16}--> {external-ip}\nPorts In Use     : {ports-used:>5}\n", kMappingUse});
  Layout out;
  out.groups.push_back({"sfw-per-service-set-nat-mapping", Template(place), {}, false, {}});
  out.groups.push_back(
      {"service-nat-mapping-pool",
       Template("NAT pool: {pool-name}\n\n"),
       {},
       false,
       {row_layout("service-nat-mapping", mapping, {}, "internal-port"), row_layout("service-nat-mapping", pairing)}});
  // Prefixes that NPTv6 translates.
  out.groups.push_back({"",
                        Template(),
                        {},
                        false,
                        {row_layout("service-nat-mapping-nptv6-information",
                                    "Mapping          : {nptv6-internal-ip:<16} --> {nptv6-external-ip}\n"
                                    "Mapping State    : Active\n"
                                    "\n",
                                    "Interface: {nptv6-interface-name}, Service set: {nptv6-service-set}\n\n")}});
  return out;
}

Layout mapping_totals() {
  RowLayout row = row_layout("service-nat-mapping-summary",
                             "Service Interface:                                          {interface-name}\n"
                             "Total number of address mappings:                           {total-address-mappings}\n"
                             "Total number of endpoint independent port mappings:         "
                             "{total-endpoint-independent-port-mappings}\n"
                             "Total number of endpoint independent filters:               "
                             "{total-endpoint-independent-filters}\n");
  row.between = "\n";
  return {{{"service-nat-mapping-summary-information", Template(), {}, false, {std::move(row)}}}, {}};
}

constexpr std::string_view kBlockRow =
    "{internal-ip:<30}{external-ip:<35}{block-port-range:<23}{ports-used:>7}/{ports-total}*1";

/// Returns the layout of a table of blocks, whose heading is `columns` below the name of the pool.
Layout blocks(const std::string& heading, RowLayout row) {
  return {{{"source-nat-block-pool", Template(heading), "\n", true, {std::move(row)}}}, {}};
}

Layout deterministic_blocks() {
  static const std::string heading = concatenated(
      {kPlace,
       "Pool name: {pool-name}\n"
       "Port-overloading-factor:     {port-overloading-factor}     Port block size: {port-block-size}\n"
       "Used/total port blocks: {port-blocks-in-use}/{effective-port-blocks}\n"
       "\n"
       "Host_IP                       External_IP                         Port_Block              Ports_Used/\n"
       "                                                                    Range                 Ports_Total\n"});
  static const std::string line = concatenated({kBlockRow, "\n"});
  return blocks(heading, row_layout("source-nat-block", line));
}

/// The same table with two more columns of the SRX family.
Layout port_blocks() {
  static const std::string heading = concatenated(
      {kPlace,
       "Pool name: {pool-name}\n"
       "Port-overloading-factor:     {port-overloading-factor}     Port block size: {port-block-size}\n"
       "Max port blocks per host:  {max-port-blocks-per-host:>5}     Port block active timeout: "
       "{active-block-timeout}\n"
       "Used/total port blocks: {port-blocks-in-use}/{effective-port-blocks}\n"
       "\n"
       "Host_IP                       External_IP                         Port_Block              Ports_Used/       "
       "Block_State/\n"
       "                                                                    Range                 Ports_Total       "
       "Left_Time(s)\n"});
  RowLayout row;
  row.element = "source-nat-block";
  row.render = [block = Template(kBlockRow),
                state = Template("{block-state}/{#block-time-left}{.}{/block-time-left}{^block-time-left}-"
                                 "{/block-time-left}\n")](const ElementRange& range, std::string& out) {
    constexpr std::size_t kStateColumn = 108;
    std::string text;
    block.append(range, text);
    if (text.size() < kStateColumn) text.append(kStateColumn - text.size(), ' ');
    out += text;
    state.append(range, out);
  };
  return blocks(heading, std::move(row));
}

}  // namespace

void add_nat_layouts(Layouts& layouts) {
  layouts[{Verb::show_mappings, Level::none}] = mappings();
  layouts[{Verb::show_mappings_summary, Level::none}] = mapping_totals();
  layouts[{Verb::show_port_blocks, Level::none}] = port_blocks();
  layouts[{Verb::show_deterministic_usf, Level::none}] = deterministic_blocks();
  // The labels are made from the names of the leaves.
  layouts[{Verb::show_deterministic, Level::none}] = {
      {{"",
        Template(),
        {},
        false,
        {row_layout("service-detnat-information",
                    "Interface: {interface-name}, Service set: {service-set-name}\n"
                    "NAT pool: {pool-name}\n"
                    "    Internal host: {detnat-internal-host}, NAT IP address: {detnat-nat-ip}, "
                    "NAT port low: {detnat-nat-port-low}, NAT port high: {detnat-nat-port-high}\n")}}},
      {}};
}

}  // namespace icr::cli
