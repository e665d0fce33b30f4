#include "storage/rocks/file_keeper.h"

#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "model/base/log.h"

namespace icr::storage::rocks {
namespace {

namespace fs = std::filesystem;

bool is_worth_keeping(const fs::path& file) {
  const std::string name = file.filename().string();
  return file.extension() == ".sst" || file.extension() == ".log" || name.rfind("MANIFEST-", 0) == 0;
}

/// Calls `visit(path)` for each file of a folder; stops at the first error.
template <class Visit>
std::error_code for_each_file(const fs::path& folder, Visit&& visit) {
  std::error_code code;
  for (fs::directory_iterator it(folder, code); !code && it != fs::directory_iterator(); it.increment(code)) {
    visit(it->path());
  }
  return code;
}

}  // namespace

FileKeeper::FileKeeper(const fs::path& folder) : folder_(folder), kept_(folder.string() + ".kept") {
  put_back();
  std::error_code code;
  fs::remove_all(kept_, code);
  if (!code && ::mkdir(kept_.c_str(), 0700) != 0) code = {errno, std::generic_category()};
  if (!code) {
    std::error_code failed;
    code = for_each_file(folder_, [&](const fs::path& file) {
      if (is_worth_keeping(file) && !failed) fs::create_hard_link(file, kept_ / file.filename(), failed);
    });
    if (!code) code = failed;
  }
  if (code) log::debug("storage", "files of {} are not kept while it is opened: {}", folder_.string(), code.message());
}

FileKeeper::~FileKeeper() {
  std::error_code code;
  fs::remove_all(kept_, code);
}

void FileKeeper::put_back() {
  std::error_code code;
  if (!fs::is_directory(kept_, code)) return;
  (void)for_each_file(kept_, [&](const fs::path& file) {
    std::error_code ignored;
    const fs::path place = folder_ / file.filename();
    if (!fs::exists(fs::symlink_status(place, ignored))) fs::rename(file, place, ignored);
  });
}

}  // namespace icr::storage::rocks
