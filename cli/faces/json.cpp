// JSON in the form of Junos: the value of each name is an array, the value of a leaf is its `data`, and attributes are
// `attributes`.
#include <vector>

#include "cli/faces/escape.h"
#include "cli/faces/face.h"

namespace icr::cli {
namespace {

constexpr std::size_t kJsonIndent = 4;

class JsonFace final : public Face {
 public:
  explicit JsonFace(Writer write) : Face(std::move(write)) {
    out() += '{';
    open_.emplace_back();
  }

 private:
  /// An object that has begun, and the array in it that has not ended.
  struct Object {
    std::string array;  ///< its name
    bool has_array = false;
    bool has_members = false;
  };

  void on_begin(std::string_view name, Attributes attributes) override {
    element(name);
    open_.emplace_back();
    write_attributes(attributes);
  }

  void on_leaf(std::string_view name, std::string_view value, Attributes attributes) override {
    element(name);
    open_.emplace_back();
    member("data");
    append_json_text(value, out());
    write_attributes(attributes);
    on_end();
    flush_if_large();
  }

  void on_empty(std::string_view name) override {
    element(name);
    open_.emplace_back();
    member("data");
    out() += "null";
    on_end();
  }

  void on_end() override {
    end_array();
    open_.pop_back();
    new_line();
    out() += '}';
  }

  void on_finish() override {
    end_array();
    out() += "\n}\n";
  }

  /// Begins an element of the array with that name, which begins if it is not the one that was written last.
  void element(std::string_view name) {
    Object& in = open_.back();
    if (in.has_array && in.array == name) {
      out() += ',';
    } else {
      end_array();
      member(name);
      out() += '[';
      in.array = name;
      in.has_array = true;
    }
    new_line();
    out() += '{';
  }

  void end_array() {
    Object& in = open_.back();
    if (!in.has_array) return;
    in.has_array = false;
    new_line();
    out() += ']';
  }

  void member(std::string_view name) {
    Object& in = open_.back();
    if (in.has_members) out() += ',';
    in.has_members = true;
    new_line();
    out() += '"';
    append_name(name, out());
    out() += "\" : ";
  }

  void write_attributes(Attributes attributes) {
    if (attributes.size() == 0) return;
    member("attributes");
    std::string_view before = "{";
    for (const Attribute& each : attributes) {
      out() += before;
      before = ", ";
      out() += '"';
      append_name(each.name, out());
      out() += "\" : ";
      append_json_text(each.value, out());
    }
    out() += '}';
  }

  void new_line() {
    out() += '\n';
    out().append(kJsonIndent * open_.size(), ' ');
  }

  std::vector<Object> open_;
};

}  // namespace

std::unique_ptr<Face> make_json_face(Writer write) { return std::make_unique<JsonFace>(std::move(write)); }

}  // namespace icr::cli
