// The terminal at which an operator sits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace icr::cli {

struct ScreenSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};
/// Returns the size of the terminal on standard output; 24 by 80 if it does not tell.
[[nodiscard]] ScreenSize screen_size();

/// Writes all of `text` to standard output. Returns false if that is not possible any more.
bool write_out(std::string_view text);

/// While it lives, each key of standard input is read at once and without echo.
class RawKeys {
 public:
  /// `interrupted` becomes true when the operator types Ctrl-C. REQUIRES: it outlives this.
  explicit RawKeys(const volatile bool& interrupted);
  ~RawKeys();
  RawKeys(const RawKeys&) = delete;
  RawKeys& operator=(const RawKeys&) = delete;

  /// Waits for a key. Returns -1 if there will be none, or after Ctrl-C. A sequence of an arrow or page key is returned
  /// as one of the keys below.
  [[nodiscard]] int next() const;
  /// Waits for a key, or until `other` can be read: reads its 8 octets, and returns kReady.
  [[nodiscard]] int next_or(int other) const;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
  const volatile bool& interrupted_;
};

inline constexpr int kEscape = 27;
inline constexpr int kUp = 1001;
inline constexpr int kDown = 1002;
inline constexpr int kPageUp = 1003;
inline constexpr int kPageDown = 1004;
inline constexpr int kReady = 1005;

}  // namespace icr::cli
