#include "cli/netconf/framing.h"

#include <fmt/format.h>

#include <algorithm>

namespace icr::cli::netconf {
namespace {

constexpr std::string_view kEnd = "]]>]]>";
constexpr std::uint64_t kMostOfChunk = 4294967295;  // RFC 6242, 4.2
constexpr std::size_t kPiece = std::size_t{32} * 1024;

}  // namespace

bool FrameReader::inside() const {
  return framing_ == Framing::chunked ? (at_ != At::first_newline && !changed_) || !message_.empty()
                                      : pending_.find_first_not_of(" \t\r\n") != std::string::npos;
}

Result<std::optional<std::string>> FrameReader::next() {
  if (broken_) return fail("the framing is broken");
  auto found = framing_ == Framing::chunked ? next_chunked() : next_marked();
  broken_ = !found;
  return found;
}

Result<std::optional<std::string>> FrameReader::next_marked() {
  const std::size_t end = pending_.find(kEnd, searched_);
  if (std::min(end, pending_.size()) > most_) return fail("a message has more than {} octets", most_);
  if (end == std::string::npos) {
    searched_ = pending_.size() - std::min(pending_.size(), kEnd.size() - 1);
    return std::nullopt;
  }
  std::string message = pending_.substr(0, end);
  pending_.erase(0, end + kEnd.size());
  searched_ = 0;
  return message;
}

Result<bool> FrameReader::take_header(char octet) {
  const auto wrong = [&] { return fail("a chunk begins with a line feed, # and its length"); };
  // Scripts end the line that has the last end-of-message mark.
  if (changed_ && (octet == '\n' || octet == '\r' || octet == ' ' || octet == '\t')) {
    at_ = octet == '\n' ? At::first_hash : At::first_newline;
    return false;
  }
  switch (at_) {
    case At::first_newline:
      if (octet != '\n') return wrong();
      at_ = At::first_hash;
      return false;
    case At::first_hash:
      if (octet != '#') return wrong();
      changed_ = false;
      at_ = At::first_digit;
      return false;
    case At::first_digit:
      if (octet == '#' && !message_.empty()) {
        at_ = At::end_hash_newline;
        return false;
      }
      if (octet < '1' || octet > '9') return wrong();
      left_ = static_cast<std::uint64_t>(octet - '0');
      at_ = At::digits;
      return false;
    case At::digits:
      if (octet == '\n') {
        if (left_ > most_ - message_.size()) return fail("a message has more than {} octets", most_);
        at_ = At::octets;
        return false;
      }
      if (octet < '0' || octet > '9') return wrong();
      left_ = left_ * 10 + static_cast<std::uint64_t>(octet - '0');
      if (left_ > kMostOfChunk) return fail("a chunk has at most {} octets", kMostOfChunk);
      return false;
    case At::end_hash_newline:
      if (octet != '\n') return wrong();
      at_ = At::first_newline;
      return true;
    case At::octets:
      break;
  }
  return false;
}

Result<std::optional<std::string>> FrameReader::next_chunked() {
  std::size_t at = 0;
  while (at < pending_.size()) {
    if (at_ == At::octets) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, pending_.size() - at));
      message_.append(pending_, at, part);
      at += part;
      left_ -= part;
      if (left_ == 0) at_ = At::first_newline;
      continue;
    }
    const auto ends = take_header(pending_[at++]);
    if (!ends) return tl::unexpected(ends.error());
    if (!*ends) continue;
    pending_.erase(0, at);
    std::string message;
    message.swap(message_);
    return message;
  }
  pending_.clear();
  return std::nullopt;
}

void FrameWriter::write(std::string_view text) {
  piece_ += text;
  if (piece_.size() >= kPiece) flush();
}

void FrameWriter::flush() {
  if (piece_.empty()) return;
  if (framing_ == Framing::chunked) out_(fmt::format("\n#{}\n", piece_.size()));
  out_(piece_);
  piece_.clear();
}

void FrameWriter::end() {
  flush();
  out_(framing_ == Framing::chunked ? std::string_view("\n##\n") : kEnd);
}

}  // namespace icr::cli::netconf
