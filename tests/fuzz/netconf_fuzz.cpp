// What a NETCONF client sends: the framing, the XML of a request, and the command that it asks for. The first octet of
// an input says the framing, and how large the pieces are.
#include <cstdint>

#include "cli/grammar/grammar.h"
#include "cli/netconf/calls.h"
#include "cli/netconf/framing.h"
#include "cli/netconf/message.h"
#include "tests/fuzz/fuzz_cluster.h"

namespace {

using namespace icr;

void take(std::string text) {
  const auto message = cli::netconf::Message::read(std::move(text));
  if (!message) {
    fuzz::require(!message.error().message.empty());
    return;
  }
  for (const auto& [name, value] : cli::netconf::attributes_for_reply(message->root())) {
    fuzz::require(name.find_first_of(" <>&\"'=") == std::string::npos);
  }
  for (const auto& operation : cli::netconf::elements_of(message->root())) {
    std::vector<cli::netconf::Argument> arguments;
    for (const auto& each : cli::netconf::elements_of(operation)) {
      arguments.push_back({std::string(cli::netconf::local_name(each)), std::string(cli::netconf::trimmed_text(each))});
    }
    const auto line = cli::netconf::line_of_call(cli::netconf::local_name(operation), arguments);
    if (!line) continue;
    const auto command = cli::parse_command(*line);
    // A value is a value: it brings no pipes.
    fuzz::require(!command || command->pipes.empty());
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::size_t most = 1000;
  cli::netconf::FrameReader reader(most);
  const bool chunked = (data[0] & 1U) != 0;
  if (chunked) reader.use(cli::netconf::Framing::chunked);
  const std::size_t piece = 1 + (data[0] >> 1U);
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (std::size_t at = 0; at < octets.size(); at += piece) {
    reader.feed(octets.substr(at, piece));
    for (;;) {
      auto next = reader.next();
      if (!next) return 0;
      if (!*next) break;
      fuzz::require((*next)->size() <= most);
      take(std::move(**next));
    }
  }
  return 0;
}
