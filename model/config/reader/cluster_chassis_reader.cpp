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

Endpoint read_endpoint(const YamlField& field) {
  const YamlMap map(field, {"address", "port"});
  Endpoint out;
  if (const auto f = map.require("address", "an address of this chassis")) {
    out.address = read_endpoint_address(*f).value_or(IpAddress{});
  }
  if (const auto f = map.require("port", "a TCP port from 1 to 65535")) {
    out.port = static_cast<std::uint16_t>(f->number(1, 65535).value_or(0));
  }
  return out;
}

PacketPort read_port(const YamlField& field) {
  constexpr std::array<std::string_view, 3> kTypes = {"tun", "pcap", "af-packet"};
  PacketPort out;
  const YamlNode* type_node = nullptr;
  for (const auto& entry : field.node().entries) {
    if (entry.key == "type" && type_node == nullptr) type_node = &entry.value;
  }
  const bool pcap = type_node != nullptr && type_node->text == "pcap";
  const bool af_packet = type_node != nullptr && type_node->text == "af-packet";
  const YamlMap map = pcap        ? YamlMap(field, {"unit", "type", "read", "write"})
                      : af_packet ? YamlMap(field, {"unit", "type", "interface"})
                                  : YamlMap(field, {"unit", "type", "device", "steer-from", "queues"});
  out.kind = pcap ? PacketPort::Kind::pcap : af_packet ? PacketPort::Kind::af_packet : PacketPort::Kind::tun;
  if (const auto f = map.require("type", "tun, af-packet or pcap")) (void)f->one_of(kTypes);
  if (const auto f = map.require("unit", "the number after the dot in the names of interfaces")) {
    out.unit = static_cast<std::uint32_t>(f->number(0, kMaxUnit).value_or(0));
  }
  if (pcap) {
    if (const auto f = map.get("read")) out.read_file = f->text(4096).value_or("");
    if (const auto f = map.get("write")) out.write_file = f->text(4096).value_or("");
    if (!map.has("read") && !map.has("write")) {
      field.wrong("a pcap port without files", "write read: FILE, write: FILE or both");
    }
    return out;
  }
  if (af_packet) {
    if (const auto f = map.require("interface", "the kernel's name of an Ethernet interface")) {
      out.device = f->interface_name().value_or("");
    }
    return out;
  }
  if (const auto f = map.require("device", "the name of the TUN device")) {
    out.device = f->interface_name().value_or("");
  }
  if (const auto f = map.get("steer-from")) {
    for (const auto& item : f->list_or_one()) {
      if (auto name = item.interface_name()) out.steer_from.push_back(std::move(*name));
    }
  }
  if (const auto f = map.get("queues")) out.queues = static_cast<std::uint32_t>(f->number(1, 16).value_or(1));
  return out;
}

CardConfig read_card(const YamlField& field, NameBook& names) {
  const YamlMap map(field, {"name", "workers", "ports"});
  CardConfig out;
  out.name = names.define(map);
  if (const auto family = card_family(out.name)) {
    out.family = *family;
  } else if (const auto f = map.get("name"); f && !out.name.empty()) {
    f->wrong("'" + out.name + "' is no name of a services card",
             "write ms-F/P/0 or vms-F/P/0 with numbers, as ms-0/0/0 or vms-1/0/0");
  }
  if (const auto f = map.get("workers")) out.workers = static_cast<std::uint32_t>(f->number(1, 16).value_or(1));
  if (const auto ports = map.require("ports", "a list of packet ports, one for each unit")) {
    for (const auto& item : ports->list(1)) {
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
  constexpr std::array<std::string_view, 3> kPolicies = {"real-time", "nice", "default"};
  const YamlMap map(field, {"policy", "priority"});
  Scheduling out;
  if (const auto f = map.get("policy")) {
    out.policy = static_cast<Scheduling::Policy>(f->one_of(kPolicies).value_or(0));
  }
  const auto f = map.get("priority");
  if (!f) return out;
  out.priority = static_cast<std::uint32_t>(f->number(1, 98).value_or(out.priority));
  if (out.policy != Scheduling::Policy::real_time) {
    f->wrong("only the policy real-time has a priority", "leave it out, or write policy: real-time");
  }
  return out;
}

void read_one_chassis(const YamlField& field, Draft& draft) {
  const YamlMap map(field, {"name", "inter-chassis", "query", "data-folder", "scheduling", "kernel-guard", "cards"});
  ChassisConfig out;
  out.name = draft.chassis.define(map);
  if (const auto f = map.require("inter-chassis", "{ address, port } where peers reach this chassis")) {
    const auto endpoint = read_endpoint(*f);
    out.inter_chassis_address = endpoint.address;
    out.inter_chassis_port = endpoint.port;
  }
  if (const auto f = map.require("query", "{ address, port } where icr asks")) out.query = read_endpoint(*f);
  if (const auto f = map.get("data-folder")) {
    out.data_folder = f->text(4096).value_or("");
    const auto normal = [](const std::string& folder) {
      auto text = std::filesystem::path(folder).lexically_normal().string();
      while (text.size() > 1 && text.back() == '/') text.pop_back();
      return text;
    };
    for (const auto& other : draft.cluster.chassis) {
      if (other.data_folder.empty() || out.data_folder.empty()) continue;
      if (normal(other.data_folder) != normal(out.data_folder)) continue;
      f->wrong("chassis " + other.name + " keeps its data in the same folder", "give each chassis a folder of its own");
    }
  }
  if (const auto f = map.get("scheduling")) out.scheduling = read_scheduling(*f);
  if (const auto f = map.get("kernel-guard")) out.kernel_guard = f->yes_no().value_or(true);
  if (const auto f = map.require("cards", "a list of services cards")) {
    NameBook names("card");
    for (const auto& item : f->list(1)) out.cards.push_back(read_card(item, names));
  }
  check_devices(field, out);
  check_tun_names(field, out);
  draft.chassis_fields.push_back(field);
  draft.cluster.chassis.push_back(std::move(out));
}

}  // namespace

void read_chassis(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(1)) read_one_chassis(item, draft);
}

}  // namespace icr::cluster_draft
