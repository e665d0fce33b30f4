#include "transport/authenticator.h"

#include <signal.h>
#include <zmq.h>

#include <array>
#include <vector>

#include "model/record/key_text.h"

namespace icr::transport {
namespace {

constexpr const char* kAddress = "inproc://zeromq.zap.01";
constexpr std::string_view kVersion = "1.0";
constexpr std::size_t kKeyBytes = 32;

/// The parts of a request, in the order in which they come.
enum RequestPart : std::size_t { kVersionPart, kId, kDomain, kFrom, kRoutingId, kMechanism, kKey, kRequestParts };

/// Receives all parts of a message. Returns false when the context ends.
bool receive(void* socket, std::vector<std::string>& parts) {
  parts.clear();
  for (bool more = true; more;) {
    zmq_msg_t part;
    zmq_msg_init(&part);
    int got = 0;
    do got = zmq_msg_recv(&part, socket, 0);
    while (got < 0 && zmq_errno() == EINTR);
    if (got >= 0) parts.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
    more = zmq_msg_more(&part) != 0;
    zmq_msg_close(&part);
    if (got < 0) return false;
  }
  return true;
}

bool send(void* socket, std::string_view part, int flags) {
  int put = 0;
  do put = zmq_send(socket, part.data(), part.size(), flags);
  while (put < 0 && zmq_errno() == EINTR);
  return put >= 0;
}

/// Returns the key in Z85; empty if it has not the length of one.
std::string text_of(const std::string& key) {
  std::array<char, kKeyTextLength + 1> text{};
  if (key.size() != kKeyBytes) return {};
  const auto* const octets = reinterpret_cast<const std::uint8_t*>(key.data());
  return zmq_z85_encode(text.data(), octets, key.size()) == nullptr ? "" : text.data();
}

}  // namespace

Result<std::unique_ptr<Authenticator>> Authenticator::start(void* context) {
  void* const socket = zmq_socket(context, ZMQ_REP);
  const int none = 0;
  if (socket == nullptr || zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) != 0 ||
      zmq_bind(socket, kAddress) != 0) {
    const std::string why = zmq_strerror(zmq_errno());
    if (socket != nullptr) zmq_close(socket);
    return fail("keys cannot be checked: {}", why);
  }
  std::unique_ptr<Authenticator> out(new Authenticator(socket));
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  out->thread_ = std::thread([raw = out.get()] { raw->serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return out;
}

Authenticator::~Authenticator() {
  if (thread_.joinable()) thread_.join();
}

std::string Authenticator::add(const std::shared_ptr<AllowList>& list) {
  const MutexLock lock(mutex_);
  std::erase_if(lists_, [](const auto& each) { return each.second.expired(); });
  std::string domain = "icr-" + std::to_string(++made_);
  lists_.emplace(domain, list);
  return domain;
}

std::string Authenticator::allowed_key(const std::string& domain, const std::string& key, std::string_view address) {
  std::shared_ptr<AllowList> list;
  {
    const MutexLock lock(mutex_);
    if (const auto found = lists_.find(domain); found != lists_.end()) list = found->second.lock();
  }
  if (!list) return {};
  std::string text = text_of(key);
  if (list->has(text)) return text;
  list->note_refusal(text, address);
  return {};
}

void Authenticator::serve() {
  std::vector<std::string> parts;
  while (receive(socket_, parts)) {
    std::string key;
    if (parts.size() == kRequestParts && parts[kVersionPart] == kVersion && parts[kMechanism] == "CURVE") {
      key = allowed_key(parts[kDomain], parts[kKey], parts[kFrom]);
    }
    // A key is what libzmq calls the user of the connection. The answer has no metadata.
    const std::string id = parts.size() > kId ? parts[kId] : "";
    const std::array<std::string_view, 6> answer = {kVersion, id, key.empty() ? "400" : "200", "", key, ""};
    for (std::size_t i = 0; i < answer.size(); ++i) {
      if (!send(socket_, answer[i], i + 1 < answer.size() ? ZMQ_SNDMORE : 0)) break;
    }
  }
  zmq_close(socket_);
}

}  // namespace icr::transport
