#include "cli/netconf/session.h"

#include <algorithm>
#include <array>

#include "cli/netconf/reply.h"

namespace icr::cli::netconf {
namespace {

constexpr std::string_view kBase10 = "urn:ietf:params:netconf:base:1.0";
constexpr std::string_view kBase11 = "urn:ietf:params:netconf:base:1.1";

/// What clients of Junos look for (docs/netconf.md says what is missing of it).
constexpr std::array<std::string_view, 6> kCapabilities = {
    kBase10,
    kBase11,
    "urn:ietf:params:netconf:capability:candidate:1.0",
    "urn:ietf:params:netconf:capability:confirmed-commit:1.0",
    "urn:ietf:params:netconf:capability:validate:1.0",
    "http://xml.juniper.net/netconf/junos/1.0",
};

}  // namespace

Session::Session(const Host& host, FrameWriter::Out out) : host_(host), writer_(std::move(out)), operations_(host) {}

void Session::begin() {
  std::string hello = fmt::format("<hello xmlns=\"{}\">\n<capabilities>\n", kBase);
  for (const auto capability : kCapabilities) hello += fmt::format("<capability>{}</capability>\n", capability);
  hello += fmt::format("</capabilities>\n<session-id>{}</session-id>\n</hello>\n", host_.session_id);
  writer_.write(hello);
  writer_.end();
}

bool Session::take(std::string_view octets) {
  reader_.feed(octets);
  for (;;) {
    auto message = reader_.next();
    if (!message) {
      // Nobody knows where the next message begins.
      Reply(writer_, nullptr).error({"rpc", "operation-failed", "error", message.error().message});
      return false;
    }
    if (!*message) return true;
    if (!take_message(std::move(**message))) return false;
  }
}

bool Session::take_message(std::string text) {
  const auto message = Message::read(std::move(text));
  if (!message) {
    // A tag that clients of base:1.0 do not know (RFC 6241, appendix A).
    const bool old = !greeted_ || reader_.framing() == Framing::end_of_message;
    Reply(writer_, nullptr)
        .error({"rpc", old ? "operation-failed" : "malformed-message", "error", message.error().message});
    return greeted_;
  }
  const auto root = message->root();
  if (!greeted_) return take_hello(root);
  return take_rpc(root);
}

bool Session::take_hello(const pugi::xml_node& hello) {
  const auto refuse = [&](std::string message) {
    Reply(writer_, nullptr).error({"protocol", "operation-failed", "error", std::move(message)});
    return false;
  };
  if (local_name(hello) != "hello") return refuse("the first message is <hello>");
  if (child_named(hello, "session-id")) return refuse("the <hello> of a client has no <session-id>");
  const auto capabilities = elements_of(child_named(hello, "capabilities"));
  const auto has = [&](std::string_view wanted) {
    return std::any_of(capabilities.begin(), capabilities.end(),
                       [&](const pugi::xml_node& each) { return trimmed_text(each) == wanted; });
  };
  if (!has(kBase10) && !has(kBase11)) return refuse("the client speaks neither base:1.0 nor base:1.1");
  greeted_ = true;
  if (!has(kBase11)) return true;
  reader_.use(Framing::chunked);
  writer_.use(Framing::chunked);
  return true;
}

bool Session::take_rpc(const pugi::xml_node& rpc) {
  Reply reply(writer_, &rpc);
  if (local_name(rpc) != "rpc") {
    reply.error({"protocol", "unknown-element", "error", "syntax error, expecting <rpc>", "bad-element",
                 std::string(local_name(rpc))});
    return true;
  }
  if (!rpc.attribute("message-id")) {
    reply.error({"rpc", "missing-attribute", "error", "a request has a message-id", "bad-attribute", "message-id"});
    return true;
  }
  const auto inside = elements_of(rpc);
  if (inside.size() != 1) {
    reply.error({"rpc", "bad-element", "error", "a request has one element", "bad-element", "rpc"});
    return true;
  }
  return operations_.carry_out(inside.front(), reply);
}

}  // namespace icr::cli::netconf
