// `icr keys`, and which key `icr` asks with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cli/client/own_key.h"
#include "cli/keys.h"
#include "model/config/cluster_file.h"
#include "tests/support/temporary_folder.h"
#include "transport/keys.h"

namespace icr::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::string_view kText = R"(cluster: lab  # two of them
chassis:
  - name: left
    inter-chassis: { address: 192.0.2.1, port: 7400 }
    query: { address: 192.0.2.1, port: 7300 }
    cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }]
  - name: right
    inter-chassis: { address: 192.0.2.2, port: 7400 }
    query: { address: 192.0.2.2, port: 7300 }
    cards: [{ name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }]
service-sets:
  - { name: all, inside-unit: 1, outside-unit: 2, stateful-firewall-rules: all, interface: { chassis: left, card: ms-0/0/0 } }
stateful-firewall:
  rules: [{ name: all, match-direction: input, terms: [{ name: all, then: accept }] }]
)";

class KeysCommand : public testing::Test {
 protected:
  KeysCommand() { write(kText); }
  void write(std::string_view text) { std::ofstream(file_, std::ios::binary) << text; }
  [[nodiscard]] std::string read() const {
    std::ifstream stream(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  ExitCode run(std::vector<std::string> words) {
    out_.clear();
    error_.clear();
    words.insert(words.begin(), "keys");
    return execute_keys(
        words, [this](std::string_view t) { out_ += t; }, [this](std::string_view t) { error_ += t; });
  }
  [[nodiscard]] std::string key_file(const std::string& name) const {
    return folder_.path() / "keys" / (name + ".key");
  }
  [[nodiscard]] transport::SecretKeys keys_of(const std::string& file) const {
    auto keys = transport::read_secret_keys(file);
    EXPECT_TRUE(keys) << keys.error().message;
    return keys ? *keys : transport::SecretKeys{};
  }

  test::TemporaryFolder folder_;
  const std::string file_ = folder_.path() / "cluster.yaml";
  std::string out_;
  std::string error_;
};

TEST_F(KeysCommand, GenerateMakesAKeyForEachChassisAndOneForAClient) {
  fs::permissions(file_, fs::perms(0640));
  ASSERT_EQ(run({"generate", file_}), ExitCode::ok) << error_;
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms(0640)) << "the file keeps its mode";
  EXPECT_EQ(fs::status(folder_.path() / "keys").permissions(), fs::perms::owner_all);
  EXPECT_THAT(read(), HasSubstr("# two of them"));
  const auto cluster = parse_cluster(read(), "f");
  ASSERT_TRUE(cluster) << cluster.error().message;
  EXPECT_TRUE(cluster->encrypted());
  for (const auto& chassis : cluster->chassis) {
    const auto keys = keys_of(key_file(chassis.name));
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(chassis.public_keys, std::vector{keys[0].public_key});
  }
  ASSERT_EQ(cluster->clients.size(), 1U);
  EXPECT_EQ(cluster->clients[0].name, "admin");
  EXPECT_EQ(cluster->clients[0].permitted, ClientClass::super_user);
  EXPECT_EQ(cluster->clients[0].public_keys, std::vector{keys_of(key_file("admin"))[0].public_key});
  std::size_t files = 0;
  for (const auto& each : fs::directory_iterator(folder_.path())) files += each.is_regular_file() ? 1U : 0U;
  EXPECT_EQ(files, 1U) << "nothing is left beside the file";
}

TEST_F(KeysCommand, GenerateTakesAnotherFolder) {
  const auto other = folder_.path() / "other";
  ASSERT_EQ(run({"generate", file_, "folder", other}), ExitCode::ok) << error_;
  EXPECT_TRUE(fs::exists(other / "left.key") && fs::exists(other / "right.key") && fs::exists(other / "admin.key"));
  EXPECT_FALSE(fs::exists(folder_.path() / "keys"));
}

TEST_F(KeysCommand, GenerateOverwritesNothingAndLeavesNothingHalfDone) {
  fs::create_directory(folder_.path() / "keys");
  ASSERT_EQ(run({"new", key_file("right")}), ExitCode::ok) << error_;
  const auto right = keys_of(key_file("right"))[0].secret_key;
  EXPECT_EQ(run({"generate", file_}), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("right.key: cannot be written: File exists"));
  EXPECT_EQ(read(), kText);
  EXPECT_FALSE(fs::exists(key_file("left")) || fs::exists(key_file("admin")));
  EXPECT_EQ(keys_of(key_file("right"))[0].secret_key, right);
  fs::remove(key_file("right"));
  ASSERT_EQ(run({"generate", file_}), ExitCode::ok) << error_;
  const std::string once = read();
  EXPECT_EQ(run({"generate", file_}), ExitCode::command_error);
  EXPECT_EQ(read(), once);
}

TEST_F(KeysCommand, GenerateSaysWhatIsWrongWithTheFile) {
  EXPECT_EQ(run({"generate", folder_.path() / "nothing.yaml"}), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("nothing.yaml: cannot be read: No such file"));
  write("cluster: lab\n");
  EXPECT_EQ(run({"generate", file_}), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("'chassis' is missing"));
  write(std::string(kText) + "security: none\n");
  EXPECT_EQ(run({"generate", file_}), ExitCode::ok) << error_;
  EXPECT_THAT(out_, HasSubstr("says 'security: none', so that they are not used"));
}

TEST_F(KeysCommand, RotateAddsAKeyAndRetireRemovesTheFormerOne) {
  fs::create_directory(folder_.path() / "keys");
  ASSERT_EQ(run({"new", key_file("left")}), ExitCode::ok) << error_;
  const auto first = keys_of(key_file("left"))[0];
  EXPECT_EQ(out_, first.public_key + "\n");
  EXPECT_EQ(run({"retire", key_file("left")}), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("holds one key only"));
  ASSERT_EQ(run({"rotate", key_file("left")}), ExitCode::ok) << error_;
  const auto both = keys_of(key_file("left"));
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[1].secret_key, first.secret_key);
  EXPECT_NE(both[0].secret_key, first.secret_key);
  EXPECT_EQ(out_, both[0].public_key + "\n" + both[1].public_key + "\n");
  EXPECT_EQ(run({"rotate", key_file("left")}), ExitCode::command_error);
  EXPECT_THAT(error_, HasSubstr("holds two keys"));
  ASSERT_EQ(run({"show", key_file("left")}), ExitCode::ok);
  EXPECT_EQ(out_, both[0].public_key + "\n" + both[1].public_key + "\n");
  ASSERT_EQ(run({"retire", key_file("left")}), ExitCode::ok) << error_;
  ASSERT_EQ(keys_of(key_file("left")).size(), 1U);
  EXPECT_EQ(keys_of(key_file("left"))[0].secret_key, both[0].secret_key);
}

