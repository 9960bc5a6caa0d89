#pragma once
/// That one process alone writes the records of a run.
#include <filesystem>
#include <utility>

namespace cli {

/// A lock on the records in a folder, which ends with the process, however that ends. Its file is empty and stays.
class records_lock {
 public:
  explicit records_lock(std::filesystem::path file) : file_(std::move(file)) {}
  records_lock(records_lock const&) = delete;
  records_lock& operator=(records_lock const&) = delete;
  ~records_lock();

  /// Takes it, where the folder is there. Refuses records that another process is writing.
  void take();
  [[nodiscard]] bool is_taken() const { return descriptor_ >= 0; }

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace cli
