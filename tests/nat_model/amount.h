// How much the tests of the NAT model do: the seeds and runs that the environment asks for, and less under sanitizers,
// which cost ten times as much. ./run-tests runs these tests in the release tree as well.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace icr::node::test::nat_model {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ICR_TEST_IS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(ICR_TEST_IS_SANITIZED)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Returns the number in the variable `name` of the environment, or `otherwise` if it is not set.
inline std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace icr::node::test::nat_model
