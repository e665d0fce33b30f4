// Arrays of gigabytes: allocated and touched at construction, on huge pages where the kernel grants them. A look-up in
// such an array is otherwise a miss of the translation buffer as well.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

#if defined(__SANITIZE_ADDRESS__)
#define ICR_CHECK_ARRAYS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ICR_CHECK_ARRAYS
#endif
#endif

namespace icr {

template <class T>
class HugeArray {
 public:
  explicit HugeArray(std::size_t count, const T& value = T{}) : size_(count) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count == 0) return;
    void* const memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    (void)::madvise(memory, bytes(), MADV_HUGEPAGE);
    data_ = static_cast<T*>(memory);
    std::uninitialized_fill_n(data_, count, value);
  }
  ~HugeArray() {
    if (data_ != nullptr) ::munmap(data_, bytes());
  }
  HugeArray(const HugeArray&) = delete;
  HugeArray& operator=(const HugeArray&) = delete;

  [[nodiscard]] T& operator[](std::size_t i) { return data_[checked(i)]; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return data_[checked(i)]; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(T); }

 private:
  /// A sanitizer does not see the end of memory that was mapped.
  [[nodiscard]] std::size_t checked(std::size_t i) const {
#ifdef ICR_CHECK_ARRAYS
    if (i >= size_) std::abort();
#endif
    return i;
  }

  T* data_ = nullptr;
  std::size_t size_;
};

}  // namespace icr
