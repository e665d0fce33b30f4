// The pipe `resolve`: addresses in lines, their names, and what a resolver that is slow or hostile can do.
#include "cli/pipes/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "cli/grammar/grammar.h"
#include "cli/pipes/chain.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"

namespace icr::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> found_in(const std::string& line) {
  std::vector<std::string> out;
  for (const auto& each : addresses_in(line)) {
    EXPECT_EQ(IpAddress::parse(line.substr(each.begin, each.size)), each.address) << line;
    out.push_back(line.substr(each.begin, each.size));
  }
  return out;
}

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

/// A resolver that knows what is in it.
struct Book {
  std::map<IpAddress, std::string> names;
  std::atomic<std::size_t> lookups = 0;

  HostNames::Lookup lookup() {
    return [this](const IpAddress& wanted) -> std::optional<std::string> {
      ++lookups;
      const auto name = names.find(wanted);
      if (name == names.end()) return std::nullopt;
      return name->second;
    };
  }
};

std::string resolved(HostNames& names, std::string_view text, const std::string& pipes = "| resolve") {
  const auto command = parse_command("show services sessions " + pipes);
  if (!command) {
    ADD_FAILURE() << command.error().message;
    return {};
  }
  std::string out;
  auto chain = Chain::open(command->pipes, 24, names, [&](std::string_view part) { out += part; });
  if (!chain) return chain.error().message;
  chain->write(text);
  EXPECT_TRUE(chain->finish());
  return out;
}

TEST(AddressesInLines, AreFoundWithTheirPorts) {
  EXPECT_THAT(found_in("TCP  198.18.0.1:1234 -> 198.51.100.20:80  Forward"),
              ElementsAre("198.18.0.1", "198.51.100.20"));
  EXPECT_THAT(found_in("ICMPV6 2001:db8::1 -> 2001:db8:64::9"), ElementsAre("2001:db8::1", "2001:db8:64::9"));
  EXPECT_THAT(found_in("2001:db8::1:42583"), ElementsAre("2001:db8::1")) << "a port has five digits";
  EXPECT_THAT(found_in("2001:db8::1:443"), ElementsAre("2001:db8::1:443", "2001:db8::1")) << "either is possible";
  EXPECT_THAT(found_in("1:2:3:4:5:6:7:8:80"), ElementsAre("1:2:3:4:5:6:7:8"));
  EXPECT_THAT(found_in("203.0.113.7:40000-40511 of 203.0.113.8."), ElementsAre("203.0.113.7", "203.0.113.8"));
  EXPECT_THAT(found_in("<a>192.0.2.1</a> \"192.0.2.2\", (::1) 192.0.2.3: x"),
              ElementsAre("192.0.2.1", "192.0.2.2", "::1", "192.0.2.3"));
}

TEST(AddressesInLines, ArePrefixesRangesAndOtherWordsNot) {
  for (const char* line : {"198.18.0.0/24", "192.0.2.1-192.0.2.9", "12:03:07", "aa:bb:cc:dd:ee:ff", "0.0.0.0:0",
                           "::", "ms-0/0/0.1", "rule-192.0.2.1", "1.2.3", "1.2.3.4.5", "192.0.2.1x", "x192.0.2.1",
                           "192.0.2.1:99999", "192.0.2.1:01", ":", "...", "21.2R3.8", ""}) {
    EXPECT_THAT(found_in(line), IsEmpty()) << line;
  }
}

TEST(Resolve, CutsNamesToTheWidthOfTheAddress) {
  Book book;
  book.names = {{address("198.18.0.1"), "a.example"},
                {address("198.51.100.20"), "server.of.many.example"},
                {address("2001:db8::1"), "six"}};
  HostNames names(book.lookup());
  EXPECT_EQ(resolved(names, "TCP   198.18.0.1:1234  ->  198.51.100.20:80   I\n"),
            "TCP   a.example:1234   ->  server.of.man:80   I\n");
  EXPECT_EQ(resolved(names, "TCP   198.18.0.1:1234  ->  198.51.100.20:80   I\n", "| resolve full-names"),
            "TCP   a.example:1234  ->  server.of.many.example:80   I\n");
  EXPECT_EQ(resolved(names, "2001:db8::1:443 x\n2001:db8::1"), "six:443         x\nsix\n");
  EXPECT_EQ(resolved(names, "198.18.0.9 198.18.0.1\n"), "198.18.0.9 a.example\n") << "one has no name";
  EXPECT_EQ(resolved(names, "198.18.0.1\n198.51.100.20\n", "| resolve full-names | match many"),
            "server.of.many.example\n");
  EXPECT_EQ(resolved(names, "no address\n\n"), "no address\n\n");
}

