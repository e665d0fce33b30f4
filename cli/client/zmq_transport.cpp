#include "cli/client/zmq_transport.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <vector>

namespace icr::cli {
namespace {

using Clock = std::chrono::steady_clock;
using transport::Event;
using transport::Sent;
using transport::Taken;
using transport::Waiting;

/// Number of failed attempts to connect after which a chassis counts as unreachable.
constexpr int kConnectAttempts = 3;
constexpr int kReconnectMillis = 50;
/// Pause before a busy chassis is asked again: the first one, and the longest one. It doubles each time.
constexpr auto kFirstPause = std::chrono::milliseconds(5);
constexpr auto kLongestPause = std::chrono::milliseconds(160);

constexpr std::array kEvents = {Event::connected, Event::connect_retried, Event::handshake_failed, Event::key_refused,
                                Event::disconnected};

/// Sockets of ZeroMQ for a connection that is watched, and descriptors: one more, for TCP.
constexpr std::size_t kSocketsOfLine = 3;
constexpr std::size_t kDescriptorsOfLine = 4;
/// Descriptors that other things of this process need.
constexpr std::size_t kOtherDescriptors = 64;

/// Returns how many connections this process may have at the same time.
std::size_t most_lines() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) files.rlim_cur = 1024;
  const auto lines = std::max<std::size_t>(files.rlim_cur, kOtherDescriptors) - kOtherDescriptors;
  return std::max<std::size_t>(lines / kDescriptorsOfLine, 1);
}

transport::SocketOptions options_of_dealer() {
  transport::SocketOptions out;
  out.max_message_bytes = kMaxReplyBytes;
  out.reconnect_ms = kReconnectMillis;
  return out;
}

}  // namespace

struct ZmqTransport::Line {
  Line(transport::Socket socket, std::string where) : dealer(std::move(socket)), address(std::move(where)) {}

  /// Returns false if the line is broken now.
  bool send(const QueryRequest& request) {
    flatbuffers::FlatBufferBuilder builder(256);
    encode_request(request, builder);
    const Sent sent = dealer.send({builder.GetBufferPointer(), builder.GetSize()});
    if (sent == Sent::sent) return true;
    broken = sent == Sent::refused ? fmt::format("{} takes no more questions", address)
                                   : fmt::format("{}: {}", address, dealer.error());
    return false;
  }

  transport::Socket dealer;
  std::string address;
  std::size_t key = 0;  ///< which of the chassis' keys is tried
  bool connected = false;
  int failed_attempts = 0;
  std::string broken;  ///< why the line is broken; empty while it works
  struct Outstanding {
    QueryRequest request;
    Clock::time_point deadline;
    std::optional<Clock::time_point> ask_again = std::nullopt;  ///< the chassis was busy
    Clock::duration pause = kFirstPause;                        ///< before it is asked again
    bool was_busy = false;
  };
  std::map<std::uint64_t, Outstanding> outstanding;
};

struct ZmqTransport::Sockets {
  std::shared_ptr<transport::Context> context;
  const std::size_t most_lines = cli::most_lines();
  std::map<std::uint16_t, std::unique_ptr<Line>> lines;
};

ZmqTransport::ZmqTransport(const Cluster& cluster, std::chrono::milliseconds timeout,
                           std::optional<transport::KeyPair> own)
    : cluster_(cluster), timeout_(timeout), own_(std::move(own)), sockets_(std::make_unique<Sockets>()) {}

ZmqTransport::~ZmqTransport() = default;

Result<ZmqTransport::Line*> ZmqTransport::line_to(std::uint16_t chassis) {
  auto& line = sockets_->lines[chassis];
  if (line) return line.get();
  if (!sockets_->context) {
    auto context = transport::Context::create(std::nullopt, kSocketsOfLine * (cluster_.chassis.size() + 1));
    if (!context) return tl::unexpected(context.error());
    sockets_->context = std::move(*context);
  }
  auto dealer = connect_to(chassis, 0);
  if (!dealer) return tl::unexpected(dealer.error());
  line = std::make_unique<Line>(std::move(*dealer), transport::to_text(cluster_.chassis[chassis].query));
  return line.get();
}

