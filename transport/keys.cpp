#include "transport/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "model/record/key_text.h"

namespace icr::transport {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;

/// Closes a descriptor at the end.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Result<KeyPair> pair_of(std::string secret) {
  std::array<char, kKeyTextLength + 1> text{};
  if (zmq_curve_public(text.data(), secret.c_str()) != 0) return fail("{}", zmq_strerror(zmq_errno()));
  return KeyPair{text.data(), std::move(secret)};
}

/// Returns an error unless only the owner of the file, who is this user or root, can read and change it.
Result<void> check_private(const std::string& file, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return fail("{}: is no file", file);
  if ((status.st_mode & 077U) != 0) {
    return fail(
        "{}: other users may read or change it (mode {:03o}): run 'chmod 600' on it, and make new keys if others "
        "may have read it",
        file, status.st_mode & 0777U);
  }
  if (status.st_uid == ::geteuid() || status.st_uid == 0) return {};
  return fail("{}: belongs to another user (uid {})", file, status.st_uid);
}

Result<std::string> read_private(const std::string& file) {
  const File opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (opened.descriptor() < 0 || ::fstat(opened.descriptor(), &status) != 0) {
    return fail("{}: cannot be read: {}", file, error_text(errno));
  }
  if (auto is_private = check_private(file, status); !is_private) return tl::unexpected(is_private.error());
  std::string text(kMaxFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(opened.descriptor(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("{}: cannot be read: {}", file, error_text(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxFileBytes) return fail("{}: is no file of secret keys: it is too long", file);
  text.resize(size);
  return text;
}

std::string text_of(std::string_view owner, const SecretKeys& keys) {
  std::string out = fmt::format("# Secret key of {} (icr keys). Who reads this file can pose as {}.\n", owner, owner);
  for (const KeyPair& pair : keys) out += fmt::format("# public key: {}\n{}\n", pair.public_key, pair.secret_key);
  return out;
}

/// Writes all of the text to a file, and to the disk.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(descriptor, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return ::fsync(descriptor) == 0;
}

/// Makes a file of this text. Leaves none if that fails.
Result<void> write_new(const std::string& file, std::string_view text) {
  const File opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (opened.descriptor() < 0) return fail("{}: cannot be written: {}", file, error_text(errno));
  if (write_all(opened.descriptor(), text)) return {};
  const int why = errno;
  ::unlink(file.c_str());
  return fail("{}: cannot be written: {}", file, error_text(why));
}

}  // namespace

Result<KeyPair> make_key_pair() {
  std::array<char, kKeyTextLength + 1> public_key{};
  std::array<char, kKeyTextLength + 1> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
    return fail("no key can be made: {}", zmq_strerror(zmq_errno()));
  }
  return KeyPair{public_key.data(), secret_key.data()};
}

Result<SecretKeys> read_secret_keys(const std::string& file) {
  auto text = read_private(file);
  if (!text) return tl::unexpected(text.error());
  SecretKeys out;
  std::size_t number = 0;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.empty() || line[0] == '#') continue;
    if (!is_key_text(line)) return fail("{}: line {} is no secret key", file, number);
    auto pair = pair_of(std::string(line));
    if (!pair) return tl::unexpected(pair.error().in(file));
    out.push_back(std::move(*pair));
  }
  if (out.empty()) return fail("{}: holds no secret key", file);
  if (out.size() > kMostSecretKeys) return fail("{}: holds more than {} secret keys", file, kMostSecretKeys);
  return out;
}

Result<void> create_secret_keys(const std::string& file, std::string_view owner, const SecretKeys& keys) {
  return write_new(file, text_of(owner, keys));
}

Result<void> replace_secret_keys(const std::string& file, std::string_view owner, const SecretKeys& keys) {
  const std::string fresh = file + ".new";
  std::error_code error;
  std::filesystem::remove(fresh, error);  // of an attempt that was interrupted
  if (auto written = write_new(fresh, text_of(owner, keys)); !written) return written;
  std::filesystem::rename(fresh, file, error);
  if (error) return fail("{}: cannot be replaced: {}", file, error.message());
  return {};
}

const KeyPair* find_pair(const SecretKeys& keys, const std::vector<std::string>& public_keys) {
  for (const std::string& wanted : public_keys) {
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const KeyPair& k) { return k.public_key == wanted; });
    if (found != keys.end()) return &*found;
  }
  return nullptr;
}

}  // namespace icr::transport
