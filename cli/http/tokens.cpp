#include "cli/http/tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace icr::cli::http {
namespace {

constexpr std::size_t kMostFile = std::size_t{64} * 1024;
/// In the order of the enumeration.
constexpr std::array<std::string_view, 4> kClasses = {"view", "clear", "operator", "super-user"};

/// Returns true if a token consists of what RFC 6750 permits.
bool is_token(std::string_view text) {
  constexpr std::string_view others = "-._~+/=";
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           others.find(c) != std::string_view::npos;
  });
}

/// Compares as many octets whatever they are.
bool same_octets(std::string_view secret, std::string_view given) {
  unsigned difference = secret.size() == given.size() ? 0U : 1U;
  for (std::size_t i = 0; i < kMostToken; ++i) {
    const auto a = i < secret.size() ? static_cast<unsigned char>(secret[i]) : 0U;
    const auto b = i < given.size() ? static_cast<unsigned char>(given[i]) : 0U;
    difference |= static_cast<unsigned>(a) ^ static_cast<unsigned>(b);
  }
  return difference == 0;
}

/// Reads all of an open file.
Result<std::string> text_of(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return fail("cannot be read: {}", error_text(errno));
  if (!S_ISREG(status.st_mode)) return fail("is no file");
  if ((status.st_mode & 077U) != 0) {
    return fail(
        "other users may read or change it (mode {:03o}): run 'chmod 600' on it, and "
        "make new tokens if others may have read it",
        status.st_mode & 0777U);
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fail("belongs to another user (uid {})", status.st_uid);
  }
  std::string text(kMostFile + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("cannot be read: {}", error_text(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMostFile) return fail("is no file of tokens: it is too long");
  text.resize(size);
  return text;
}

}  // namespace

std::optional<ClientClass> class_named(std::string_view word) {
  const auto* const found = std::find(kClasses.begin(), kClasses.end(), word);
  if (found == kClasses.end()) return std::nullopt;
  return static_cast<ClientClass>(found - kClasses.begin());
}

std::string_view name_of(ClientClass permitted) { return kClasses.at(static_cast<std::size_t>(permitted)); }

Result<Tokens> Tokens::parse(std::string_view text) {
  std::vector<Token> all;
  for (std::size_t line = 1; !text.empty(); ++line) {
    auto here = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), here.size() + 1));
    if (!here.empty() && here.back() == '\r') here.remove_suffix(1);
    if (here.empty() || here.front() == '#') continue;
    const auto blank = here.find(' ');
    const auto permitted = class_named(here.substr(0, blank));
    if (!permitted) return fail("line {}: it begins with no class: view, clear, operator or super-user", line);
    const auto begin = here.find_first_not_of(' ', blank);
    const std::string_view secret = begin == std::string_view::npos ? std::string_view() : here.substr(begin);
    if (secret.size() < kLeastToken || secret.size() > kMostToken) {
      return fail("line {}: a token has {} to {} octets, and this one {}", line, kLeastToken, kMostToken,
                  secret.size());
    }
    if (!is_token(secret)) return fail("line {}: a token consists of letters, digits and - . _ ~ + / =", line);
    if (std::any_of(all.begin(), all.end(), [&](const Token& each) { return each.secret == secret; })) {
      return fail("line {}: this token is there twice", line);
    }
    all.push_back({*permitted, std::string(secret)});
  }
  if (all.empty()) return fail("there is no token in it");
  return Tokens(std::move(all));
}

Result<Tokens> Tokens::read(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return fail("{}: cannot be read: {}", file, error_text(errno));
  const auto text = text_of(descriptor);
  ::close(descriptor);
  if (!text) return tl::unexpected(text.error().in(file));
  auto out = parse(*text);
  if (!out) return tl::unexpected(out.error().in(file));
  return out;
}

std::optional<ClientClass> Tokens::class_of(std::string_view authorization) const {
  constexpr std::string_view scheme = "bearer ";
  const bool bearer = authorization.size() > scheme.size() &&
                      std::equal(scheme.begin(), scheme.end(), authorization.begin(), [](char a, char b) {
                        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
                      });
  if (!bearer) return std::nullopt;
  const auto given = authorization.substr(scheme.size());
  std::optional<ClientClass> out;
  for (const auto& each : all_) {
    if (same_octets(each.secret, given)) out = each.permitted;
  }
  return out;
}

}  // namespace icr::cli::http
