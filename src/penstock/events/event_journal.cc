#include "penstock/events/event_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include "penstock/base/folder.h"
#include "penstock/base/forks.h"
#include "penstock/base/out_of_memory.h"

namespace penstock::events {
namespace {

constexpr std::int64_t kFileBytes = std::int64_t{64} << 20;
constexpr std::size_t kStepBytes = std::size_t{8} << 20;
constexpr std::string_view kPrefix = "events-", kSuffix = ".log";

base::Error damaged(const std::string& path, std::size_t offset, const std::string& what) {
  return base::Error(base::ErrorCode::kDataLoss, "the event log is damaged: " + what + ": path=" +
                                                     path + " offset=" + std::to_string(offset))
      .with_id("PS0482");
}

// Growth by doubling, whatever the standard library's reserve() does.
template <class T>
void make_room_in(T& values, std::size_t more) {
  if (values.capacity() - values.size() < more) {
    values.reserve(std::max(2 * values.capacity(), values.size() + more));
  }
}

}  // namespace

base::Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  const base::File file(path, O_RDONLY);
  struct stat facts{};
  if (!file.is_open() || ::fstat(file.number(), &facts) != 0) {
    return base::system_failure("cannot open event log", path);
  }
  const auto size = static_cast<std::size_t>(facts.st_size);
  std::shared_ptr<MappedFile> mapped(new MappedFile);
  if (size > 0) {
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number(), 0);
    if (at == MAP_FAILED) {
      return base::system_failure("cannot map event log", path);
    }
    mapped->bytes_ = {static_cast<const char*>(at), size};
  }
  return mapped;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
}

EventJournal::EventJournal(std::string folder, Mode mode)
    : folder_(std::move(folder)), mode_(mode), num_forks_(base::num_forks()) {
}

base::Result<std::unique_ptr<EventJournal>> EventJournal::open(const std::string& folder, Mode mode,
                                                               const Replay& replay) {
  return base::within_memory([&]() -> base::Result<std::unique_ptr<EventJournal>> {
    std::unique_ptr<EventJournal> journal(new EventJournal(folder, mode));
    if (mode == Mode::kWrite) {
      PENSTOCK_RETURN_IF_ERROR(base::make_folders(folder));
      const std::string path = folder + "/lock";
      journal->lock_ = base::File(path, O_RDWR | O_CREAT);
      if (!journal->lock_.is_open()) {
        return base::system_failure("cannot open lock of an event log", path);
      }
      if (::flock(journal->lock_.number(), LOCK_EX | LOCK_NB) != 0) {
        return base::fail(base::Error(base::ErrorCode::kUnavailable,
                                      "another event store writes this log: path=" + folder)
                              .with_id("PS0483")
                              .with_help("close the other one, or open this one for reading"));
      }
    }
    PENSTOCK_RETURN_IF_ERROR(journal->open_files(replay));
    return journal;
  });
}

base::Status EventJournal::open_files(const Replay& replay) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto entries, base::list_folder(folder_));
  for (const base::FolderEntry& entry : entries) {
    if (!entry.is_folder && entry.name.starts_with(kPrefix) && entry.name.ends_with(kSuffix)) {
      paths_.push_back(entry.path);
    }
  }
  std::sort(paths_.begin(), paths_.end());
  for (const std::string& path : paths_) {
    PENSTOCK_RETURN_IF_ERROR(replay_file(path, path == paths_.back(), replay));
    const std::size_t at = path.size() - kSuffix.size() - 10;
    next_number_ = std::max<std::int64_t>(
        next_number_, std::strtoll(path.substr(at, 10).c_str(), nullptr, 10) + 1);
  }
  return {};
}

base::Status EventJournal::replay_file(const std::string& path, bool is_last,
                                       const Replay& replay) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  const std::string_view bytes = file->bytes();
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t size = whole_frame(bytes.substr(at));
    if (size == 0) {
      break;
    }
    const base::Result<StepView> step = read_frame(bytes.substr(at, size));
    if (!step.has_value()) {
      return base::fail(damaged(path, at, step.error().message()));
    }
    if (const base::Status status = replay(*step, file); !status.has_value()) {
      return status.error().code() == base::ErrorCode::kDataLoss
                 ? base::fail(damaged(path, at, status.error().message()))
                 : status;
    }
    at += size;
  }
  if (at == bytes.size()) {
    return {};
  }
  // Cut short by a crash? Then nothing whole comes behind it.
  std::size_t next = bytes.find(kFrameMagic, at + 1);
  while (is_last && next != std::string_view::npos && whole_frame(bytes.substr(next)) == 0) {
    next = bytes.find(kFrameMagic, next + 1);
  }
  if (!is_last || next != std::string_view::npos) {
    return base::fail(damaged(path, at, "a frame is not what was written"));
  }
  if (mode_ == Mode::kWrite && ::truncate(path.c_str(), static_cast<off_t>(at)) != 0) {
    return base::system_failure("cannot cut the end of an event log", path);
  }
  return {};
}

