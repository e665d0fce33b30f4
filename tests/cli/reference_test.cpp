// docs/commands.md and docs/man/icr.1 are what the grammar says. With ICR_UPDATE_GOLDEN=1 they are written.
#include "cli/grammar/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace icr::cli {
namespace {

void expect_file(const std::string& name, const std::string& text) {
  if (std::getenv("ICR_UPDATE_GOLDEN") != nullptr) std::ofstream(name) << text;
  std::ostringstream is;
  is << std::ifstream(name).rdbuf();
  EXPECT_EQ(is.str(), text) << name << " is not what the grammar says: run this test with ICR_UPDATE_GOLDEN=1";
}

TEST(Reference, OfCommandsIsUpToDate) { expect_file("docs/commands.md", reference_in_markdown()); }
TEST(Reference, ManualPageIsUpToDate) { expect_file("docs/man/icr.1", manual_page()); }

}  // namespace
}  // namespace icr::cli
