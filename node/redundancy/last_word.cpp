#include "node/redundancy/last_word.h"

namespace icr::node {

namespace rep = icr::replication;

void LastWord::on_heartbeat(TimePoint now, const rep::Backlog& backlog, const rep::Position& stream) {
  heartbeat_ = Word{now, backlog, stream};
  sample(now, backlog.set_up);
}

void LastWord::on_applied(TimePoint now, const rep::Backlog& backlog, const rep::Position& position) {
  applied_ = Word{now, backlog, position};
  sample(now, backlog.set_up);
}

void LastWord::forget() {
  heartbeat_.reset();
  applied_.reset();
  samples_.clear();
}

void LastWord::sample(TimePoint now, std::uint64_t set_up) {
  if (!samples_.empty() && set_up < samples_.back().set_up) samples_.clear();  // of another process
  if (!samples_.empty() && now - samples_.back().at < kSampleInterval) return;
  samples_.push_back({now, set_up});
  while (samples_.size() > 1 && now - samples_[1].at >= kRateOver) samples_.pop_front();
}

std::optional<std::uint64_t> LastWord::rate(const Word& last) const {
  if (samples_.empty()) return std::nullopt;
  const Sample& first = samples_.front();
  if (last.at - first.at < kSampleInterval || last.backlog.set_up < first.set_up) return std::nullopt;
  const auto micros = static_cast<std::uint64_t>((last.at - first.at) / 1us);
  return ((last.backlog.set_up - first.set_up) * 1'000'000 + micros - 1) / micros;
}

std::optional<Missing> LastWord::missing(const rep::Position& applied, bool hot) const {
  const bool of_stream = applied.epoch != 0;
  const bool heard = heartbeat_ && of_stream && heartbeat_->stream.epoch == applied.epoch;
  // Of a later attempt, a message behind a lost one may have come, and nothing that was applied.
  const bool told = applied_ && of_stream && applied_->stream.epoch == applied.epoch &&
                    applied_->stream.base == applied.base && applied_->stream.sequence == applied.sequence;
  if (!heartbeat_ && !told) return std::nullopt;
  bool by_heartbeat = !told;
  if (heard && told) {
    // A heartbeat was sent after the message that it names as the last one.
    by_heartbeat = heartbeat_->stream.base > applied.base ||
                   (heartbeat_->stream.base == applied.base && heartbeat_->stream.sequence >= applied.sequence);
  }
  const Word& word = by_heartbeat ? *heartbeat_ : *applied_;
  Missing out{word.at, word.backlog.sessions, word.backlog.set_up, std::nullopt, false, rate(word)};
  if (!hot || (by_heartbeat && !heard)) return out;
  const bool same_attempt = word.stream.base == applied.base;
  if (same_attempt && word.stream.sequence < applied.sequence) return out;
  out.changes = word.backlog.waiting;
  out.exact = true;
  if (!same_attempt || word.stream.sequence > applied.sequence) {
    // Messages were on their way. Of those behind the last acknowledged one, some may have been applied.
    *out.changes += word.backlog.unacknowledged;
    out.exact = word.backlog.acknowledged == applied.sequence;
  }
  return out;
}

}  // namespace icr::node
