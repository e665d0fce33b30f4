#include "cli/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>

#include "model/config/cluster_file.h"
#include "model/config/key_insertion.h"
#include "transport/keys.h"

namespace icr::cli {
namespace {

namespace fs = std::filesystem;
using transport::KeyPair;
using transport::SecretKeys;

constexpr std::string_view kKeysUsage =
    "usage: icr keys generate FILE [folder FOLDER] | icr keys {new | rotate | retire | show} KEYFILE";
constexpr std::string_view kClient = "admin";

std::string owner_of(const std::string& file) { return fs::path(file).stem().string(); }

/// Makes the folder unless it exists. Only its owner may enter a folder that this function makes.
Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error)) return {};
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (error) return fail("{}: cannot be made: {}", folder.string(), error.message());
  return {};
}

/// Writes a text in the place of a file, which keeps its owner and mode, in one step.
Result<void> replace_text(const fs::path& file, std::string_view text) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return fail("{}: cannot be read: {}", file.string(), error_text(errno));
  std::string fresh = file.string() + ".XXXXXX";
  const int descriptor = ::mkstemp(fresh.data());
  if (descriptor < 0) return fail("{}: cannot be written: {}", fresh, error_text(errno));
  bool done = true;
  for (std::string_view rest = text; done && !rest.empty();) {
    const ssize_t put = ::write(descriptor, rest.data(), rest.size());
    done = put > 0;
    if (done) rest.remove_prefix(static_cast<std::size_t>(put));
  }
  done = done && ::fchmod(descriptor, status.st_mode & 07777U) == 0;
  if (::geteuid() == 0) done = done && ::fchown(descriptor, status.st_uid, status.st_gid) == 0;
  done = done && ::fsync(descriptor) == 0;
  const int why = errno;
  ::close(descriptor);
  if (done && ::rename(fresh.c_str(), file.c_str()) == 0) return {};
  const int reason = done ? errno : why;
  ::unlink(fresh.c_str());
  return fail("{}: cannot be written: {}", file.string(), error_text(reason));
}

/// The files that are written by one command; all of them are removed again unless it succeeds.
class NewFiles {
 public:
  NewFiles() = default;
  ~NewFiles() {
    std::error_code error;
    for (const fs::path& file : files_) fs::remove(file, error);
  }
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;

  Result<void> write(const fs::path& file, std::string_view owner, const KeyPair& pair) {
    auto done = transport::create_secret_keys(file, owner, {pair});
    if (done) files_.push_back(file);
    return done;
  }
  void keep() { files_.clear(); }

 private:
  std::vector<fs::path> files_;
};

Result<std::string> generate(const std::string& file, const std::string& wanted_folder) {
  std::error_code error;
  const fs::path path = fs::canonical(file, error);
  if (error) return fail("{}: cannot be read: {}", file, error.message());
  const auto text = read_cluster_text(path);
  if (!text) return tl::unexpected(text.error());
  const auto cluster = parse_cluster(*text, file);
  if (!cluster) return tl::unexpected(cluster.error());
  const fs::path folder = wanted_folder.empty() ? path.parent_path() / "keys" : fs::path(wanted_folder);

  std::map<std::string, KeyPair> pairs;  // by owner
  std::map<std::string, std::string> of_chassis;
  for (const ChassisConfig& each : cluster->chassis) {
    if (each.name == kClient || each.name.find('/') != std::string::npos) {
      return fail("{}: chassis {}: make its key with 'icr keys new', because no file can have its name", file,
                  each.name);
    }
    auto pair = transport::make_key_pair();
    if (!pair) return tl::unexpected(pair.error());
    of_chassis[each.name] = pair->public_key;
    pairs[each.name] = std::move(*pair);
  }
  auto admin = transport::make_key_pair();
  if (!admin) return tl::unexpected(admin.error());
  const auto changed = insert_public_keys(*text, file, of_chassis, kClient, admin->public_key);
  if (!changed) return tl::unexpected(changed.error());
  pairs[std::string(kClient)] = std::move(*admin);

  if (auto made = make_folder(folder); !made) return tl::unexpected(made.error());
  NewFiles files;
  std::string out;
  for (const auto& [owner, pair] : pairs) {
    const bool client = owner == kClient;
    const fs::path key_file = folder / (owner + ".key");
    if (auto done = files.write(key_file, (client ? "client " : "chassis ") + owner, pair); !done) {
      return tl::unexpected(done.error());
    }
    out += fmt::format("{}: secret key of {}{}\n", key_file.string(),
                       client ? "a client, class super-user: " : "chassis ", owner);
  }
  if (auto done = replace_text(path, *changed); !done) return tl::unexpected(done.error());
  files.keep();
  out += fmt::format("{}: has the public keys now\n", file);
  if (cluster->security == Security::none) {
    out += fmt::format("{}: says 'security: none', so that they are not used; see docs/security.md\n", file);
  }
  return out;
}

