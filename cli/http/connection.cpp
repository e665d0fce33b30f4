#include "cli/http/connection.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "cli/faces/face.h"
#include "cli/http/options.h"
#include "cli/merge/nat_selection.h"

namespace icr::cli::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

/// How long a connection may be silent before a request.
constexpr Duration kIdle = 15s;
/// How long the rest of a request may take.
constexpr Duration kReading = 10s;
/// How long a client may take to read a piece of a response.
constexpr Duration kWriting = 10s;
constexpr std::size_t kPiece = std::size_t{64} * 1024;
/// What the kernel keeps of a response that is not read.
constexpr int kSendBuffer = 256 * 1024;
/// What is read, and for how long in all, after the last response of a connection.
constexpr Duration kLastWords = 1s;
constexpr std::size_t kMostLastWords = std::size_t{256} * 1024;

constexpr const char* kExitCode = "ICR-Exit-Code";

std::string_view view_of(beast::string_view text) { return {text.data(), text.size()}; }

void set_common(bhttp::fields& head, std::string_view type) {
  head.set(bhttp::field::server, "icr");
  head.set(bhttp::field::content_type, beast::string_view(type.data(), type.size()));
  head.set(bhttp::field::cache_control, "no-store");
  head.set("X-Content-Type-Options", "nosniff");
}

/// Returns what shows that a page in a browser asks, and not its user or another program; nothing if nothing does.
template <class Request>
std::optional<std::string> page_behind(const Request& request) {
  const auto origin = request.find(bhttp::field::origin);
  if (origin != request.end()) return std::string(view_of(origin->value()));
  const auto [begin, end] = request.equal_range("Sec-Fetch-Site");
  for (auto each = begin; each != end; ++each) {
    const auto site = view_of(each->value());
    if (site != "none" && site != "same-origin") return std::string(site);
  }
  return std::nullopt;
}

/// Counts a question while it is answered.
class Slot {
 public:
  explicit Slot(std::atomic<std::uint32_t>& taken) : taken_(taken), number_(taken.fetch_add(1)) {}
  ~Slot() { taken_.fetch_sub(1); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  [[nodiscard]] bool is_free() const { return number_ < kMostQuestions; }

 private:
  std::atomic<std::uint32_t>& taken_;
  std::uint32_t number_;
};

}  // namespace

Connection::~Connection() {
  if (thread_.joinable()) thread_.join();
}

void Connection::start(asio::ip::tcp::socket socket, std::function<void()> ended) {
  ErrorCode ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::send_buffer_size(kSendBuffer), ignored);
  stream_ = std::make_unique<beast::tcp_stream>(std::move(socket));
  ended_ = std::move(ended);
  thread_ = std::thread([this] {
    // Signals are for the thread that accepts connections.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    talk();
    ended_();
  });
}

void Connection::stop() {
  asio::post(context_, [this] {
    if (waiting_) stream_->cancel();
  });
}

void Connection::cut() {
  asio::post(context_, [this] { stream_->close(); });
}

template <class Start>
Connection::ErrorCode Connection::run(Duration within, Start start) {
  ErrorCode out = beast::error::timeout;
  stream_->expires_after(within);
  start([&out](ErrorCode error, std::size_t /*octets*/) { out = error; });
  context_.restart();
  context_.run();
  return out;
}

void Connection::lost(ErrorCode why) {
  if (gone_ || !why) return;
  gone_ = true;
  keep_ = false;
  if (shared_.cutting) return;
  shared_.counters.note(why == beast::error::timeout ? Event::slow_reader : Event::client_left);
}

void Connection::talk() {
  // What goes wrong with one connection ends that one, and not the server.
  try {
    while (next_request()) {
    }
    close_gently();
  } catch (const std::exception&) {
    gone_ = true;
    shared_.counters.note(Event::failed);
    stream_->close();
  }
}

