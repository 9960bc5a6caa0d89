#include "records_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include <lnpt/core/error.hpp>
#include <lnpt/io/atomic_file.hpp>

namespace cli {

records_lock::~records_lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void records_lock::take() {
  if (is_taken()) return;
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0)
    lnpt::fail("opening ", file_, " failed (", lnpt::io::system_reason(), "): choose an --out that can be written");
  // A file system without locks refuses otherwise, and is written all the same.
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  descriptor_ = -1;
  lnpt::fail(file_.parent_path(), " is being written by another lnpt: wait until that ends, or choose another --out");
}

}  // namespace cli