std::string shown(const SecretKeys& keys) {
  std::string out;
  for (const KeyPair& pair : keys) out += pair.public_key + "\n";
  return out;
}

Result<std::string> make_new(const std::string& file) {
  auto pair = transport::make_key_pair();
  if (!pair) return tl::unexpected(pair.error());
  if (auto done = transport::create_secret_keys(file, owner_of(file), {*pair}); !done) {
    return tl::unexpected(done.error());
  }
  return shown({*pair});
}

Result<std::string> rotate(const std::string& file) {
  auto keys = transport::read_secret_keys(file);
  if (!keys) return tl::unexpected(keys.error());
  if (keys->size() == transport::kMostSecretKeys) {
    return fail("{}: holds two keys: finish the exchange that was begun, with 'icr keys retire'", file);
  }
  auto pair = transport::make_key_pair();
  if (!pair) return tl::unexpected(pair.error());
  keys->insert(keys->begin(), std::move(*pair));
  if (auto done = transport::replace_secret_keys(file, owner_of(file), *keys); !done) {
    return tl::unexpected(done.error());
  }
  return shown(*keys);
}

Result<std::string> retire(const std::string& file) {
  auto keys = transport::read_secret_keys(file);
  if (!keys) return tl::unexpected(keys.error());
  if (keys->size() < 2) return fail("{}: holds one key only", file);
  keys->resize(1);
  if (auto done = transport::replace_secret_keys(file, owner_of(file), *keys); !done) {
    return tl::unexpected(done.error());
  }
  return shown(*keys);
}

Result<std::string> show(const std::string& file) {
  const auto keys = transport::read_secret_keys(file);
  if (!keys) return tl::unexpected(keys.error());
  return shown(*keys);
}

/// Returns nullopt if the words are no command.
std::optional<Result<std::string>> run(const std::vector<std::string>& words) {
  const std::string what = words.size() > 1 ? words[1] : "";
  if (what == "generate" && words.size() == 3) return generate(words[2], "");
  if (what == "generate" && words.size() == 5 && words[3] == "folder") return generate(words[2], words[4]);
  if (words.size() != 3) return std::nullopt;
  if (what == "new") return make_new(words[2]);
  if (what == "rotate") return rotate(words[2]);
  if (what == "retire") return retire(words[2]);
  if (what == "show") return show(words[2]);
  return std::nullopt;
}

}  // namespace

ExitCode execute_keys(const std::vector<std::string>& words, const Printer& out, const Printer& error) {
  const auto done = run(words);
  if (!done) {
    error(fmt::format("{}\n", kKeysUsage));
    return ExitCode::command_error;
  }
  if (!*done) {
    error(fmt::format("error: {}\n", done->error().message));
    return ExitCode::command_error;
  }
  out(**done);
  return ExitCode::ok;
}

}  // namespace icr::cli
