#include "cli/grammar/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>
#include <vector>

namespace icr::cli {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

/// Returns true for the first one to three numbers of an IPv4 address.
bool is_short_v4(std::string_view text) {
  return !text.empty() && is_digit(text.front()) && is_digit(text.back()) &&
         text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; }) &&
         std::count(text.begin(), text.end(), '.') < 3;
}

/// Returns the only word of which `text` is a prefix.
Result<std::string_view> unique_word(const std::vector<std::string_view>& words, std::string_view text,
                                     std::string_view option) {
  std::vector<std::string_view> matches;
  for (const auto& word : words) {
    if (word == text) return word;
    if (word.substr(0, text.size()) == text) matches.push_back(word);
  }
  if (matches.empty()) return fail("invalid value '{}' for {}", text, option);
  if (matches.size() == 1) return matches[0];
  std::sort(matches.begin(), matches.end());
  std::string message = fmt::format("'{}' is ambiguous.\nPossible completions:", text);
  for (const auto& match : matches) message += fmt::format("\n  {}", match);
  return tl::unexpected(Error{std::move(message)});
}

}  // namespace

Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!all_digits(text)) return fail("Invalid numeric value: '{}'", text);
  if (error != std::errc{} || end != text.data() + text.size() || number < low || number > high) {
    return fail("number: {}: Value must be a number from {} to {} at {}", text, low, high, text);
  }
  return number;
}

Result<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  std::string padded(text.substr(0, slash));
  if (slash != std::string_view::npos && is_short_v4(padded)) {
    for (auto dots = std::count(padded.begin(), padded.end(), '.'); dots < 3; ++dots) padded += ".0";
  }
  const auto address = IpAddress::parse(padded);
  if (!address) return fail("invalid ip address '{}'", text.substr(0, slash));
  const unsigned longest = address->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return Prefix::of(*address, static_cast<std::uint8_t>(longest));
  const std::string_view length_text = text.substr(slash + 1);
  if (!all_digits(length_text) || length_text.size() > 3) return fail("invalid prefix length '{}'", length_text);
  unsigned length = 0;
  std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
  if (length > longest) return fail("prefix length {} is larger than {} in '{}'", length, longest, text);
  return Prefix::of(*address, static_cast<std::uint8_t>(length));
}

Result<IpAddress> parse_address(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) return fail("invalid ip address '{}'", text);
  return *address;
}

Result<std::uint8_t> parse_protocol_value(std::string_view text) {
  if (all_digits(text)) {
    const auto number = parse_number(text, 0, 255);
    if (!number) return tl::unexpected(number.error());
    return static_cast<std::uint8_t>(*number);
  }
  std::vector<std::string_view> words;
  for (const auto& name : protocol_names()) words.push_back(name.keyword);
  const auto word = unique_word(words, text, "protocol");
  if (!word) return tl::unexpected(word.error());
  return *parse_protocol(*word);
}

Result<ApplicationProtocol> parse_application_protocol_value(std::string_view text) {
  if (const auto exact = parse_application_protocol(text)) return *exact;
  const auto words = application_protocols();
  const auto word = unique_word({words.begin(), words.end()}, text, "application-protocol");
  if (!word) return tl::unexpected(word.error());
  return *parse_application_protocol(*word);
}

Result<Order> parse_order(std::string_view text) {
  if (text == "packets") return Order::packets;
  if (text == "bytes") return Order::bytes;
  if (text == "age") return Order::age;
  if (text == "sessions") return Order::sessions;
  return fail("invalid value '{}': not packets, bytes, age or sessions", text);
}

Result<GroupBy> parse_grouping(std::string_view text) {
  using What = GroupBy::What;
  static constexpr std::array<std::pair<std::string_view, What>, 4> kWhole = {
      {{"service-set", What::service_set},
       {"application-protocol", What::application_protocol},
       {"chassis", What::chassis},
       {"nat-pool", What::nat_pool}}};
  for (const auto& [word, what] : kWhole) {
    if (text == word) return GroupBy{what, 0, std::string(word)};
  }
  constexpr std::string_view kPrefix = "source-prefix";
  if (text == kPrefix) return GroupBy{What::source_prefix, 128, std::string(kPrefix)};
  if (text.substr(0, kPrefix.size() + 1) == "source-prefix/") {
    const std::string_view digits = text.substr(kPrefix.size() + 1);
    const auto length = parse_number(digits, 0, 128);
    if (!length) return fail("invalid prefix length '{}'", digits);
    return GroupBy{What::source_prefix, static_cast<std::uint8_t>(*length), fmt::format("{}/{}", kPrefix, *length)};
  }
  return fail("invalid value '{}' for group-by", text);
}

