// Who may ask by HTTP: tokens (RFC 6750), each of a class, in a file that only its owner may read.
//
// A line is a class and a token: `view 9f2c...`; lines that begin with # are comments.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "model/config/cluster.h"

namespace icr::cli::http {

/// The fewest octets of a token: what random octets of the kernel need in base64 to be beyond guessing.
inline constexpr std::size_t kLeastToken = 16;
inline constexpr std::size_t kMostToken = 256;

struct Token {
  ClientClass permitted = ClientClass::view;
  std::string secret;
};

class Tokens {
 public:
  Tokens() = default;
  explicit Tokens(std::vector<Token> all) : all_(std::move(all)) {}

  /// Reads `text`, the content of a file of tokens. The error names the line that is wrong, and no token.
  [[nodiscard]] static Result<Tokens> parse(std::string_view text);
  /// Reads a file of tokens. Returns an error if the group or others may read or change it, or if it is of another
  /// user.
  [[nodiscard]] static Result<Tokens> read(const std::string& file);

  /// Returns the class of what follows `Authorization:` in a request; nothing if that is no token of the file. How long
  /// it takes says nothing about the tokens but their number.
  [[nodiscard]] std::optional<ClientClass> class_of(std::string_view authorization) const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  std::vector<Token> all_;
};

/// Returns the class with this name; nothing if there is none.
[[nodiscard]] std::optional<ClientClass> class_named(std::string_view word);
[[nodiscard]] std::string_view name_of(ClientClass permitted);

}  // namespace icr::cli::http
