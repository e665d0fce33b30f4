// flow.forward.*, flow.forward_df0.*, flow.forward_tcp.1m, flow.setup, flow.expire, flow.tell.*,
// flow.bytes_per_session, rules.1000: one core, NAPT44, bursts of 64 frames of 128 octets, sessions in random order
// (tests/bench/flow_traffic.h).
#include <unistd.h>

#include "tests/bench/flow_traffic.h"

namespace {

using namespace icr;
using namespace icr::bench;

constexpr std::uint32_t kMillion = 1'000'000;
constexpr TimePoint kStart{std::chrono::hours(1)};

double resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long size = 0;
  unsigned long resident = 0;
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
  (void)std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

bool complain(const char* what, std::uint64_t got, std::uint64_t expected) {
  if (got == expected) return false;
  fmt::print(stderr, "{}: {} instead of {}\n", what, got, expected);
  return true;
}

/// A table with all its sessions, and the figures of its way there and back.
class Table {
 public:
  Table(std::uint32_t sessions, const std::string& terms) : sessions_(sessions), order_(sessions) {
    cluster_ = make_cluster(sessions, terms);
    rounds_ = sessions > 4 * kMillion ? 3 : sessions < kMillion ? 200 : 7;
    std::vector<double> alone;
    for (int i = 0; i < std::min(rounds_, 20); ++i) {
      alone.push_back(round(order_, nullptr, kStart, sink_,
                            [&](std::size_t place, std::uint32_t s) { return frames_.write(place, s); }));
    }
    generator_ = median(alone);
  }
  [[nodiscard]] double generator() const { return generator_; }

  /// Clocks to set up a session; < 0 when something went wrong.
  double set_up(std::uint64_t seed = 1) {
    node_.reset();
    const double before = resident_bytes();
    node_ = std::make_unique<Node>(*cluster_, kStart, seed);
    order_.shuffle();
    sink_.sent = 0;
    const double clocks = once(kStart, frames_);
    resident_ = (resident_bytes() - before) / sessions_;
    if (complain("sessions", node_->shard->sessions(), sessions_) || complain("packets out", sink_.sent, sessions_)) {
      return -1;
    }
    return clocks - generator_;
  }

