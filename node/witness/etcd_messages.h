// What is said to etcd and what it answers: its HTTP/JSON gateway, API version 3 (etcd 3.4 and later). Answers are not
// trusted: a wrong one is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/base/result.h"
#include "model/base/time.h"

namespace icr::node::etcd {

/// Longest answer that is read, in octets.
inline constexpr std::size_t kMaxAnswer = 16 * 1024;

/// Who has, or wants, the key of a redundancy set: the value of the key.
struct Holder {
  std::uint64_t term = 0;
  std::string chassis;
  std::uint64_t boot = 0;
};

// Requests: the paths, and the bodies of POST requests.
inline constexpr std::string_view kGrantPath = "/v3/lease/grant";
inline constexpr std::string_view kRenewPath = "/v3/lease/keepalive";
inline constexpr std::string_view kRevokePath = "/v3/lease/revoke";
inline constexpr std::string_view kTakePath = "/v3/kv/txn";
[[nodiscard]] std::string grant_request(std::uint32_t seconds);
[[nodiscard]] std::string renew_request(std::int64_t lease);
[[nodiscard]] std::string revoke_request(std::int64_t lease);
/// Creates the key with the lease, if it is not there; otherwise asks who has it.
[[nodiscard]] std::string take_request(std::string_view key, const Holder& holder, std::int64_t lease);

/// A lease that etcd has granted, and its whole time.
struct Lease {
  std::int64_t id = 0;
  Duration time{};
};
[[nodiscard]] Result<Lease> read_grant(std::string_view answer);
/// Returns the whole time of the lease, which begins anew; 0 if there is no such lease any more.
[[nodiscard]] Result<Duration> read_renewal(std::string_view answer, std::int64_t lease);
struct Taken {
  bool taken = false;
  std::int64_t lease = 0;  ///< of who has it
  Holder holder;           ///< who has it; empty if that cannot be read
};
[[nodiscard]] Result<Taken> read_take(std::string_view answer);

}  // namespace icr::node::etcd
