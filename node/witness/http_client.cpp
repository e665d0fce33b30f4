#include "node/witness/http_client.h"

#include <curl/curl.h>

#include "model/base/guilt.h"

namespace icr::node {

struct HttpClient::Parts {
  Limits limits;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string body;

  static std::size_t on_data(const char* data, std::size_t size, std::size_t count, void* user) {
    auto& self = *static_cast<Parts*>(user);
    if (size * count > self.limits.answer - self.body.size()) return 0;  // libcurl ends the request with an error
    self.body.append(data, size * count);
    return size * count;
  }
};

HttpClient::HttpClient(const Limits& limits) : parts_(std::make_unique<Parts>()) {
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  parts_->limits = limits;
  parts_->easy = kReady == CURLE_OK ? curl_easy_init() : nullptr;
  ICR_MUST(parts_->easy != nullptr);
  parts_->headers = curl_slist_append(nullptr, "Content-Type: application/json");
  CURL* const easy = parts_->easy;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, parts_->headers);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect / 1ms));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.total / 1ms));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Parts::on_data);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, parts_.get());
}

HttpClient::~HttpClient() {
  curl_easy_cleanup(parts_->easy);
  curl_slist_free_all(parts_->headers);
}

Result<HttpAnswer> HttpClient::post(const std::string& url, const std::string& body) {
  CURL* const easy = parts_->easy;
  parts_->body.clear();
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.c_str());
  if (const CURLcode code = curl_easy_perform(easy); code != CURLE_OK) return fail("{}", curl_easy_strerror(code));
  HttpAnswer out;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &out.status);
  out.body = parts_->body;
  return out;
}

}  // namespace icr::node
