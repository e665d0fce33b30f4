// Inside of model/cluster_file: a cluster while it is being read. Not for use by other rooms.
//
// Each section of the file has a reader that appends to the draft and reports what is wrong; a thing with a mistake in
// it is appended all the same, so that one mistake does not make every use of the thing's name another one. The checks
// that need the whole cluster come last.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/cluster.h"
#include "model/yaml_reader.h"

namespace icr::cluster_draft {

inline constexpr std::array<std::string_view, 3> kMatchDirections = {"input", "output", "input-output"};
inline constexpr std::size_t kMaxThings = 10'000;  ///< of one kind; indices are 16 bits
inline constexpr std::uint64_t kMaxPoolAddresses = 65'536;
inline constexpr std::uint32_t kMaxUnit = 16'384;
inline constexpr std::uint32_t kMinSlots = 1024;
inline constexpr std::uint32_t kDefaultSlots = 131'072;

/// Names of one kind, in order of their definition.
class NameBook {
 public:
  explicit NameBook(std::string_view what) : what_(what) {}
  /// Reads `name` of `map` and gives it the next index, whatever it is like. Reports a bad or missing name, and one
  /// that is taken.
  std::string define(const YamlMap& map);
  /// The index of the name in `use`; reports one that nobody defined.
  [[nodiscard]] std::optional<std::uint16_t> find(const YamlField& use) const;
  /// False for a thing that took a name which another had already, and for one without a name.
  [[nodiscard]] bool owns(std::string_view name, std::uint16_t index) const;
  /// Indices of a list of names, none twice.
  [[nodiscard]] std::vector<std::uint16_t> find_all(const YamlField& list) const;

 private:
  struct Definition {
    std::uint16_t index;
    std::uint32_t line;
  };
  std::string what_;
  std::uint16_t count_ = 0;
  std::map<std::string, Definition, std::less<>> names_;
};

struct Draft {
  explicit Draft(Mistakes& all) : mistakes(all) {}

  Mistakes& mistakes;
  Cluster cluster;
  Timeouts timeouts;  ///< of the cluster; service sets start from them

  NameBook applications{"application"};
  NameBook pools{"nat pool"};
  NameBook firewall_rules{"stateful-firewall rule"};
  NameBook nat_rules{"nat rule"};
  NameBook service_sets{"service set"};
  NameBook chassis{"chassis"};
  NameBook sets{"redundancy set"};

  // Places for the checks that come last, parallel to the vectors of `cluster`.
  std::vector<YamlField> pool_fields;
  std::vector<YamlField> nat_rule_fields;
  std::vector<YamlField> firewall_rule_fields;
  std::vector<YamlField> chassis_fields;
  std::vector<YamlField> service_set_fields;
  std::vector<std::optional<YamlField>> session_limit_fields;
  std::vector<std::optional<YamlField>>
      interface_fields;  ///< of service sets: where one runs that is in no redundancy set
  std::vector<std::vector<YamlField>> set_service_uses;  ///< of each redundancy set, parallel to its service_sets
  std::vector<std::vector<YamlField>> virtual_fields;    ///< of each redundancy set, parallel to its virtual_addresses
};

// Each takes the value of the top-level key of that name.
void read_timeouts(const YamlField& field, Timeouts& out);
void read_applications(const YamlField& field, Draft& draft);
void read_nat(const YamlField& field, Draft& draft);
void read_stateful_firewall(const YamlField& field, Draft& draft);
void read_service_sets(const YamlField& field, Draft& draft);  ///< after timeouts and rules
void read_chassis(const YamlField& field, Draft& draft);
void read_redundancy_sets(const YamlField& field, Draft& draft);  ///< after chassis and service sets

/// Addresses and ports of the chassis. Before the stand-alone sets are made, which need no ports.
void check_endpoints(Draft& draft);
/// Makes the stand-alone sets. After everything was read.
void place_service_sets(Draft& draft);
/// Units, pools, limits, addresses: whatever concerns two parts of the file.
void check_whole(Draft& draft);
/// What is legal but surprising.
void add_warnings(Draft& draft);

/// Cluster::digest: of every value in order, of no spelling and no warning.
[[nodiscard]] std::uint64_t digest_of(const Cluster& cluster);

}  // namespace icr::cluster_draft
