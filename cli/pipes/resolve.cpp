#include "cli/pipes/resolve.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "cli/pipes/stage.h"

namespace icr::cli {
namespace {

constexpr std::size_t kLines = 64;           ///< that are collected
constexpr std::size_t kOctets = 256 * 1024;  ///< of them, at most, before they are passed on

constexpr std::string_view kOfAddresses = "0123456789abcdefABCDEF.:";

bool is_decimal(char c) { return c >= '0' && c <= '9'; }

bool is_of_word(char c) {
  return is_decimal(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '/' ||
         c == '.' || c == ':';
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), is_decimal)) return false;
  return text == "0" || (text[0] != '0' && std::stoul(std::string(text)) <= 0xffff);
}

std::optional<IpAddress> as_host(std::string_view text) {
  const auto address = IpAddress::parse(text);
  const bool is_any = address && (*address == IpAddress::v4(0) || *address == IpAddress{});
  return is_any ? std::nullopt : address;
}

/// Adds what `token`, which begins at `begin`, may be. `after` is what follows in the line.
void read_token(std::string_view token, std::size_t begin, std::string_view after, std::vector<ShownAddress>& out) {
  if (!after.empty() && after[0] != '-' && is_of_word(after[0])) return;
  // Behind the last address of a sentence stands its full stop, and behind a title a colon.
  auto whole = as_host(token);
  if (!whole && token.size() > 1 && (token.back() == '.' || token.back() == ':')) {
    token.remove_suffix(1);
    whole = as_host(token);
  }
  // What follows a hyphen is the end of a range, of addresses or, behind a port, of ports.
  if (whole && after.substr(0, 1) != "-") out.push_back({begin, token.size(), *whole});
  const auto colon = token.rfind(':');
  if (colon == std::string_view::npos || !is_port(token.substr(colon + 1))) return;
  if (const auto before = as_host(token.substr(0, colon))) out.push_back({begin, colon, *before});
}

class ResolveStage final : public PipeStage {
 public:
  ResolveStage(HostNames& names, bool full_names) : names_(names), full_names_(full_names) {}

  void line(std::string_view text) override {
    Line line{std::string(text), addresses_in(text)};
    octets_ += text.size();
    lines_.push_back(std::move(line));
    if (lines_.size() >= kLines || octets_ >= kOctets) pass_on();
  }
  Result<void> end() override {
    pass_on();
    return {};
  }

 private:
  struct Line {
    std::string text;
    std::vector<ShownAddress> addresses;
  };

  void pass_on() {
    std::vector<IpAddress> wanted;
    for (const Line& line : lines_) {
      for (const ShownAddress& each : line.addresses) wanted.push_back(each.address);
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    HostNames::Found found;
    if (!wanted.empty()) found = names_.find(wanted, budget_);
    for (const Line& line : lines_) pass(found.empty() ? line.text : resolved(line, found));
    lines_.clear();
    octets_ = 0;
  }

  [[nodiscard]] std::string resolved(const Line& line, const HostNames::Found& found) const {
    std::string out;
    std::size_t done = 0;  // octets of the line that are in `out`, or have a name there
    std::size_t owed = 0;  // columns by which `out` is shorter than they are
    const auto copy = [&](std::size_t end) {
      const std::string_view part = std::string_view(line.text).substr(done, end - done);
      const auto blank = owed == 0 ? std::string_view::npos : part.find(' ');
      if (blank != std::string_view::npos) {
        out += part.substr(0, blank);
        out.append(owed, ' ');
        out += part.substr(blank);
        owed = 0;
      } else {
        out += part;
      }
      done = end;
    };
    for (const ShownAddress& each : line.addresses) {
      const auto name = found.find(each.address);
      if (each.begin < done || name == found.end()) continue;
      copy(each.begin);
      const std::string_view shown =
          full_names_ ? std::string_view(name->second) : std::string_view(name->second).substr(0, each.size);
      out += shown;
      owed += full_names_ ? 0 : each.size - shown.size();
      done = each.begin + each.size;
    }
    copy(line.text.size());
    return out;
  }

  HostNames& names_;
  const bool full_names_;
  NameBudget budget_;
  std::vector<Line> lines_;
  std::size_t octets_ = 0;
};

}  // namespace

std::vector<ShownAddress> addresses_in(std::string_view line) {
  std::vector<ShownAddress> out;
  std::size_t at = 0;
  while ((at = line.find_first_of(kOfAddresses, at)) != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_not_of(kOfAddresses, at), line.size());
    const bool inside_a_word = at != 0 && is_of_word(line[at - 1]);
    if (!inside_a_word) read_token(line.substr(at, end - at), at, line.substr(end), out);
    at = end;
  }
  return out;
}

std::unique_ptr<PipeStage> resolve_stage(HostNames& names, bool full_names) {
  return std::make_unique<ResolveStage>(names, full_names);
}

}  // namespace icr::cli
