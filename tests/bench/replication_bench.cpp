// replication.cpu_us_per_session, replication.wire_bytes_per_session: new UDP NAPT44 sessions, in bursts of 256, from
// the table of the master through sender, messages in memory and receiver into the table of the standby; processor time
// of both sides together. replication.bulk_1m_s: a million sessions, half of them TCP, from one member to a cold one
// over ZeroMQ on loopback, a thread each, from the request for the copy until the standby is hot.
// replication.bulk_cpu_us_per_session: processor time that this takes, of both sides with their I/O threads.
// replication.bulk_1m_encrypted_s, replication.bulk_cpu_encrypted_us_per_session: the same with keys.
// replication.rejoin_1m_1pct_s, replication.rejoin_1m_1pct_cpu_s: the same, without keys, for a standby that has the
// million already, of which one in a hundred, here and there, has changed at the master.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "model/base/log.h"
#include "node/flow/shard.h"
#include "node/redundancy/member.h"
#include "replication/zmq/link.h"
#include "tests/bench/napt_sessions.h"

namespace {

using namespace icr;

constexpr int kRuns = 3;
constexpr std::uint32_t kNewSessions = 400'000;
constexpr std::uint32_t kBurst = 256;
constexpr std::uint32_t kBulkSessions = 1'000'000;

Cluster cluster(std::uint16_t left_port, std::uint16_t right_port) {
  Cluster out = bench::napt_cluster();
  out.chassis.resize(2);
  for (auto& chassis : out.chassis) chassis.inter_chassis_address = IpAddress::v4(INADDR_LOOPBACK);
  out.chassis[0].name = "left";
  out.chassis[1].name = "right";
  out.chassis[0].inter_chassis_port = left_port;
  out.chassis[1].inter_chassis_port = right_port;
  RedundancySet& set = out.redundancy_sets[0];
  set.members = {{0, "ms-0/0/0", 200}, {1, "ms-1/0/0", 100}};
  set.heartbeat_count = 50;
  set.hold_time = 1ms;
  (void)assign_identities(out);
  return out;
}

SessionRecord session(std::uint32_t i, bool tcp) {
  SessionRecord r = bench::napt_session(i, tcp);
  r.has_counters = true;
  r.counters[0] = {1, 64};
  return r;
}

TimePoint clock_now() { return TimePoint(std::chrono::steady_clock::now().time_since_epoch()); }

double cpu_seconds(clockid_t whose = CLOCK_THREAD_CPUTIME_ID) {
  timespec t{};
  ::clock_gettime(whose, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "replication_bench: %s\n", why);
  std::exit(1);
}

/// Copies, as a link does.
class Mailbox final : public replication::Outlet {
 public:
  bool send(replication::Channel, std::span<const std::uint8_t> message) override {
    bytes += message.size();
    messages.emplace_back(message.begin(), message.end());
    return true;
  }
  std::vector<std::vector<std::uint8_t>> messages;
  std::uint64_t bytes = 0;
};

struct NewSessions {
  double cpu_us = 0;
  double bytes = 0;
};

NewSessions run_new_sessions(const Cluster& config) {
  using namespace replication;
  const TimePoint now{std::chrono::hours(1)};
  node::Shard master(config, std::uint16_t{0}, 1, now);
  node::Shard standby(config, std::uint16_t{0}, 2, now);
  const Header left{1, 10, 2, 0, 0};
  const Header right{1, 11, 2, 0, 1};
  Sender sender(master);
  Receiver receiver(standby, standby, 11);
  MessageReader from_left(left);
  MessageReader from_right(right);
  MessageWriter writer;
  Mailbox forward;
  Mailbox backward;
  const auto turn = [&](bool urgent) {
    sender.pump(now, left, forward, std::size_t{1} << 30U, urgent);
    for (const auto& bytes : forward.messages) {
      const Message* m = from_left.read(bytes);
      if (m == nullptr) give_up("a message was refused");
      if (const auto* begin = std::get_if<StreamBegin>(&m->body)) receiver.on_begin(now, *begin);
      if (const auto* batch = std::get_if<Batch>(&m->body)) receiver.on_batch(now, *batch);
      if (const auto* end = std::get_if<BulkEnd>(&m->body)) receiver.on_bulk_end(now, *end);
    }
    forward.messages.clear();
    receiver.pump(now, right, writer, backward);
    for (const auto& bytes : backward.messages) {
      const Message* m = from_right.read(bytes);
      if (m == nullptr) give_up("an answer was refused");
      if (const auto* request = std::get_if<SyncRequest>(&m->body)) sender.start(now, *request);
      if (const auto* ack = std::get_if<Ack>(&m->body)) sender.on_ack(*ack);
    }
    backward.messages.clear();
  };
  receiver.follow(now, left.boot, left.term);
  while (receiver.sync() != Sync::hot) turn(true);

  forward.bytes = 0;
  double spent = 0;
  for (std::uint32_t first = 0; first < kNewSessions; first += kBurst) {
    // The engine sets sessions up: that is not replication.
    for (std::uint32_t i = first; i < first + kBurst && i < kNewSessions; ++i)
      (void)master.apply(session(i, false), now);
    const double before = cpu_seconds();
    for (std::uint32_t i = first; i < first + kBurst && i < kNewSessions; ++i) sender.changed(i, Change::state);
    turn(false);
    spent += cpu_seconds() - before;
  }
  if (standby.sessions() != kNewSessions || standby.digest() != master.digest()) give_up("the tables differ");
  return {spent * 1e6 / kNewSessions, static_cast<double>(forward.bytes) / kNewSessions};
}

/// A member with its link, run by one thread as a card's worker does.
class Side final : private node::RoleOutput,
                   private node::ProbeOutput,
                   private replication::Outlet,
                   private replication::LinkVisitor {
 public:
  Side(const Cluster& config, std::uint16_t index, node::Shard& shard)
      : config_(config),
        index_(index),
        shard_(shard),
        member_(config, 0, index, start(index), shard, shard, {*this, *this, *this}, clock_now()) {
    shard.add_listener(member_);
  }
  void open(const std::shared_ptr<transport::Context>& context) {
    auto link = replication::Link::open(context, config_, 0, index_);
    if (!link) give_up(link.error().message.c_str());
    link_ = std::move(*link);
  }
  void poll() {
    bool more = link_->drain(*this, 16);
    member_.tick(clock_now(), 512U * 1024U);
    more = link_->pending() || more;
    const Duration wait = member_.next_deadline() <= clock_now() ? Duration(0) : member_.next_deadline() - clock_now();
    if (more || wait < 1ms) return;
    std::vector<pollfd> polled;
    for (const int fd : link_->descriptors()) polled.push_back({fd, POLLIN, 0});
    (void)::poll(polled.data(), polled.size(), static_cast<int>(std::min<Duration>(wait, 10ms) / Duration(1ms)));
  }
  [[nodiscard]] const node::RedundancyMember& member() const { return member_; }

 private:
  static node::MemberStart start(std::uint16_t index) {
    node::MemberStart out{100U + index};
    out.age = 1s;
    return out;
  }
  bool send(replication::Channel channel, std::span<const std::uint8_t> message) override {
    if (channel == replication::Channel::former) return link_->send_former(message);
    return channel == replication::Channel::data ? link_->send_data(message) : link_->send_control(message);
  }
  node::ClaimAnswer claim(std::uint64_t) override { return node::ClaimAnswer::granted; }
  void on_claiming(std::uint64_t) override {}
  void withdraw_claim() override {}
  void persist_term(std::uint64_t) override {}
  void on_master(std::uint64_t) override { shard_.activate(clock_now()); }
  void on_standby(std::uint64_t) override { shard_.deactivate(clock_now()); }
  void on_reassert(std::uint64_t) override {}
  void on_handing_over(bool) override {}
  void probe(const IpAddress&, std::uint64_t) override {}
  void on_control(std::span<const std::uint8_t> message) override { member_.on_control(clock_now(), message); }
  void on_data(std::span<const std::uint8_t> message) override { member_.on_data(clock_now(), message); }
  void on_former(std::span<const std::uint8_t> message) override { member_.on_former(clock_now(), message); }
  void on_connected() override { member_.on_peer_connected(clock_now()); }
  void on_disconnected() override { member_.on_peer_disconnected(clock_now()); }

  const Cluster& config_;
  std::uint16_t index_;
  node::Shard& shard_;
  node::RedundancyMember member_;
  std::unique_ptr<replication::Link> link_;
};

struct Bulk {
  double seconds = 0;
  double cpu_us = 0;
};

/// Returns true for about one session in a hundred.
bool changed(std::uint32_t i) { return (i * 0x9e3779b97f4a7c15ULL >> 32) % 100 == 0; }

/// `contexts` are those of the two sides. With `rejoin`, the standby has all sessions as they were before some changed.
Bulk run_bulk(const Cluster& config, const std::array<std::shared_ptr<transport::Context>, 2>& contexts, bool rejoin) {
  const TimePoint now = clock_now();
  node::Shard full(config, std::uint16_t{0}, 1, now);
  node::Shard empty(config, std::uint16_t{0}, 2, now);
  for (std::uint32_t i = 0; i < kBulkSessions; ++i) {
    SessionRecord record = session(i, i % 2 == 0);
    record.idle = 6000;
    if (rejoin) (void)empty.apply(record, now);
    if (rejoin && changed(i)) {
      ++record.version;
      record.idle = 0;
    }
    (void)full.apply(record, now);
  }
  std::atomic<bool> stop{false};
  std::atomic<bool> serving{false};
  std::thread master([&] {
    Side side(config, 0, full);
    side.open(contexts[0]);
    while (!stop) {
      side.poll();
      serving = side.member().role() == Role::master;
    }
  });
  while (!serving) std::this_thread::yield();
  Side side(config, 1, empty);
  side.open(contexts[1]);
  double spent = 0;
  TimePoint asked = TimePoint::max();
  const TimePoint limit = clock_now() + 60s;
  while (side.member().status().sync != Sync::hot) {
    side.poll();
    if (asked == TimePoint::max() && side.member().status().epoch != 0) {
      asked = clock_now();
      spent = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
    }
    if (clock_now() > limit) give_up("the standby does not become hot");
  }
  const Duration took = clock_now() - asked;
  spent = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - spent;
  stop = true;
  master.join();
  if (empty.sessions() != kBulkSessions || empty.digest() != full.digest()) give_up("the copy differs");
  return {std::chrono::duration<double>(took).count(), spent * 1e6 / kBulkSessions};
}

/// Two pairs of neighbouring free ports.
std::pair<std::uint16_t, std::uint16_t> free_ports() {
  std::vector<std::uint16_t> found;
  std::vector<int> open;
  while (found.size() < 2) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    if (socket < 0) give_up("no socket");
    open.push_back(socket);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("no port");
    (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    const std::uint16_t port = ntohs(address.sin_port);
    if (port % 2 == 0) found.push_back(port);
  }
  for (const int socket : open) ::close(socket);
  return {found[0], found[1]};
}

}  // namespace

