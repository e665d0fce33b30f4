// Writes the settings of one place in the cluster file. For the settings of this room alone (settings.h).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/config/cluster.h"
#include "model/config/keys.h"
#include "model/config/settings.h"

namespace icr::settings {

// Values as text.
inline std::string spelled(bool value) { return value ? "yes" : "no"; }
inline std::string spelled(std::uint64_t value) { return std::to_string(value); }
inline std::string spelled(const IpAddress& value) { return value.to_string(); }
inline std::string spelled(const Prefix& value) { return value.to_string(); }
inline std::string spelled(const PortRange& value) { return fmt::format("{}-{}", value.low, value.high); }
inline std::string spelled(const AddressRange& value) {
  return fmt::format("{}-{}", value.low.to_string(), value.high.to_string());
}
inline std::string spelled(const std::string& value) { return value; }

template <class T>
std::string spelled(const std::vector<T>& values) {
  std::string out;
  for (const auto& value : values) {
    if (!out.empty()) out += ' ';
    out += spelled(value);
  }
  return out;
}

/// Writes settings of one place in the file.
class Place {
 public:
  Place(ConfigPart& part, std::string path) : part_(&part), path_(std::move(path)) {}

  [[nodiscard]] Place below(std::string_view name) const { return {*part_, fmt::format("{}.{}", path_, name)}; }
  [[nodiscard]] Place item(std::string_view list, std::string_view name) const {
    return {*part_, fmt::format("{}.{}[{}]", path_, list, name)};
  }
  /// Says that the thing at this place exists.
  void exists(Scope scope, Applies applies = Applies::restart) const {
    part_->settings.push_back({path_, std::string(kExists), scope, applies});
  }
  /// Says that a thing exists that `key` lists.
  void exists(const Key& key) const { exists(Scope::cluster, key.applies); }
  void put(const Key& key, std::string value) const {
    if (value == key.usual) return;
    part_->settings.push_back({fmt::format("{}.{}", path_, key.name), std::move(value), key.scope, key.applies});
  }
  template <class T>
  void value(const Key& key, const T& value) const {
    put(key, spelled(value));
  }
  template <class T>
  void value(const Key& key, const std::optional<T>& value) const {
    if (value) put(key, spelled(*value));
  }
  /// `E` has the order of the words.
  template <class E>
  void word(const Key& key, E value) const {
    put(key, std::string(words_of(key)[static_cast<std::size_t>(value)]));
  }
  /// Puts the only word of the key if it is there.
  void only_word(const Key& key, bool is_there) const {
    if (is_there) put(key, std::string(key.words));
  }
  /// `none` means that the key is absent.
  template <class T>
  void unless(const Key& key, const T& value, const T& none) const {
    if (value != none) put(key, spelled(value));
  }

 private:
  ConfigPart* part_;
  std::string path_;
};

template <class T>
std::vector<std::string> names_of(const std::vector<T>& things, const std::vector<std::uint16_t>& indices) {
  std::vector<std::string> out;
  for (const auto index : indices) out.push_back(things[index].name);
  return out;
}

// Each of these adds the settings of a thing at its place.
void add(const Place& at, const ChassisConfig& chassis);
void add(const Place& at, const ClientConfig& client);
void add(const Place& at, const WitnessConfig& witness);
void add(const Place& at, const RedundancySet& set, const Cluster& cluster);
void add(const Place& at, const ServiceSet& set, const Cluster& cluster);
void add(const Place& at, const FirewallRule& rule, const Cluster& cluster);
void add(const Place& at, const NatRule& rule, const Cluster& cluster);
void add(const Place& at, const NatPool& pool);
void add(const Place& at, const Application& application);
void add(const Place& at, const Screen& screen);
/// Adds where a stand-alone service set runs.
void add_interface(const Place& at, const RedundancySet& set, const Cluster& cluster);

}  // namespace icr::settings
