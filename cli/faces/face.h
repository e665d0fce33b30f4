// A face writes a tree in one form: text, XML or JSON.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/result/tree.h"

namespace icr::cli {

/// Writes what a face has produced, in pieces of any size.
using Writer = std::function<void(std::string_view text)>;

/// Takes the events of an answer, and writes them. REQUIRES: finish() is called last, after everything has ended.
class Face : public Tree {
 public:
  explicit Face(Writer write) : write_(std::move(write)) {}
  /// Writes what is left, and what closes the answer.
  void finish() {
    on_finish();
    flush();
  }
  /// Writes what was produced so far.
  void flush() {
    if (!out_.empty()) write_(out_);
    out_.clear();
  }

 protected:
  [[nodiscard]] std::string& out() { return out_; }
  /// Writes what was produced so far if it is much.
  void flush_if_large() {
    if (out_.size() >= kPiece) flush();
  }

 private:
  static constexpr std::size_t kPiece = 64 * 1024;
  virtual void on_finish() = 0;

  Writer write_;
  std::string out_;
};

/// What surrounds an answer in XML.
enum class Envelope : std::uint8_t {
  cli,   ///< `<rpc-reply>` with the banner of the command line, as `| display xml` prints it
  none,  ///< nothing: NETCONF writes its own
};

[[nodiscard]] std::unique_ptr<Face> make_xml_face(Writer write, Envelope envelope = Envelope::cli);
[[nodiscard]] std::unique_ptr<Face> make_json_face(Writer write);

}  // namespace icr::cli
