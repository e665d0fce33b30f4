// Random packets, times, deletions and takeovers against a slow model of what must happen: a list of sessions.
// ICR_TEST_SEED chooses the seed; a failure prints it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <list>
#include <random>
#include <string>
#include <vector>

#include "tests/flow/bed.h"

namespace icr::node::test {
namespace {

/// What the model knows of a session: both ends as the initiator sees them, and what it was translated to.
struct Known {
  std::string client, server;
  std::uint16_t client_port = 0, server_port = 0;
  std::uint8_t protocol = 17;
  std::string pool;  ///< empty: not translated
  std::uint16_t pool_port = 0;
  Ticks last = 0;
  std::uint64_t out = 0, in = 0;
};

constexpr Ticks kTimeout = 300;
constexpr Ticks kGrace = 300;
constexpr std::size_t kPorts = 24;  ///< two addresses with twelve ports each, for each protocol

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), beds_{Bed(plan(), seed), Bed(plan(), seed + 1, false)} {}

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFatalFailure() && !::testing::Test::HasNonfatalFailure(); ++i) {
      const auto what = random_() % 100;
      if (what < 45) {
        from_inside();
      } else if (what < 75) {
        from_outside();
      } else if (what < 90) {
        wait();
      } else if (what < 93) {
        clear();
      } else if (what < 95) {
        take_over();
      } else {
        stray();
      }
      check();
    }
    quiet();
  }

 private:
  static Plan plan() {
    Plan p;
    p.pool = "203.0.113.0/31";
    p.port_low = 5000;
    p.port_high = 5011;
    return p;
  }

  [[nodiscard]] Bed& bed() { return beds_[active_]; }
  [[nodiscard]] Ticks ticks() const { return Shard::ticks_of(beds_[0].now); }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

  [[nodiscard]] Ticks deadline(const Known& k) const {
    const Ticks own = k.last + kTimeout;
    return k.last < activated_ ? std::max(own, activated_ + kGrace) : own;
  }

  /// The same session as the initiator's next packet would belong to.
  Known* find(const Known& like) {
    for (Known& k : known_) {
      if (k.client == like.client && k.server == like.server && k.client_port == like.client_port &&
          k.server_port == like.server_port && k.protocol == like.protocol) {
        return &k;
      }
    }
    return nullptr;
  }

  [[nodiscard]] std::size_t translated(std::uint8_t protocol) const {
    std::size_t n = 0;
    for (const Known& k : known_) n += !k.pool.empty() && k.protocol == protocol ? 1U : 0U;
    return n;
  }

  Known candidate() {
    Known k;
    const bool six = below(8) == 0;
    k.protocol = !six && below(4) == 0 ? 1 : 17;
    const std::string host = std::to_string(1 + below(3));
    k.client = (six ? "2001:db8:18::" : "198.18.0.") + host;
    k.server = (six ? "2001:db8:19::" : "198.19.0.") + std::to_string(1 + below(3));
    k.client_port = static_cast<std::uint16_t>(100 + below(12));
    k.server_port = k.protocol == 1 ? k.client_port : static_cast<std::uint16_t>(50 + below(2));
    return k;
  }

  Spec packet(const Known& k, bool from_client) {
    const std::string& client = !from_client && !k.pool.empty() ? k.pool : k.client;
    const std::uint16_t port = !from_client && !k.pool.empty() ? k.pool_port : k.client_port;
    Spec s = k.protocol == 1
                 ? echo(from_client ? client : k.server, from_client ? k.server : client, port, !from_client)
             : from_client ? udp(client, port, k.server, k.server_port)
                           : udp(k.server, k.server_port, client, port);
    s.payload.resize(below(60));
    for (auto& octet : s.payload) octet = static_cast<std::uint8_t>(random_());
    return s;
  }

  void from_inside() {
    const Known wanted = candidate();
    Known* k = find(wanted);
    const bool four = wanted.client.find(':') == std::string::npos;
    const Spec sent = packet(wanted, true);
    if (k == nullptr && four && translated(wanted.protocol) == kPorts) {
      bed().expect_drop(kInside, sent, Drop::out_of_ports);
      return;
    }
    const Seen seen = bed().pass(kInside, sent);
    EXPECT_EQ(seen.payload, sent.payload);
    EXPECT_EQ(seen.destination, wanted.server);
    if (k == nullptr) {
      known_.push_back(wanted);
      k = &known_.back();
      if (four) {
        for (const Known& other : known_) {
          EXPECT_FALSE(other.protocol == k->protocol && other.pool == seen.source &&
                       other.pool_port == seen.source_port)
              << "a port with two owners";
        }
        k->pool = seen.source;
        k->pool_port = seen.source_port;
        EXPECT_TRUE(seen.source == "203.0.113.0" || seen.source == "203.0.113.1") << seen.source;
        EXPECT_TRUE(seen.source_port >= 5000 && seen.source_port <= 5011);
      }
    }
    EXPECT_EQ(seen.source, k->pool.empty() ? k->client : k->pool);
    EXPECT_EQ(seen.source_port, k->pool.empty() ? k->client_port : k->pool_port);
    k->last = ticks();
    ++k->out;
  }

  void from_outside() {
    if (known_.empty()) return;
    Known& k = *std::next(known_.begin(), below(static_cast<std::uint32_t>(known_.size())));
    const Spec sent = packet(k, false);
    const Seen seen = bed().pass(kOutside, sent);
    EXPECT_EQ(seen.source, k.server);
    EXPECT_EQ(seen.destination, k.client);
    EXPECT_EQ(k.protocol == 1 ? seen.source_port : seen.destination_port, k.client_port);
    EXPECT_EQ(seen.payload, sent.payload);
    k.last = ticks();
    ++k.in;
  }

  /// To a port of the pool from a server that nobody talks to.
  void stray() {
    const auto port = static_cast<std::uint16_t>(5000 + below(12));
    bed().expect_drop(kOutside, udp("198.19.0.99", 50, "203.0.113.1", port), Drop::nat_no_session);
    (void)beds_[1 - active_].send(kInside, udp("198.18.0.1", 1, "198.19.0.1", 1));
    EXPECT_TRUE(beds_[1 - active_].out.sent.empty()) << "a standby forwards nothing";
  }

  void wait() {
    const Duration time =
        below(4) == 0 ? std::chrono::milliseconds(100 * below(400)) : std::chrono::milliseconds(below(3000));
    for (Bed& b : beds_) b.wait(time);
    std::erase_if(known_, [&](const Known& k) { return deadline(k) <= ticks(); });
  }

  void clear() {
    SessionRecord r;
    const std::uint32_t slot = below(1024);
    if (!bed().shard->read(slot, bed().now, r)) return;
    Known like;
    like.client = r.flow[0].source.to_string();
    like.server = r.flow[0].destination.to_string();
    like.client_port = r.flow[0].source_port;
    like.server_port = r.flow[0].destination_port;
    like.protocol = r.protocol();
    ASSERT_NE(find(like), nullptr);
    std::erase_if(known_, [&, k = find(like)](const Known& other) { return &other == k; });
    bed().shard->remove(slot);
  }

  void take_over() {
    Bed& from = bed();
    active_ = 1 - active_;
    Bed& to = bed();
    from.shard->deactivate();
    to.shard->begin_pass(to.now);
    SessionRecord r;
    for (std::uint32_t slot = 0; slot < from.shard->high_water(); ++slot) {
      if (from.shard->read(slot, from.now, r)) {
        const Applied applied = to.shard->apply(r, to.now);
        EXPECT_TRUE(applied == Applied::created || applied == Applied::updated);
      } else {
        (void)to.shard->erase(r.ref, to.now);
      }
    }
    (void)to.shard->end_pass(to.now);
    EXPECT_EQ(from.shard->digest(), to.shard->digest());
    to.shard->activate(to.now);
    activated_ = ticks();
  }

  void check() {
    ASSERT_EQ(bed().shard->sessions(), known_.size());
    ASSERT_EQ(bed().shard->ports_in_use(), translated(17) + translated(1));
    ASSERT_EQ(bed().shard->digest(), bed().slow_digest());
  }

  void quiet() {
    for (const Known& k : known_) {
      bool found = false;
      SessionRecord r;
      for (std::uint32_t slot = 0; slot < 1024 && !found; ++slot) {
        found = bed().shard->read(slot, bed().now, r) && r.flow[0].source.to_string() == k.client &&
                r.flow[0].destination.to_string() == k.server && r.flow[0].source_port == k.client_port &&
                r.flow[0].destination_port == k.server_port && r.protocol() == k.protocol;
      }
      ASSERT_TRUE(found);
      EXPECT_EQ(r.counters[0].packets, k.out);
      EXPECT_EQ(r.counters[1].packets, k.in);
    }
    for (Bed& b : beds_) b.wait(61s);
    EXPECT_EQ(bed().shard->sessions(), 0U);
    EXPECT_EQ(bed().shard->ports_in_use(), 0U) << "a port has leaked";
    EXPECT_EQ(bed().shard->digest(), 0U);
    for (Bed& b : beds_) b.expect_accounted();
  }

  std::mt19937_64 random_;
  std::array<Bed, 2> beds_;
  std::size_t active_ = 0;
  Ticks activated_ = 0;
  std::list<Known> known_;
};

TEST(FlowModel, RandomTrafficAndTakeovers) {
  const char* text = std::getenv("ICR_TEST_SEED");
  const std::uint64_t first = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  for (std::uint64_t seed = first; seed < first + 20; ++seed) {
    SCOPED_TRACE("ICR_TEST_SEED=" + std::to_string(seed));
    Model model(seed);
    model.run(2000);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace icr::node::test
