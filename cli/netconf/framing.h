// The framing of NETCONF over SSH (RFC 6242): messages that end with `]]>]]>`, or that come in chunks. No I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "model/base/result.h"

namespace icr::cli::netconf {

enum class Framing : std::uint8_t {
  end_of_message,  ///< base:1.0, and the <hello> of any session
  chunked,         ///< base:1.1
};

/// The most octets of a message that are kept. A longer one ends the session.
inline constexpr std::size_t kMaxMessage = std::size_t{8} * 1024 * 1024;

/// Finds the messages in the octets that a client sends, in pieces of any size. Thread: one.
class FrameReader {
 public:
  explicit FrameReader(std::size_t most = kMaxMessage) : most_(most) {}

  /// Takes octets that came. REQUIRES: next() returned nothing before.
  void feed(std::string_view octets) { pending_ += octets; }
  /// Returns the next message that is complete, nothing if octets are missing, or an error after which nothing can be
  /// read any more.
  [[nodiscard]] Result<std::optional<std::string>> next();
  /// The messages behind the one that was returned last come in this framing.
  void use(Framing framing) {
    framing_ = framing;
    changed_ = true;
  }
  [[nodiscard]] Framing framing() const { return framing_; }
  /// Returns true if a message has begun.
  [[nodiscard]] bool inside() const;

 private:
  enum class At : std::uint8_t { first_newline, first_hash, first_digit, digits, end_hash_newline, octets };

  [[nodiscard]] Result<std::optional<std::string>> next_marked();
  [[nodiscard]] Result<std::optional<std::string>> next_chunked();
  /// Takes the next octet of what stands between chunks. Returns true if it ends the message.
  [[nodiscard]] Result<bool> take_header(char octet);

  const std::size_t most_;
  Framing framing_ = Framing::end_of_message;
  std::string pending_;       ///< what came and was not read
  std::size_t searched_ = 0;  ///< no end of a message begins before this octet of pending_
  std::string message_;       ///< the chunks of a message that is not complete
  At at_ = At::first_newline;
  std::uint64_t left_ = 0;  ///< of the chunk
  bool changed_ = false;    ///< no chunk has begun since the framing changed, so blanks may still end the line before
  bool broken_ = false;
};

/// Writes a message of any length in pieces, each of which is a chunk. Thread: one.
class FrameWriter {
 public:
  using Out = std::function<void(std::string_view octets)>;
  explicit FrameWriter(Out out) : out_(std::move(out)) {}

  /// Writes a piece of a message.
  void write(std::string_view text);
  /// Ends the message.
  void end();
  void use(Framing framing) { framing_ = framing; }

 private:
  void flush();

  Out out_;
  Framing framing_ = Framing::end_of_message;
  std::string piece_;
};

}  // namespace icr::cli::netconf
