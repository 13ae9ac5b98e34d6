// EventJournal: an event store's life in append-only files, so that it can be taken up again.
//
// <folder>/events-<number>.log, frames one after another (event_file.h); <folder>/lock is held by
// the one writer. Steps are noted in memory and become durable together, in flush().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/file.h"
#include "penstock/base/result.h"
#include "penstock/core/host.h"
#include "penstock/events/event_file.h"

namespace penstock::events {

/// A file of the log in memory, for as long as a value in it is used.
class MappedFile {
 public:
  static base::Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return bytes_; }

 private:
  MappedFile() = default;
  std::string_view bytes_;
};

/// Stands for a value that lies in a file of the log; only ever inside the store.
class StoredValue final : public core::HostObject {
 public:
  StoredValue(std::shared_ptr<const MappedFile> file, std::string_view record)
      : file_(std::move(file)), record_(record) {}
  base::Result<core::Value> read() const { return read_record(record_); }

 private:
  const std::shared_ptr<const MappedFile> file_;
  const std::string_view record_;
};

/// The note functions and take(): one thread at a time. write() beside them.
class EventJournal {
 public:
  enum class Mode : std::uint8_t { kWrite, kRead };
  /// Called for each step that is in the files, in order.
  using Replay =
      std::function<base::Status(const StepView&, const std::shared_ptr<const MappedFile>&)>;

  /// kUnavailable (PS0483) when another process writes; kDataLoss (PS0482) for a damaged file. What
  /// a crash left cut short at the end of the last file was never acknowledged: it is removed when
  /// opened for writing, and not looked at otherwise.
  static base::Result<std::unique_ptr<EventJournal>> open(const std::string& folder, Mode mode,
                                                          const Replay& replay);

  /// An error when nothing can be noted: opened for reading, copied by fork(), or a flush failed.
  base::Status check() const;

  /// Room for one more row, so that note_row() cannot fail.
  void make_room(std::size_t record_bytes);
  void note_row(std::int64_t id, Series series, std::int64_t epoch, std::int64_t timestamp_us,
                std::string_view record);
  /// Room for one more step.
  void make_room_for_step();
  void note_step(Step step);

  /// What was noted since the last time.
  std::vector<Step> take();

  /// Writes steps and waits until they last. kUnavailable (PS0481) when that failed: then the log
  /// ends with what was written before.
  base::Status write(std::vector<Step> steps, const EventNames& names);
  /// Lets go of the lock; nothing can be noted or written afterwards.
  void close();
  bool is_closed() const { return is_closed_.load(std::memory_order_acquire); }
  bool is_read_only() const { return mode_ == Mode::kRead; }

 private:
  EventJournal(std::string folder, Mode mode);
  base::Status open_files(const Replay& replay);
  base::Status replay_file(const std::string& path, bool is_last, const Replay& replay);
  base::Status begin_file();
  base::Status write_steps(const std::vector<Step>& steps, const EventNames& names);
  base::Status write_bytes(const std::string& bytes);

  const std::string folder_;
  const Mode mode_;
  const int num_forks_;
  base::File lock_;
  std::vector<Step> steps_;
  std::mutex files_mutex_;  ///< of write()
  base::File file_;
  std::vector<std::string> paths_;  ///< the files there are, oldest first
  std::int64_t next_number_ = 0;
  std::int64_t file_bytes_ = 0;
  Series num_written_names_ = 0;  ///< in file_
  std::atomic<bool> is_broken_{false}, is_closed_{false};
};

}  // namespace penstock::events
