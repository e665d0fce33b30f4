#include "node/witness/etcd_messages.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace icr::node::etcd {
namespace {

using Json = nlohmann::json;

/// Longest time of a lease that is believed.
constexpr std::int64_t kLongestLease = 3600;
constexpr std::size_t kLongestName = 63;
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const auto octet = [&](std::size_t k) -> std::uint32_t {
      return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U;
    };
    const std::uint32_t bits = octet(0) << 16 | octet(1) << 8 | octet(2);
    out += kDigits[bits >> 18];
    out += kDigits[bits >> 12 & 63];
    out += i + 1 < text.size() ? kDigits[bits >> 6 & 63] : '=';
    out += i + 2 < text.size() ? kDigits[bits & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 255);
  }
  return out;
}

/// Parses an answer that must be one JSON object.
std::optional<Json> object_of(std::string_view text) {
  if (text.size() > kMaxAnswer) return std::nullopt;
  Json out = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!out.is_object()) return std::nullopt;
  return out;
}

/// Returns the member of an object; null if it is not there, or if `from` is no object.
const Json& at(const Json& from, const char* name) {
  static const Json kNull;
  if (!from.is_object()) return kNull;
  const auto found = from.find(name);
  return found == from.end() ? kNull : *found;
}

/// Reads a number that etcd writes as text, because JSON knows no 64 bits.
template <class T>
std::optional<T> number_of(const Json& from) {
  if (!from.is_string()) return std::nullopt;
  const auto& text = from.get_ref<const std::string&>();
  T out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

Holder holder_of(const Json& value) {
  Holder out;
  if (!value.is_string()) return out;
  const auto text = from_base64(value.get_ref<const std::string&>());
  const auto json = text ? object_of(*text) : std::nullopt;
  if (!json) return out;
  const Json& chassis = at(*json, "chassis");
  const auto term = number_of<std::uint64_t>(at(*json, "term"));
  const auto boot = number_of<std::uint64_t>(at(*json, "boot"));
  if (!chassis.is_string() || !term || !boot || chassis.get_ref<const std::string&>().size() > kLongestName) return out;
  return {*term, chassis.get<std::string>(), *boot};
}

}  // namespace

std::string grant_request(std::uint32_t seconds) { return Json{{"TTL", std::to_string(seconds)}}.dump(); }

std::string renew_request(std::int64_t lease) { return Json{{"ID", std::to_string(lease)}}.dump(); }

std::string revoke_request(std::int64_t lease) { return renew_request(lease); }

std::string take_request(std::string_view key, const Holder& holder, std::int64_t lease) {
  const std::string name = base64(key);
  const Json value{
      {"term", std::to_string(holder.term)}, {"chassis", holder.chassis}, {"boot", std::to_string(holder.boot)}};
  const Json absent{{"key", name}, {"target", "CREATE"}, {"result", "EQUAL"}, {"create_revision", "0"}};
  const Json put{{"key", name}, {"value", base64(value.dump())}, {"lease", std::to_string(lease)}};
  Json out = Json::object();
  out["compare"] = Json::array({absent});
  out["success"] = Json::array({Json{{"request_put", put}}});
  out["failure"] = Json::array({Json{{"request_range", Json{{"key", name}}}}});
  return out.dump();
}

Result<Lease> read_grant(std::string_view answer) {
  const auto json = object_of(answer);
  if (!json) return fail("the answer is no JSON object");
  const auto id = number_of<std::int64_t>(at(*json, "ID"));
  const auto seconds = number_of<std::int64_t>(at(*json, "TTL"));
  if (!id || *id == 0 || !seconds || *seconds < 1 || *seconds > kLongestLease)
    return fail("the answer grants no lease");
  return Lease{*id, std::chrono::seconds(*seconds)};
}

Result<Duration> read_renewal(std::string_view answer, std::int64_t lease) {
  const auto json = object_of(answer);
  if (!json) return fail("the answer is no JSON object");
  const Json& result = at(*json, "result");
  if (number_of<std::int64_t>(at(result, "ID")) != lease) return fail("the answer is about another lease");
  if (at(result, "TTL").is_null()) return Duration{};
  const auto seconds = number_of<std::int64_t>(at(result, "TTL"));
  if (!seconds || *seconds < 0 || *seconds > kLongestLease) return fail("the answer has a wrong time");
  return std::chrono::seconds(*seconds);
}

Result<Taken> read_take(std::string_view answer) {
  const auto json = object_of(answer);
  if (!json) return fail("the answer is no JSON object");
  const Json& succeeded = at(*json, "succeeded");
  if (succeeded.is_boolean() && succeeded.get<bool>()) return Taken{true, 0, {}};
  const Json& responses = at(*json, "responses");
  if (!responses.is_array() || responses.size() != 1) return fail("the answer does not say who has the key");
  const Json& found = at(at(responses[0], "response_range"), "kvs");
  if (!found.is_array() || found.size() != 1) return fail("the answer does not say who has the key");
  Taken out;
  out.lease = number_of<std::int64_t>(at(found[0], "lease")).value_or(0);
  out.holder = holder_of(at(found[0], "value"));
  return out;
}

}  // namespace icr::node::etcd
