// A section of the cluster file, read as model/config/keys.h describes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/config/keys.h"
#include "model/config/reader/yaml_reader.h"

namespace icr {

/// A map that takes the keys of one section. Keys that the section does not take, keys that are there twice, and
/// required keys that are missing are reported when it is made.
///
/// Each function below that has an `out` writes the value of a key to it and returns true. If the key is absent, or if
/// its value is not what keys.h says (which is reported), the function leaves `out` as it is and returns false.
class Section : public YamlMap {
 public:
  Section(const YamlField& field, std::string_view section);

  using YamlMap::get;
  using YamlMap::has;
  [[nodiscard]] std::optional<YamlField> get(const Key& key) const { return get(key.name); }
  [[nodiscard]] bool has(const Key& key) const { return has(key.name); }

  template <class T>
  bool number(const Key& key, T& out) const {
    const auto value = number(key);
    if (value) out = static_cast<T>(*value);
    return value.has_value();
  }
  template <class T>
  bool number(const Key& key, std::optional<T>& out) const {
    const auto value = number(key);
    if (value) out = static_cast<T>(*value);
    return value.has_value();
  }
  /// `E` has the order of the words.
  template <class E>
  bool word(const Key& key, E& out) const {
    const auto place = word(key);
    if (place) out = static_cast<E>(*place);
    return place.has_value();
  }
  bool milliseconds(const Key& key, Duration& out) const;
  bool seconds(const Key& key, Duration& out) const;
  bool yes_no(const Key& key, bool& out) const;
  bool text(const Key& key, std::string& out) const;
  bool interface_name(const Key& key, std::string& out) const;
  /// Returns true if the key is there with its only word.
  [[nodiscard]] bool has_word(const Key& key) const { return word(key).has_value(); }

 private:
  [[nodiscard]] std::optional<std::uint64_t> number(const Key& key) const;
  [[nodiscard]] std::optional<std::size_t> word(const Key& key) const;
};

}  // namespace icr
