#include "cli/netconf/operations.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <vector>

#include "cli/faces/face.h"
#include "cli/grammar/grammar.h"
#include "cli/merge/nat_selection.h"
#include "cli/netconf/calls.h"
#include "cli/netconf/message.h"
#include "cli/rpc.h"

namespace icr::cli::netconf {
namespace {

constexpr std::size_t kMostLine = 8192;

/// Returns the form that the attribute `format` names; nothing if there is no such form.
std::optional<Form> form_of(const pugi::xml_node& operation) {
  std::string format = operation.attribute("format").value();
  std::transform(format.begin(), format.end(), format.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (format.empty() || format == "xml") return Form::xml;
  if (format == "text" || format == "ascii") return Form::text;
  if (format == "json") return Form::json;
  return std::nullopt;
}

bool no_such_form(const pugi::xml_node& operation, Reply& reply) {
  if (form_of(operation)) return false;
  reply.error(
      {"protocol", "bad-attribute", "error", "the format is xml, text, ascii or json", "bad-attribute", "format"});
  return true;
}

/// Returns true for pipes that filter lines.
bool filters(const Pipe& pipe) {
  return pipe.kind != Pipe::Kind::no_more && pipe.kind != Pipe::Kind::hold && pipe.kind != Pipe::Kind::compare;
}

/// Returns why a command cannot be carried out in a session; an empty text if it can.
std::string_view refusal_of(const Command& command) {
  if (!takes_pipes(command.verb)) return "this command is for the command line";
  for (const auto& pipe : command.pipes) {
    switch (pipe.kind) {
      case Pipe::Kind::save:
      case Pipe::Kind::append:
      case Pipe::Kind::tee:
      case Pipe::Kind::refresh:
        return "a session writes no files and repeats no commands";
      default:
        break;
    }
  }
  return {};
}

}  // namespace

bool Operations::carry_out(const pugi::xml_node& operation, Reply& reply) {
  const auto name = local_name(operation);
  if (name == "close-session") {
    reply.ok();
    return false;
  }
  if (name == "command") {
    command(operation, reply);
  } else if (name == "kill-session") {
    kill(operation, reply);
  } else if (name == "get-system-information") {
    system_information(operation, reply);
  } else if (!configuration_.carry_out(operation, reply)) {
    call(operation, reply);
  }
  return true;
}

void Operations::kill(const pugi::xml_node& operation, Reply& reply) {
  const std::string text = trimmed_text(child_named(operation, "session-id"));
  std::uint32_t session = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), session);
  const bool is_number = !text.empty() && error == std::errc() && end == text.data() + text.size();
  if (!is_number || session == 0 || session == host_.session_id || !host_.kill(session)) {
    return reply.error({"protocol", "invalid-value", "error", "there is no other session with this number",
                        "bad-element", "session-id"});
  }
  reply.ok();
}

void Operations::system_information(const pugi::xml_node& operation, Reply& reply) {
  const auto form = form_of(operation);
  if (!form || *form == Form::text) {
    return reply.error({"protocol", "operation-not-supported", "error", "system information is XML or JSON"});
  }
  const auto cluster = host_.read_cluster();
  const auto face = *form == Form::json
                        ? make_json_face([&](std::string_view text) { reply.text("", text); })
                        : make_xml_face([&](std::string_view text) { reply.xml(text); }, Envelope::none);
  face->begin("system-information");
  face->leaf("hardware-model", "icr");
  face->leaf("os-name", "icr");
  face->leaf("os-version", ICR_VERSION);
  if (cluster) face->leaf("host-name", cluster->name);
  face->end();
  face->finish();
}

void Operations::command(const pugi::xml_node& operation, Reply& reply) {
  if (no_such_form(operation, reply)) return;
  const auto text = trimmed_text(operation);
  if (text.size() > kMostLine) {
    return reply.error(
        {"protocol", "invalid-value", "error", fmt::format("a command has at most {} octets", kMostLine)});
  }
  line(text, *form_of(operation), {}, reply);
}

void Operations::call(const pugi::xml_node& operation, Reply& reply) {
  std::vector<Argument> arguments;
  for (const auto& each : elements_of(operation)) {
    if (!elements_of(each).empty()) {
      return reply.error(
          {"protocol", "bad-element", "error", "syntax error", "bad-element", std::string(local_name(each))});
    }
    arguments.push_back({std::string(local_name(each)), trimmed_text(each)});
  }
  const auto name = usual_name(local_name(operation));
  const auto found = line_of_call(name, arguments);
  if (!found) {
    const auto& error = found.error();
    return reply.error({"protocol", error.unknown_call ? "operation-not-supported" : "bad-element", "error",
                        error.message, "bad-element", error.bad_element});
  }
  if (no_such_form(operation, reply)) return;
  line(*found, *form_of(operation), name, reply);
}

void Operations::line(const std::string& line, Form form, std::string_view call, Reply& reply) {
  const auto cluster = host_.read_cluster();
  std::optional<Names> names;
  if (cluster) names = names_of(*cluster);
  auto command = parse_command(line, names ? &*names : nullptr);
  if (!command) {
    const auto end = line.find_first_of(" |", command.error().column);
    const auto word = line.substr(std::min(command.error().column, line.size()), end - command.error().column);
    return reply.error({"protocol", "operation-failed", "error", command.error().message, "bad-element", word});
  }
  if (!call.empty() && rpc_name(*command) != call) {
    return reply.error({"protocol", "bad-element", "error", "an argument makes another call of this", "bad-element",
                        std::string(call)});
  }
  if (const auto why = refusal_of(*command); !why.empty()) {
    return reply.error({"protocol", "operation-not-supported", "error", std::string(why)});
  }
  const bool filtered = std::any_of(command->pipes.begin(), command->pipes.end(), filters);
  if (command->display == Display::text && !filtered) {
    if (form == Form::xml && has_tree(*command)) command->display = Display::xml;
    if (form == Form::json) command->display = Display::json;
  }
  const bool is_xml = !filtered && (command->display == Display::xml || command->display == Display::xml_rpc);
  const bool is_json = !filtered && command->display == Display::json;
  // A warning is for clients that can use an answer without a part: it must not come before there is one.
  bool denied = false;
  std::vector<RpcError> errors;
  const auto report = [&](std::string_view message, std::string_view severity) {
    auto error = error_of(message, severity);
    const bool again = denied && error.tag == "access-denied";
    denied = denied || error.tag == "access-denied";
    if (!again) errors.push_back(std::move(error));
  };
  Outlets outlets;
  outlets.report = report;
  outlets.error = [&](std::string_view text) {
    if (text.substr(0, 9) == "warning: ") {
      std::fwrite(text.data(), 1, text.size(), stderr);
      return;
    }
    if (text.substr(0, 7) == "error: ") text.remove_prefix(7);
    report(text.substr(0, text.find_last_not_of('\n') + 1), "error");
  };
  const std::string element = is_json                                     ? ""
                              : command->verb == Verb::show_configuration ? "configuration-output"
                                                                          : "output";
  if (element == "configuration-output") reply.xml("<configuration-information>\n");
  outlets.out = [&](std::string_view text) {
    if (is_xml) {
      reply.xml(text);
    } else {
      reply.text(element, text);
    }
  };
  (void)host_.answer(*command, cluster, outlets);
  reply.end_text();
  if (element == "configuration-output") reply.xml("</configuration-information>\n");
  for (const auto& error : errors) reply.error(error);
}

}  // namespace icr::cli::netconf
