// Timeouts and the rules of the stateful firewall.
#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

constexpr std::string_view kTerm = "stateful-firewall.rules[].terms[]";

void read_firewall_rule(const YamlField& field, Draft& draft) {
  const Section map(field, "rules[]");
  FirewallRule out;
  out.name = draft.firewall_rules.define(map);
  out.direction = read_direction(map);
  const auto rule = static_cast<std::uint16_t>(draft.cluster.firewall_rules.size());
  out.terms = read_terms<FirewallTerm>(
      map, kTerm, draft, [&draft, rule](const YamlField& /*then*/, const Section& term_map, FirewallTerm& term) {
        term_map.word(key(kTerm, "then"), term.then);
        constexpr Key kGuarantee = key(kTerm, "guarantee");
        Guarantee guarantee{};
        if (!term_map.word(kGuarantee, guarantee)) return;
        term.guarantee = guarantee;
        const auto field = *term_map.get(kGuarantee);
        if (term.then != FirewallAction::accept) {
          field.wrong("a term that admits no session has nothing to guarantee", "remove it, or write then: accept");
        } else if (guarantee != Guarantee::asynchronous) {
          draft.guarantee_fields.emplace_back(rule, field);
        }
      });
  draft.cluster.firewall_rules.push_back(std::move(out));
}

}  // namespace

void read_timeouts(const YamlField& field, Timeouts& out) {
  constexpr std::string_view kSection = "timeouts";
  const Section map(field, kSection);
  map.number(key(kSection, "inactivity-timeout"), out.inactivity_s);
  map.number(key(kSection, "inactivity-tcp-timeout"), out.inactivity_tcp_s);
  map.number(key(kSection, "inactivity-non-tcp-timeout"), out.inactivity_non_tcp_s);
  map.number(key(kSection, "open-timeout"), out.open_s);
  map.number(key(kSection, "close-timeout"), out.close_s);
  map.number(key(kSection, "session-timeout"), out.session_s);
  map.number(key(kSection, "reassembly-timeout"), out.reassembly_s);
  map.number(key(kSection, "fragment-limit"), out.fragment_limit);
}

void read_stateful_firewall(const YamlField& field, Draft& draft) {
  const Section map(field, "stateful-firewall");
  if (const auto rules = map.get(key("stateful-firewall", "rules"))) {
    for (const auto& item : rules->list(0)) read_firewall_rule(item, draft);
  }
}

}  // namespace icr::cluster_draft
