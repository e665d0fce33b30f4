#include "cli/http/server.h"

#include <signal.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <exception>
#include <list>
#include <memory>

#include "cli/http/connection.h"
#include "cli/http/openapi.h"
#include "cli/http/tokens.h"
#include "model/config/cluster_file.h"

namespace icr::cli::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// How often a line says what was refused.
constexpr Duration kBetweenLines = 10s;
/// How long answers may go on after SIGTERM.
constexpr Duration kGrace = 3s;
/// How long nobody is accepted when the machine has no resources for one more.
constexpr Duration kPause = 100ms;

constexpr std::string_view kNoRoom =
    "HTTP/1.1 503 Service Unavailable\r\nServer: icr\r\nRetry-After: 1\r\nConnection: close\r\n"
    "Content-Length: 0\r\n\r\n";

void print_error(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

class Server {
 public:
  Server(asio::io_context& context, tcp::acceptor acceptor, Shared& shared)
      : context_(context), acceptor_(std::move(acceptor)), shared_(shared) {}

  /// Answers until a signal comes, and until all connections have ended.
  void run() {
    wait_for_signal();
    tell_later();
    accept();
    context_.run();
    tell();
  }

 private:
  void accept() {
    next_socket_.reset();
    try {
      next_ = std::make_unique<Connection>(shared_);
      next_socket_.emplace(next_->context());
    } catch (const std::exception&) {
      return accept_later();  // its context needs descriptors, and there are none
    }
    acceptor_.async_accept(*next_socket_, [this](boost::system::error_code error) {
      if (shared_.stopping) return;
      if (error) return accept_later();
      shared_.counters.note(Event::connected);
      if (connections_.size() >= kMostConnections) {
        shared_.counters.note(Event::too_many_connections);
        next_socket_->non_blocking(true, error);
        if (!error) next_socket_->write_some(asio::buffer(kNoRoom.data(), kNoRoom.size()), error);
      } else if (!start_next()) {
        return accept_later();
      }
      accept();
    });
  }

  /// Returns false, and closes the connection, if there is no thread for it.
  bool start_next() {
    connections_.push_back(std::move(next_));
    const auto connection = std::prev(connections_.end());
    try {
      (*connection)->start(std::move(*next_socket_), [this, connection] {
        asio::post(context_, [this, connection] { remove(connection); });
      });
    } catch (const std::exception&) {
      shared_.counters.note(Event::failed);
      next_socket_.reset();  // it still knows the context, which ends with the connection
      connections_.erase(connection);
      return false;
    }
    shared_.counters.connections = static_cast<std::uint32_t>(connections_.size());
    return true;
  }

  void accept_later() {
    pause_.expires_after(kPause);
    pause_.async_wait([this](boost::system::error_code) {
      if (!shared_.stopping) accept();
    });
  }

  void remove(std::list<std::unique_ptr<Connection>>::iterator connection) {
    connections_.erase(connection);
    shared_.counters.connections = static_cast<std::uint32_t>(connections_.size());
    end_if_last();
  }

  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code error, int /*number*/) {
      if (error) return;
      if (!shared_.stopping) {
        stop();
      } else {
        cut();
      }
      if (!connections_.empty()) wait_for_signal();
    });
  }

  /// Takes nothing more; what is being answered has some time.
  void stop() {
    shared_.stopping = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& each : connections_) each->stop();
    pause_.expires_after(kGrace);
    pause_.async_wait([this](boost::system::error_code error) {
      if (!error) cut();
    });
    end_if_last();
  }

  void cut() {
    shared_.cutting = true;
    for (const auto& each : connections_) each->cut();
  }

  void end_if_last() {
    if (!shared_.stopping || !connections_.empty()) return;
    signals_.cancel();
    lines_.cancel();
    pause_.cancel();
  }

  void tell() {
    const auto line = log_.next_line();
    if (!line.empty()) print_error(line + "\n");
  }

  void tell_later() {
    lines_.expires_after(kBetweenLines);
    lines_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      tell();
      tell_later();
    });
  }

  asio::io_context& context_;
  tcp::acceptor acceptor_;
  Shared& shared_;
  RefusalLog log_{shared_.counters};
  asio::signal_set signals_{context_, SIGTERM, SIGINT};
  asio::steady_timer lines_{context_};
  asio::steady_timer pause_{context_};
  std::unique_ptr<Connection> next_;        ///< the one that is accepted next
  std::optional<tcp::socket> next_socket_;  ///< it lives in the context of that
  std::list<std::unique_ptr<Connection>> connections_;
};

/// Listens at the address of the options.
Result<tcp::acceptor> listen_at(const Options& options, asio::io_context& context) {
  boost::system::error_code error;
  const tcp::endpoint place(asio::ip::make_address(options.address.to_string(), error), options.port);
  tcp::acceptor out(context);
  if (!error) out.open(place.protocol(), error);
  if (!error) out.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) out.bind(place, error);
  if (!error) out.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return fail("error: cannot listen at {} port {}: {}", options.address.to_string(), options.port, error.message());
  }
  return out;
}

Host host_of(const Settings& settings) {
  Host host;
  host.read_cluster = [&settings] { return load_cluster_file(settings.file()); };
  host.answer = [&settings](const Command& command, const Result<Cluster>& cluster, const Host::Outlets& outlets) {
    Answering answering{settings, cluster, outlets.out, outlets.error};
    answering.notice = outlets.notice;
    answering.abandoned = outlets.abandoned;
    return answer(command, answering);
  };
  return host;
}

}  // namespace

ExitCode serve(const Options& options, const Settings& settings) {
  const auto refuse = [](const Error& error, ExitCode code) {
    print_error(error.message + "\n");
    return code;
  };
  const auto cluster = load_cluster_file(settings.file());
  if (!cluster) return refuse(cluster.error(), ExitCode::bad_cluster_file);
  if (const auto key = key_for(*cluster, settings); !key) {
    return refuse(key.error().in("error"), ExitCode::command_error);
  }
  Shared shared;
  shared.host = host_of(settings);
  if (!options.tokens.empty()) {
    auto tokens = Tokens::read(options.tokens);
    if (!tokens) return refuse(tokens.error().in("error"), ExitCode::command_error);
    shared.tokens = std::move(*tokens);
  }
  shared.description = openapi();
  asio::io_context context;
  auto acceptor = listen_at(options, context);
  if (!acceptor) return refuse(acceptor.error(), ExitCode::command_error);
  ::signal(SIGPIPE, SIG_IGN);
  boost::system::error_code ignored;
  const auto place = acceptor->local_endpoint(ignored);
  const auto address = place.address().to_string(ignored);
  std::fputs(fmt::format("icr serve: cluster {} at http://{}:{}{}/, {}\n", cluster->name,
                         place.address().is_v6() ? fmt::format("[{}]", address) : address, place.port(), kRoot,
                         shared.tokens ? fmt::format("with {} tokens", shared.tokens->size())
                                       : "for programs of this machine, without tokens")
                 .c_str(),
             stdout);
  std::fflush(stdout);
  Server(context, std::move(*acceptor), shared).run();
  return ExitCode::ok;
}

}  // namespace icr::cli::http
