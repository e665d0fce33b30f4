// Chassis with their endpoints, services cards and packet ports.
#include <algorithm>
#include <filesystem>

#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

/// ms-F/P/0 or vms-F/P/0.
std::optional<CardFamily> card_family(std::string_view name) {
  CardFamily family = CardFamily::ms;
  if (name.substr(0, 4) == "vms-") {
    family = CardFamily::vms;
    name.remove_prefix(4);
  } else if (name.substr(0, 3) == "ms-") {
    name.remove_prefix(3);
  } else {
    return std::nullopt;
  }
  unsigned numbers = 0;
  bool in_number = false;
  for (const char c : name) {
    if (c >= '0' && c <= '9') {
      if (!in_number) ++numbers;
      in_number = true;
    } else if (c == '/' && in_number) {
      in_number = false;
    } else {
      return std::nullopt;
    }
  }
  return numbers == 3 && in_number ? std::optional(family) : std::nullopt;
}

/// An address that a program can listen on and another can connect to.
std::optional<IpAddress> read_endpoint_address(const YamlField& field) {
  const auto address = field.address();
  if (!address) return std::nullopt;
  const bool bad = address->is_v4() ? address->to_v4() == 0 || address->to_v4() >> 28 >= 14
                                    : *address == IpAddress{} || address->bytes[0] == 0xff ||
                                          (address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0U) == 0x80);
  if (!bad) return address;
  field.wrong(address->to_string() + " is no address that others can connect to",
              "write a unicast address of this chassis, not unspecified, multicast or link-local");
  return std::nullopt;
}

/// Reads an endpoint: an address and a port.
Endpoint read_endpoint(const Section& map, const Key& address, const Key& port) {
  Endpoint out;
  if (const auto f = map.get(address)) out.address = read_endpoint_address(*f).value_or(IpAddress{});
  map.number(port, out.port);
  return out;
}

void read_inter_chassis(const YamlField& field, ChassisConfig& out) {
  constexpr std::string_view kSection = "chassis[].inter-chassis";
  constexpr const Key& kAlternates = key(kSection, "alternate-addresses");
  const Section map(field, kSection);
  const Endpoint primary = read_endpoint(map, key(kSection, "address"), key(kSection, "port"));
  out.inter_chassis_address = primary.address;
  out.inter_chassis_port = primary.port;
  const auto alternates = map.get(kAlternates);
  if (!alternates) return;
  const auto items = alternates->list(kAlternates.low);
  if (items.size() > kAlternates.high) {
    items[kAlternates.high].wrong(fmt::format("more than {} alternate addresses", kAlternates.high), "write fewer");
    return;
  }
  for (const auto& item : items) {
    const auto address = read_endpoint_address(item);
    if (!address) continue;
    const auto taken = out.inter_chassis_addresses();
    if (std::find(taken.begin(), taken.end(), *address) != taken.end()) {
      item.wrong(address->to_string() + " is an inter-chassis address of this chassis already", "write another one");
      continue;
    }
    out.alternate_addresses.push_back(*address);
  }
}

void read_tun(const YamlField& field, PacketPort& out) {
  constexpr std::string_view kSection = "chassis[].cards[].ports[] (tun)";
  const Section map(field, kSection);
  map.word(key(kSection, "type"), out.kind);
  map.number(key(kSection, "unit"), out.unit);
  map.interface_name(key(kSection, "device"), out.device);
  if (const auto f = map.get(key(kSection, "steer-from"))) {
    for (const auto& item : f->list_or_one()) {
      if (auto name = item.interface_name()) out.steer_from.push_back(std::move(*name));
    }
  }
  map.number(key(kSection, "queues"), out.queues);
}

void read_af_packet(const YamlField& field, PacketPort& out) {
  constexpr std::string_view kSection = "chassis[].cards[].ports[] (af-packet)";
  const Section map(field, kSection);
  map.word(key(kSection, "type"), out.kind);
  map.number(key(kSection, "unit"), out.unit);
  map.interface_name(key(kSection, "interface"), out.device);
}

void read_pcap(const YamlField& field, PacketPort& out) {
  constexpr std::string_view kSection = "chassis[].cards[].ports[] (pcap)";
  const Section map(field, kSection);
  map.word(key(kSection, "type"), out.kind);
  map.number(key(kSection, "unit"), out.unit);
  map.text(key(kSection, "read"), out.read_file);
  map.text(key(kSection, "write"), out.write_file);
  if (!map.has(key(kSection, "read")) && !map.has(key(kSection, "write"))) {
    field.wrong("a pcap port without files", "write read: FILE, write: FILE or both");
  }
}

/// Reads a port. Its type decides which keys it takes; one of an unknown type is read as a TUN port.
PacketPort read_port(const YamlField& field) {
  const auto& entries = field.node().entries;
  const auto type =
      std::find_if(entries.begin(), entries.end(), [](const YamlNode::Entry& entry) { return entry.key == "type"; });
  const std::string_view word = type == entries.end() ? std::string_view{} : type->value.text;
  PacketPort out;
  if (word == "pcap") {
    read_pcap(field, out);
  } else if (word == "af-packet") {
    read_af_packet(field, out);
  } else {
    read_tun(field, out);
  }
  return out;
}

