// Inside of the room: answers for all sockets of a context whether a key may connect (ZAP, ZeroMQ RFC 27).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "model/base/mutex.h"
#include "model/base/result.h"
#include "transport/allow_list.h"

namespace icr::transport {

/// libzmq sends a request for each connection that has proved that it has a key, and keeps the connection waiting until
/// the answer comes. A thread of its own answers, so no owner of a socket can keep one waiting or has to wait. libzmq
/// limits the requests: there is one for each connection, and a connection without an answer is closed with its
/// handshake. Thread: any.
class Authenticator {
 public:
  /// Starts the thread, which inherits the scheduling of the caller and takes no signals. `context` is libzmq's.
  [[nodiscard]] static Result<std::unique_ptr<Authenticator>> start(void* context);
  /// REQUIRES: zmq_ctx_shutdown() was called for the context.
  ~Authenticator();
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  /// Returns the domain of a socket that this list is for. A domain ends with its list; then nobody is allowed.
  [[nodiscard]] std::string add(const std::shared_ptr<AllowList>& list);

 private:
  explicit Authenticator(void* socket) : socket_(socket) {}
  void serve();
  /// Returns the key in Z85 if it may connect, and otherwise an empty text.
  [[nodiscard]] std::string allowed_key(const std::string& domain, const std::string& key, std::string_view address);

  void* socket_;  ///< of the thread
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<AllowList>, std::less<>> lists_ ICR_GUARDED_BY(mutex_);
  std::uint64_t made_ ICR_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace icr::transport