Result<transport::Socket> ZmqTransport::connect_to(std::uint16_t chassis, std::size_t key) {
  const ChassisConfig& config = cluster_.chassis[chassis];
  transport::SocketOptions options = options_of_dealer();
  if (cluster_.encrypted()) {
    if (!own_) return fail("the cluster is encrypted, and this client has no secret key");
    if (key >= config.public_keys.size()) return fail("no public key is known of it");
    options.curve = transport::Curve{*own_, config.public_keys[key], nullptr};
  }
  auto dealer = transport::Socket::dealer(sockets_->context, options);
  if (!dealer) return dealer;
  if (auto done = dealer->watch(kEvents); !done) return tl::unexpected(done.error());
  if (auto done = dealer->connect(config.query); !done) return tl::unexpected(done.error());
  return dealer;
}

void ZmqTransport::try_next_key(std::uint16_t chassis, Line& line) {
  if (line.key + 1 >= cluster_.chassis[chassis].public_keys.size()) {
    return fail_all(
        chassis, line,
        cluster_.encrypted()
            ? fmt::format("{} is not encrypted, or does not use the key that the cluster file gives it", line.address)
            : fmt::format("the handshake with {} failed: it is encrypted, and the cluster file that icr "
                          "uses is not",
                          line.address));
  }
  auto dealer = connect_to(chassis, ++line.key);
  if (!dealer) return fail_all(chassis, line, dealer.error().message);
  line.dealer = std::move(*dealer);
  line.connected = false;
  for (const auto& [id, question] : line.outstanding) {
    if (!line.send(question.request)) return fail_all(chassis, line, line.broken);
  }
}

void ZmqTransport::ask(std::uint16_t chassis, QueryRequest request) {
  request.cluster_digest = cluster_.digest;
  request.cluster_id = cluster_.stable_id;
  const auto& cards = cluster_.chassis[chassis].cards;
  if (request.card < cards.size()) request.card_id = cards[request.card].stable_id;
  if (request.set < cluster_.redundancy_sets.size()) request.set_id = cluster_.redundancy_sets[request.set].stable_id;
  request.request_id = next_id_++;
  if (has_room_for(chassis)) {
    send(chassis, std::move(request));
  } else {
    unsent_.emplace_back(chassis, std::move(request));
  }
}

bool ZmqTransport::has_room_for(std::uint16_t chassis) {
  auto& lines = sockets_->lines;
  if (lines.size() < sockets_->most_lines || lines.find(chassis) != lines.end()) return true;
  const auto idle =
      std::find_if(lines.begin(), lines.end(), [](const auto& each) { return each.second->outstanding.empty(); });
  if (idle == lines.end()) return false;
  lines.erase(idle);
  return true;
}

void ZmqTransport::send(std::uint16_t chassis, QueryRequest request) {
  const auto line = line_to(chassis);
  if (!line) {
    sockets_->lines.erase(chassis);
    ready_.push_back({chassis, std::move(request), fail("cannot ask it: {}", line.error().message)});
  } else if ((*line)->broken.empty() && (*line)->send(request)) {
    (*line)->outstanding.emplace(request.request_id, Line::Outstanding{request, Clock::now() + timeout_});
  } else {
    ready_.push_back({chassis, std::move(request), fail("{}", (*line)->broken)});
  }
}

std::optional<Answer> ZmqTransport::next() {
  for (;;) {
    if (!ready_.empty()) {
      Answer out = std::move(ready_.front());
      ready_.pop_front();
      return out;
    }
    while (!unsent_.empty() && has_room_for(unsent_.front().first)) {
      auto [chassis, request] = std::move(unsent_.front());
      unsent_.pop_front();
      send(chassis, std::move(request));
    }
    if (!ready_.empty()) continue;
    const bool waiting = std::any_of(sockets_->lines.begin(), sockets_->lines.end(),
                                     [](const auto& each) { return !each.second->outstanding.empty(); });
    if (!waiting) return std::nullopt;
    if (auto done = wait(); !done) {
      for (auto& [chassis, line] : sockets_->lines) fail_all(chassis, *line, done.error().message);
    }
  }
}

