// icr_many_flows: traffic for measurements of whole systems (lab/bench_busy.py). Many TCP and UDP flows to an echo
// server; each message is numbered and time-stamped.
//
//   icr_many_flows serve ADDRESS PORT           answers until SIGTERM, then says how many flows changed their endpoint
//   icr_many_flows send ADDRESS PORT TCP UDP MESSAGES-PER-SECOND SECONDS
//
// Both run at real-time priority, so that they measure what is between them and not their own hunger. The sender says
// "ready" when every flow has been answered once; then it sends one message after the other, over all flows in turn,
// for the given time, waits for what is outstanding, says "over", and on SIGUSR1 (or after 30 s) asks each flow whether
// it lives. SIGUSR2 says that the way was cut just now: the sender notes when it is there again. Results are lines NAME
// VALUE.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

namespace {

constexpr std::uint32_t kMagic = 0x69637266;  // of this program's messages
constexpr int kPriority = 30;                 // above that of what is measured
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMillisecond;
constexpr std::int64_t kLate = 50 * kMillisecond;
constexpr std::size_t kSetUpAtOnce = 64;  // flows that wait for their first answer

struct Message {
  std::uint32_t magic = kMagic;
  std::uint32_t flow = 0;
  std::uint64_t number = 0;
};
static_assert(sizeof(Message) == 16);
constexpr std::uint64_t kNoNumber = ~std::uint64_t{0};  // of a message that only asks whether the flow lives

[[noreturn]] void end_with(const std::string& what) {
  std::fprintf(stderr, "icr_many_flows: %s: %s\n", what.c_str(), std::generic_category().message(errno).c_str());
  std::exit(1);
}

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

volatile std::sig_atomic_t was_cut = 0;

void prepare_process(std::size_t descriptors) {
  sched_param parameters{};
  parameters.sched_priority = kPriority;
  if (::sched_setscheduler(0, SCHED_RR, &parameters) != 0) end_with("real-time priority");
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur >= descriptors + 16) return;
  errno = EMFILE;
  end_with("the hard limit of descriptors is below " + std::to_string(descriptors + 16) + "; start several programs");
}

sockaddr_in endpoint(const char* address, const char* port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (::inet_pton(AF_INET, address, &out.sin_addr) != 1) end_with(std::string("address ") + address);
  return out;
}

const sockaddr* generic(const sockaddr_in& in) { return reinterpret_cast<const sockaddr*>(&in); }

int make_socket(int type) {
  const int out = ::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (out < 0) end_with("socket");
  if (type == SOCK_STREAM) {
    const int on = 1;
    ::setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return out;
}

void watch(int poll, int descriptor, std::uint64_t data, std::uint32_t events = EPOLLIN) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  if (::epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) != 0) end_with("epoll");
}

// --- server ----------------------------------------------------------------------------------------------------------

