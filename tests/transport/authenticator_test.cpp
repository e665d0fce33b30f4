// What the authenticator answers to libzmq's requests, and to those that libzmq never sends.
#include "transport/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zmq.h>

#include <array>
#include <string>
#include <vector>

#include "model/record/key_text.h"

namespace icr::transport {
namespace {

using testing::ElementsAre;
using Parts = std::vector<std::string>;

class AuthenticatorTest : public testing::Test {
 protected:
  void SetUp() override {
    authenticator_ = Authenticator::start(context_).value();
    domain_ = authenticator_->add(list_);
    list_->set({text_of(key_)});
    const int limit_ms = 10'000;
    ASSERT_EQ(zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &limit_ms, sizeof limit_ms), 0);
    ASSERT_EQ(zmq_connect(socket_, "inproc://zeromq.zap.01"), 0);
  }
  void TearDown() override {
    zmq_close(socket_);
    zmq_ctx_shutdown(context_);
    authenticator_.reset();
    zmq_ctx_term(context_);
  }
  static std::string text_of(const std::string& key) {
    std::array<char, kKeyTextLength + 1> text{};
    return zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(key.data()), key.size());
  }
  [[nodiscard]] Parts request(const std::string& domain, const std::string& key) const {
    return {"1.0", "7", domain, "192.0.2.9", "", "CURVE", key};
  }
  /// Returns the parts of the answer.
  Parts ask(const Parts& request) {
    for (std::size_t i = 0; i < request.size(); ++i) {
      const int more = i + 1 < request.size() ? ZMQ_SNDMORE : 0;
      EXPECT_GE(zmq_send(socket_, request[i].data(), request[i].size(), more), 0);
    }
    Parts out;
    for (bool more = true; more;) {
      zmq_msg_t part;
      zmq_msg_init(&part);
      EXPECT_GE(zmq_msg_recv(&part, socket_, 0), 0) << zmq_strerror(zmq_errno());
      out.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
      more = zmq_msg_more(&part) != 0;
      zmq_msg_close(&part);
    }
    return out;
  }

  const std::string key_ = std::string(31, 'k') + '\0';
  const std::string other_key_ = std::string(32, 'o');
  std::shared_ptr<AllowList> list_ = std::make_shared<AllowList>("the socket of a test");
  void* const context_ = zmq_ctx_new();
  void* const socket_ = zmq_socket(context_, ZMQ_REQ);
  std::unique_ptr<Authenticator> authenticator_;
  std::string domain_;
};

TEST_F(AuthenticatorTest, AllowsTheKeysOfTheListAndNamesTheUserByThem) {
  EXPECT_THAT(ask(request(domain_, key_)), ElementsAre("1.0", "7", "200", "", text_of(key_), ""));
  EXPECT_THAT(ask(request(domain_, other_key_)), ElementsAre("1.0", "7", "400", "", "", ""));
  EXPECT_EQ(list_->refusals(), 1U);
}

TEST_F(AuthenticatorTest, EachDomainHasItsOwnList) {
  const auto other = std::make_shared<AllowList>("another socket of a test");
  other->set({text_of(other_key_)});
  const std::string others = authenticator_->add(other);
  EXPECT_EQ(ask(request(others, other_key_))[2], "200");
  EXPECT_EQ(ask(request(others, key_))[2], "400");
  EXPECT_EQ(ask(request(domain_, other_key_))[2], "400");
}

TEST_F(AuthenticatorTest, AllowsNobodyOnceTheListIsGone) {
  ASSERT_EQ(ask(request(domain_, key_))[2], "200");
  list_.reset();
  EXPECT_EQ(ask(request(domain_, key_))[2], "400");
}

TEST_F(AuthenticatorTest, AllowsNobodyWhoseRequestIsNotAsItShouldBe) {
  const Parts good = request(domain_, key_);
  const auto with = [&](std::size_t part, const std::string& text) {
    Parts out = good;
    out[part] = text;
    return out;
  };
  Parts longer = good;
  longer.emplace_back("more");
  for (const Parts& wrong :
       {with(0, "2.0"), with(2, ""), with(2, "icr-99"), with(5, "NULL"), with(5, "PLAIN"), with(6, ""),
        with(6, key_.substr(1)), with(6, key_ + key_), with(6, std::string(100'000, 'k')), Parts{""}, Parts{"1.0", "7"},
        Parts(good.begin(), good.end() - 1), longer}) {
    const Parts answer = ask(wrong);
    ASSERT_EQ(answer.size(), 6U);
    EXPECT_EQ(answer[2], "400");
    EXPECT_EQ(answer[4], "");
  }
  EXPECT_EQ(ask(good)[2], "200") << "it goes on";
}

}  // namespace
}  // namespace icr::transport
