// Keys of chassis and clients.
#include <fmt/format.h>

#include <algorithm>

#include "model/config/reader/cluster_draft.h"
#include "model/record/key_text.h"

namespace icr::cluster_draft {

std::vector<std::string> read_public_keys(const YamlField& field, const Key& key, std::string_view owner,
                                          Draft& draft) {
  std::vector<std::string> out;
  const auto items = field.list(key.low);
  if (items.size() > key.high) {
    items[key.high].wrong(fmt::format("more than {} public keys", key.high),
                          "keep the present one, and the former one while it is still in use");
  }
  for (const auto& item : items) {
    const auto text = item.text(kMaxYamlBytes);
    if (!text) continue;
    if (!is_key_text(*text)) {
      item.wrong(fmt::format("a text of {} characters that is no public key", text->size()),
                 fmt::format("write the {} characters that 'icr keys' shows, in quotes", kKeyTextLength));
      continue;
    }
    const auto [other, fresh] = draft.key_owners.emplace(*text, owner);
    if (!fresh) {
      item.wrong(fmt::format("the key is that of {} already", other->second),
                 "make a key for each with 'icr keys new'");
      continue;
    }
    out.push_back(*text);
  }
  return out;
}

void read_clients(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "clients[]";
  NameBook names("client");
  for (const auto& item : field.list(0)) {
    const Section map(item, kSection);
    ClientConfig out;
    out.name = names.define(map);
    map.word(key(kSection, "class"), out.permitted);
    constexpr const Key& kKeysOfClient = key(kSection, "public-keys");
    if (const auto f = map.get(kKeysOfClient)) {
      out.public_keys = read_public_keys(*f, kKeysOfClient, "client " + out.name, draft);
    }
    draft.cluster.clients.push_back(std::move(out));
  }
}

void check_keys(Draft& draft) {
  if (!draft.mistakes.empty()) return;  // a key that was refused is not one that is missing
  const auto& all = draft.cluster.chassis;
  const auto has_keys = [](const ChassisConfig& chassis) { return !chassis.public_keys.empty(); };
  if (draft.cluster.security == Security::none || std::none_of(all.begin(), all.end(), has_keys)) return;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (has_keys(all[i])) continue;
    draft.chassis_fields[i].wrong(
        "the chassis has no public-keys, and others have",
        "write public-keys: and a key that 'icr keys new' makes, or security: none for the whole cluster");
  }
}

}  // namespace icr::cluster_draft
