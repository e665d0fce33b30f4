#include "cli/grammar/pattern.h"

#include <regex.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace icr::cli {
namespace {

constexpr std::size_t kLongestPattern = 512;
/// Bounds of repetition ("a{9}") multiply where they are nested, and the compiled expression grows as their product.
constexpr std::uint64_t kLargestProduct = 256;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Returns the product of all numbers that stand behind `{` or behind the `,` of such a bound.
std::uint64_t product_of_bounds(std::string_view text) {
  std::uint64_t product = 1;
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string_view::npos;) {
    const std::string_view bounds = text.substr(at + 1, text.find('}', at) - at - 1);
    std::uint64_t largest = 1;
    for (std::size_t i = 0; i < bounds.size();) {
      std::uint64_t number = 0;
      const auto [end, error] = std::from_chars(bounds.data() + i, bounds.data() + bounds.size(), number);
      if (error == std::errc::result_out_of_range) return kLargestProduct + 1;
      if (error == std::errc{}) largest = std::max(largest, number);
      i = std::max<std::size_t>(i + 1, static_cast<std::size_t>(end - bounds.data()));
    }
    if (largest > kLargestProduct) return largest;
    product *= largest;
    if (product > kLargestProduct) return product;
    ++at;
  }
  return product;
}

}  // namespace

struct Pattern::Compiled {
  regex_t expression{};
  bool usable = false;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (usable) regfree(&expression);
  }
};

Result<Pattern> Pattern::compile(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return fail("invalid pattern: it contains a zero octet");
  if (text.size() > kLongestPattern) return fail("invalid pattern: it is longer than {} characters", kLongestPattern);
  // The time of a match is bounded for regular expressions proper, not for references back into the match.
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') continue;
    ++i;
    if (text[i] >= '0' && text[i] <= '9') return fail("invalid pattern '{}': back references are not supported", text);
  }
  if (product_of_bounds(text) > kLargestProduct) {
    return fail("invalid pattern '{}': it repeats more than {} times", text, kLargestProduct);
  }
  Pattern out;
  if (text.find_first_of("\\^$.[]|()*+?{}") == std::string_view::npos) {
    out.plain_ = text;
    std::transform(text.begin(), text.end(), out.plain_.begin(), lower);
    return out;
  }
  auto compiled = std::make_shared<Compiled>();
  const int error = regcomp(&compiled->expression, std::string(text).c_str(), REG_EXTENDED | REG_ICASE | REG_NOSUB);
  if (error != 0) {
    char why[128];
    regerror(error, &compiled->expression, why, sizeof why);
    return fail("invalid pattern '{}': {}", text, why);
  }
  compiled->usable = true;
  out.compiled_ = std::move(compiled);
  return out;
}

bool Pattern::matches(std::string_view line) const {
  if (compiled_ == nullptr) {
    return std::search(line.begin(), line.end(), plain_.begin(), plain_.end(),
                       [](char a, char b) { return lower(a) == b; }) != line.end() ||
           plain_.empty();
  }
  // REG_STARTEND says where the line ends, which may contain zero octets. The copy is for what looks for a zero all the
  // same: the checks of AddressSanitizer.
  scratch_ = line;
  regmatch_t part{};
  part.rm_so = 0;
  part.rm_eo = static_cast<regoff_t>(line.size());
  return regexec(&compiled_->expression, scratch_.c_str(), 0, &part, REG_STARTEND) == 0;
}

}  // namespace icr::cli
