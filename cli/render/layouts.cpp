#include "cli/render/layouts.h"

namespace icr::cli {

const Layout* layout_of(Verb verb, Level level) {
  static const Layouts layouts = [] {
    Layouts out;
    add_chassis_layouts(out);
    add_interface_layouts(out);
    add_nat_layouts(out);
    add_policy_layouts(out);
    add_session_layouts(out);
    add_statistics_layouts(out);
    add_table_layouts(out);
    return out;
  }();
  auto found = layouts.find({verb, level});
  if (found == layouts.end()) found = layouts.find({verb, Level::none});
  return found == layouts.end() ? nullptr : &found->second;
}

RowLayout row_layout(std::string_view element, std::string_view text, std::string_view heading,
                     std::string_view only_with) {
  return {element, Template(text), nullptr, only_with, Template(heading), {}};
}

Layout table_layout(std::string_view group, std::string_view heading, std::string_view element, std::string_view text) {
  return {{{group, Template(heading), {}, true, {row_layout(element, text)}}}, {}};
}

}  // namespace icr::cli
