#include "cli/grammar/reference.h"

#include <algorithm>
#include <vector>

#include "cli/grammar/grammar.h"

namespace icr::cli {
namespace {

/// A command of the tree with everything that may follow it.
struct Entry {
  std::string words;  ///< with values in angle brackets
  std::string help;
  const std::vector<GrammarOption>* options = nullptr;
};

std::string value_of(std::string_view word) { return fmt::format("<{}>", word); }

void collect(const GrammarNode& node, const std::string& words, std::string_view help, std::vector<Entry>& out) {
  // The help of a value says less than that of the keyword before it.
  const std::string_view own = node.word.empty() && !help.empty() ? help : node.help;
  if (node.complete && !words.empty()) out.push_back({words, std::string(own), &node.options});
  for (const auto& child : node.children) {
    const std::string word = child.word.empty() ? value_of(child.value) : std::string(child.word);
    const std::string repeated = child.repeats ? word + " ..." : word;
    collect(child, words.empty() ? repeated : fmt::format("{} {}", words, repeated), own, out);
  }
}

std::vector<Entry> entries_of(const GrammarNode& root) {
  std::vector<Entry> out;
  collect(root, "", "", out);
  return out;
}

std::string name_of(const GrammarOption& option) {
  if (option.word.empty()) return "<name>";
  return option.has_value ? fmt::format("{} {}", option.word, value_of(option.word)) : std::string(option.word);
}

/// A hyphen of a command is no hyphen of a text.
std::string for_man(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-') {
      out += "\\-";
    } else if (c == '\\') {
      out += "\\e";
    } else {
      out += c;
    }
  }
  // A line that begins with one of these would be an instruction.
  return !out.empty() && (out[0] == '.' || out[0] == '\'') ? "\\&" + out : out;
}

}  // namespace

std::string_view privilege_of(std::string_view words) {
  const std::string_view first = words.substr(0, words.find(' '));
  if (words.substr(0, 8) == "show log") return "operator";
  if (first == "show" || first == "monitor") return "view";
  if (first == "clear") return "clear";
  if (first == "request") return "operator";
  if (first == "commit" || first == "rollback") return "super-user";
  return "";
}

std::string reference_in_markdown() {
  std::string out =
      "# All commands of icr\n\n"
      "This page lists every command and pipe of `icr` with its options. It is made from the grammar of\n"
      "the program, which help and completion use as well: do not edit it\n"
      "([how to add a command](how-to-add.md)). [cli.md](cli.md) explains the commands.\n\n"
      "Any unique beginning of a word stands for it. Options may stand in any order, each once. Under a\n"
      "command stands the class of clients that it needs ([security.md](security.md)), where it asks the\n"
      "cluster.\n";
  for (const auto& entry : entries_of(grammar())) {
    out += fmt::format("\n## {}\n\n{}.", entry.words, entry.help);
    if (const auto privilege = privilege_of(entry.words); !privilege.empty())
      out += fmt::format(" Class: {}.", privilege);
    out += "\n";
    if (entry.options->empty()) continue;
    out += "\n| option | meaning |\n| --- | --- |\n";
    for (const auto& option : *entry.options) out += fmt::format("| `{}` | {} |\n", name_of(option), option.help);
  }
  out += "\n# Pipes\n\n| pipe | what it does |\n| --- | --- |\n";
  for (const auto& entry : entries_of(pipe_grammar()))
    out += fmt::format("| `\\| {}` | {} |\n", entry.words, entry.help);
  return out;
}

std::string manual_page() {
  std::string out =
      ".\\\" Made from the grammar of icr: do not edit it.\n"
      ".TH ICR 1 \"\" \"icr\" \"User commands\"\n"
      ".SH NAME\n"
      "icr \\- the command line of a cluster of flow engines\n"
      ".SH SYNOPSIS\n"
      ".B icr\n"
      "[\\fIoptions\\fR] [\\fIcommand\\fR ...]\n"
      ".SH DESCRIPTION\n"
      "Asks every chassis of a cluster at once, and prints one merged answer, with the commands and layouts of Junos.\n"
      "Without a command it is a shell: a prompt at a terminal, with ? for help, the space bar and Tab for "
      "completion,\n"
      "and a history; otherwise each line of the input is a command.\n"
      "A question mark behind a part of a command lists what may follow.\n"
      ".SH OPTIONS\n"
      ".TP\n\\fB\\-\\-cluster\\fR \\fIfile\\fR\n"
      "The cluster file. Otherwise that of $ICR_CLUSTER, otherwise /etc/icr/cluster.yaml.\n"
      ".TP\n\\fB\\-\\-secret\\-key\\fR \\fIfile\\fR\n"
      "The secret key. Otherwise that of $ICR_SECRET_KEY, otherwise keys/USER.key or keys/admin.key beside the "
      "cluster\n"
      "file.\n"
      ".TP\n\\fB\\-\\-chassis\\fR \\fIname\\fR\nAsk this chassis only, and show whatever it holds.\n"
      ".TP\n\\fB\\-\\-timeout\\fR \\fImilliseconds\\fR\nHow long to wait for each answer (2000).\n"
      ".TP\n\\fB\\-\\-version\\fR\nPrint the release of icr.\n"
      ".SH COMMANDS\n";
  for (const auto& entry : entries_of(grammar())) {
    out += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", for_man(entry.words), for_man(entry.help));
    std::string options;
    for (const auto& option : *entry.options)
      options += fmt::format("{}{}", options.empty() ? "" : ", ", name_of(option));
    if (!options.empty()) out += for_man("Options: " + options + ".") + "\n";
  }
  out += ".SH PIPES\n";
  for (const auto& entry : entries_of(pipe_grammar())) {
    out += fmt::format(".TP\n\\fB| {}\\fR\n{}.\n", for_man(entry.words), for_man(entry.help));
  }
  out +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nDone.\n"
      ".TP\n1\nThe command was not understood (nothing was sent), or a chassis refused it.\n"
      ".TP\n2\nThe cluster file is wrong.\n"
      ".TP\n3\nSome chassis did not answer, or the answer could not be written.\n"
      ".TP\n4\nTwins differ, or a switchover would be refused.\n"
      ".SH FILES\n"
      ".TP\n~/.icr_history\nThe lines that were typed; $ICR_HISTORY names another file.\n"
      ".SH SEE ALSO\n"
      "icrd(8)\n";
  return out;
}

}  // namespace icr::cli
