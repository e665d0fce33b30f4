#include "tests/sim/traffic.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/support/flow_bed.h"

namespace icr::sim {
namespace {

using node::test::kInside;
using node::test::kOutside;
using node::test::Seen;
using node::test::Spec;

constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmp = 1;

}  // namespace

void Traffic::run(TimePoint now, double per_second) {
  if (last_run_ == TimePoint{}) last_run_ = now;
  due_ += per_second * std::chrono::duration<double>(now - last_run_).count();
  last_run_ = now;
  for (; due_ >= 1; due_ -= 1) begin(now);
  // Conversations that end during the loop leave their number behind; it is dropped here.
  for (std::size_t i = 0; i < order_.size();) {
    const std::uint32_t number = order_[i];
    const auto found = open_.find(number);
    bool goes_on = found != open_.end();
    if (goes_on && now >= found->second.next) {
      found->second.next = now + found->second.pause;
      if (!send(number, found->second, now)) open_.erase(number);
      goes_on = open_.contains(number);
    }
    if (goes_on) {
      ++i;
    } else {
      order_[i] = order_.back();
      order_.pop_back();
    }
  }
}

void Traffic::end(std::uint32_t conversation) { open_.erase(conversation); }

void Traffic::begin(TimePoint now) {
  const std::uint32_t number = next_number_++;
  Conversation c;
  const auto pick = random_() % 10;
  c.protocol = pick < 5 ? kUdp : pick < 8 ? kTcp : kIcmp;
  // sim::conversation_of() reads the number back.
  c.client = fmt::format("198.18.0.{}", number & 7U);
  c.client_port = static_cast<std::uint16_t>(0x4000U + (number >> 3U));
  c.server = fmt::format("198.19.0.{}", 10 + random_() % 2);
  c.next = now;
  c.until = now + Duration(std::uniform_int_distribution<Duration::rep>(Duration(100ms).count(),
                                                                        Duration(8s).count())(random_));
  c.pause =
      Duration(std::uniform_int_distribution<Duration::rep>(Duration(20ms).count(), Duration(1500ms).count())(random_));
  open_.emplace(number, std::move(c));
  order_.push_back(number);
}

Spec Traffic::client_packet(const Conversation& c, TimePoint now) const {
  if (c.protocol == kUdp) return node::test::udp(c.client, c.client_port, c.server, 7);
  if (c.protocol == kIcmp) return node::test::echo(c.client, c.server, c.client_port);
  const auto tcp = [&c](std::uint8_t flags, std::size_t payload) {
    return node::test::tcp(c.client, c.client_port, c.server, 8000, flags, c.client_seq, c.server_seq, payload);
  };
  switch (c.phase) {
    case 0:
      return tcp(node::test::kSyn, 0);
    case 1:
      return now < c.until ? tcp(node::test::kAck, 100)
                           : tcp(static_cast<std::uint8_t>(node::test::kFin | node::test::kAck), 0);
    default:
      return tcp(node::test::kAck, 0);
  }
}

Spec Traffic::server_packet(const Conversation& c, const Seen& seen) const {
  if (c.protocol == kUdp) return node::test::udp(c.server, 7, seen.source, seen.source_port);
  if (c.protocol == kIcmp) return node::test::echo(c.server, seen.source, seen.source_port, true);
  std::uint8_t flags = node::test::kAck;
  std::uint32_t ack = seen.seq + static_cast<std::uint32_t>(seen.payload.size());
  if ((seen.flags & node::test::kSyn) != 0) {
    flags = static_cast<std::uint8_t>(flags | node::test::kSyn);
    ++ack;
  }
  if ((seen.flags & node::test::kFin) != 0) {
    flags = static_cast<std::uint8_t>(flags | node::test::kFin);
    ++ack;
  }
  return node::test::tcp(c.server, 8000, seen.source, seen.source_port, flags, c.server_seq, ack);
}

bool Traffic::send(std::uint32_t number, Conversation& c, TimePoint now) {
  if (c.protocol != kTcp && now >= c.until) return false;
  if (now >= c.until + 10s) return false;  // nobody answers any more
  const Spec request = client_packet(c, now);
  const auto outside = network_(kInside, node::test::build(request), number);
  if (!open_.contains(number)) return false;
  if (!outside || outside->unit != kOutside) {
    if (c.answered) interrupted_.push_back(number);
    return true;  // it is tried again
  }
  const Seen seen = node::test::look(outside->bytes);
  if (!seen.checksums) violations_.push_back(fmt::format("conversation {}: wrong checksum outside", number));
  const std::string translated = fmt::format("{}:{}", seen.source, seen.source_port);
  if (!c.translated.empty() && c.translated != translated) {
    ++mapping_changes_;
    interrupted_.push_back(number);
  }
  c.translated = translated;
  if (c.protocol == kTcp && c.phase == 2) return false;  // that was the last word
  if (random_() % 20 == 0) return true;                  // the server is slow

  const Spec answer = server_packet(c, seen);
  const auto inside = network_(kOutside, node::test::build(answer), number);
  if (!open_.contains(number)) return false;
  if (!inside || inside->unit != kInside) {
    interrupted_.push_back(number);
    return true;
  }
  c.answered = true;
  const Seen got = node::test::look(inside->bytes);
  if (got.destination != c.client || got.destination_port != c.client_port || !got.checksums) {
    violations_.push_back(fmt::format("{} ms: the answer to conversation {} ({}:{}) went to {}:{}",
                                      now.time_since_epoch() / Duration(1ms), number, c.client, c.client_port,
                                      got.destination, got.destination_port));
  }
  ++round_trips_;
  if (c.protocol == kTcp) {
    c.client_seq = answer.ack;
    if ((request.flags & (node::test::kSyn | node::test::kFin)) != 0) {
      ++c.server_seq;
      ++c.phase;
    }
  }
  return true;
}

}  // namespace icr::sim
