// Commands about the program itself, and those that read files of this machine.
#include "cli/grammar/options.h"
#include "cli/grammar/values.h"

namespace icr::cli {
namespace {

Result<void> take_word(Command& c, std::string_view v) {
  c.words.emplace_back(v);
  return {};
}

/// Returns a command whose words are not looked at here. With `needed`, there must be one.
GrammarNode free_words(std::string_view word, std::string_view help, void (*enter)(Command&), bool needed,
                       std::string_view value, std::string_view value_help) {
  GrammarNode words;
  words.help = value_help;
  words.value = value;
  words.take = take_word;
  words.complete = true;
  words.repeats = true;
  GrammarNode node = command(word, help, enter, {});
  node.complete = !needed;
  node.children = {std::move(words)};
  return node;
}

template <CliSetting setting, std::uint32_t low, std::uint32_t high>
Result<void> take_setting(Command& c, std::string_view v) {
  const auto number = parse_number(v, low, high);
  if (!number) return tl::unexpected(number.error());
  c.setting = setting;
  c.value = static_cast<std::uint32_t>(*number);
  return {};
}

template <CliSetting setting, std::uint32_t value>
void set_to(Command& c) {
  c.verb = Verb::set_cli;
  c.setting = setting;
  c.value = value;
}

GrammarNode number_setting(std::string_view word, std::string_view help, std::string_view value_help,
                           Result<void> (*take)(Command&, std::string_view)) {
  GrammarNode value;
  value.value = word;
  value.help = value_help;
  value.take = take;
  value.enter = enter<Verb::set_cli>;
  value.complete = true;
  return keyword(word, help, {std::move(value)});
}

GrammarNode set_cli() {
  GrammarNode timestamp = command("timestamp", "Timestamp CLI output", set_to<CliSetting::timestamp, 1>, {});
  timestamp.children = {command("disable", "Disable CLI timestamp", set_to<CliSetting::timestamp, 0>, {})};
  return keyword(
      "set", "Set CLI properties, date/time, craft interface message",
      {keyword(
          "cli", "Set CLI properties",
          {
              keyword("complete-on-space", "Set whether typing space completes current word",
                      {command("off", "Disable completion on space", set_to<CliSetting::complete_on_space, 0>, {}),
                       command("on", "Enable completion on space", set_to<CliSetting::complete_on_space, 1>, {})}),
              number_setting("screen-length", "Set number of lines on screen", "Number of lines on screen (0..100000)",
                             take_setting<CliSetting::screen_length, 0, 100000>),
              number_setting("screen-width", "Set number of characters on a line",
                             "Number of characters on a line (0..1024)",
                             take_setting<CliSetting::screen_width, 0, 1024>),
              std::move(timestamp),
          })});
}

/// Returns a stanza of a configuration with those inside it.
GrammarNode stanza(std::string_view word, std::string_view help, void (*enter)(Command&),
                   std::vector<GrammarNode> children) {
  GrammarNode node = command(word, help, enter, {});
  node.children = std::move(children);
  return node;
}

/// Returns a stanza that has a name, or without it all stanzas of that kind.
GrammarNode named_stanza(std::string_view word, std::string_view help, void (*enter)(Command&), NameOf names) {
  GrammarNode name;
  name.value = word;
  name.help = "Name";
  name.offers = names;
  name.take = take_word;
  name.complete = true;
  return stanza(word, help, enter, {std::move(name)});
}

}  // namespace

GrammarNode show_configuration() {
  GrammarNode groups = named_stanza(
      "groups", "Configuration groups", [](Command& c) { c.words.emplace_back("groups"); }, NameOf::chassis);
  groups.children[0].value = "chassis";
  return stanza(
      "configuration", "Show current configuration", enter<Verb::show_configuration>,
      {
          stanza("applications", "Define applications by protocol characteristics",
                 [](Command& c) { c.words.emplace_back("applications"); },
                 {named_stanza(
                     "application", "Define an application", [](Command& c) { c.words.emplace_back("application"); },
                     NameOf::application)}),
          std::move(groups),
          stanza("interfaces", "Interface configuration", [](Command& c) { c.words.emplace_back("interfaces"); }, {}),
          stanza("services", "System services", [](Command& c) { c.words.emplace_back("services"); },
                 {
                     stanza("nat", "Configure Network Address Translation",
                            [](Command& c) { c.words.emplace_back("nat"); },
                            {named_stanza(
                                 "pool", "Define a NAT pool", [](Command& c) { c.words.emplace_back("pool"); },
                                 NameOf::nat_pool),
                             named_stanza(
                                 "rule", "Define a NAT rule", [](Command& c) { c.words.emplace_back("rule"); },
                                 NameOf::nat_rule)}),
                     named_stanza(
                         "service-set", "Define a service set", [](Command& c) { c.words.emplace_back("service-set"); },
                         NameOf::service_set),
                     stanza("stateful-firewall", "Configure a stateful firewall",
                            [](Command& c) { c.words.emplace_back("stateful-firewall"); },
                            {named_stanza(
                                "rule", "Define a rule", [](Command& c) { c.words.emplace_back("rule"); },
                                NameOf::firewall_rule)}),
                 }),
      });
}

std::vector<GrammarNode> local_commands() {
  return {
      free_words("check", "Read a cluster file, and say what is in it", enter<Verb::check>, true, "filename",
                 "Name of the cluster file"),
      free_words("commit", "Give every chassis a changed cluster file", enter<Verb::commit>, false, "words",
                 "check FILE, or [confirmed [MINUTES]] FILE [comment TEXT]"),
      command("exit", "Exit the management session", enter<Verb::leave>, {}),
      command("help", "Provide help information", enter<Verb::help>, {}),
      free_words("keys", "Make, change and show keys", enter<Verb::keys>, true, "words",
                 "generate FILE [folder FOLDER], or {new | rotate | retire | show} KEYFILE"),
      command("netconf", "Speak NETCONF on standard input and output: a subsystem of sshd", enter<Verb::netconf>, {}),
      command("quit", "Exit the management session", enter<Verb::leave>, {}),
      free_words("rollback", "Return every chassis to a former commit", enter<Verb::roll_back>, true, "rollback",
                 "Number of a former commit (0..49)"),
      free_words("serve", "Answer show commands as JSON over HTTP", enter<Verb::serve>, false, "words",
                 "[--listen ADDRESS:PORT] [--tokens FILE]"),
      set_cli(),
  };
}

}  // namespace icr::cli
