#include <vector>

#include "cli/faces/escape.h"
#include "cli/faces/face.h"
#include "cli/result/junos.h"

namespace icr::cli {
namespace {

constexpr std::size_t kXmlIndent = 4;

class XmlFace final : public Face {
 public:
  XmlFace(Writer write, Envelope envelope) : Face(std::move(write)), envelope_(envelope) {
    if (envelope_ == Envelope::cli) begin("rpc-reply", {{"xmlns:junos", junos_namespace("junos")}});
  }

 private:
  void on_begin(std::string_view name, Attributes attributes) override {
    open_tag(name, attributes);
    out() += ">\n";
    open_.emplace_back(name);
  }

  void on_leaf(std::string_view name, std::string_view value, Attributes attributes) override {
    open_tag(name, attributes);
    out() += '>';
    append_xml_text(value, out());
    out() += "</";
    append_name(name, out());
    out() += ">\n";
    flush_if_large();
  }

  void on_empty(std::string_view name) override {
    open_tag(name, {});
    out() += "/>\n";
  }

  void on_end() override {
    const std::string name = std::move(open_.back());
    open_.pop_back();
    out().append(kXmlIndent * open_.size(), ' ');
    out() += "</";
    append_name(name, out());
    out() += ">\n";
  }

  void on_finish() override {
    if (envelope_ != Envelope::cli) return;
    begin("cli");
    leaf("banner", "");
    end();
    end();
  }

  void open_tag(std::string_view name, Attributes attributes) {
    out().append(kXmlIndent * open_.size(), ' ');
    out() += '<';
    append_name(name, out());
    for (const Attribute& each : attributes) {
      out() += ' ';
      append_name(each.name, out());
      out() += "=\"";
      append_xml_text(each.value, out());
      out() += '"';
    }
  }

  const Envelope envelope_;
  std::vector<std::string> open_;
};

}  // namespace

std::unique_ptr<Face> make_xml_face(Writer write, Envelope envelope) {
  return std::make_unique<XmlFace>(std::move(write), envelope);
}

}  // namespace icr::cli
