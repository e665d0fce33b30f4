// The result of a command as a tree of events: an element begins, has leaves and elements, and ends.
//
// A command that builds a tree is independent of the form in which it is printed. Whoever takes the events (a face, see
// cli/faces) writes them as they come, so that the memory of `icr` does not grow with the answer. The names of elements
// and leaves are those of Junos; inferred.h lists those that are not known.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace icr::cli {

/// An attribute of an element, such as junos:style.
struct Attribute {
  std::string_view name;
  std::string_view value;
};
using Attributes = std::initializer_list<Attribute>;

/// Takes the events of a tree. REQUIRES: elements nest, and elements of one parent that have the same name follow one
/// another without others between them (JSON writes them as one array). Any octets are accepted as values.
class Tree {
 public:
  Tree() = default;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  virtual ~Tree() = default;

  /// Begins an element that contains what comes before the matching end().
  void begin(std::string_view name, Attributes attributes = {}) { on_begin(name, attributes); }
  void end() { on_end(); }

  /// Adds an element that has a value, and no elements.
  void leaf(std::string_view name, std::string_view value, Attributes attributes = {}) {
    on_leaf(name, value, attributes);
  }
  template <std::integral Number>
  void leaf(std::string_view name, Number value, Attributes attributes = {}) {
    const fmt::format_int text(value);
    on_leaf(name, {text.data(), text.size()}, attributes);
  }
  /// Adds an element that says all by being there, such as `<nat/>`.
  void empty(std::string_view name) { on_empty(name); }

 private:
  virtual void on_begin(std::string_view name, Attributes attributes) = 0;
  virtual void on_leaf(std::string_view name, std::string_view value, Attributes attributes) = 0;
  virtual void on_empty(std::string_view name) = 0;
  virtual void on_end() = 0;
};

/// Begins an element, and ends it at the end of the scope.
class Scope {
 public:
  Scope(Tree& tree, std::string_view name, Attributes attributes = {}) : tree_(tree) { tree_.begin(name, attributes); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { tree_.end(); }

 private:
  Tree& tree_;
};

}  // namespace icr::cli
