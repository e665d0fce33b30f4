// A sender and a receiver, each with a table, and what is between them, in virtual time.
#pragma once
#include <gtest/gtest.h>

#include <random>

#include "replication/receiver.h"
#include "replication/sender.h"
#include "tests/support/fake_table.h"
#include "tests/support/sessions.h"
#include "tests/support/virtual_wire.h"

namespace icr::replication {

using test::FakeTable;
using test::udp_session;
using test::VirtualWire;

inline constexpr std::uint64_t kReceiverBoot = 0xabcdef0123456789ULL;
inline const Header kMaster{1, 10, 2, 0, 0};
inline const Header kStandby{1, 11, 2, 0, 1};

class WireOutlet : public Outlet {
 public:
  WireOutlet(VirtualWire& wire, const TimePoint& now) : wire_(wire), now_(now) {}
  bool send(Channel, std::span<const std::uint8_t> message) override {
    if (blocked) return false;
    wire_.send(now_, message);
    return true;
  }
  bool blocked = false;

 private:
  VirtualWire& wire_;
  const TimePoint& now_;
};

class Marks : public ChangeListener {
 public:
  explicit Marks(Sender& sender) : sender_(sender) {}
  void changed(std::uint32_t slot, Change change) override { sender_.changed(slot, change); }

 private:
  Sender& sender_;
};

inline SenderLimits small_limits() {
  SenderLimits limits;
  limits.batch_rows = 16;
  limits.flush_rows = 4;
  limits.audit_slots = 64;
  limits.audit_interval = 5ms;
  limits.message_ranges = 16;
  return limits;
}

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() { master_.listen(&marks_); }

  /// What the member does with messages and heartbeats, in its simplest form.
  void step() {
    now_ += 1ms;
    while (const auto bytes = forward_.take(now_)) deliver_to_standby(*bytes);
    while (const auto bytes = backward_.take(now_)) deliver_to_master(*bytes);
    if (++steps_ % 20 == 0) {
      receiver_.on_master_position(now_, sender_.position());
      beat();
    }
    receiver_.pump(now_, kStandby, standby_writer_, back_outlet_);
    sender_.pump(now_, kMaster, out_outlet_, budget_);
  }
  /// The heartbeat of the standby repeats its acknowledgement.
  void beat() {
    const Position p = receiver_.position();
    sender_.on_ack({p.epoch, p.base, p.sequence, receiver_.refused_in_copy() != 0});
  }
  void deliver_to_standby(const VirtualWire::Bytes& bytes) {
    const Message* m = from_master_.read(bytes);
    ASSERT_NE(m, nullptr);
    if (const auto* b = std::get_if<StreamBegin>(&m->body)) receiver_.on_begin(now_, *b);
    if (const auto* b = std::get_if<Batch>(&m->body)) receiver_.on_batch(now_, *b);
    if (const auto* b = std::get_if<BulkEnd>(&m->body)) receiver_.on_bulk_end(now_, *b);
    if (const auto* b = std::get_if<Audit>(&m->body)) receiver_.on_audit(now_, *b);
    if (const auto* b = std::get_if<Digests>(&m->body)) receiver_.on_digests(now_, *b);
    if (const auto* b = std::get_if<UnknownNumbered>(&m->body)) receiver_.on_unknown(now_, *b);
  }
  void deliver_to_master(const VirtualWire::Bytes& bytes) {
    const Message* m = from_standby_.read(bytes);
    ASSERT_NE(m, nullptr);
    if (const auto* b = std::get_if<SyncRequest>(&m->body)) {
      const SyncRequest request = former_request_ ? SyncRequest{b->epoch} : *b;
      if (!sender_.active() || b->epoch > sender_.position().epoch) sender_.start(now_, request);
    }
    if (const auto* b = std::get_if<Ack>(&m->body)) sender_.on_ack(*b);
    if (const auto* b = std::get_if<Nack>(&m->body)) sender_.on_nack(*b);
    if (const auto* b = std::get_if<Compared>(&m->body); b != nullptr && !drop_answers_) sender_.on_compared(*b);
  }
  bool in_step() const {
    return receiver_.sync() == Sync::hot && sender_.drained() && master_.digest() == standby_.digest();
  }
  /// Steps until the condition holds; false after `limit` steps.
  template <class Condition>
  bool run_until(Condition condition, int limit = 20000) {
    for (int i = 0; i < limit; ++i) {
      if (condition()) return true;
      step();
    }
    return condition();
  }
  bool settle(int limit = 20000) {
    return run_until([this] { return in_step(); }, limit);
  }
  void fill(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) master_.create(i, udp_session(i), now_);
  }
  /// Something happens on the master.
  void churn(int changes) {
    for (int i = 0; i < changes; ++i) {
      const auto slot = static_cast<std::uint32_t>(random_() % master_.capacity());
      if (!master_.live(slot)) {
        master_.create(slot, udp_session(static_cast<std::uint32_t>(random_() % 4096)), now_);
      } else if (random_() % 3 == 0) {
        master_.destroy(slot);
      } else if (random_() % 2 == 0) {
        master_.change_state(slot, TcpState::established, now_);
      } else {
        master_.touch(slot, 100, now_);
      }
    }
  }
  void lose(double loss, double duplicate, Duration jitter) {
    for (VirtualWire* wire : {&forward_, &backward_}) {
      wire->faults = {loss, duplicate, 100us, 100us + jitter, false};
    }
  }

  std::mt19937_64 random_{7};
  TimePoint now_{1s};
  FakeTable master_{1000};
  FakeTable standby_{1000};
  Sender sender_{master_, small_limits()};
  Receiver receiver_{standby_, standby_, kReceiverBoot};
  Marks marks_{sender_};
  VirtualWire forward_{random_};
  VirtualWire backward_{random_};
  WireOutlet out_outlet_{forward_, now_};
  WireOutlet back_outlet_{backward_, now_};
  MessageReader from_master_{kMaster};
  MessageReader from_standby_{kStandby};
  MessageWriter standby_writer_;
  int steps_ = 0;
  std::size_t budget_ = 1U << 20U;
  bool drop_answers_ = false;    ///< to comparisons
  bool former_request_ = false;  ///< the master reads a request as the former release does
};

}  // namespace icr::replication