TEST(Resolve, AsksForEachAddressOnceAndKeepsItsName) {
  Book book;
  book.names = {{address("192.0.2.1"), "one"}};
  HostNames names(book.lookup());
  std::string text;
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    text += "192.0.2.1 192.0.2.2\n";
    expected += "one       192.0.2.2\n";
  }
  EXPECT_EQ(resolved(names, text), expected);
  EXPECT_EQ(resolved(names, text), expected);
  EXPECT_EQ(book.lookups, 2U) << "also that an address has no name is kept";
}

TEST(Resolve, ShowsNothingOfANameThatATerminalObeys) {
  Book book;
  book.names = {{address("198.51.100.20"), "a\x1b[2Jb\n\xc2\x9b<"}, {address("192.0.2.1"), std::string(300, 'x')}};
  HostNames names(book.lookup());
  EXPECT_EQ(resolved(names, "198.51.100.20\n", "| resolve full-names"), "a??2Jb????\n");
  EXPECT_EQ(resolved(names, "192.0.2.1\n", "| resolve full-names").size(), 256U);
}

TEST(Resolve, LooksUpABoundedNumberOfAddresses) {
  Book book;
  HostNames names(book.lookup());
  std::string text;
  for (std::uint32_t i = 1; i <= 1000; ++i) text += IpAddress::v4(0xc6120000 + i).to_string() + "\n";
  EXPECT_EQ(resolved(names, text), text);
  EXPECT_EQ(book.lookups, NameBudget{}.lookups);
}

TEST(Resolve, DoesNotWaitForAResolverThatHangs) {
  struct Gate {
    Mutex mutex;
    ConditionVariable opened;
    bool open ICR_GUARDED_BY(mutex) = false;
    std::size_t inside ICR_GUARDED_BY(mutex) = 0;
  };
  const auto gate = std::make_shared<Gate>();
  HostNames names([gate](const IpAddress& wanted) -> std::optional<std::string> {
    if (wanted == address("192.0.2.1")) return "fast";
    const MutexLock lock(gate->mutex);
    ++gate->inside;
    while (!gate->open) gate->opened.wait(gate->mutex);
    --gate->inside;
    gate->opened.notify_all();
    return "late";
  });
  NameBudget budget{100, 50ms};
  const auto first = names.find({address("192.0.2.1"), address("192.0.2.2")}, budget);
  EXPECT_EQ(first, (HostNames::Found{{address("192.0.2.1"), "fast"}}));
  EXPECT_EQ(budget.waiting, 0s);
  const TimePoint begin = monotonic_now();
  EXPECT_THAT(names.find({address("192.0.2.3")}, budget), IsEmpty()) << "the budget is spent";
  std::vector<IpAddress> many;
  for (std::uint32_t i = 0; i < 50; ++i) many.push_back(IpAddress::v4(0xc6120000 + i));
  for (int round = 0; round < 3; ++round) {
    NameBudget another{100, 20ms};
    EXPECT_THAT(names.find(many, another), IsEmpty());
  }
  EXPECT_LT(monotonic_now() - begin, 5s);
  const MutexLock lock(gate->mutex);
  EXPECT_LE(gate->inside, HostNames::kThreads);
  gate->open = true;
  gate->opened.notify_all();
  while (gate->inside != 0) gate->opened.wait(gate->mutex);
}

TEST(Resolve, OfTheMachineKnowsItself) {
  NameBudget budget;
  const auto found = HostNames::of_machine().find({address("127.0.0.1")}, budget);
  ASSERT_EQ(found.size(), 1U) << "/etc/hosts";
  EXPECT_EQ(found.begin()->second.substr(0, 9), "localhost");
}

}  // namespace
}  // namespace icr::cli
