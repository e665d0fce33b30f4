#include "cli/grammar/options.h"

#include "cli/grammar/values.h"

namespace icr::cli {
namespace {

constexpr std::uint64_t kLevels = kBrief | kDetail | kExtensive | kSummary | kTerse;
constexpr std::uint64_t kInterfaceLevels = kBrief | kDetail | kExtensive | kTerse | kStatistics;

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

const std::vector<ValueWord>& protocol_words() {
  static const std::vector<ValueWord> words = [] {
    std::vector<ValueWord> out;
    for (const auto& name : protocol_names()) out.push_back({name.keyword, {}});
    return out;
  }();
  return words;
}

const std::vector<ValueWord>& application_protocol_words() {
  static const std::vector<ValueWord> words = [] {
    std::vector<ValueWord> out = {{"sql", "The same as sqlnet"}};
    for (const auto& word : application_protocols()) out.push_back({word, {}});
    return out;
  }();
  return words;
}

const std::vector<ValueWord>& order_words() {
  static const std::vector<ValueWord> words = {{"age", "Time since the session began"},
                                               {"bytes", "Bytes of both directions"},
                                               {"packets", "Packets of both directions"},
                                               {"sessions", "Number of sessions (of a group)"}};
  return words;
}

const std::vector<ValueWord>& group_words() {
  static const std::vector<ValueWord> words = {
      {"application-protocol", "Application protocol (ALG)"},
      {"chassis", "Chassis that has the sessions"},
      {"nat-pool", "NAT pool of the source"},
      {"service-set", "Service set"},
      {"source-prefix", "Source address, or with /LENGTH (0..128) source prefix"}};
  return words;
}

template <Level level>
Result<void> set_level(Command& c, std::string_view /*none*/) {
  c.level = level;
  return {};
}

}  // namespace

Options operator+(Options a, const Options& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Options levels(std::uint64_t bits, std::uint64_t excluded) {
  const std::uint64_t others = kLevels | excluded;
  const Options all = {
      {"brief", "Display brief output", false, kBrief, others, set_level<Level::brief>},
      {"detail", "Display detailed output", false, kDetail, others, set_level<Level::detail>},
      {"extensive", "Display extensive output", false, kExtensive, others, set_level<Level::extensive>},
      {"summary", "Display summary output", false, kSummary, others, set_level<Level::summary>},
      {"terse", "Display terse output", false, kTerse, others, set_level<Level::terse>},
  };
  Options out;
  for (const auto& each : all) {
    if ((each.bit & bits) != 0) out.push_back(each);
  }
  return out;
}

namespace {

Result<void> take_interface(Command& c, std::string_view v) {
  auto name = parse_interface(v);
  if (!name) return tl::unexpected(name.error());
  c.interface = std::move(*name);
  return {};
}

}  // namespace

Options interface_option() {
  return {{"interface", "Name of extension provider interface", true, kInterface, 0, take_interface, 0, NameOf::nothing,
           NameOf::interface}};
}

Options interface_levels() {
  return levels(kBrief | kDetail | kExtensive | kTerse, kStatistics) + statistics_option(kInterfaceLevels);
}

Options statistics_option(std::uint64_t others) {
  return {{"statistics", "Display statistics and errors", false, kStatistics, others | kStatistics,
           set_level<Level::statistics>}};
}

Options bare_interface() {
  return {{"", "Name of a card, or of one of its units", true, kInterface, 0, take_interface, 0, NameOf::interface,
           NameOf::interface}};
}

Options service_set_option() {
  return {{"service-set", "Name of the service set", true, kServiceSet, kUtilization,
           [](Command& c, std::string_view v) -> Result<void> {
             auto name = parse_name(v, "service-set");
             if (!name) return tl::unexpected(name.error());
             c.service_set = std::move(*name);
             return {};
           },
           0, NameOf::nothing, NameOf::service_set}};
}

Options application_protocol_option() {
  return {{"application-protocol", "Application protocol (ALG) of the session", true, kApplicationProtocol,
           kUtilization,
           [](Command& c, std::string_view v) {
             return store(parse_application_protocol_value(v), c.application_protocol);
           },
           0, NameOf::nothing, NameOf::nothing, application_protocol_words}};
}

Options prefix_options() {
  return {{"destination-prefix", "Destination address or prefix", true, kDestinationPrefix, kUtilization,
           [](Command& c, std::string_view v) { return store(parse_prefix(v), c.destination_prefix); }},
          {"source-prefix", "Source address or prefix", true, kSourcePrefix, kUtilization,
           [](Command& c, std::string_view v) { return store(parse_prefix(v), c.source_prefix); }}};
}

Options session_filters() {
  const Options prefixes = prefix_options();
  const Options traffic = {
      {"destination-port", "Destination port to use as filter (0..65535)", true, kDestinationPort, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_number(v, 0, 65535), c.destination_port); }},
      prefixes[0],
      {"protocol", "IP protocol, by name or number (0..255)", true, kProtocol, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_protocol_value(v), c.protocol); }, 0, NameOf::nothing,
       NameOf::nothing, protocol_words},
      {"source-port", "Source port to use as filter (0..65535)", true, kSourcePort, kUtilization,
       [](Command& c, std::string_view v) { return store(parse_number(v, 0, 65535), c.source_port); }},
      prefixes[1],
  };
  return application_protocol_option() + traffic + interface_option() + service_set_option();
}

