// Keys of CURVE: how they are made, and the files that hold secret ones.
//
// A file of secret keys has a secret key in each line, in Z85; lines that begin with # are comments. It holds one key,
// or two while a key is exchanged. Nobody but its owner may read it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"

namespace icr::transport {

/// Both keys in Z85.
struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

/// The keys of one file, in its order.
using SecretKeys = std::vector<KeyPair>;

inline constexpr std::size_t kMostSecretKeys = 2;

/// Makes a pair of keys from random octets of the kernel.
[[nodiscard]] Result<KeyPair> make_key_pair();
/// Reads a file of secret keys. Returns an error if the group or others may read or change it, if it is of another
/// user, or if it holds anything but keys.
[[nodiscard]] Result<SecretKeys> read_secret_keys(const std::string& file);
/// Writes a new file, which only its owner may read. `owner` is for people, and stands in a comment. Returns an error
/// if there is such a file already.
[[nodiscard]] Result<void> create_secret_keys(const std::string& file, std::string_view owner, const SecretKeys& keys);
/// Writes another file in the place of one that is there, in one step.
[[nodiscard]] Result<void> replace_secret_keys(const std::string& file, std::string_view owner, const SecretKeys& keys);
/// Returns the pair whose public key is the first of `public_keys` that the file has; null if it has none of them.
[[nodiscard]] const KeyPair* find_pair(const SecretKeys& keys, const std::vector<std::string>& public_keys);

}  // namespace icr::transport
