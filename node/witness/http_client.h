// Sends HTTP requests and waits for their answers. The only user of libcurl.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "model/base/result.h"
#include "model/base/time.h"

namespace icr::node {

struct HttpAnswer {
  long status = 0;
  std::string body;
};

/// Keeps its connection while the requests go to one place. No proxy is used, and no redirection is followed.
/// Thread: one, which waits.
class HttpClient {
 public:
  struct Limits {
    Duration connect = 200ms;
    Duration total = 500ms;
    std::size_t answer = 16 * 1024;  ///< octets; a longer answer is an error
  };
  explicit HttpClient(const Limits& limits);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Posts `body`, which is JSON, to `url`. An error says why there is no answer.
  [[nodiscard]] Result<HttpAnswer> post(const std::string& url, const std::string& body);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace icr::node