base::Status EventJournal::check() const {
  if (mode_ == Mode::kRead) {
    return base::fail(base::Error(base::ErrorCode::kFailedPrecondition,
                                  "the event store is open for reading: path=" + folder_)
                          .with_help("open it without read_only=True"));
  }
  if (is_closed()) {
    return base::fail(base::Error(base::ErrorCode::kFailedPrecondition,
                                  "the event store is closed: path=" + folder_));
  }
  if (base::num_forks() != num_forks_) {
    return base::fail(base::Error(base::ErrorCode::kFailedPrecondition,
                                  "the event store writes to a log of the process that opened it, "
                                  "and fork() made this one: path=" +
                                      folder_)
                          .with_id("PS0480")
                          .with_help("open a log of its own in the new process"));
  }
  if (is_broken_.load(std::memory_order_acquire)) {
    return base::fail(base::Error(base::ErrorCode::kUnavailable,
                                  "the event log could not be written and takes nothing more: "
                                  "path=" +
                                      folder_)
                          .with_id("PS0481")
                          .with_help("make room on the disk and open the store again: it has what "
                                     "the last good flush had"));
  }
  return {};
}

void EventJournal::make_room(std::size_t record_bytes) {
  if (steps_.empty() || steps_.back().kind != FrameKind::kRows ||
      steps_.back().form != ValueForm::kEncoded || steps_.back().values.size() > kStepBytes) {
    steps_.emplace_back();
  }
  Step& step = steps_.back();
  make_room_in(step.series, 1);
  make_room_in(step.epochs, 1);
  make_room_in(step.timestamps, 1);
  make_room_in(step.ends, 1);
  make_room_in(step.values, record_bytes);
}

void EventJournal::note_row(std::int64_t id, Series series, std::int64_t epoch,
                            std::int64_t timestamp_us, std::string_view record) {
  Step& step = steps_.back();
  if (step.series.empty()) {
    step.first_id = id;
  }
  step.series.push_back(series);
  step.epochs.push_back(epoch);
  step.timestamps.push_back(timestamp_us);
  step.values.append(record);
  step.ends.push_back(step.values.size());
}

void EventJournal::make_room_for_step() {
  make_room_in(steps_, 1);
}

void EventJournal::note_step(Step step) {
  if (step.kind == FrameKind::kClear && step.all) {
    steps_.clear();  // what was not written yet need not be
  }
  steps_.push_back(std::move(step));
}

void EventJournal::close() {
  const std::lock_guard files(files_mutex_);
  is_closed_.store(true, std::memory_order_release);
  file_ = base::File();
  lock_ = base::File();
}

std::vector<Step> EventJournal::take() {
  std::vector<Step> steps = std::exchange(steps_, {});
  std::erase_if(steps,
                [](const Step& s) { return s.kind == FrameKind::kRows && s.series.empty(); });
  return steps;
}

// Each file names its series anew, so that it can be read by itself.
base::Status EventJournal::begin_file() {
  char number[24];
  std::snprintf(number, sizeof number, "%010" PRId64, next_number_);
  const std::string path = folder_ + "/" + std::string(kPrefix) + number + std::string(kSuffix);
  file_ = base::File(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  if (!file_.is_open()) {
    return base::system_failure("cannot make event log", path);
  }
  paths_.push_back(path);
  ++next_number_;
  file_bytes_ = 0;
  num_written_names_ = 0;
  return base::sync_folder(folder_);
}

base::Status EventJournal::write_bytes(const std::string& bytes) {
  if (!base::write_all(file_.number(), bytes.data(), bytes.size())) {
    return base::system_failure("cannot write event log", paths_.back());
  }
  if (::fdatasync(file_.number()) != 0) {
    return base::system_failure("cannot sync event log", paths_.back());
  }
  file_bytes_ += static_cast<std::int64_t>(bytes.size());
  return {};
}

base::Status EventJournal::write_steps(const std::vector<Step>& steps, const EventNames& names) {
  const bool replaces_all = steps.front().kind == FrameKind::kClear && steps.front().all;
  const std::size_t num_old = paths_.size();
  if (!file_.is_open() || file_bytes_ > kFileBytes || replaces_all) {
    PENSTOCK_RETURN_IF_ERROR(begin_file());
  }
  std::string bytes;
  for (const Step& step : steps) {
    std::vector<const SeriesName*> new_names;
    if (step.kind == FrameKind::kRows) {
      const Series last = *std::max_element(step.series.begin(), step.series.end());
      for (; num_written_names_ <= last; ++num_written_names_) {
        new_names.push_back(&names.name(num_written_names_));
      }
    }
    PENSTOCK_RETURN_IF_ERROR(append_frame(bytes, step, new_names));
  }
  PENSTOCK_RETURN_IF_ERROR(write_bytes(bytes));
  if (replaces_all) {
    for (std::size_t i = 0; i < num_old; ++i) {
      ::unlink(paths_[i].c_str());  // one that stays holds steps that the clear undoes
    }
    paths_.erase(paths_.begin(), paths_.begin() + static_cast<std::ptrdiff_t>(num_old));
  }
  return {};
}

base::Status EventJournal::write(std::vector<Step> steps, const EventNames& names) {
  const std::lock_guard files(files_mutex_);
  PENSTOCK_RETURN_IF_ERROR(check());
  if (steps.empty()) {
    return {};
  }
  const base::Status status = base::within_memory([&] { return write_steps(steps, names); });
  if (!status.has_value()) {
    // The steps are lost to the log: it must not go on as if it had them.
    is_broken_.store(true, std::memory_order_release);
    return base::within_memory([&]() -> base::Status {
      return base::fail(base::Error(base::ErrorCode::kUnavailable, status.error().message())
                            .with_id("PS0481")
                            .with_help("the store takes nothing more; open it again: it has what "
                                       "the last good flush had"));
    });
  }
  return {};
}

}  // namespace penstock::events
