// Files of secret keys.
#include "transport/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "model/record/key_text.h"
#include "tests/support/temporary_folder.h"

namespace icr::transport {
namespace {

using testing::HasSubstr;

class KeyFile : public testing::Test {
 protected:
  void write(std::string_view text, mode_t mode = 0600) {
    std::ofstream(file_, std::ios::binary) << text;
    ::chmod(file_.c_str(), mode);
  }
  /// Returns why the file is refused; empty if it is read.
  std::string refusal() const {
    const auto read = read_secret_keys(file_);
    return read ? "" : read.error().message;
  }

  test::TemporaryFolder folder_;
  const std::string file_ = (folder_.path() / "left.key").string();
};

TEST_F(KeyFile, HoldsWhatWasWrittenAndOnlyItsOwnerReadsIt) {
  const SecretKeys keys = {make_key_pair().value(), make_key_pair().value()};
  ASSERT_TRUE(create_secret_keys(file_, "chassis left", keys));
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto read = read_secret_keys(file_);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].public_key, keys[i].public_key);
    EXPECT_EQ((*read)[i].secret_key, keys[i].secret_key);
  }
  EXPECT_NE(keys[0].secret_key, keys[1].secret_key);
  EXPECT_TRUE(is_key_text(keys[0].public_key) && is_key_text(keys[0].secret_key));
}

TEST_F(KeyFile, IsNotOverwrittenUnlessItIsToBeReplaced) {
  const SecretKeys first = {make_key_pair().value()};
  const SecretKeys second = {make_key_pair().value()};
  ASSERT_TRUE(create_secret_keys(file_, "left", first));
  const auto again = create_secret_keys(file_, "left", second);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("left.key: cannot be written: File exists"));
  EXPECT_EQ(read_secret_keys(file_)->front().secret_key, first[0].secret_key);
  ASSERT_TRUE(replace_secret_keys(file_, "left", second));
  EXPECT_EQ(read_secret_keys(file_)->front().secret_key, second[0].secret_key);
  EXPECT_EQ(refusal(), "");
}

TEST_F(KeyFile, OfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file to another user";
  ASSERT_TRUE(create_secret_keys(file_, "left", {make_key_pair().value()}));
  ASSERT_EQ(::chown(file_.c_str(), 65534, 65534), 0);
  EXPECT_THAT(refusal(), HasSubstr("belongs to another user (uid 65534)"));
}

TEST_F(KeyFile, IsNotLeftInPartWhereTheDiskIsFull) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 50;
  ASSERT_NE(::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = create_secret_keys(file_, "left", {make_key_pair().value()});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_DFL);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("left.key: cannot be written: File too large"));
  EXPECT_FALSE(std::filesystem::exists(file_)) << "the next attempt would find a file";
}

TEST_F(KeyFile, ThatIsAPipeOrADeviceIsRefusedAtOnce) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("left.key: is no file"));
  EXPECT_EQ(read_secret_keys("/dev/zero").error().message, "/dev/zero: is no file");
}

TEST_F(KeyFile, ThatOthersMayReadOrChangeIsRefused) {
  const std::string secret = make_key_pair()->secret_key;
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0666U}) {
    write(secret, mode);
    EXPECT_THAT(refusal(), HasSubstr("other users may read or change it")) << mode;
  }
  write(secret, 0400);
  EXPECT_EQ(refusal(), "");
}

TEST_F(KeyFile, WithAnythingButKeysIsRefused) {
  const std::string secret = make_key_pair()->secret_key;
  EXPECT_THAT(refusal(), HasSubstr("cannot be read: No such file or directory"));
  write("# nothing\n\n");
  EXPECT_THAT(refusal(), HasSubstr("holds no secret key"));
  write("# a comment\n" + secret + "\n" + secret.substr(1) + "\n");
  EXPECT_THAT(refusal(), HasSubstr("line 3 is no secret key"));
  write(secret + " ");
  EXPECT_THAT(refusal(), HasSubstr("line 1 is no secret key"));
  write(secret + "\n" + secret + "\n" + secret + "\n");
  EXPECT_THAT(refusal(), HasSubstr("more than 2 secret keys"));
  write(std::string(5000, '#'));
  EXPECT_THAT(refusal(), HasSubstr("it is too long"));
  write(std::string(kKeyTextLength, '0'));
  EXPECT_THAT(refusal(), HasSubstr("line 1 is no secret key"));
  EXPECT_THAT(read_secret_keys(folder_.path().string()).error().message, HasSubstr("is no file"));
}

TEST(KeyPairs, AreFoundByTheFirstPublicKeyThatTheFileHas) {
  const SecretKeys keys = {make_key_pair().value(), make_key_pair().value()};
  const std::string other = make_key_pair()->public_key;
  EXPECT_EQ(find_pair(keys, {other, keys[1].public_key, keys[0].public_key}), &keys[1]);
  EXPECT_EQ(find_pair(keys, {other}), nullptr);
  EXPECT_EQ(find_pair(keys, {}), nullptr);
}

TEST(KeyText, IsFortyCharactersThatStandForThirtyTwoOctets) {
  EXPECT_TRUE(is_key_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"));
  EXPECT_FALSE(is_key_text(""));
  EXPECT_FALSE(is_key_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf"));
  EXPECT_FALSE(is_key_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf77"));
  EXPECT_FALSE(is_key_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf~"));
  EXPECT_FALSE(is_key_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8#####")) << "more than 32 bits in five characters";
  EXPECT_FALSE(is_key_text("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H######"));
  EXPECT_FALSE(is_key_text(std::string(40, '#')));
  EXPECT_FALSE(is_key_text(std::string(40, '0')));
}

}  // namespace
}  // namespace icr::transport
