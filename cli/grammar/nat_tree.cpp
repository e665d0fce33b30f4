// The words of NAT. `show services nat pool`, `mappings` and `deterministic-nat` are the forms of ms- cards; `source`,
// `destination`, `static` and `resource-usage` those of vms- cards. Each works on every card and decides the layout.
#include "cli/grammar/options.h"
#include "cli/grammar/values.h"

namespace icr::cli {
namespace {

template <Mappings which>
void enter_mappings(Command& c) {
  c.verb = Verb::show_mappings;
  c.mappings = which;
}
template <Mappings which>
void enter_clear(Command& c) {
  c.verb = Verb::clear_mappings;
  c.mappings = which;
}
template <NatRules which>
void enter_rules(Command& c) {
  c.verb = Verb::show_nat_rules;
  c.rules = which;
}

Options where() { return service_set_option() + interface_option(); }

Result<void> take_prefix(std::optional<Prefix>& target, std::string_view text) {
  auto prefix = parse_prefix(text);
  if (!prefix) return tl::unexpected(prefix.error());
  target = *prefix;
  return {};
}

Options private_and_public() {
  return {
      {"private", "Address or prefix of the host", true, kPrivate, 0,
       [](Command& c, std::string_view v) { return take_prefix(c.private_prefix, v); }},
      {"public", "Translated address or prefix", true, kPublic, 0,
       [](Command& c, std::string_view v) { return take_prefix(c.public_prefix, v); }},
  };
}

Options port_option(std::string_view help) {
  return {{"port", help, true, kPort, 0, [](Command& c, std::string_view v) -> Result<void> {
             const auto number = parse_number(v, 0, 65535);
             if (!number) return tl::unexpected(number.error());
             c.port = static_cast<std::uint16_t>(*number);
             return {};
           }}};
}

Options subscriber() {
  return {
      {"subscriber", "Address of the host", true, kSubscriber, 0, [](Command& c, std::string_view v) -> Result<void> {
         const auto address = parse_address(v);
         if (!address) return tl::unexpected(address.error());
         c.private_prefix = Prefix::of(*address, address->is_v4() ? 32 : 128);
         return {};
       }}};
}

/// Returns the options that select blocks in the tables of blocks. The pool may also be given without a keyword.
Options of_blocks() {
  Options pool = bare_name(NameOf::nat_pool);
  Options named = pool;
  named[0].word = "pool";
  const Options host = {
      {"host-ip", "Address of the host", true, kHostIp, 0, [](Command& c, std::string_view v) -> Result<void> {
         const auto address = parse_address(v);
         if (!address) return tl::unexpected(address.error());
         c.host = *address;
         return {};
       }}};
  return std::move(pool) + named + host + xlated_options();
}

/// Returns a node for a keyword with an address, after which `options` may follow.
GrammarNode address_command(std::string_view word, std::string_view help,
                            Result<void> (*take)(Command&, std::string_view), Options options) {
  GrammarNode value;
  value.help = help;
  value.value = word;
  value.complete = true;
  value.take = take;
  value.options = std::move(options);
  GrammarNode node = keyword(word, help, {std::move(value)});
  node.enter = enter<Verb::show_deterministic>;
  return node;
}

GrammarNode deterministic_nat() {
  return keyword("deterministic-nat", "Display deterministic NAT",
                 {
                     address_command(
                         "internal-host", "Address of the host",
                         [](Command& c, std::string_view v) -> Result<void> {
                           const auto address = parse_address(v);
                           if (!address) return tl::unexpected(address.error());
                           c.host = *address;
                           return {};
                         },
                         where()),
                     address_command(
                         "nat-port-block", "Translated address",
                         [](Command& c, std::string_view v) -> Result<void> {
                           const auto address = parse_address(v);
                           if (!address) return tl::unexpected(address.error());
                           c.translated = *address;
                           return {};
                         },
                         port_option("Translated port") + where()),
                 });
}

GrammarNode mappings_node(bool usf) {
  GrammarNode node = command("mappings", "Display NAT mappings", enter_mappings<Mappings::all>,
                             levels(usf ? kDetail : kBrief | kDetail) + bare_name(NameOf::nat_pool, kDetail) + where());
  node.children = {
      command("address-pooling-paired", "Display pairings of hosts and translated addresses",
              enter_mappings<Mappings::address_pooling_paired>, private_and_public() + where()),
      command("endpoint-independent", "Display endpoint-independent mappings",
              enter_mappings<Mappings::endpoint_independent>, private_and_public() + where()),
      command("summary", "Display numbers of mappings", enter<Verb::show_mappings_summary>, where()),
  };
  if (!usf) {
    node.children.push_back(command("nptv6", "Display prefix translations", enter_mappings<Mappings::nptv6>,
                                    private_and_public() + where()));
  }
  return node;
}

}  // namespace

GrammarNode show_nat() {
  const Options pool = bare_name(NameOf::nat_pool);
  const Options rule = bare_name(NameOf::nat_rule);
  return keyword(
      "nat", "Display NAT information",
      {
          keyword(
              "destination", "Display destination NAT",
              {
                  command("pool", "Display destination NAT pools", enter<Verb::show_destination_pools>, pool + where()),
                  command("rule", "Display destination NAT rules", enter_rules<NatRules::destination>, rule + where()),
                  command("summary", "Display a summary", enter<Verb::show_destination_summary>, where()),
              }),
          deterministic_nat(),
          mappings_node(false),
          command("pool", "Display NAT pools", enter<Verb::show_nat_pools>, levels(kBrief | kDetail) + pool + where()),
          keyword("resource-usage", "Display use of resources",
                  {command("source-pool", "Display use of source NAT pools", enter<Verb::show_pool_usage>,
                           pool + where())}),
          keyword("source", "Display source NAT",
                  {
                      command("deterministic", "Display deterministic blocks of ports",
                              enter<Verb::show_deterministic_usf>, of_blocks() + where()),
                      mappings_node(true),
                      command("pool", "Display source NAT pools", enter<Verb::show_source_pools>, pool + where()),
                      command("port-block", "Display blocks of ports", enter<Verb::show_port_blocks>,
                              of_blocks() + where()),
                      command("rule", "Display source NAT rules", enter_rules<NatRules::source>, rule + where()),
                      command("summary", "Display a summary", enter<Verb::show_source_summary>, where()),
                  }),
          keyword("static", "Display static NAT",
                  {command("rule", "Display static NAT rules", enter_rules<NatRules::fixed>, rule + where())}),
          command("statistics", "Display NAT statistics", enter<Verb::show_nat_statistics>, where()),
      });
}

GrammarNode clear_nat() {
  GrammarNode mappings = command("mappings", "Clear NAT mappings", enter_clear<Mappings::all>, where());
  mappings.children = {
      command("app", "Clear pairings of hosts and translated addresses", enter_clear<Mappings::address_pooling_paired>,
              subscriber() + where()),
      command("eim", "Clear endpoint-independent mappings", enter_clear<Mappings::endpoint_independent>,
              subscriber() + port_option("Port of the host") + where()),
  };
  // Sessions that are translated, in the words that Junos has for ms- cards.
  const auto enter_flows = [](Command& c) {
    c.verb = Verb::clear_flows;
    c.nat = true;
  };
  return keyword("nat", "Clear NAT information",
                 {
                     command("flows", "Clear translated flows", enter_flows, where()),
                     std::move(mappings),
                     command("statistics", "Clear NAT statistics", enter<Verb::clear_nat_statistics>, where()),
                 });
}

}  // namespace icr::cli
