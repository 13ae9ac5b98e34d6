// System calls of this program, in place of the C library's: each may fail in the ways it can fail
// on a healthy machine. What is interposed is what libpenstock.so imports (nm -D), and what
// libstdc++ does for it (std::filesystem).
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <initializer_list>

#include "faults.h"

namespace {

using penstock::faults::Kind;
using penstock::faults::must_fail;

/// The next definition of `name` behind this program's.
template <class Function>
Function* real(const char* name) {
  const penstock::faults::Paused pause;  // dlsym() may allocate
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// True: the call fails, and errno is set to one of `errors`.
bool fails(const char* call, std::initializer_list<int> errors) {
  if (!must_fail(Kind::kCall, call, static_cast<std::int32_t>(errors.size()))) {
    return false;
  }
  errno = errors.begin()[penstock::faults::variant()];
  return true;
}

/// The size of a read or write cut short: in variant `short_variant` half of it is done.
template <class Call>
ssize_t transfer(const char* name, std::initializer_list<int> errors, std::size_t size, Call call) {
  const auto short_variant = static_cast<std::int32_t>(errors.size());
  // What takes one word (an eventfd) takes it whole.
  const bool may_be_short = size > sizeof(std::uint64_t);
  if (!must_fail(Kind::kCall, name, short_variant + (may_be_short ? 1 : 0))) {
    return call(size);
  }
  if (penstock::faults::variant() == short_variant) {
    return call(size / 2);
  }
  errno = errors.begin()[penstock::faults::variant()];
  return -1;
}

}  // namespace

#define PENSTOCK_REAL(name) static auto* const next = real<decltype(name)>(#name)

extern "C" {

// Files.

static mode_t mode_of(int flags, std::va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char* path, int flags, ...) {
  static auto* const next = real<int(const char*, int, ...)>("open");
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return fails("open", {EMFILE, EACCES, ENOSPC}) ? -1 : next(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  static auto* const next = real<int(const char*, int, ...)>("open64");
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return fails("open64", {EMFILE, EACCES, ENOSPC}) ? -1 : next(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  static auto* const next = real<int(int, const char*, int, ...)>("openat");
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return fails("openat", {EMFILE, EACCES}) ? -1 : next(folder, path, flags, mode);
}

std::FILE* fopen(const char* path, const char* mode) {
  PENSTOCK_REAL(fopen);
  return fails("fopen", {EMFILE, EACCES}) ? nullptr : next(path, mode);
}

std::FILE* fopen64(const char* path, const char* mode) {
  static auto* const next = real<std::FILE*(const char*, const char*)>("fopen64");
  return fails("fopen64", {EMFILE, EACCES}) ? nullptr : next(path, mode);
}

DIR* opendir(const char* path) {
  PENSTOCK_REAL(opendir);
  return fails("opendir", {EMFILE, EACCES}) ? nullptr : next(path);
}

ssize_t read(int file, void* to, std::size_t size) {
  PENSTOCK_REAL(read);
  return transfer("read", {EIO, EINTR}, size,
                  [&](std::size_t part) { return next(file, to, part); });
}

ssize_t pread(int file, void* to, std::size_t size, off_t offset) {
  PENSTOCK_REAL(pread);
  return transfer("pread", {EIO, EINTR}, size,
                  [&](std::size_t part) { return next(file, to, part, offset); });
}

ssize_t pread64(int file, void* to, std::size_t size, off64_t offset) {
  static auto* const next = real<ssize_t(int, void*, std::size_t, off64_t)>("pread64");
  return transfer("pread64", {EIO, EINTR}, size,
                  [&](std::size_t part) { return next(file, to, part, offset); });
}

ssize_t write(int file, const void* from, std::size_t size) {
  PENSTOCK_REAL(write);
  return transfer("write", {ENOSPC, EINTR}, size,
                  [&](std::size_t part) { return next(file, from, part); });
}

ssize_t pwrite64(int file, const void* from, std::size_t size, off64_t offset) {
  static auto* const next = real<ssize_t(int, const void*, std::size_t, off64_t)>("pwrite64");
  return transfer("pwrite64", {ENOSPC, EINTR}, size,
                  [&](std::size_t part) { return next(file, from, part, offset); });
}

// As close() does it: the descriptor is gone whatever it says.
int close(int file) {
  PENSTOCK_REAL(close);
  const int closed = next(file);
  return fails("close", {EIO, EINTR}) ? -1 : closed;
}

int fsync(int file) {
  PENSTOCK_REAL(fsync);
  return fails("fsync", {EIO, ENOSPC}) ? -1 : next(file);
}

int fdatasync(int file) {
  PENSTOCK_REAL(fdatasync);
  return fails("fdatasync", {EIO, ENOSPC}) ? -1 : next(file);
}

int ftruncate(int file, off_t size) {
  PENSTOCK_REAL(ftruncate);
  return fails("ftruncate", {ENOSPC, EIO, EINTR}) ? -1 : next(file, size);
}

int ftruncate64(int file, off64_t size) {
  static auto* const next = real<int(int, off64_t)>("ftruncate64");
  return fails("ftruncate64", {ENOSPC, EIO, EINTR}) ? -1 : next(file, size);
}

int mkdir(const char* path, mode_t mode) {
  PENSTOCK_REAL(mkdir);
  return fails("mkdir", {ENOSPC, EACCES}) ? -1 : next(path, mode);
}

int rename(const char* from, const char* to) {
  PENSTOCK_REAL(rename);
  return fails("rename", {EIO, ENOSPC, EACCES}) ? -1 : next(from, to);
}

int unlink(const char* path) {
  PENSTOCK_REAL(unlink);
  return fails("unlink", {EIO, EACCES}) ? -1 : next(path);
}

int remove(const char* path) {
  PENSTOCK_REAL(remove);
  return fails("remove", {EIO, EACCES}) ? -1 : next(path);
}

int rmdir(const char* path) {
  PENSTOCK_REAL(rmdir);
  return fails("rmdir", {EIO, EACCES}) ? -1 : next(path);
}

int link(const char* from, const char* to) {
  PENSTOCK_REAL(link);
  return fails("link", {EIO, EMLINK, EACCES}) ? -1 : next(from, to);
}

int access(const char* path, int mode) {
  PENSTOCK_REAL(access);
  return fails("access", {EIO, EACCES}) ? -1 : next(path, mode);
}

int stat(const char* path, struct stat* out) {
  static auto* const next = real<int(const char*, struct stat*)>("stat");
  return fails("stat", {EIO, EACCES}) ? -1 : next(path, out);
}

int stat64(const char* path, struct stat64* out) {
  static auto* const next = real<int(const char*, struct stat64*)>("stat64");
  return fails("stat64", {EIO, EACCES}) ? -1 : next(path, out);
}

int lstat(const char* path, struct stat* out) {
  static auto* const next = real<int(const char*, struct stat*)>("lstat");
  return fails("lstat", {EIO, EACCES}) ? -1 : next(path, out);
}

int lstat64(const char* path, struct stat64* out) {
  static auto* const next = real<int(const char*, struct stat64*)>("lstat64");
  return fails("lstat64", {EIO, EACCES}) ? -1 : next(path, out);
}

int fstat(int file, struct stat* out) {
  static auto* const next = real<int(int, struct stat*)>("fstat");
  return fails("fstat", {EIO, ENOMEM}) ? -1 : next(file, out);
}

int fstat64(int file, struct stat64* out) {
  static auto* const next = real<int(int, struct stat64*)>("fstat64");
  return fails("fstat64", {EIO, ENOMEM}) ? -1 : next(file, out);
}

int utimensat(int folder, const char* path, const struct timespec times[2], int flags) {
  PENSTOCK_REAL(utimensat);
  return fails("utimensat", {EACCES, EROFS}) ? -1 : next(folder, path, times, flags);
}

char* getcwd(char* to, std::size_t size) noexcept {
  static auto* const next = real<char*(char*, std::size_t)>("getcwd");
  return fails("getcwd", {ENOENT, ENOMEM}) ? nullptr : next(to, size);
}

ssize_t readlink(const char* path, char* to, std::size_t size) {
  PENSTOCK_REAL(readlink);
  return fails("readlink", {EIO, EACCES}) ? -1 : next(path, to, size);
}

static int forward_fcntl(int (*next)(int, int, ...), int file, int command, void* argument) {
  const bool is_lock = command == F_SETLK || command == F_SETLKW;
  if (is_lock && static_cast<const struct flock*>(argument)->l_type == F_UNLCK) {
    return next(file, command, argument);  // a lock that is held can always be given up
  }
  if (fails("fcntl", {is_lock ? EAGAIN : EINVAL, is_lock ? ENOLCK : EBADF})) {
    return -1;
  }
  return next(file, command, argument);
}

int fcntl(int file, int command, ...) {
  static auto* const next = real<int(int, int, ...)>("fcntl");
  std::va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return forward_fcntl(next, file, command, argument);
}

int fcntl64(int file, int command, ...) {
  static auto* const next = real<int(int, int, ...)>("fcntl64");
  std::va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return forward_fcntl(next, file, command, argument);
}

// Memory.

void* mmap(void* at, std::size_t size, int protection, int flags, int file, off_t offset) noexcept {
  static auto* const next = real<void*(void*, std::size_t, int, int, int, off_t)>("mmap");
  if (fails("mmap", {ENOMEM, EAGAIN, ENFILE})) {
    return MAP_FAILED;
  }
  void* const mapped = next(at, size, protection, flags, file, offset);
  if (mapped != MAP_FAILED && (flags & MAP_FIXED) == 0) {
    penstock::faults::count_mapping(1);
  }
  return mapped;
}

void* mmap64(void* at, std::size_t size, int protection, int flags, int file,
             off64_t offset) noexcept {
  static auto* const next = real<void*(void*, std::size_t, int, int, int, off64_t)>("mmap64");
  if (fails("mmap64", {ENOMEM, EAGAIN, ENFILE})) {
    return MAP_FAILED;
  }
  void* const mapped = next(at, size, protection, flags, file, offset);
  if (mapped != MAP_FAILED && (flags & MAP_FIXED) == 0) {
    penstock::faults::count_mapping(1);
  }
  return mapped;
}

int munmap(void* at, std::size_t size) noexcept {
  static auto* const next = real<int(void*, std::size_t)>("munmap");
  penstock::faults::count_mapping(-1);
  return next(at, size);
}

int memfd_create(const char* name, unsigned flags) noexcept {
  static auto* const next = real<int(const char*, unsigned)>("memfd_create");
  return fails("memfd_create", {EMFILE, ENFILE, ENOMEM}) ? -1 : next(name, flags);
}

int madvise(void* at, std::size_t size, int advice) noexcept {
  static auto* const next = real<int(void*, std::size_t, int)>("madvise");
  return fails("madvise", {EINVAL, ENOMEM}) ? -1 : next(at, size, advice);
}

// Processes and what they talk over.

int eventfd(unsigned count, int flags) noexcept {
  static auto* const next = real<int(unsigned, int)>("eventfd");
  return fails("eventfd", {EMFILE, ENFILE, ENOMEM}) ? -1 : next(count, flags);
}

int socketpair(int domain, int type, int protocol, int ends[2]) noexcept {
  static auto* const next = real<int(int, int, int, int*)>("socketpair");
  return fails("socketpair", {EMFILE, ENFILE}) ? -1 : next(domain, type, protocol, ends);
}

ssize_t sendmsg(int socket, const struct msghdr* message, int flags) {
  PENSTOCK_REAL(sendmsg);
  return fails("sendmsg", {ENOBUFS, EINTR, EPIPE}) ? -1 : next(socket, message, flags);
}

ssize_t recvmsg(int socket, struct msghdr* message, int flags) {
  PENSTOCK_REAL(recvmsg);
  return fails("recvmsg", {ENOMEM, EINTR}) ? -1 : next(socket, message, flags);
}

int poll(struct pollfd* files, nfds_t count, int timeout_ms) {
  PENSTOCK_REAL(poll);
  return fails("poll", {EINTR, ENOMEM}) ? -1 : next(files, count, timeout_ms);
}

int ppoll(struct pollfd* files, nfds_t count, const struct timespec* timeout,
          const sigset_t* mask) {
  PENSTOCK_REAL(ppoll);
  return fails("ppoll", {EINTR, ENOMEM}) ? -1 : next(files, count, timeout, mask);
}

int posix_spawnp(pid_t* pid, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const arguments[],
                 char* const environment[]) {
  PENSTOCK_REAL(posix_spawnp);
  if (must_fail(Kind::kCall, "posix_spawnp", 2)) {
    return penstock::faults::variant() == 0 ? EAGAIN : ENOMEM;
  }
  return next(pid, file, actions, attributes, arguments, environment);
}

int pidfd_open(pid_t pid, unsigned flags) noexcept {
  static auto* const next = real<int(pid_t, unsigned)>("pidfd_open");
  return fails("pidfd_open", {EMFILE, ENFILE, ENOMEM}) ? -1 : next(pid, flags);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  static auto* const next =
      real<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  return must_fail(Kind::kCall, "pthread_create") ? EAGAIN
                                                  : next(thread, attributes, start, argument);
}

}  // extern "C"