  /// Clocks for a packet of an established session, median of the rounds. Time passes: the last packets of the
  /// sessions are spread over 10 s. Without `df` the packets may be fragmented, so each gets an identification.
  double forward(bool df = true) {
    Frames& frames = df ? frames_ : frames_df0_;
    std::vector<double> rounds;
    for (int i = 0; i < rounds_; ++i) {
      order_.shuffle();
      sink_.sent = 0;
      const TimePoint now = kStart + 1s + std::chrono::milliseconds(10'000LL * i / rounds_);
      rounds.push_back(once(now, frames));
      if (complain("packets out", sink_.sent, sessions_)) return -1;
    }
    return median(rounds) - generator_;
  }

  /// Clocks for a session in a walk of Shard::tell_counters() that finds nothing new; there is one each second.
  double tell() {
    std::vector<double> walks;
    for (TimePoint now = kStart + 12s; walks.size() < 8; now += 1s) {
      (void)node_->shard->tell_counters(now, 0);
      const Stopwatch watch;
      while (!node_->shard->tell_counters(now + 950ms, 512)) {
      }
      walks.push_back(watch.ns() * Stopwatch::clocks_per_ns() / sessions_);
    }
    walks.erase(walks.begin());  // it has told of all
    return median(walks);
  }

  /// Clocks to time a session out, from the tick of the last packet to an empty table: everything that the timers do
  /// for it counts. Last packets are spread evenly, in random order, over the ten seconds before.
  double expire() {
    order_.shuffle();
    std::array<Packet, kBurst> burst;
    for (std::size_t at = 0; at < sessions_; at += kBurst) {
      const std::size_t n = std::min<std::size_t>(kBurst, sessions_ - at);
      for (std::size_t i = 0; i < n; ++i) burst[i] = frames_.write(i, order_[at + i]);
      const TimePoint now = kStart + 12s + std::chrono::milliseconds(10'000ULL * at / sessions_);
      node_->engine->process(std::span(burst.data(), n), now, sink_);
    }
    const std::uint64_t created = node_->shard->sessions_created();
    const Stopwatch watch;
    for (TimePoint now = kStart + 22s; node_->shard->sessions() != 0 && now < kStart + 300s; now += 50ms) {
      while (!node_->shard->tick(now, 64)) {
      }
    }
    const double ns = watch.ns();
    if (complain("sessions left", node_->shard->sessions(), 0) ||
        complain("ports left", node_->shard->ports_in_use(), 0) || complain("sessions", created, sessions_)) {
      return -1;
    }
    return ns * Stopwatch::clocks_per_ns() / sessions_;
  }

  [[nodiscard]] double resident() const { return resident_; }

 private:
  double once(TimePoint now, Frames& frames) {
    return round(order_, node_->engine.get(), now, sink_,
                 [&](std::size_t place, std::uint32_t s) { return frames.write(place, s); });
  }

  std::uint32_t sessions_;
  Order order_;
  Frames frames_{ip_protocol::udp};
  Frames frames_df0_{ip_protocol::udp, false};
  CountingSink sink_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Node> node_;
  int rounds_;
  double generator_ = 0;
  double resident_ = 0;
};

void show_forward(const std::string& name, double clocks) {
  show(name, clocks, "clocks");
  show(name + "_rate", Stopwatch::clocks_per_ns() * 1e3 / clocks, "Mpps");
}

bool forward_small() {
  Table table(10'000, kOneTerm);
  if (table.set_up() < 0) return false;
  const double clocks = table.forward();
  if (clocks < 0) return false;
  show_forward("flow.forward.10k", clocks);
  const double df0 = table.forward(false);
  if (df0 < 0) return false;
  show_forward("flow.forward_df0.10k", df0);
  return true;
}

bool million() {
  Table table(kMillion, kOneTerm);
  show("flow.generator", table.generator(), "clocks");
  std::vector<double> set_ups;
  for (std::uint64_t i = 0; i < 3; ++i) {
    set_ups.push_back(table.set_up(i + 1));
    if (set_ups.back() < 0) return false;
  }
  const double set_up = median(set_ups);
  show("flow.setup", set_up, "clocks");
  show("flow.setup_rate", Stopwatch::clocks_per_ns() * 1e9 / set_up, "sessions/s");
  const double forward = table.forward();
  if (forward < 0) return false;
  show_forward("flow.forward.1m", forward);
  const double df0 = table.forward(false);
  if (df0 < 0) return false;
  show_forward("flow.forward_df0.1m", df0);
  show("flow.tell.1m", table.tell(), "clocks");
  const double expire = table.expire();
  if (expire < 0) return false;
  show("flow.expire", expire, "clocks");
  return true;
}

bool ten_million() {
  Table table(10 * kMillion, kOneTerm);
  const double set_up = table.set_up();
  if (set_up < 0) return false;
  show("flow.setup.10m", set_up, "clocks");
  show("flow.bytes_per_session", table.resident(), "bytes");
  const double forward = table.forward();
  if (forward < 0) return false;
  show_forward("flow.forward.10m", forward);
  show("flow.tell.10m", table.tell(), "clocks");
  return true;
}

/// Keeps the port of pool addresses that each session was given.
class Translations final : public PacketSink {
 public:
  explicit Translations(std::uint32_t sessions) : to(sessions) {}
  void send(const Packet& packet) override { to[next_++] = {load32(packet.data + 12), load16(packet.data + 20)}; }
  struct To {
    std::uint32_t address;
    std::uint16_t port;
  };
  std::vector<To> to;

 private:
  std::size_t next_ = 0;
};

bool forward_tcp() {
  const auto cluster = make_cluster(kMillion, kOneTerm);
  Node node(*cluster, kStart);
  Frames frames(ip_protocol::tcp);
  Order order(kMillion);
  Translations translations(kMillion);
  std::array<Packet, kBurst> burst;
  // Handshakes: segments carry 88 octets, the SYNs as well (RFC 9293 lets them).
  constexpr std::uint32_t kPayload = kFrame - 40;
  const auto handshake = [&](PacketSink& sink, auto&& write) {
    for (std::uint32_t at = 0; at < kMillion; at += kBurst) {
      for (std::uint32_t i = 0; i < kBurst; ++i) burst[i] = write(i, at + i);
      node.engine->process(burst, kStart, sink);
    }
  };
  CountingSink sink;
  static_assert(kMillion % kBurst == 0);
  handshake(translations,
            [&](std::uint32_t place, std::uint32_t s) { return frames.write(place, s, tcp_flag::syn, 0); });
  constexpr std::uint32_t kFirst = kPayload + 1;
  handshake(sink, [&](std::uint32_t place, std::uint32_t s) {
    const auto& to = translations.to[s];
    return frames.write_back(place, s, to.address, to.port, tcp_flag::syn | tcp_flag::ack, 0, kFirst);
  });
  std::uint32_t seq = kFirst;
  const auto data = [&](std::size_t place, std::uint32_t s) {
    return frames.write(place, s, tcp_flag::ack, seq, kFirst);
  };
  std::vector<double> alone;
  std::vector<double> rounds;
  for (int i = 0; i < 7; ++i) {
    order.shuffle();
    alone.push_back(round(order, nullptr, kStart, sink, data));
    sink.sent = 0;
    rounds.push_back(round(order, node.engine.get(), kStart + 1s, sink, data));
    if (complain("segments out", sink.sent, kMillion)) return false;
    seq += kPayload;
  }
  for (std::uint32_t slot = 0; slot < kMillion; slot += 1000) {
    if (node.shard->table().at(slot).tcp_state != TcpState::established) return !complain("established", 0, 1);
  }
  show_forward("flow.forward_tcp.1m", median(rounds) - median(alone));
  return true;
}

/// A thousand terms, each for the /26 of one server: a session's term is any of them.
bool rules() {
  std::string terms;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const std::uint32_t base = 0xc6130000U + i * 64;
    terms += fmt::format(
        "        - {{ name: t{}, from: {{ source-address: [198.18.0.0/15], destination-address: [{}/26] }}, then: "
        "accept }}\n",
        i, IpAddress::v4(base).to_string());
  }
  const auto set_up = [](const std::string& text) {
    Table table(kMillion, text);
    std::vector<double> out;
    for (std::uint64_t i = 0; i < 3; ++i) out.push_back(table.set_up(i + 1));
    return *std::min_element(out.begin(), out.end()) < 0 ? -1.0 : median(out);
  };
  const double one = set_up(kOneTerm);
  const double thousand = set_up(terms);
  if (one < 0 || thousand < 0) return false;
  show("rules.1000", thousand, "clocks");
  show("rules.1000_ratio", thousand / one, "x");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const auto any = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [&](const char* name) { return wanted(argc, argv, name); });
  };
  bool good = true;
  if (any({"flow.forward.10k", "flow.forward_df0.10k"})) good &= forward_small();
  if (any({"flow.generator", "flow.setup", "flow.forward.1m", "flow.forward_df0.1m", "flow.tell.1m", "flow.expire"})) {
    good &= million();
  }
  if (any({"flow.forward_tcp"})) good &= forward_tcp();
  if (any({"rules"})) good &= rules();
  if (any({"flow.forward.10m", "flow.tell.10m", "flow.bytes_per_session", "flow.setup.10m"})) good &= ten_million();
  return good ? 0 : 1;
}
