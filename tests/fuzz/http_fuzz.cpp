// What an HTTP client asks for: the path and the parameters of a request.
#include <cstdint>

#include "cli/http/options.h"
#include "cli/http/target.h"
#include "cli/http/tokens.h"
#include "tests/fuzz/fuzz_cluster.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icr;
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const auto question = cli::http::question_of(octets, nullptr);
  if (question) {
    // A value is a value: it brings no pipes, and a question changes nothing.
    fuzz::require(question->command.pipes.empty());
    fuzz::require(cli::only_shows(question->command.verb));
    fuzz::require(cli::http::class_named(question->privilege).has_value());
  } else {
    fuzz::require(question.error().status == 400 || question.error().status == 404);
    fuzz::require(!question.error().message.empty());
  }
  (void)cli::http::names_this_machine(octets);
  const auto tokens = cli::http::Tokens::parse(octets);
  fuzz::require(!tokens || tokens->size() != 0);
  if (tokens) fuzz::require(!tokens->class_of("Bearer ") && !tokens->class_of("Bearer 0"));
  return 0;
}
