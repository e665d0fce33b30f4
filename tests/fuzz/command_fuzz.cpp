// Lines that an operator types, and the pipes that follow: the first line of an input is the command, the others are
// the answer that goes through its pipes.
#include <cstdint>

#include "cli/grammar/completion.h"
#include "cli/pipes/chain.h"
#include "cli/pipes/host_names.h"
#include "tests/fuzz/fuzz_cluster.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icr;
  static const cli::Names names = [] {
    cli::Names out;
    out.nat_pools = {"p1", "det"};
    out.service_sets = {"ss1"};
    return out;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view line = text.substr(0, text.find('\n'));
  for (const bool space : {false, true}) {
    const auto edit = cli::complete_word(line, &names, space, "> ");
    // A line with what was inserted is not worse than before.
    const auto found = cli::complete(line, &names);
    if (!found.error && !edit.insert.empty()) {
      fuzz::require(cli::complete(std::string(line) + edit.insert, &names).all.size() <= 1000);
    }
  }
  auto command = cli::parse_command(line, &names);
  if (!command) {
    fuzz::require(command.error().column <= line.size() && !command.error().message.empty());
    for (const char c : command.error().shown("> ", line)) {
      fuzz::require(c == '\n' || static_cast<unsigned char>(c) >= ' ');
    }
    return 0;
  }
  // Files are not written here.
  auto& pipes = command->pipes;
  pipes.erase(std::remove_if(pipes.begin(), pipes.end(),
                             [](const cli::Pipe& pipe) {
                               return pipe.kind == cli::Pipe::Kind::save || pipe.kind == cli::Pipe::Kind::append ||
                                      pipe.kind == cli::Pipe::Kind::tee;
                             }),
              pipes.end());
  // No name is longer than the shortest address that is looked up, so an answer does not grow.
  static cli::HostNames host_names([](const IpAddress& address) -> std::optional<std::string> {
    if (address.bytes[15] % 2 == 0) return std::nullopt;
    return std::string("h\x1b");
  });
  std::size_t out = 0;
  auto chain = cli::Chain::open(pipes, 24, host_names, [&](std::string_view part) { out += part.size(); });
  fuzz::require(chain.has_value());
  const std::string_view answer = text.substr(std::min(line.size() + 1, text.size()));
  chain->write(answer.substr(0, answer.size() / 2));
  chain->write(answer.substr(answer.size() / 2));
  fuzz::require(chain->finish().has_value());
  fuzz::require(out <= answer.size() + 1000);
  return 0;
}