WallMillis PastMoment::at(WallMillis now) const {
  constexpr WallMillis kDay = 86'400'000;
  if (midnight) return *midnight + time_of_day;
  const WallMillis today = now - now % kDay + time_of_day;
  return today > now ? today - kDay : today;
}

namespace {

/// Takes `count` digits, or, if `text` has fewer of them at its begin, nothing.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  int value = 0;
  if (text.size() < count) return std::nullopt;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take_sign(std::string_view& text, char sign) {
  if (text.empty() || text.front() != sign) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes "HH:MM", "HH:MM:SS" or "HH:MM:SS.mmm".
std::optional<WallMillis> take_time(std::string_view text) {
  const auto hours = take_digits(text, 2);
  if (!hours || !take_sign(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  WallMillis millis = (WallMillis{*hours} * 60 + *minutes) * 60'000;
  if (take_sign(text, ':')) {
    const auto seconds = take_digits(text, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    millis += WallMillis{*seconds} * 1000;
    if (take_sign(text, '.')) {
      const std::size_t digits = text.size();
      const auto fraction = digits <= 3 ? take_digits(text, digits) : std::nullopt;
      if (!fraction || digits == 0) return std::nullopt;
      millis += *fraction * (digits == 1 ? 100 : digits == 2 ? 10 : 1);
    }
  }
  if (!text.empty()) return std::nullopt;
  return millis;
}

}  // namespace

Result<PastMoment> parse_past_moment(std::string_view text) {
  const auto wrong = [text] { return fail("invalid value '{}': not YYYY-MM-DD.HH:MM:SS or HH:MM:SS, in UTC", text); };
  PastMoment out;
  std::string_view rest = text;
  if (text.size() > 4 && text[4] == '-') {
    const auto year = take_digits(rest, 4);
    if (!year || !take_sign(rest, '-')) return wrong();
    const auto month = take_digits(rest, 2);
    if (!month || !take_sign(rest, '-')) return wrong();
    const auto day = take_digits(rest, 2);
    if (!day || !take_sign(rest, '.')) return wrong();
    std::tm date{};
    date.tm_year = *year - 1900;
    date.tm_mon = *month - 1;
    date.tm_mday = *day;
    const std::time_t seconds = ::timegm(&date);
    // A day that does not exist becomes another one.
    if (*year < 1970 || date.tm_mon != *month - 1 || date.tm_mday != *day) return wrong();
    out.midnight = WallMillis{seconds} * 1000;
  }
  const auto time = take_time(rest);
  if (!time) return wrong();
  out.time_of_day = *time;
  return out;
}

Result<InterfaceName> parse_interface(std::string_view text) {
  InterfaceName out;
  const std::size_t dot = text.find('.');
  out.card = std::string(text.substr(0, dot));
  const bool good_card =
      !out.card.empty() && out.card[0] >= 'a' && out.card[0] <= 'z' && out.card.size() < 64 &&
      std::all_of(out.card.begin(), out.card.end(), [](char c) { return is_alnum(c) || c == '-' || c == '/'; });
  if (!good_card) return fail("invalid value '{}' for interface", text);
  if (dot != std::string_view::npos) {
    const auto unit = parse_number(text.substr(dot + 1), 0, 0xffffffff);
    if (!unit) return fail("invalid value '{}' for interface", text);
    out.unit = static_cast<std::uint32_t>(*unit);
  }
  return out;
}

Result<std::string> parse_name(std::string_view text, std::string_view what) {
  const bool good = !text.empty() && text.size() <= 63 && is_alnum(text[0]) &&
                    std::all_of(text.begin(), text.end(),
                                [](char c) { return is_alnum(c) || std::string_view("/.:_-").find(c) < 5; });
  if (!good) return fail("invalid value '{}' for {}", text, what);
  return std::string(text);
}

}  // namespace icr::cli