Result<void> ZmqTransport::wait() {
  std::vector<Waiting> waiting;
  auto earliest = Clock::time_point::max();
  for (auto& [chassis, line] : sockets_->lines) {
    waiting.push_back(Waiting::for_messages(line->dealer));
    waiting.push_back(Waiting::for_events(line->dealer));
    for (const auto& [id, question] : line->outstanding) {
      earliest = std::min({earliest, question.deadline, question.ask_again.value_or(question.deadline)});
    }
  }
  // The timeout is rounded up, so that the deadline has passed when poll returns.
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest - Clock::now());
  if (auto done = transport::wait(waiting, std::max(left, std::chrono::milliseconds(0))); !done) return done;
  std::size_t place = 0;
  for (auto& [chassis, line] : sockets_->lines) {
    if (waiting[place].ready) read_answers(chassis, *line);
    if (waiting[place + 1].ready) read_events(chassis, *line);
    ask_again(chassis, *line);
    place += 2;
  }
  fail_late();
  return {};
}

void ZmqTransport::read_answers(std::uint16_t chassis, Line& line) {
  for (Taken taken = line.dealer.take(); taken != Taken::nothing; taken = line.dealer.take()) {
    if (taken == Taken::failed) return fail_all(chassis, line, line.dealer.error());
    if (taken == Taken::parts) {
      fail_all(chassis, line, "its answer is not understood: it has more than one part");
      continue;
    }
    auto reply = decode_reply(line.dealer.payload().data(), line.dealer.payload().size());
    if (!reply) {
      fail_all(chassis, line, "its answer is not understood: " + reply.error().message);
      continue;
    }
    const auto asked = line.outstanding.find(reply->request_id);
    if (asked == line.outstanding.end()) continue;  // the reply is too late: its question has failed already
    if (reply->error == QueryError::busy) {
      // The chassis was busy and did nothing. Back off for a random time, so that clients do not retry in lockstep.
      auto& question = asked->second;
      question.was_busy = true;
      question.ask_again = Clock::now() + question.pause / 2 + question.pause * (random_() % 512) / 1024;
      question.pause = std::min<Clock::duration>(2 * question.pause, kLongestPause);
      continue;
    }
    QueryRequest request = std::move(asked->second.request);
    line.outstanding.erase(asked);
    ready_.push_back({chassis, std::move(request), std::move(*reply)});
  }
}

void ZmqTransport::read_events(std::uint16_t chassis, Line& line) {
  while (const auto event = line.dealer.take_event()) {
    if (event == Event::connected) {
      line.connected = true;
    } else if (event == Event::key_refused) {
      fail_all(chassis, line,
               fmt::format("{} does not allow the key of this client, {}", line.address,
                           own_ ? own_->public_key : "which has none"));
    } else if (event == Event::handshake_failed && line.broken.empty()) {
      try_next_key(chassis, line);
    } else if (event == Event::disconnected && line.broken.empty()) {
      fail_all(chassis, line, fmt::format("the connection to {} was lost", line.address));
    } else if (event == Event::connect_retried && !line.connected && ++line.failed_attempts == kConnectAttempts) {
      fail_all(chassis, line, fmt::format("cannot connect to {}", line.address));
    }
  }
}

void ZmqTransport::ask_again(std::uint16_t chassis, Line& line) {
  const auto now = Clock::now();
  for (auto& [id, question] : line.outstanding) {
    if (!question.ask_again || *question.ask_again > now) continue;
    question.ask_again.reset();
    if (!line.send(question.request)) return fail_all(chassis, line, line.broken);
  }
}

void ZmqTransport::fail_all(std::uint16_t chassis, Line& line, std::string why) {
  line.broken = why;
  for (auto& [id, question] : line.outstanding) {
    ready_.push_back({chassis, std::move(question.request), fail("{}", why)});
  }
  line.outstanding.clear();
}

void ZmqTransport::fail_late() {
  const auto now = Clock::now();
  for (auto& [chassis, line] : sockets_->lines) {
    for (auto question = line->outstanding.begin(); question != line->outstanding.end();) {
      if (question->second.deadline > now) {
        ++question;
        continue;
      }
      ready_.push_back({chassis, std::move(question->second.request),
                        question->second.was_busy ? fail("{} was too busy for {} ms", line->address, timeout_.count())
                                                  : fail("no answer from {} within {} ms{}", line->address,
                                                         timeout_.count(), line->connected ? "" : " (no connection)")});
      question = line->outstanding.erase(question);
    }
  }
}

}  // namespace icr::cli
