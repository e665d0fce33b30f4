#include "tests/sim/report_oracle.h"

#include <algorithm>

#include "replication/protocol_generated.h"
#include "tests/sim/chassis.h"

namespace icr::sim {
namespace {

namespace rep = icr::replication;

bool same(const rep::Position& a, const rep::Position& b) {
  return a.epoch == b.epoch && a.base == b.base && a.sequence == b.sequence;
}

}  // namespace

void LifeLog::begin(std::uint64_t boot, std::uint64_t cluster_digest) {
  *this = LifeLog();
  boot_ = boot;
  cluster_digest_ = cluster_digest;
}

void LifeLog::on_change(std::uint32_t slot, Change change) {
  if (change == Change::state) changed_[slot] = ++changes_;
}

void LifeLog::on_send(std::span<const std::uint8_t> message) {
  std::vector<std::uint64_t> scratch;
  const fbs::Envelope& envelope = *fbs::GetEnvelope(aligned(message.data(), message.size(), scratch));
  if (const auto* beat = envelope.body_as_Heartbeat(); beat != nullptr && beat->lag() != nullptr) {
    const fbs::Lag& lag = *beat->lag();
    beats_.push_back({{beat->epoch(), beat->base(), beat->sequence()},
                      {lag.sessions(), lag.waiting(), lag.unacknowledged(), lag.oldest_us(), lag.copying()},
                      changes_});
    if (beats_.size() > kBeats) beats_.pop_front();
  }
  const auto note = [this](const auto* body) {
    if (body == nullptr) return;
    if (body->epoch() != epoch_) messages_.clear();
    epoch_ = body->epoch();
    messages_.emplace(body->sequence(), changes_);  // it was made when it was offered first
  };
  note(envelope.body_as_Batch());
  note(envelope.body_as_BulkEnd());
  note(envelope.body_as_Audit());
}

std::vector<LifeLog::Row> LifeLog::read(const SessionSource& table, std::uint32_t sessions, TimePoint now) const {
  std::vector<Row> out;
  SessionRecord record;
  for (std::uint32_t slot = 0; slot < std::min(sessions, table.high_water()); ++slot) {
    if (!table.read(slot, now, record)) continue;
    const auto changed = changed_.find(slot);
    out.push_back({record.ref, record.version, changed == changed_.end() ? 0 : changed->second});
  }
  return out;
}

void LifeLog::end(const SessionSource& table, std::uint32_t sessions, TimePoint now) {
  last_ = read(table, sessions, now);
}

std::vector<LifeLog::Row> LifeLog::rows(const SessionSource* table, std::uint32_t sessions, TimePoint now) const {
  return table == nullptr ? last_ : read(*table, sessions, now);
}

std::optional<std::uint64_t> LifeLog::change_at(const rep::Position& place, const rep::Lag& lag) const {
  const auto found = std::find_if(beats_.begin(), beats_.end(),
                                  [&](const Beat& beat) { return same(beat.place, place) && beat.lag == lag; });
  return found == beats_.end() ? std::nullopt : std::optional(found->change);
}

std::optional<std::uint64_t> LifeLog::change_at(const rep::Position& message) const {
  const auto found = messages_.find(message.sequence);
  return message.epoch != epoch_ || found == messages_.end() ? std::nullopt : std::optional(found->second);
}

std::string check_report(const Chassis& chassis, const Chassis& other, TimePoint now, Totals& totals) {
  const auto& takeover = chassis.member().takeover();
  if (!takeover) return {};
  const node::CopyRisk& risk = takeover->risk;
  const FailoverReport& report = chassis.failovers().front();
  const auto bound = risk.bound(takeover->how.hot);
  if (!bound) return report.risk.sessions ? "the report names a bound that nobody has told" : "";
  if (!report.risk.sessions || *report.risk.sessions != bound->slots + report.risk.ended) {
    return "the report has another bound than the member that made it";
  }
  // Slots have the same numbers only in the same file.
  const LifeLog& former = other.life();
  if (former.cluster_digest() != chassis.life().cluster_digest()) return {};
  const bool by_message =
      takeover->how.hot && risk.word.position.epoch != 0 && bound->at == risk.word.at && bound->at != risk.told_at;
  const auto word = by_message ? former.change_at(risk.word.position) : former.change_at(risk.told_of, *risk.told);
  if (!word) return {};  // of an earlier life of the other chassis
  ++totals.reports;
  const bool lives = other.up();
  std::uint64_t lost = 0;
  SessionRecord mine;
  for (const LifeLog::Row& row : former.rows(lives ? &other.shard() : nullptr, other.table_size(), now)) {
    if (row.changed > *word) {
      ++totals.changed_unseen;
      continue;
    }
    const bool there =
        chassis.shard().read(row.ref.slot, now, mine) && mine.ref == row.ref && mine.version >= row.version;
    if (!there) ++lost;
  }
  totals.at_risk += *report.risk.sessions;
  totals.lost_at_risk += lost;
  if (lost <= *report.risk.sessions) return {};
  return fmt::format(
      "chassis {} has taken over with a {} copy, and lacks {} sessions that its master had at its last "
      "word, and the report says at most {} (by a {}: {} waiting, {} not acknowledged, missing {}, "
      "lacking {}, ended {})",
      chassis.index(), takeover->how.hot ? "hot" : "cold", lost, *report.risk.sessions,
      by_message ? "message" : "heartbeat", by_message ? risk.word.waiting : risk.told->waiting,
      risk.told->unacknowledged, risk.missing().value_or(0), risk.lacking, report.risk.ended);
}

}  // namespace icr::sim