int main() {
  log::set_level(log::Level::error);
  std::vector<double> cpu;
  std::vector<double> bytes;
  std::vector<double> bulk[2];  // without keys, and with keys
  std::vector<double> bulk_cpu[2];
  std::vector<double> rejoin[2];  // seconds, and seconds of processor time
  std::array<std::shared_ptr<transport::Context>, 2> contexts[2];
  std::array<std::string, 2> public_keys;
  for (std::size_t side = 0; side < 2; ++side) {
    const auto identity = transport::make_key_pair();
    if (!identity) give_up(identity.error().message.c_str());
    public_keys.at(side) = identity->public_key;
    auto plain = transport::Context::create();
    auto with_key = transport::Context::create(*identity);
    if (!plain || !with_key) give_up("no context");
    contexts[0].at(side) = std::move(*plain);
    contexts[1].at(side) = std::move(*with_key);
  }
  for (int run = 0; run < kRuns; ++run) {
    const auto [left, right] = free_ports();
    const Cluster config = cluster(left, right);
    const NewSessions fresh = run_new_sessions(config);
    cpu.push_back(fresh.cpu_us);
    bytes.push_back(fresh.bytes);
    for (std::size_t keys = 0; keys < 2; ++keys) {
      const auto [one, other] = free_ports();
      Cluster pair = cluster(one, other);
      for (std::size_t side = 0; keys == 1 && side < 2; ++side) {
        pair.chassis[side].public_keys = {public_keys.at(side)};
      }
      const Bulk copy = run_bulk(pair, contexts[keys], false);
      bulk[keys].push_back(copy.seconds);
      bulk_cpu[keys].push_back(copy.cpu_us);
    }
    const auto [near, far] = free_ports();
    const Bulk again = run_bulk(cluster(near, far), contexts[0], true);
    rejoin[0].push_back(again.seconds);
    rejoin[1].push_back(again.cpu_us * kBulkSessions / 1e6);
  }
  std::printf("replication.cpu_us_per_session %.3f us\n", median(cpu));
  std::printf("replication.wire_bytes_per_session %.2f bytes\n", median(bytes));
  std::printf("replication.bulk_1m_s %.3f s\n", median(bulk[0]));
  std::printf("replication.bulk_cpu_us_per_session %.3f us\n", median(bulk_cpu[0]));
  std::printf("replication.bulk_1m_encrypted_s %.3f s\n", median(bulk[1]));
  std::printf("replication.bulk_cpu_encrypted_us_per_session %.3f us\n", median(bulk_cpu[1]));
  std::printf("replication.rejoin_1m_1pct_s %.4f s\n", median(rejoin[0]));
  std::printf("replication.rejoin_1m_1pct_cpu_s %.4f s\n", median(rejoin[1]));
  return 0;
}