Options limit_option(std::string_view help) {
  return {{"limit", help, true, kLimit, kUtilization | kTop | kGroupBy,
           [](Command& c, std::string_view v) { return store(parse_number(v, 1, 4294967295), c.limit); }}};
}

Options order_options() {
  const auto take_order = [](Command& c, std::string_view v) { return store(parse_order(v), c.order); };
  return {
      {"top", "Number of the largest entries to display (1..1000)", true, kTop,
       kUtilization | kCount | kAsOf | kLimit | kSortBy,
       [](Command& c, std::string_view v) { return store(parse_number(v, 1, kMostLargest), c.top); }},
      {"by", "What makes an entry large (bytes)", true, kBy, kUtilization, take_order, kTop, NameOf::nothing,
       NameOf::nothing, order_words},
      {"group-by", "Display sums of sessions by group", true, kGroupBy,
       kUtilization | kCount | kAsOf | kLimit | kLevels,
       [](Command& c, std::string_view v) -> Result<void> {
         const auto grouping = parse_grouping(v);
         if (!grouping) return tl::unexpected(grouping.error());
         c.verb = Verb::show_session_groups;
         c.group_by = *grouping;
         return {};
       },
       0, NameOf::nothing, NameOf::nothing, group_words},
      {"sort-by", "Display the largest entries first; sessions need a limit (1..1000)", true, kSortBy,
       kUtilization | kCount | kAsOf | kTop, take_order, 0, NameOf::nothing, NameOf::nothing, order_words},
  };
}

Options past_option() {
  return {{"as-of", "Display the sessions of a moment in the past (YYYY-MM-DD.HH:MM:SS or HH:MM:SS, UTC)", true, kAsOf,
           kUtilization | kCount | kTop | kSortBy | kGroupBy,
           [](Command& c, std::string_view v) { return store(parse_past_moment(v), c.as_of); }}};
}

Options member_option() {
  return {{"member", "Name of a chassis, or 'all' for one part per chassis", true, kMember, 0,
           [](Command& c, std::string_view v) -> Result<void> {
             auto name = parse_name(v, "member");
             if (!name) return tl::unexpected(name.error());
             c.member = std::move(*name);
             return {};
           },
           0, NameOf::nothing, NameOf::chassis}};
}

GrammarOption verb_option(std::string_view word, std::string_view help, std::uint64_t bit, std::uint64_t excluded,
                          Result<void> (*take)(Command& command, std::string_view value)) {
  return {word, help, false, bit, excluded, take};
}

Options bare_name(NameOf what, std::uint64_t required) {
  return {{"", what == NameOf::nat_pool ? "Name of a NAT pool" : "Name of a NAT rule", true, kName, 0,
           [](Command& c, std::string_view v) -> Result<void> {
             auto name = parse_name(v, "name");
             if (!name) return tl::unexpected(name.error());
             if (*name != "all") c.name = std::move(*name);
             return {};
           },
           required, what, what}};
}

Options xlated_options(std::uint64_t excluded) {
  return {
      {"xlated-ip", "Translated address or prefix", true, kXlatedIp, excluded,
       [](Command& c, std::string_view v) { return store(parse_prefix(v), c.xlated_ip); }},
      {"xlated-port", "Translated port (0..65535)", true, kXlatedPort, excluded,
       [](Command& c, std::string_view v) { return store(parse_number(v, 0, 65535), c.xlated_port); }},
  };
}

GrammarNode keyword(std::string_view word, std::string_view help, std::vector<GrammarNode> children) {
  GrammarNode node;
  node.word = word;
  node.help = help;
  node.children = std::move(children);
  return node;
}

GrammarNode command(std::string_view word, std::string_view help, void (*enter)(Command&), Options options) {
  GrammarNode node;
  node.word = word;
  node.help = help;
  node.complete = true;
  node.enter = enter;
  node.options = std::move(options);
  return node;
}

}  // namespace icr::cli
