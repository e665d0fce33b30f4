#include "model/record/key_text.h"

#include <cstdint>

namespace icr {
namespace {

constexpr std::string_view kDigits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
constexpr std::size_t kGroup = 5;  // characters that stand for four octets

}  // namespace

bool is_key_text(std::string_view text) {
  if (text.size() != kKeyTextLength) return false;
  bool any = false;
  for (std::size_t at = 0; at < text.size(); at += kGroup) {
    std::uint64_t value = 0;
    for (const char c : text.substr(at, kGroup)) {
      const std::size_t digit = kDigits.find(c);
      if (digit == std::string_view::npos) return false;
      value = value * kDigits.size() + digit;
    }
    if (value > UINT32_MAX) return false;
    any = any || value != 0;
  }
  return any;
}

}  // namespace icr