class Server {
 public:
  explicit Server(const sockaddr_in& where) : poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    const int on = 1;
    listener_ = make_socket(SOCK_STREAM);
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    datagrams_ = make_socket(SOCK_DGRAM);
    const int buffer = 8 * 1024 * 1024;
    ::setsockopt(datagrams_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    for (const int each : {listener_, datagrams_}) {
      if (::bind(each, generic(where), sizeof where) != 0) end_with("bind");
    }
    if (::listen(listener_, 4096) != 0) end_with("listen");
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, nullptr);
    signals_ = ::signalfd(-1, &end, SFD_CLOEXEC);
    for (const int each : {listener_, datagrams_, signals_}) watch(poll_, each, static_cast<std::uint64_t>(each));
  }

  void run() {
    std::printf("listening\n");
    std::fflush(stdout);
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = ::epoll_wait(poll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const auto descriptor = static_cast<int>(events[static_cast<std::size_t>(i)].data.u64);
        if (descriptor == signals_) return report();
        if (descriptor == listener_) {
          accept_all();
        } else if (descriptor == datagrams_) {
          answer_datagrams();
        } else {
          answer_stream(descriptor);
        }
      }
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (connection < 0) return;
      const int on = 1;
      ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(poll_, connection, static_cast<std::uint64_t>(connection));
    }
  }

  void answer_datagrams() {
    std::array<std::uint8_t, 2048> data;
    for (;;) {
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      const ssize_t got =
          ::recvfrom(datagrams_, data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
      if (got < 0) return;
      note(data.data(), static_cast<std::size_t>(got), peer);
      (void)::sendto(datagrams_, data.data(), static_cast<std::size_t>(got), 0, generic(peer), size);
    }
  }

  void note(const std::uint8_t* data, std::size_t size, const sockaddr_in& peer) {
    Message message;
    if (size != sizeof message) return;
    std::memcpy(&message, data, sizeof message);
    if (message.magic != kMagic || message.flow > 1'000'000) return;
    if (peers_.size() <= message.flow) peers_.resize(message.flow + 1, 0);
    const std::uint64_t seen = std::uint64_t{peer.sin_addr.s_addr} << 16U | peer.sin_port;
    std::uint64_t& known = peers_[message.flow];
    changed_ += known != 0 && known != seen ? 1U : 0U;
    known = seen;
  }

  void answer_stream(int connection) {
    std::array<std::uint8_t, 4096> data;
    for (;;) {
      const ssize_t got = ::recv(connection, data.data(), data.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      // A few bytes on a connection that is answered: its buffer is never full.
      if (got <= 0 || ::send(connection, data.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) {
        ::close(connection);
        return;
      }
    }
  }

  void report() const {
    std::printf("mappings_changed %llu\n", static_cast<unsigned long long>(changed_));
    std::fflush(stdout);
  }

  int poll_;
  int listener_ = -1, datagrams_ = -1, signals_ = -1;
  std::vector<std::uint64_t> peers_;  ///< of each UDP flow: its endpoint as it was seen here
  std::uint64_t changed_ = 0;
};

// --- sender ----------------------------------------------------------------------------------------------------------

class Sender {
 public:
  Sender(const sockaddr_in& server, std::size_t tcp, std::size_t udp, std::int64_t rate, std::int64_t seconds)
      : server_(server),
        rate_(rate),
        seconds_(seconds),
        poll_(::epoll_create1(EPOLL_CLOEXEC)),
        flows_(tcp + udp),
        tcp_(tcp) {
    sent_.reserve(static_cast<std::size_t>(rate * seconds + rate));
  }

  void run() {
    set_up();
    std::printf("ready\n");
    std::fflush(stdout);
    load();
    receive_until(now_ns() + 3 * kSecond);
    measuring_ = false;
    std::printf("over\n");
    std::fflush(stdout);
    // Whoever started this takes the other load away first.
    sigset_t go;
    sigemptyset(&go);
    sigaddset(&go, SIGUSR1);
    const timespec limit{30, 0};
    (void)::sigtimedwait(&go, nullptr, &limit);
    look_for_dead();
    report();
  }

 private:
  enum class State : std::uint8_t { closed, connecting, open };
  struct Flow {
    int socket = -1;
    State state = State::closed;
    bool answered = false;
    std::uint8_t held = 0;  ///< of an answer in a stream that has not come whole
    std::array<std::uint8_t, sizeof(Message)> part{};
  };

  [[nodiscard]] bool is_tcp(std::size_t flow) const { return flow < tcp_; }

  void open(std::size_t index) {
    Flow& flow = flows_[index];
    flow.socket = make_socket(is_tcp(index) ? SOCK_STREAM : SOCK_DGRAM);
    if (::connect(flow.socket, generic(server_), sizeof server_) != 0 && errno != EINPROGRESS) end_with("connect");
    flow.state = is_tcp(index) ? State::connecting : State::open;
    // A connection is writable once; its edge is all that is needed.
    watch(poll_, flow.socket, index, is_tcp(index) ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN | EPOLLET);
    if (!is_tcp(index)) ask(index);
  }

  void close(Flow& flow) {
    if (flow.socket >= 0) ::close(flow.socket);
    flow.socket = -1;
    flow.state = State::closed;
  }

  bool write(std::size_t index, std::uint64_t number) {
    Flow& flow = flows_[index];
    if (flow.state != State::open) return false;
    Message message;
    message.flow = static_cast<std::uint32_t>(index);
    message.number = number;
    if (::send(flow.socket, &message, sizeof message, MSG_NOSIGNAL) == sizeof message) return true;
    // An ICMP error of a moment is told once, and the datagram after it is sent.
    if (is_tcp(index) && errno != EAGAIN) close(flow);
    return false;
  }
  void ask(std::size_t index) { (void)write(index, kNoNumber); }

  /// Opens flow after flow, some at a time, until each has been answered.
  void set_up() {
    std::size_t next = 0;
    std::size_t first_unanswered = 0;
    std::int64_t asked = now_ns();
    const std::int64_t give_up = asked + 120 * kSecond;
    while (answered_ < flows_.size()) {
      while (next < flows_.size() && next - answered_ < kSetUpAtOnce) open(next++);
      receive_until(now_ns() + kMillisecond);
      const std::int64_t now = now_ns();
      if (now > give_up) {
        errno = ETIMEDOUT;
        end_with("setting up flows: " + std::to_string(answered_) + " of " + std::to_string(flows_.size()));
      }
      if (now - asked < 200 * kMillisecond) continue;
      asked = now;
      while (first_unanswered < next && flows_[first_unanswered].answered) ++first_unanswered;
      for (std::size_t i = first_unanswered; i < next; ++i) {
        if (!flows_[i].answered && !is_tcp(i)) ask(i);
      }
    }
  }

  void load() {
    const std::int64_t begun = now_ns();
    const std::int64_t end = begun + seconds_ * kSecond;
    last_answer_ = begun;
    measuring_ = true;
    std::size_t flow = 0;
    for (std::int64_t now = begun; now < end; now = now_ns()) {
      if (was_cut != 0 && cut_ == 0) cut_ = now;
      const std::int64_t due = (now - begun) * rate_ / kSecond;
      while (static_cast<std::int64_t>(sent_.size()) < due) {
        // Over TCP and UDP in turn, and over all flows of each.
        const std::uint64_t number = sent_.size();
        sent_.push_back(now_ns());
        answered_numbers_.push_back(false);
        unsent_ += write(flow, number) ? 0U : 1U;
        flow = (flow + 1) % flows_.size();
      }
      receive_until(std::min(end, now + kMillisecond));
    }
  }

  void receive_until(std::int64_t until) {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const std::int64_t left = until - now_ns();
      if (left <= 0) return;
      const timespec timeout{left / kSecond, left % kSecond};
      const int count = ::epoll_pwait2(poll_, events.data(), events.size(), &timeout, nullptr);
      for (int i = 0; i < count; ++i) take(events[static_cast<std::size_t>(i)]);
    }
  }

  void take(const epoll_event& event) {
    const auto index = static_cast<std::size_t>(event.data.u64);
    Flow& flow = flows_[index];
    if (flow.state == State::connecting && (event.events & EPOLLOUT) != 0) {
      flow.state = State::open;
      ask(index);
    }
    while (flow.state != State::closed) {
      std::array<std::uint8_t, 512> data;
      const ssize_t got = ::recv(flow.socket, data.data(), data.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) {
        if (is_tcp(index)) close(flow);
        return;
      }
      for (ssize_t i = 0; i < got; ++i) {
        flow.part[flow.held++] = data[static_cast<std::size_t>(i)];
        if (flow.held == sizeof(Message)) on_answer(flow);
      }
      if (!is_tcp(index)) flow.held = 0;
    }
  }

  void on_answer(Flow& flow) {
    flow.held = 0;
    Message message;
    std::memcpy(&message, flow.part.data(), sizeof message);
    if (message.magic != kMagic) return;
    answered_ += flow.answered ? 0U : 1U;
    flow.answered = true;
    if (!measuring_ || message.number >= sent_.size() || answered_numbers_[message.number]) return;
    answered_numbers_[message.number] = true;
    const std::int64_t now = now_ns();
    const std::int64_t took = now - sent_[message.number];
    late_ += took > kLate ? 1U : 0U;
    latencies_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(took / 1000, UINT32_MAX)));
    longest_silence_ = std::max(longest_silence_, now - last_answer_);
    last_answer_ = now;
    if (cut_ != 0 && back_ == 0 && sent_[message.number] > cut_) back_ = now;
  }

  /// Asks every flow several times. A flow that never answers is dead. A stream repeats by itself, and may pause for
  /// 120 s between two attempts (the longest retransmission timeout of Linux), so it is waited for longer than that.
  void look_for_dead() {
    for (Flow& flow : flows_) flow.answered = false;
    answered_ = 0;
    for (int attempt = 0; attempt < 65 && answered_ < flows_.size(); ++attempt) {
      for (std::size_t i = 0; i < flows_.size(); ++i) {
        if (flows_[i].answered || (attempt != 0 && is_tcp(i))) continue;
        ask(i);
        receive_until(now_ns() + kSecond / rate_);
      }
      receive_until(now_ns() + 2 * kSecond);
    }
  }
  [[nodiscard]] std::uint64_t dead(std::size_t from, std::size_t to) const {
    std::uint64_t count = 0;
    for (std::size_t i = from; i < to; ++i) count += flows_[i].answered ? 0U : 1U;
    return count;
  }

  void report() {
    std::uint64_t lost = 0;
    std::uint64_t lost_in_outage = 0;
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      if (answered_numbers_[i]) continue;
      ++lost;
      // What was on its way when it was cut is lost by the same event.
      lost_in_outage += cut_ != 0 && sent_[i] >= cut_ - 10 * kMillisecond && sent_[i] <= back_ ? 1U : 0U;
    }
    std::sort(latencies_.begin(), latencies_.end());
    const auto quantile = [&](std::size_t permyriad) {
      return latencies_.empty() ? 0
                                : latencies_[std::min(latencies_.size() - 1, latencies_.size() * permyriad / 10000)];
    };
    const auto print = [](const char* name, std::uint64_t value) {
      std::printf("%s %llu\n", name, static_cast<unsigned long long>(value));
    };
    print("messages", sent_.size());
    print("late", late_);
    print("lost", lost);
    print("lost_in_outage", lost_in_outage);
    print("not_sent", unsent_);
    print("dead_flows", dead(0, flows_.size()));
    print("dead_tcp_flows", dead(0, tcp_));
    print("latency_p50_us", quantile(5000));
    print("latency_p99_us", quantile(9900));
    print("latency_max_us", quantile(10000));
    print("longest_silence_us", static_cast<std::uint64_t>(longest_silence_ / 1000));
    print("path_back_ns", static_cast<std::uint64_t>(back_));
    std::fflush(stdout);
  }

  const sockaddr_in server_;
  const std::int64_t rate_;
  const std::int64_t seconds_;
  int poll_;
  std::vector<Flow> flows_;
  const std::size_t tcp_;  ///< the first flows are TCP's
  std::size_t answered_ = 0;
  bool measuring_ = false;
  std::vector<std::int64_t> sent_;  ///< when, by number
  std::vector<bool> answered_numbers_;
  std::vector<std::uint32_t> latencies_;  ///< microseconds
  std::uint64_t late_ = 0;
  std::uint64_t unsent_ = 0;  ///< the flow was closed, or its socket full
  std::int64_t last_answer_ = 0;
  std::int64_t longest_silence_ = 0;
  std::int64_t cut_ = 0;   ///< when the way was cut
  std::int64_t back_ = 0;  ///< when the first message that was sent after that was answered
};

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "serve" && argc == 4) {
    prepare_process(1024);
    Server(endpoint(argv[2], argv[3])).run();
    return 0;
  }
  if (what == "send" && argc == 8) {
    const std::size_t tcp = std::strtoul(argv[4], nullptr, 10);
    const std::size_t udp = std::strtoul(argv[5], nullptr, 10);
    prepare_process(tcp + udp);
    std::signal(SIGUSR2, [](int) { was_cut = 1; });
    sigset_t go;
    sigemptyset(&go);
    sigaddset(&go, SIGUSR1);
    sigprocmask(SIG_BLOCK, &go, nullptr);
    Sender(endpoint(argv[2], argv[3]), tcp, udp, std::atoll(argv[6]), std::atoll(argv[7])).run();
    return 0;
  }
  std::fprintf(stderr, "icr_many_flows serve ADDRESS PORT | send ADDRESS PORT TCP UDP MESSAGES-PER-SECOND SECONDS\n");
  return 2;
}
