// One connection of an HTTP client, on a thread of its own: reads requests within limits, and writes responses while
// their answers come.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "cli/http/answering.h"
#include "cli/http/counters.h"
#include "cli/http/tokens.h"
#include "model/base/time.h"

namespace icr::cli::http {

/// The most connections at one time; one more is refused with 503.
inline constexpr std::uint32_t kMostConnections = 64;
/// The most questions that are answered at one time; one more is refused with 503.
inline constexpr std::uint32_t kMostQuestions = 8;
/// The most octets of the first line and the headers of a request.
inline constexpr std::uint32_t kMostHeader = 8192;

/// What all connections share.
struct Shared {
  Host host;
  std::optional<Tokens> tokens;  ///< nothing: nobody needs one
  std::string description;       ///< openapi()
  Counters counters;
  std::atomic<bool> stopping{false};  ///< no further request is read
  std::atomic<bool> cutting{false};   ///< answers do not go on
};

/// REQUIRES: `shared` outlives it.
class Connection final : private Response {
 public:
  explicit Connection(Shared& shared) : shared_(shared) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  /// Waits for its thread.
  ~Connection() override;

  /// Returns where its socket has to live.
  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  /// Begins to talk. `ended` is called on its thread, last. REQUIRES: called once.
  void start(boost::asio::ip::tcp::socket socket, std::function<void()> ended);
  /// Ends it if it waits for a request. Thread: any.
  void stop();
  /// Ends it at once. Thread: any.
  void cut();

 private:
  using Request = boost::beast::http::request<boost::beast::http::empty_body>;
  using ErrorCode = boost::beast::error_code;

  void talk();
  /// Reads a request and answers it. Returns false if no request came, or if no other may follow it.
  [[nodiscard]] bool next_request();
  /// Answers what could not be read as a request.
  void refuse_unread(ErrorCode why);
  void answer(const Request& request);
  /// Returns why the request is not looked at; nothing if it is.
  [[nodiscard]] std::optional<Refusal> refusal_of(const Request& request) const;
  [[nodiscard]] std::optional<Refusal> ask(std::string_view target, ClientClass permitted);
  /// Sends a response that is known as a whole.
  void send(unsigned status, std::string_view type, std::string body);
  void refuse(const Refusal& refusal);
  void send_statistics();
  /// Lets the client read the last response, although it may have sent more than was read.
  void close_gently();

  void begin(const Head& head) override;
  void write(std::string_view piece) override;
  void end(ExitCode code) override;
  [[nodiscard]] bool abandoned() const override { return gone_ || shared_.cutting; }
  void flush();

  /// Carries out one operation within a time; `start` begins it with a handler.
  template <class Start>
  ErrorCode run(Duration within, Start start);
  /// Remembers that nothing more can be written.
  void lost(ErrorCode why);

  Shared& shared_;
  boost::asio::io_context context_{1};
  std::unique_ptr<boost::beast::tcp_stream> stream_;
  boost::beast::flat_buffer buffer_{std::size_t{2} * kMostHeader};
  std::function<void()> ended_;
  std::thread thread_;
  // What is known about the request that is being answered.
  bool head_only_ = false;
  bool keep_ = false;     ///< another request may follow
  bool chunked_ = true;   ///< the client knows HTTP/1.1
  bool gone_ = false;     ///< nothing more can be written
  bool waiting_ = false;  ///< for a request
  std::string piece_;     ///< of the body, not written yet
};

}  // namespace icr::cli::http
