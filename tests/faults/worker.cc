// The test program as a worker process.
#include "penstock/exec/worker.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "faults.h"
#include "sweep.h"

#include "penstock/exec/process_test_support.h"

namespace penstock::faults {

int worker_main(int control_fd) {
  WorkerFault* shared = nullptr;
  if (const char* const path = std::getenv(kWorkerFaultVariable); path != nullptr) {
    const int file = ::open(path, O_RDWR | O_CLOEXEC);
    void* const mapped =
        ::mmap(nullptr, sizeof(WorkerFault), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    shared = mapped == MAP_FAILED ? nullptr : static_cast<WorkerFault*>(mapped);
  }
  if (shared != nullptr) {
    set_site(&shared->site);
    arm(shared->site.is_fired ? Fault() : shared->fault);
  }
  const int code = exec::run_worker(control_fd, {.compile = exec::testing::compile});
  disarm();
  if (shared != nullptr && code == 0) {
    shared->counted[0] = num_counted(Kind::kMemory);
    shared->counted[1] = num_counted(Kind::kCall);
  }
  return code;
}

}  // namespace penstock::faults
