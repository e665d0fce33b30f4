// The text of one session.
#pragma once

#include <string>

#include "cli/builders/sessions.h"
#include "cli/render/layouts.h"

namespace icr::test {

inline std::string text_of_session(const Cluster& cluster, const cli::Source& source, const SessionRecord& record,
                                   bool extensive) {
  std::string out;
  const auto face = cli::make_text_face([&](std::string_view text) { out += text; },
                                        *cli::layout_of(cli::Verb::show_sessions, cli::Level::none));
  cli::SessionBuilder builder(cluster, *face, extensive, 0);
  builder.add(source, record);
  builder.finish(source.family);
  face->finish();
  return out;
}

}  // namespace icr::test
