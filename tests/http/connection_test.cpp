// A connection with a client at its other end: who is refused, and what ends it.
#include "cli/http/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <stdexcept>

namespace icr::cli::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

class HttpConnection : public testing::Test {
 protected:
  HttpConnection() {
    shared_.host.read_cluster = []() -> Result<Cluster> { return fail("no such file"); };
    shared_.host.answer = [this](const Command&, const Result<Cluster>&, const Host::Outlets& outlets) {
      ++asked_;
      outlets.out("{}\n");
      return ExitCode::ok;
    };
  }

  /// Sends a request with these headers, and returns all that is answered until the connection ends.
  std::string told(const std::string& headers) {
    asio::io_context context;
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    tcp::socket client(context);
    client.connect(acceptor.local_endpoint());
    Connection connection(shared_);
    std::promise<void> ended;
    connection.start(acceptor.accept(connection.context()), [&ended] { ended.set_value(); });
    asio::write(client, asio::buffer("GET /v1/version HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n"));
    std::string out;
    boost::system::error_code error;
    asio::read(client, asio::dynamic_buffer(out), error);
    EXPECT_EQ(error, asio::error::eof);
    client.close();
    ended.get_future().wait();
    return out;
  }

  Shared shared_;
  int asked_ = 0;
};

TEST_F(HttpConnection, AWebPageMayNotAskWithoutAToken) {
  const std::string host = "Host: localhost\r\n";
  for (const auto* header :
       {"Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n",
        "sec-fetch-site: same-site\r\n", "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n"}) {
    EXPECT_THAT(told(host + header), StartsWith("HTTP/1.1 421 ")) << header;
  }
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(shared_.counters.of(Event::other_host), 5U);
  for (const auto* header : {"", "Sec-Fetch-Site: none\r\n", "Sec-Fetch-Site: same-origin\r\n"}) {
    EXPECT_THAT(told(host + header), StartsWith("HTTP/1.1 200 ")) << header;
  }
  EXPECT_EQ(asked_, 3);
  shared_.tokens = *Tokens::parse("view 0123456789abcdef");
  EXPECT_THAT(told(host + "Origin: http://good.example\r\nAuthorization: Bearer 0123456789abcdef\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpConnection, WarningsOfManyChassisFitAHeader) {
  shared_.host.answer = [](const Command&, const Result<Cluster>&, const Host::Outlets& outlets) {
    for (int i = 0; i < 5000; ++i) outlets.error("warning: a chassis runs another cluster file\n");
    outlets.out("{}\n");
    return ExitCode::ok;
  };
  const auto answer = told("Host: localhost\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("\r\nICR-Warning: a chassis runs another cluster file; a chassis runs"));
  EXPECT_THAT(answer, HasSubstr("{}\n")) << "the answer is whole";
}

TEST_F(HttpConnection, WhatGoesWrongEndsNoOther) {
  const auto sound = shared_.host.answer;
  shared_.host.answer = [](const Command&, const Result<Cluster>&, const Host::Outlets&) -> ExitCode {
    throw std::runtime_error("no memory is left");
  };
  EXPECT_EQ(told("Host: localhost\r\n"), "");
  EXPECT_EQ(shared_.counters.of(Event::failed), 1U);
  EXPECT_EQ(shared_.counters.questions, 0U);
  shared_.host.answer = sound;
  EXPECT_THAT(told("Host: localhost\r\n"), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace icr::cli::http
