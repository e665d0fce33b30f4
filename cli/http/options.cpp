#include "cli/http/options.h"

#include <algorithm>
#include <charconv>

namespace icr::cli::http {
namespace {

constexpr std::string_view kUsage = "usage: icr serve [--listen ADDRESS:PORT] [--tokens FILE]";

Result<void> read_listen(std::string_view text, Options& out) {
  const auto wrong = [&] {
    return fail("error: --listen {}: an address and a port are needed, such as 127.0.0.1:8080 or [::1]:8080", text);
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  auto address = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  const bool in_brackets = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (in_brackets) address = address.substr(1, address.size() - 2);
  const auto parsed = IpAddress::parse(address);
  if (!parsed || parsed->is_v4() == in_brackets) return wrong();
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size()) return wrong();
  out.address = *parsed;
  return {};
}

}  // namespace

Result<Options> read_options(const std::vector<std::string>& words) {
  Options out;
  bool listen = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto equals = words[i].find('=');
    const auto name = words[i].substr(0, equals);
    const bool is_listen = name == "--listen";
    if (!is_listen && name != "--tokens") return fail("error: {} is no option of icr serve\n{}", words[i], kUsage);
    if ((is_listen && listen) || (!is_listen && !out.tokens.empty())) {
      return fail("error: {} is there twice\n{}", name, kUsage);
    }
    if (equals == std::string::npos && i + 1 == words.size()) return fail("error: {} needs a value\n{}", name, kUsage);
    const auto value = equals != std::string::npos ? words[i].substr(equals + 1) : words[++i];
    if (is_listen) {
      listen = true;
      if (auto done = read_listen(value, out); !done) return tl::unexpected(done.error());
    } else if (value.empty()) {
      return fail("error: {} needs a value\n{}", name, kUsage);
    } else {
      out.tokens = value;
    }
  }
  if (out.tokens.empty() && !is_loopback(out.address)) {
    return fail(
        "error: without --tokens icr serve listens on loopback only, and {} is none: whoever reaches it could ask",
        out.address.to_string());
  }
  return out;
}

bool names_this_machine(std::string_view host) {
  const auto colon = host.rfind(':');
  const bool no_port = colon == std::string_view::npos || host.back() == ']';
  auto name = no_port ? host : host.substr(0, colon);
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  const auto address = IpAddress::parse(name);
  return address ? is_loopback(*address) : name == "localhost";
}

}  // namespace icr::cli::http
