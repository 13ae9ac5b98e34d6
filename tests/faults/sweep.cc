#include "sweep.h"

#include <execinfo.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/buffer_pool.h"
#include "penstock/base/out_of_memory.h"

namespace penstock::faults {
namespace {

namespace fs = std::filesystem;

/// What the process of a fault tells this one: memory that both see, so that a death loses none.
struct Verdict {
  bool is_over = false;  ///< act() has come back
  bool is_error = false;
  char what[32] = {};
  char detail[1024] = {};
  Site site;
  std::int64_t counted[2] = {};
  Holdings left;  ///< held after minus held before
};

struct Common {
  Verdict verdict;
  char wanted[1 << 16];
  std::size_t wanted_size = 0;
};

Common& common() {
  static auto* const shared = static_cast<Common*>(
      ::mmap(nullptr, sizeof(Common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  return *shared;
}

void accuse(const char* what, const std::string& detail) {
  Verdict& verdict = common().verdict;
  if (verdict.what[0] == '\0') {
    std::strncpy(verdict.what, what, sizeof verdict.what - 1);
    std::strncpy(verdict.detail, detail.c_str(), sizeof verdict.detail - 1);
  }
}

std::string folder_root() {
  static const std::string root = [] {
    std::error_code failed;
    const bool in_memory = fs::is_directory("/dev/shm", failed);
    return (in_memory ? fs::path("/dev/shm") : fs::temp_directory_path()) /
           fmt::format("penstock-faults-{}", ::getpid());
  }();
  return root;
}

/// An empty folder, gone at the end of the scope.
class Folder {
 public:
  Folder() : path_(folder_root() + "/stage") {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(folder_root(), ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void judge_answer(const Answer& answer) {
  const Common& shared = common();
  common().verdict.is_error = !answer.has_value();
  if (answer.has_value()) {
    if (*answer != std::string_view(shared.wanted, shared.wanted_size)) {
      accuse("wrong success", answer->substr(0, 900));
    }
  } else if (answer.error().message().empty()) {
    accuse("an error without words", std::string(base::to_string(answer.error().code())));
  } else {
    std::strncpy(common().verdict.detail, answer.error().to_string().c_str(),
                 sizeof common().verdict.detail - 1);
  }
}

void judge_folders(const Scenario& scenario, const std::string& folder) {
  if (std::string_view(common().verdict.site.call) == "unlink" ||
      std::string_view(common().verdict.site.call) == "remove") {
    return;  // what could not be removed is there
  }
  for (const std::string& scratch : scenario.scratch_folders) {
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(fs::path(folder) / scratch, missing)) {
      accuse("a file left over", entry.path().string());
    }
  }
}

/// Where worker processes find their fault, and leave what came of it: a file that all map. It is
/// made before the stage, which then starts the workers.
class WorkerFaults {
 public:
  WorkerFaults(const std::string& folder, const Fault& fault) {
    const std::string path = folder + "/worker-fault";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (::ftruncate(file, sizeof(WorkerFault)) == 0) {
      shared_ = static_cast<WorkerFault*>(
          ::mmap(nullptr, sizeof(WorkerFault), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
      shared_->fault = fault;
    }
    ::close(file);
    ::setenv(kWorkerFaultVariable, path.c_str(), 1);
  }
  const WorkerFault& result() const { return *shared_; }

 private:
  WorkerFault* shared_ = nullptr;  // until this process ends
};

/// Runs act() once with `fault`, in this process.
std::optional<Answer> act_with(Stage& stage, const Fault& fault) {
  try {
    arm(fault);
    Answer answer = stage.act();
    disarm();
    return answer;
  } catch (const std::exception& thrown) {
    disarm();
    accuse("an exception came out", thrown.what());
    return std::nullopt;
  }
}

bool is_within(const Holdings& left, const Holdings& allowed) {
  return left.blocks <= allowed.blocks && left.mappings <= allowed.mappings &&
         left.files <= allowed.files;
}

/// What is held beyond `before`, once a thread of a pool has let go of what it still has.
Holdings settled(const Holdings& before, const Holdings& allowed) {
  constexpr int kPatienceMs = 300;
  Holdings left;
  for (int waited_ms = 0; waited_ms <= kPatienceMs; ++waited_ms) {
    base::BufferPool::shared().trim();
    const Holdings now = holdings();
    left = {.blocks = now.blocks - before.blocks,
            .mappings = now.mappings - before.mappings,
            .files = now.files - before.files};
    if (is_within(left, allowed)) {
      break;
    }
    ::usleep(1000);
  }
  return left;
}

[[noreturn]] void run_in_child(const Scenario& scenario, const Fault& fault,
                               const std::string& folder, const Holdings& allowed,
                               std::int32_t seconds) {
  ::alarm(static_cast<unsigned>(seconds));
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere >= 0 && std::getenv("PENSTOCK_FAULTS_VERBOSE") == nullptr) {
    ::dup2(nowhere, STDERR_FILENO);
  }
  Verdict& verdict = common().verdict;
  set_site(&verdict.site);
  {
    std::optional<WorkerFaults> workers;
    if (scenario.is_in_worker) {
      workers.emplace(folder, fault);
    }
    const std::unique_ptr<Stage> stage = scenario.set_up(folder);
    // So that it has to ask the system, and what it keeps is no leak.
    base::BufferPool::shared().trim();
    const Holdings before = holdings();
    {
      const std::optional<Answer> answer = act_with(*stage, workers.has_value() ? Fault() : fault);
      verdict.is_over = true;
      verdict.counted[0] = num_counted(Kind::kMemory);
      verdict.counted[1] = num_counted(Kind::kCall);
      if (workers.has_value()) {
        verdict.site = workers->result().site;
        std::ranges::copy(workers->result().counted, verdict.counted);
      }
      if (answer.has_value()) {
        judge_answer(*answer);
      }
    }
    verdict.left = settled(before, allowed);
    judge_folders(scenario, folder);
  }
  ::_exit(0);
}

void kill_children() {
  std::ifstream list(fmt::format("/proc/self/task/{}/children", ::getpid()));
  for (pid_t child = 0; list >> child;) {
    ::kill(child, SIGKILL);
  }
}

/// Ends with all children gone; false when the fault's process left one that did not end by itself.
bool reap_orphans() {
  constexpr int kPatienceMs = 2000;
  bool is_clean = true;
  for (int waited_ms = 0;; ++waited_ms) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended < 0) {
      return is_clean;
    }
    if (ended == 0 && waited_ms >= kPatienceMs) {
      is_clean = false;
      kill_children();
    }
    if (ended == 0) {
      ::usleep(1000);
    }
  }
}

/// One fault in a process of its own.
void run_fault(const Scenario& scenario, const Fault& fault, const Holdings& allowed,
               const SweepOptions& options) {
  Common& shared = common();
  shared.verdict = Verdict{};
  const Folder folder;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    run_in_child(scenario, fault, folder.path(), allowed, options.seconds_each);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    shared.verdict.what[0] = '\0';
    accuse(signal == SIGALRM ? "hang" : "crash", fmt::format("signal {}", strsignal(signal)));
  } else if (WEXITSTATUS(status) != 0) {
    accuse("crash", fmt::format("exit code {}", WEXITSTATUS(status)));
  }
  if (!reap_orphans()) {
    accuse("an orphan process", "");
  }
}

/// What a run without a fault leaves behind in its process: what it makes once.
struct Baseline {
  Holdings left;
  bool is_fine = false;
};

/// The first exception and the first backtrace of a process make things that stay.
void warm_up() {
  void* frame = nullptr;
  std::ignore = ::backtrace(&frame, 1);
  try {
    throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
    std::ignore = base::out_of_memory();
  }
}

Baseline measure(const Scenario& scenario, const SweepOptions& options, Report& report) {
  Baseline out;
  Common& shared = common();
  warm_up();
  {
    // Twice in this process, for what is made once per process.
    for (int round = 0; round < 2; ++round) {
      const Folder folder;
      const std::unique_ptr<Stage> stage = scenario.set_up(folder.path());
      const std::optional<Answer> answer = act_with(*stage, {});
      if (!answer.has_value() || !answer->has_value()) {
        report.trouble = answer.has_value() ? answer->error().to_string() : "it threw";
        return out;
      }
      shared.wanted_size = (*answer)->copy(shared.wanted, sizeof shared.wanted);
    }
  }
  for (int round = 0; round < (scenario.is_concurrent ? 3 : 1); ++round) {
    run_fault(scenario, {}, {}, options);
    if (shared.verdict.what[0] != '\0' || shared.verdict.is_error) {
      report.trouble =
          fmt::format("without a fault: {}: {}", shared.verdict.what, shared.verdict.detail);
      return out;
    }
    out.left.blocks = std::max(out.left.blocks, shared.verdict.left.blocks);
    out.left.mappings = std::max(out.left.mappings, shared.verdict.left.mappings);
    out.left.files = std::max(out.left.files, shared.verdict.left.files);
    // How often a loop that waits comes by depends on the machine: the fewest.
    report.allocations = round == 0 ? shared.verdict.counted[0]
                                    : std::min(report.allocations, shared.verdict.counted[0]);
    report.calls =
        round == 0 ? shared.verdict.counted[1] : std::min(report.calls, shared.verdict.counted[1]);
  }
  out.is_fine = true;
  return out;
}

void judge_holdings(const Holdings& allowed) {
  const Holdings& left = common().verdict.left;
  if (!is_within(left, allowed)) {
    accuse("leak", fmt::format("{} blocks, {} mappings, {} descriptors; {}, {}, {} without a fault",
                               left.blocks, left.mappings, left.files, allowed.blocks,
                               allowed.mappings, allowed.files));
  }
}

void count(const Fault& fault, Report& report) {
  const Verdict& verdict = common().verdict;
  if (!verdict.site.is_fired) {
    return;
  }
  ++report.injected;
  report.errors += verdict.is_error ? 1 : 0;
  if (verdict.what[0] == '\0') {
    return;
  }
  ++report.num_findings;
  const std::string site = verdict.site.text;
  const bool is_known = std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.what == verdict.what && finding.site == site;
  });
  if (!is_known && report.findings.size() < Report::kMaxFindings) {
    report.findings.push_back(
        {.fault = fault, .what = verdict.what, .detail = verdict.detail, .site = site});
  }
}

/// `fault`, at each place in turn up to `most_at`.
void sweep_kind(const Scenario& scenario, Fault fault, std::int64_t most_at,
                const SweepOptions& options, const Baseline& baseline, Report& report) {
  const std::int64_t wanted = options.most > 0 ? std::min(most_at, options.most) : most_at;
  for (std::int64_t i = 0; i < wanted; ++i) {
    fault.at = 1 + i * most_at / wanted;
    run_fault(scenario, fault, baseline.left, options);
    if (common().verdict.is_over) {
      judge_holdings(baseline.left);
    }
    count(fault, report);
  }
}

}  // namespace

Report sweep(const Scenario& scenario, const SweepOptions& options) {
  Report report{.name = scenario.name};
  // Grandchildren whose parent has ended come to this process.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const Baseline baseline = measure(scenario, options, report);
  if (!baseline.is_fine) {
    return report;
  }
  sweep_kind(scenario, {.kind = Kind::kMemory}, report.allocations, options, baseline, report);
  if (!scenario.needs_memory_to_fail) {
    sweep_kind(scenario, {.kind = Kind::kMemory, .length = Fault::kForever}, report.allocations,
               options, baseline, report);
  }
  for (std::int32_t variant = 0; variant < kMaxVariants; ++variant) {
    sweep_kind(scenario, {.kind = Kind::kCall, .variant = variant}, report.calls, options, baseline,
               report);
  }
  return report;
}

std::string to_text(const Report& report) {
  std::string out = fmt::format(
      "{:<24} {:>6} allocations {:>5} calls {:>6} faults {:>6} errors {:>4} findings", report.name,
      report.allocations, report.calls, report.injected, report.errors, report.num_findings);
  if (!report.trouble.empty()) {
    out += "\n  does not run: " + report.trouble;
  }
  for (const Finding& finding : report.findings) {
    out +=
        fmt::format("\n  {} {} variant {}: {}: {}\n    {}",
                    finding.fault.kind == Kind::kMemory ? "allocation" : "call", finding.fault.at,
                    finding.fault.variant, finding.what, finding.detail, finding.site);
  }
  return out;
}

}  // namespace penstock::faults
