#include "penstock/exec/process_fd.h"

#include <unistd.h>

namespace penstock::exec {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) {
    // Linux frees the number even when close() fails, and nothing written here needs a verdict.
    ::close(fd_);
  }
  fd_ = fd;
}

}  // namespace penstock::exec