bool Connection::next_request() {
  if (shared_.stopping) return false;
  if (buffer_.size() == 0) {
    waiting_ = true;
    const auto silent = run(kIdle, [&](auto handler) {
      stream_->async_read_some(buffer_.prepare(kMostHeader), [this, handler](ErrorCode error, std::size_t octets) {
        buffer_.commit(octets);
        handler(error, octets);
      });
    });
    waiting_ = false;
    if (silent) {
      gone_ = true;
      return false;
    }
  }
  bhttp::request_parser<bhttp::empty_body> parser;
  parser.header_limit(kMostHeader);
  const auto error = run(kReading, [&](auto handler) { bhttp::async_read_header(*stream_, buffer_, parser, handler); });
  const Request& request = parser.get();
  head_only_ = request.method() == bhttp::verb::head;
  keep_ = request.keep_alive() && !shared_.stopping;
  chunked_ = request.version() == 11;
  gone_ = false;
  if (error) {
    refuse_unread(error);
    return false;
  }
  const auto length = parser.content_length();
  if (parser.chunked() || (length && *length != 0)) {
    keep_ = false;
    refuse({413, "a question has no body"});
    return false;
  }
  answer(request);
  return keep_ && !gone_;
}

void Connection::refuse_unread(ErrorCode why) {
  keep_ = head_only_ = false;
  if (why == beast::error::timeout) {
    gone_ = true;
    shared_.counters.note(Event::slow_request);
  } else if (why == bhttp::error::header_limit || why == bhttp::error::buffer_overflow) {
    refuse({431, fmt::format("a request has at most {} octets before its body", kMostHeader)});
  } else if (why == bhttp::error::body_limit) {
    refuse({413, "a question has no body"});
  } else if (why.category() == make_error_code(bhttp::error::bad_method).category() &&
             why != bhttp::error::end_of_stream && why != bhttp::error::partial_message) {
    refuse({400, fmt::format("this is no request of HTTP: {}", why.message())});
  } else {
    gone_ = true;
  }
}

std::optional<Refusal> Connection::refusal_of(const Request& request) const {
  if (request.count(bhttp::field::host) > 1 || (request.version() == 11 && request.count(bhttp::field::host) == 0)) {
    return Refusal{400, "a request has one header Host"};
  }
  if (shared_.tokens) return std::nullopt;
  // A browser may be told that a name of somebody else is this machine. Where no token is needed, such a page could
  // ask.
  const auto host = request.find(bhttp::field::host);
  if (host != request.end() && !names_this_machine(view_of(host->value()))) {
    return Refusal{421, "without tokens only requests to localhost are answered", std::string(view_of(host->value()))};
  }
  // A page may send a request to another site, although it cannot read the answer. It would be work for the cluster.
  if (const auto page = page_behind(request)) {
    return Refusal{421, "without tokens no request of a web page is answered", *page};
  }
  return std::nullopt;
}

void Connection::answer(const Request& request) {
  if (const auto refusal = refusal_of(request)) return refuse(*refusal);
  auto permitted = std::optional(ClientClass::super_user);
  if (shared_.tokens) {
    permitted.reset();
    const auto given = request.find(bhttp::field::authorization);
    if (request.count(bhttp::field::authorization) == 1) permitted = shared_.tokens->class_of(view_of(given->value()));
  }
  if (!permitted) return refuse({401, "a token is needed: Authorization: Bearer TOKEN"});
  if (request.method() != bhttp::verb::get && request.method() != bhttp::verb::head) {
    return refuse({405, "only GET and HEAD: what changes something is not offered here",
                   std::string(view_of(request.method_string()))});
  }
  if (const auto refusal = ask(view_of(request.target()), *permitted)) refuse(*refusal);
}

std::optional<Refusal> Connection::ask(std::string_view target, ClientClass permitted) {
  if (target == "/v1/openapi.json") {
    send(200, "application/json", shared_.description);
    return std::nullopt;
  }
  if (target == "/v1/serve/statistics") {
    send_statistics();
    return std::nullopt;
  }
  const auto cluster = shared_.host.read_cluster();
  std::optional<Names> names;
  if (cluster) names = names_of(*cluster);
  const auto question = question_of(target, names ? &*names : nullptr);
  if (!question) return question.error();
  const auto needed = class_named(question->privilege);
  if (!needed || permitted < *needed) {
    return Refusal{403, fmt::format("permission denied: the token is of class {}, and this takes class {}",
                                    name_of(permitted), question->privilege)};
  }
  if (head_only_) {
    shared_.counters.note(Event::described);
    Head head;
    if (!is_json(question->command)) head.type = "text/plain; charset=utf-8";
    begin(head);
    flush();
    return std::nullopt;
  }
  const Slot slot(shared_.counters.questions);
  if (!slot.is_free()) {
    return Refusal{503, fmt::format("{} questions are being answered, and not more at one time", kMostQuestions)};
  }
  answer_question(*question, cluster, shared_.host, *this);
  return std::nullopt;
}