CardConfig read_card(const YamlField& field, NameBook& names) {
  constexpr std::string_view kSection = "chassis[].cards[]";
  const Section map(field, kSection);
  CardConfig out;
  out.name = names.define(map);
  if (const auto family = card_family(out.name)) {
    out.family = *family;
  } else if (const auto f = map.get(key(kSection, "name")); f && !out.name.empty()) {
    f->wrong("'" + out.name + "' is no name of a services card",
             "write ms-F/P/0 or vms-F/P/0 with numbers, as ms-0/0/0 or vms-1/0/0");
  }
  map.number(key(kSection, "workers"), out.workers);
  if (const auto ports = map.get(key(kSection, "ports"))) {
    for (const auto& item : ports->list(key(kSection, "ports").low)) {
      auto port = read_port(item);
      if (out.port(port.unit) != nullptr) {
        item.wrong(fmt::format("unit {} is there twice on {}", port.unit, out.name),
                   "give each port a unit of its own");
      }
      out.ports.push_back(std::move(port));
    }
  }
  return out;
}

/// icrd creates a TUN device under its name, so no other interface of the machine may have that name.
void check_tun_names(const YamlField& field, const ChassisConfig& chassis) {
  std::map<std::string, std::string, std::less<>> interfaces = {{"lo", "the loopback interface of every machine"}};
  for (const auto& card : chassis.cards) {
    for (const auto& port : card.ports) {
      const auto by = fmt::format("an interface from which {}.{} takes traffic", card.name, port.unit);
      if (port.kind == PacketPort::Kind::af_packet) interfaces.emplace(port.device, by);
      for (const auto& name : port.steer_from) interfaces.emplace(name, by);
    }
  }
  for (const auto& card : chassis.cards) {
    for (const auto& port : card.ports) {
      const auto found = port.kind == PacketPort::Kind::tun ? interfaces.find(port.device) : interfaces.end();
      if (found == interfaces.end() || port.device.empty()) continue;
      field.wrong(fmt::format("{}.{} would make the TUN device {}, which is {}", card.name, port.unit, port.device,
                              found->second),
                  "write a name that nothing else has");
    }
  }
}

void check_devices(const YamlField& field, const ChassisConfig& chassis) {
  std::map<std::string, std::string, std::less<>> used;  // what is used -> by which port
  const auto use = [&](const std::string& key, const std::string& what, const std::string& by) {
    if (what.empty()) return;
    const auto taken = used.emplace(key + what, by);
    if (taken.second) return;
    field.wrong(fmt::format("{} uses {}{}, which {} uses already", by, key, what, taken.first->second),
                "give each port of a chassis its own");
  };
  for (const auto& card : chassis.cards) {
    for (const auto& port : card.ports) {
      const auto by = fmt::format("{}.{}", card.name, port.unit);
      use(port.kind == PacketPort::Kind::af_packet ? "traffic from " : "device ", port.device, by);
      use("capture ", port.read_file, by);
      use("capture ", port.write_file, by);
      for (const auto& interface : port.steer_from) use("traffic from ", interface, by);
    }
  }
}

Scheduling read_scheduling(const YamlField& field) {
  constexpr std::string_view kSection = "chassis[].scheduling";
  const Section map(field, kSection);
  Scheduling out;
  map.word(key(kSection, "policy"), out.policy);
  map.number(key(kSection, "priority"), out.priority);
  const auto f = map.get(key(kSection, "priority"));
  if (!f) return out;
  if (out.policy != Scheduling::Policy::real_time) {
    f->wrong("only the policy real-time has a priority", "leave it out, or write policy: real-time");
  }
  return out;
}

void read_one_chassis(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "chassis[]";
  constexpr std::string_view kQuery = "chassis[].query";
  const Section map(field, kSection);
  ChassisConfig out;
  out.name = draft.chassis.define(map);
  if (const auto f = map.get(key(kSection, "inter-chassis"))) read_inter_chassis(*f, out);
  if (const auto f = map.get(key(kSection, "query"))) {
    out.query = read_endpoint(Section(*f, kQuery), key(kQuery, "address"), key(kQuery, "port"));
  }
  if (map.text(key(kSection, "data-folder"), out.data_folder)) {
    const auto normal = [](const std::string& folder) {
      auto text = std::filesystem::path(folder).lexically_normal().string();
      while (text.size() > 1 && text.back() == '/') text.pop_back();
      return text;
    };
    for (const auto& other : draft.cluster.chassis) {
      if (other.data_folder.empty() || out.data_folder.empty()) continue;
      if (normal(other.data_folder) != normal(out.data_folder)) continue;
      map.get(key(kSection, "data-folder"))
          ->wrong("chassis " + other.name + " keeps its data in the same folder",
                  "give each chassis a folder of its own");
    }
  }
  map.seconds(key(kSection, "history"), out.history);
  map.number(key(kSection, "history-megabytes"), out.history_megabytes);
  if (out.history != Duration::zero() && out.data_folder.empty()) {
    map.get(key(kSection, "history"))
        ->wrong("chassis " + out.name + " has no data-folder in which a history could be", "give it a data-folder");
  }
  constexpr const Key& kKeysOfChassis = key(kSection, "public-keys");
  if (const auto f = map.get(kKeysOfChassis)) {
    out.public_keys = read_public_keys(*f, kKeysOfChassis, "chassis " + out.name, draft);
  }
  if (const auto f = map.get(key(kSection, "scheduling"))) out.scheduling = read_scheduling(*f);
  map.yes_no(key(kSection, "kernel-guard"), out.kernel_guard);
  if (const auto f = map.get(key(kSection, "cards"))) {
    NameBook names("card");
    for (const auto& item : f->list(key(kSection, "cards").low)) out.cards.push_back(read_card(item, names));
  }
  check_devices(field, out);
  check_tun_names(field, out);
  draft.chassis_fields.push_back(field);
  draft.cluster.chassis.push_back(std::move(out));
}

}  // namespace

void read_chassis(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(key("", "chassis").low)) read_one_chassis(item, draft);
}

}  // namespace icr::cluster_draft
