#include "node/kernel/forward_guard.h"

#include <net/if.h>
#include <nftables/libnftables.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "model/base/log.h"
#include "node/kernel/tun_routing.h"

namespace icr::node {
namespace {

constexpr std::string_view kTablePrefix = "icr-guard-";
/// The mark of packets that arrive on a steered interface: the machine itself answers them with ICMP errors.
constexpr std::uint32_t kArrivalMark = kSteeringRulePriority;

/// A name that the command `nft` can be given without quotes.
std::string table_name(std::string_view chassis) {
  std::string out(kTablePrefix);
  for (const char c : chassis) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    out += plain ? c : '_';
  }
  return out;
}

/// Returns the commands that replace the table in one transaction, so that it exists at every moment. `numbers` are
/// those of the interfaces that there are, with commas between them.
std::string commands_of(const ForwardRules& rules, const std::string& numbers, const std::string& table, bool owned) {
  std::string interfaces;
  for (const auto& interface : rules.interfaces) interfaces += fmt::format("\"{}\", ", interface);
  std::string ways;
  for (const auto& [from, to] : rules.ways) ways += fmt::format("\"{}\" . \"{}\", ", from, to);
  std::string out;
  // An owned table cannot exist yet, because it ended with the previous process.
  if (!owned) out = fmt::format("table inet {0}\ndelete table inet {0}\n", table);
  out += fmt::format("table inet {} {{\n", table);
  out += owned ? "  flags owner\n" : "";
  out += "  counter dropped { }\n";
  out += fmt::format("  set interfaces {{ type ifname; elements = {{ {} }} }}\n", interfaces);
  out += fmt::format("  set numbers {{ type iface_index; {} }}\n",
                     numbers.empty() ? "" : "elements = { " + numbers + " }");
  out += fmt::format("  set ways {{ typeof meta iifname . meta oifname; {} }}\n",
                     ways.empty() ? "" : "elements = { " + ways + "}");
  out += "  chain forward {\n    type filter hook forward priority filter - 5; policy accept;\n";
  out += "    meta iifname . meta oifname @ways accept\n";
  for (const char* ours : {"iifname @interfaces", "oifname @interfaces", "iif @numbers", "oif @numbers"}) {
    out += fmt::format("    meta {} counter name dropped drop\n", ours);
  }
  out += "  }\n";
  if (!rules.marks.empty()) {
    out += "  chain marks {\n    type filter hook prerouting priority mangle; policy accept;\n";
    for (const char* ours : {"iifname @interfaces", "iif @numbers"}) {
      out += fmt::format("    meta {} meta mark set {}\n", ours, kArrivalMark);
    }
    for (const auto& [device, mark] : rules.marks) {
      out += fmt::format("    meta iifname \"{}\" meta mark set {}\n", device, mark);
    }
    out += "  }\n  chain errors {\n    type filter hook output priority filter - 5; policy accept;\n";
    constexpr std::array kErrors = {
        "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
        "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }"};
    for (const char* errors : kErrors) {
      for (const char* ours : {"oifname @interfaces", "oif @numbers"}) {
        out += fmt::format("    meta {} meta mark != {} {} counter name dropped drop\n", ours, kArrivalMark, errors);
      }
    }
    out += "  }\n";
  }
  out += "}\n";
  return out;
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

}  // namespace

ForwardRules forward_rules_of(const ChassisConfig& chassis) {
  ForwardRules out;
  out.table = table_name(chassis.name);
  std::vector<std::string> by_hand;  // TUN devices that no interface is steered into
  std::vector<std::string> steered;
  const auto both_ways = [&out](const std::string& a, const std::string& b) {
    out.ways.emplace_back(a, b);
    out.ways.emplace_back(b, a);
  };
  for (const auto& card : chassis.cards) {
    for (const auto& port : card.ports) {
      if (port.kind == PacketPort::Kind::af_packet) out.interfaces.push_back(port.device);
      if (port.kind != PacketPort::Kind::tun) continue;
      if (port.steer_from.empty()) by_hand.push_back(port.device);
      if (!port.steer_from.empty()) out.marks.emplace_back(port.device, routing_table_of(port.device));
      for (const auto& interface : port.steer_from) {
        out.interfaces.push_back(interface);
        steered.push_back(interface);
        both_ways(interface, port.device);
      }
    }
  }
  for (const auto& interface : steered) {
    for (const auto& device : by_hand) both_ways(interface, device);
  }
  return out;
}

void ForwardGuard::FreeContext::operator()(nft_ctx* context) const { nft_ctx_free(context); }

ForwardGuard::~ForwardGuard() = default;

Result<ForwardGuard::Context> ForwardGuard::make_context() {
  Context out(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!out || nft_ctx_buffer_output(out.get()) != 0 || nft_ctx_buffer_error(out.get()) != 0) {
    return fail("libnftables cannot be used: out of memory or of descriptors");
  }
  nft_ctx_output_set_flags(out.get(), NFT_CTX_OUTPUT_STATELESS);
  return out;
}

Result<std::string> ForwardGuard::run(nft_ctx* context, const std::string& commands) {
  const int code = nft_run_cmd_from_buffer(context, commands.c_str());
  std::string errors = nft_ctx_get_error_buffer(context);
  std::string output = nft_ctx_get_output_buffer(context);
  if (code != 0) return fail("{}", errors.empty() ? "nftables refuses the commands" : first_line(errors));
  return output;
}

Result<std::unique_ptr<ForwardGuard>> ForwardGuard::install(ForwardRules rules) {
  const auto unusable = [](const std::string& name) { return name.find_first_of("\"\\*") != std::string::npos; };
  for (const auto& interface : rules.interfaces) {
    if (unusable(interface)) return fail("the name of interface {} cannot be used in nftables rules", interface);
  }
  for (const auto& [from, to] : rules.ways) {
    if (unusable(from) || unusable(to))
      return fail("the name of device {} or {} cannot be used in nftables rules", from, to);
  }
  std::unique_ptr<ForwardGuard> out(new ForwardGuard(std::move(rules)));
  auto context = make_context();
  if (!context) return tl::unexpected(context.error());
  out->context_ = std::move(*context);
  (void)out->look_at_interfaces();
  if (auto done = out->put(); !done) return tl::unexpected(done.error());
  out->put_owned();
  return out;
}

Result<void> ForwardGuard::put() {
  const auto refused = [this](const Error& error) {
    return fail(
        "the kernel refuses the nftables rules that keep packets from bypassing the card (table inet {}): {} "
        "(CAP_NET_ADMIN and the kernel module nf_tables are needed; with 'kernel-guard: no' for the chassis icrd "
        "starts without them)",
        rules_.table, error.message);
  };
  if (auto done = run(context_.get(), commands_of(rules_, numbers(), rules_.table, false)); !done)
    return refused(done.error());
  auto listed = run(context_.get(), "list table inet " + rules_.table);
  if (!listed) return refused(listed.error());
  in_place_ = std::move(*listed);
  return {};
}

void ForwardGuard::put_owned() {
  auto context = make_context();
  if (!context) return;
  owner_ = std::move(*context);
  const auto done = run(owner_.get(), commands_of(rules_, numbers(), rules_.table + "-live", true));
  if (done) return;
  log::info("kernel", "table={} has no second table that other programs cannot flush: {}", rules_.table,
            done.error().message);
  owner_.reset();
}

bool ForwardGuard::look_at_interfaces() {
  std::map<unsigned, std::string> found;
  for (const auto& name : rules_.interfaces) {
    if (const unsigned number = if_nametoindex(name.c_str()); number != 0) found.emplace(number, name);
  }
  for (const auto& [number, former_name] : present_) {
    char name[IF_NAMESIZE] = "";
    if (if_indextoname(number, name) != nullptr) found.emplace(number, name);
  }
  if (found == present_) return false;
  present_ = std::move(found);
  return true;
}

std::string ForwardGuard::numbers() const {
  std::string out;
  for (const auto& [number, name] : present_) out += fmt::format("{}{}", out.empty() ? "" : ", ", number);
  return out;
}

Result<bool> ForwardGuard::restore() {
  if (look_at_interfaces()) {
    // The listing shows the names of the interfaces, so it is not what it was.
    if (owner_) {
      const std::string set = fmt::format("inet {}-live numbers", rules_.table);
      const std::string added = present_.empty() ? "" : fmt::format("add element {} {{ {} }}\n", set, numbers());
      (void)run(owner_.get(), fmt::format("flush set {}\n{}", set, added));
    }
    dropped_before_ += std::exchange(dropped_now_, 0);
    if (auto done = put(); !done) return tl::unexpected(done.error());
    return false;
  }
  const auto listed = run(context_.get(), "list table inet " + rules_.table);
  if (listed && *listed == in_place_) {
    dropped_now_ = read_dropped();
    return false;
  }
  dropped_before_ += dropped_now_;
  dropped_now_ = 0;
  if (auto done = put(); !done) return tl::unexpected(done.error());
  return true;
}

/// Returns the sum of the counters of both tables.
std::uint64_t ForwardGuard::read_dropped() {
  std::uint64_t sum = 0;
  nft_ctx_output_set_flags(context_.get(), NFT_CTX_DEFAULT);
  for (const char* suffix : {"", "-live"}) {
    if (*suffix != '\0' && !owner_) continue;
    const auto listed = run(context_.get(), fmt::format("list counter inet {}{} dropped", rules_.table, suffix));
    if (!listed) continue;
    constexpr std::string_view kBefore = "packets ";
    const auto at = listed->find(kBefore);
    if (at != std::string::npos) sum += std::strtoull(listed->c_str() + at + kBefore.size(), nullptr, 10);
  }
  nft_ctx_output_set_flags(context_.get(), NFT_CTX_OUTPUT_STATELESS);
  return sum;
}

}  // namespace icr::node