TEST_F(KeysCommand, OtherWordsAreAnsweredWithTheUsage) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"generate"},
                                                {"generate", "a", "b"},
                                                {"generate", "a", "to", "b"},
                                                {"new"},
                                                {"make", "a"}}) {
    EXPECT_EQ(run(words), ExitCode::command_error);
    EXPECT_THAT(error_, HasSubstr("usage: icr keys generate FILE"));
  }
}

TEST_F(KeysCommand, AClientAsksWithItsOwnKeyOrThatOfAdmin) {
  ASSERT_EQ(run({"generate", file_}), ExitCode::ok) << error_;
  const auto cluster = parse_cluster(read(), "f").value();
  const auto asks_with = [&](const std::string& key, const std::string& user) {
    const auto own = read_own_key(cluster, file_, key, user);
    return own ? own->value_or(transport::KeyPair{}).public_key : own.error().message;
  };
  const auto admin = keys_of(key_file("admin"))[0].public_key;
  EXPECT_EQ(asks_with("", "alice"), admin);
  ASSERT_EQ(run({"new", key_file("alice")}), ExitCode::ok) << error_;
  EXPECT_EQ(asks_with("", "alice"), keys_of(key_file("alice"))[0].public_key);
  EXPECT_EQ(asks_with("", "bob"), admin);
  EXPECT_EQ(asks_with(key_file("left"), "bob"), keys_of(key_file("left"))[0].public_key);
  EXPECT_THAT(asks_with(key_file("nobody"), "bob"), HasSubstr("this client needs a secret key"));
  // Of two keys the one is used that the cluster knows.
  ASSERT_EQ(run({"rotate", key_file("admin")}), ExitCode::ok) << error_;
  EXPECT_EQ(asks_with("", "bob"), admin);
  Cluster open = cluster;
  open.security = Security::none;
  EXPECT_FALSE(read_own_key(open, file_, key_file("nobody"), "bob").value().has_value());
}

}  // namespace
}  // namespace icr::cli