void Connection::send(unsigned status, std::string_view type, std::string body) {
  shared_.counters.note(event_of(status));
  bhttp::response<bhttp::string_body> response(static_cast<bhttp::status>(status), chunked_ ? 11U : 10U);
  set_common(response, type);
  if (status == 401) response.set(bhttp::field::www_authenticate, "Bearer realm=\"icr\"");
  if (status == 405) response.set(bhttp::field::allow, "GET, HEAD");
  if (status == 503) response.set(bhttp::field::retry_after, "1");
  response.keep_alive(keep_);
  response.body() = std::move(body);
  response.prepare_payload();
  bhttp::response_serializer<bhttp::string_body> serializer(response);
  lost(run(kWriting, [&](auto handler) {
    if (head_only_) return bhttp::async_write_header(*stream_, serializer, handler);
    bhttp::async_write(*stream_, serializer, handler);
  }));
}

void Connection::refuse(const Refusal& refusal) { send(refusal.status, "application/json", body_of(refusal)); }

void Connection::send_statistics() {
  std::string body;
  const auto face = make_json_face([&](std::string_view text) { body += text; });
  face->begin("serve-statistics");
  shared_.counters.add_to(*face);
  face->end();
  face->finish();
  send(200, "application/json", std::move(body));
}

void Connection::begin(const Head& head) {
  if (!head_only_) shared_.counters.note(head.status == 200 ? Event::answered : event_of(head.status));
  bhttp::response<bhttp::empty_body> response(static_cast<bhttp::status>(head.status), chunked_ ? 11U : 10U);
  set_common(response, head.type);
  if (head.code) response.set(kExitCode, std::to_string(static_cast<int>(*head.code)));
  if (!head.warning.empty()) response.set("ICR-Warning", head.warning);
  if (chunked_) {
    response.chunked(true);
    response.set(bhttp::field::trailer, kExitCode);
  } else {
    keep_ = false;  // the body ends with the connection
  }
  response.keep_alive(keep_);
  bhttp::response_serializer<bhttp::empty_body> serializer(response);
  piece_.clear();
  lost(run(kWriting, [&](auto handler) { bhttp::async_write_header(*stream_, serializer, handler); }));
}

void Connection::write(std::string_view piece) {
  while (!piece.empty() && !gone_) {
    const auto part = piece.substr(0, kPiece - piece_.size());
    piece_ += part;
    piece.remove_prefix(part.size());
    if (piece_.size() == kPiece) flush();
  }
}

void Connection::flush() {
  if (gone_ || piece_.empty()) return;
  const auto octets = asio::buffer(piece_);
  lost(run(kWriting, [&](auto handler) {
    if (chunked_) return asio::async_write(*stream_, bhttp::make_chunk(octets), handler);
    asio::async_write(*stream_, octets, handler);
  }));
  piece_.clear();
}

void Connection::end(ExitCode code) {
  flush();
  if (gone_ || !chunked_) return;
  bhttp::fields trailer;
  trailer.set(kExitCode, std::to_string(static_cast<int>(code)));
  lost(run(kWriting, [&](auto handler) { asio::async_write(*stream_, bhttp::make_chunk_last(trailer), handler); }));
}

void Connection::close_gently() {
  ErrorCode error;
  stream_->socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  std::array<char, 4096> ignored{};
  std::size_t octets = 0;
  const auto until = std::chrono::steady_clock::now() + kLastWords;
  while (!gone_ && !error && !shared_.stopping && octets < kMostLastWords) {
    error = run(until - std::chrono::steady_clock::now(), [&](auto handler) {
      stream_->async_read_some(asio::buffer(ignored), [&octets, handler](ErrorCode failed, std::size_t got) {
        octets += got;
        handler(failed, got);
      });
    });
  }
  stream_->close();
}

}  // namespace icr::cli::http
