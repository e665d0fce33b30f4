#include "cli/client/zmq_transport.h"

#include <algorithm>
#include <cstring>
#include <zmq.hpp>

namespace icr::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Number of failed attempts to connect after which a chassis counts as unreachable.
constexpr int kConnectAttempts = 3;
constexpr int kReconnectMillis = 50;
/// Pause before a busy chassis is asked again: the first one, and the longest one. It doubles each time.
constexpr auto kFirstPause = std::chrono::milliseconds(5);
constexpr auto kLongestPause = std::chrono::milliseconds(160);

}  // namespace

struct ZmqTransport::Line {
  Line(zmq::context_t& context, const Endpoint& where, std::uint16_t chassis)
      : dealer(context, zmq::socket_type::dealer), monitor(context, zmq::socket_type::pair), address(where.to_zmq()) {
    dealer.set(zmq::sockopt::linger, 0);
    monitor.set(zmq::sockopt::linger, 0);
    dealer.set(zmq::sockopt::maxmsgsize, std::int64_t{kMaxReplyBytes});
    dealer.set(zmq::sockopt::reconnect_ivl, kReconnectMillis);
    dealer.set(zmq::sockopt::handshake_ivl, 3000);
    if (!where.address.is_v4()) dealer.set(zmq::sockopt::ipv6, true);
    const std::string events = fmt::format("inproc://events-{}", chassis);
    if (zmq_socket_monitor(dealer.handle(), events.c_str(),
                           ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED) != 0) {
      throw zmq::error_t();
    }
    monitor.connect(events);
    dealer.connect(address);
  }

  /// Returns false if the line is broken now.
  bool send(const QueryRequest& request) {
    flatbuffers::FlatBufferBuilder builder(256);
    encode_request(request, builder);
    if (dealer.send(zmq::buffer(builder.GetBufferPointer(), builder.GetSize()), zmq::send_flags::dontwait)) return true;
    broken = fmt::format("{} takes no more questions", address);
    return false;
  }

  zmq::socket_t dealer;
  zmq::socket_t monitor;
  std::string address;
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
  zmq::context_t context{1};
  std::map<std::uint16_t, std::unique_ptr<Line>> lines;
};

ZmqTransport::ZmqTransport(const Cluster& cluster, std::chrono::milliseconds timeout)
    : cluster_(cluster), timeout_(timeout), sockets_(std::make_unique<Sockets>()) {}

ZmqTransport::~ZmqTransport() = default;

ZmqTransport::Line& ZmqTransport::line_to(std::uint16_t chassis) {
  auto& line = sockets_->lines[chassis];
  if (!line) line = std::make_unique<Line>(sockets_->context, cluster_.chassis[chassis].query, chassis);
  return *line;
}

void ZmqTransport::ask(std::uint16_t chassis, QueryRequest request) {
  request.cluster_digest = cluster_.digest;
  request.request_id = next_id_++;
  try {
    Line& line = line_to(chassis);
    if (line.broken.empty() && line.send(request)) {
      line.outstanding.emplace(request.request_id, Line::Outstanding{request, Clock::now() + timeout_});
      return;
    }
    ready_.push_back({chassis, std::move(request), fail("{}", line.broken)});
  } catch (const zmq::error_t& error) {
    ready_.push_back({chassis, std::move(request), fail("cannot ask it: {}", error.what())});
  }
}

std::optional<Answer> ZmqTransport::next() {
  for (;;) {
    if (!ready_.empty()) {
      Answer out = std::move(ready_.front());
      ready_.erase(ready_.begin());
      return out;
    }
    bool waiting = false;
    for (const auto& [chassis, line] : sockets_->lines) waiting = waiting || !line->outstanding.empty();
    if (!waiting) return std::nullopt;
    try {
      wait();
    } catch (const zmq::error_t& error) {
      if (error.num() == EINTR) continue;
      for (auto& [chassis, line] : sockets_->lines) fail_all(chassis, *line, error.what());
    }
  }
}

void ZmqTransport::wait() {
  std::vector<zmq::pollitem_t> items;
  auto earliest = Clock::time_point::max();
  for (auto& [chassis, line] : sockets_->lines) {
    items.push_back({line->dealer.handle(), 0, ZMQ_POLLIN, 0});
    items.push_back({line->monitor.handle(), 0, ZMQ_POLLIN, 0});
    for (const auto& [id, question] : line->outstanding) {
      earliest = std::min({earliest, question.deadline, question.ask_again.value_or(question.deadline)});
    }
  }
  // The timeout is rounded up, so that the deadline has passed when poll returns.
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest - Clock::now());
  zmq::poll(items, std::max(left, std::chrono::milliseconds(0)));
  for (auto& [chassis, line] : sockets_->lines) {
    read_answers(chassis, *line);
    read_events(chassis, *line);
    ask_again(chassis, *line);
  }
  fail_late();
}

void ZmqTransport::read_answers(std::uint16_t chassis, Line& line) {
  zmq::message_t message;
  while (line.dealer.recv(message, zmq::recv_flags::dontwait)) {
    auto reply = decode_reply(message.data(), message.size());
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
  zmq::message_t event;
  while (line.monitor.recv(event, zmq::recv_flags::dontwait)) {
    // An event has two frames: its number (with a value that is not needed), then the endpoint.
    std::uint16_t number = 0;
    if (event.size() >= sizeof number) std::memcpy(&number, event.data(), sizeof number);
    while (event.more() && line.monitor.recv(event, zmq::recv_flags::dontwait)) {
    }
    if (number == ZMQ_EVENT_CONNECTED) {
      line.connected = true;
    } else if (number == ZMQ_EVENT_DISCONNECTED) {
      fail_all(chassis, line, fmt::format("the connection to {} was lost", line.address));
    } else if (number == ZMQ_EVENT_CONNECT_RETRIED && !line.connected && ++line.failed_attempts == kConnectAttempts) {
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
