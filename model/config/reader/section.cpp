#include "model/config/reader/section.h"

#include <utility>

namespace icr {
namespace {

/// Returns what to write where the key is missing.
std::string what_to_write(const Key& key) {
  std::string out = fmt::format("write {}: {}", key.name, key.missing);
  if (key.type == KeyType::number) out += fmt::format(", from {} to {}", key.low, key.high);
  return out;
}

}  // namespace

Section::Section(const YamlField& field, std::string_view section) : YamlMap(field, keys_of(section)) {
  if (!field.is_map()) return;
  for (const Key& key : kKeys) {
    if (key.section != section || key.missing.empty() || has(key)) continue;
    field.wrong(fmt::format("'{}' is missing", key.name), what_to_write(key));
  }
}

std::optional<std::uint64_t> Section::number(const Key& key) const {
  const auto field = get(key);
  return field ? field->number(key.low, key.high) : std::nullopt;
}

std::optional<std::size_t> Section::word(const Key& key) const {
  const auto field = get(key);
  return field ? field->one_of(words_of(key)) : std::nullopt;
}

bool Section::milliseconds(const Key& key, Duration& out) const {
  const auto value = number(key);
  if (value) out = std::chrono::milliseconds(*value);
  return value.has_value();
}

bool Section::seconds(const Key& key, Duration& out) const {
  const auto field = get(key);
  const auto value =
      field ? field->seconds(std::chrono::seconds(key.low), std::chrono::seconds(key.high)) : std::nullopt;
  if (value) out = *value;
  return value.has_value();
}

bool Section::yes_no(const Key& key, bool& out) const {
  const auto field = get(key);
  const auto value = field ? field->yes_no() : std::nullopt;
  if (value) out = *value;
  return value.has_value();
}

bool Section::text(const Key& key, std::string& out) const {
  const auto field = get(key);
  auto value = field ? field->text(key.high) : std::nullopt;
  if (value) out = std::move(*value);
  return value.has_value();
}

bool Section::interface_name(const Key& key, std::string& out) const {
  const auto field = get(key);
  auto value = field ? field->interface_name() : std::nullopt;
  if (value) out = std::move(*value);
  return value.has_value();
}

}  // namespace icr
