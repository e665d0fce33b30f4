// The tree itself: every word that icr understands.
#include "cli/grammar/grammar.h"
#include "cli/grammar/values.h"

namespace icr::cli {
namespace {

enum Bit : std::uint32_t {
  kBrief = 1U << 0U,
  kExtensive = 1U << 1U,
  kTerse = 1U << 2U,
  kCount = 1U << 3U,
  kUtilization = 1U << 4U,
  kApplicationProtocol = 1U << 5U,
  kDestinationPort = 1U << 6U,
  kDestinationPrefix = 1U << 7U,
  kInterface = 1U << 8U,
  kLimit = 1U << 9U,
  kProtocol = 1U << 10U,
  kServiceSet = 1U << 11U,
  kSourcePort = 1U << 12U,
  kSourcePrefix = 1U << 13U,
};
constexpr std::uint32_t kLevels = kBrief | kExtensive | kTerse;

/// Puts a parsed value where it belongs.
template <class T, class Target>
Result<void> store(const Result<T>& value, Target& target) {
  if (!value) return tl::unexpected(value.error());
  target = static_cast<typename Target::value_type>(*value);
  return {};
}

Result<void> store(Result<Prefix> value, std::optional<Prefix>& target) {
  if (!value) return tl::unexpected(value.error());
  target = *value;
  return {};
}

std::vector<GrammarOption> levels(std::uint32_t excluded) {
  return {
      {"brief", "Display brief output", false, kBrief, kLevels | excluded,
       [](Command& c, std::string_view) -> Result<void> {
         c.level = Level::brief;
         return {};
       }},
      {"extensive", "Display extensive output", false, kExtensive, kLevels | excluded,
       [](Command& c, std::string_view) -> Result<void> {
         c.level = Level::extensive;
         return {};
       }},
      {"terse", "Display terse output", false, kTerse, kLevels | excluded,
       [](Command& c, std::string_view) -> Result<void> {
         c.level = Level::terse;
         return {};
       }},
  };
}

/// The filters that `show` and `clear` share.
std::vector<GrammarOption> filters() {
  return {
      {"application-protocol", "Application protocol (ALG) of the session", true, kApplicationProtocol, kUtilization,
       [](Command& c, std::string_view v) {
         return store(parse_application_protocol_value(v), c.application_protocol);
       }},
      {"destination-port", "Destination port (0..65535)", true, kDestinationPort, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_number(v, 0, 65535), c.destination_port); }},
      {"destination-prefix", "Destination address or prefix", true, kDestinationPrefix, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_prefix(v), c.destination_prefix); }},
      {"interface", "Name of the services interface", true, kInterface, 0,
       [](Command& c, std::string_view v) -> Result<void> {
         auto name = parse_interface(v);
         if (!name) return tl::unexpected(name.error());
         c.interface = std::move(*name);
         return {};
       }},
      {"protocol", "IP protocol, by name or number (0..255)", true, kProtocol, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_protocol_value(v), c.protocol); }},
      {"service-set", "Name of the service set", true, kServiceSet, kUtilization,
       [](Command& c, std::string_view v) -> Result<void> {
         auto name = parse_name(v, "service-set");
         if (!name) return tl::unexpected(name.error());
         c.service_set = std::move(*name);
         return {};
       }},
      {"source-port", "Source port (0..65535)", true, kSourcePort, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_number(v, 0, 65535), c.source_port); }},
      {"source-prefix", "Source address or prefix", true, kSourcePrefix, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_prefix(v), c.source_prefix); }},
  };
}

std::vector<GrammarOption> show_session_options() {
  auto out = levels(kUtilization);
  for (auto& filter : filters()) out.push_back(filter);
  out.push_back({"count", "Display the number of matching sessions", false, kCount, kUtilization,
                 [](Command& c, std::string_view) -> Result<void> {
                   c.verb = Verb::count_sessions;
                   return {};
                 }});
  out.push_back({"limit", "Maximum number of sessions to display", true, kLimit, kUtilization,
                 [](Command& c, std::string_view v) { return store(parse_number(v, 1, 4294967295), c.limit); }});
  out.push_back({"utilization", "Display statistical details about session utilization", false, kUtilization,
                 ~std::uint32_t{kInterface}, [](Command& c, std::string_view) -> Result<void> {
                   c.verb = Verb::show_utilization;
                   return {};
                 }});
  return out;
}

GrammarNode keyword(std::string_view word, std::string_view help, std::vector<GrammarNode> children) {
  GrammarNode node;
  node.word = word;
  node.help = help;
  node.children = std::move(children);
  return node;
}

/// A node where the line may end.
GrammarNode command(std::string_view word, std::string_view help, void (*enter)(Command&),
                    std::vector<GrammarOption> options) {
  GrammarNode node;
  node.word = word;
  node.help = help;
  node.complete = true;
  node.enter = enter;
  node.options = std::move(options);
  return node;
}

GrammarNode build() {
  GrammarNode set_name;
  set_name.help = "Name of the redundancy set";
  set_name.take = [](Command& c, std::string_view v) -> Result<void> {
    auto name = parse_name(v, "redundancy-set");
    if (!name) return tl::unexpected(name.error());
    c.redundancy_set = std::move(*name);
    return {};
  };
  set_name.children = {
      command("switchover", "Hand mastership to the other chassis", [](Command& c) { c.verb = Verb::switchover; }, {})};

  GrammarNode extensive_only = command("packet-drops", "Display counters of dropped and refused packets",
                                       [](Command& c) { c.verb = Verb::show_packet_drops; }, {levels(0)[1]});

  GrammarNode show_services =
      keyword("services", "Show services",
              {
                  command(
                      "sessions", "Display session information", [](Command& c) { c.verb = Verb::show_sessions; },
                      show_session_options()),
                  command(
                      "redundancy-group", "Display redundancy groups",
                      [](Command& c) { c.verb = Verb::show_redundancy_groups; }, levels(0)),
                  keyword("service-sets", "Display service sets",
                          {keyword("statistics", "Display statistics of service sets", {std::move(extensive_only)})}),
              });
  GrammarNode clear_services =
      keyword("services", "Clear services",
              {command(
                  "sessions", "Clear sessions", [](Command& c) { c.verb = Verb::clear_sessions; }, filters())});
  GrammarNode request_services = keyword("services", "Request services actions",
                                         {keyword("redundancy-set", "Act on a redundancy set", {std::move(set_name)})});

  return keyword("", "",
                 {keyword("clear", "Clear information in the system", {std::move(clear_services)}),
                  keyword("request", "Make system-level requests", {std::move(request_services)}),
                  keyword("show", "Show system information", {std::move(show_services)})});
}

}  // namespace

const GrammarNode& grammar() {
  static const GrammarNode root = build();
  return root;
}

}  // namespace icr::cli
