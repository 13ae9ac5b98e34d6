/* Preloaded into a program: counts what it asks the system's allocator and mmap() for. See buffer_pool.py. */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

long num_memory_calls;

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  num_memory_calls++;
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  num_memory_calls++;
  return __libc_calloc(count, size);
}

void* realloc(void* block, size_t size) {
  num_memory_calls++;
  return __libc_realloc(block, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  num_memory_calls++;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** block, size_t alignment, size_t size) {
  num_memory_calls++;
  *block = __libc_memalign(alignment, size);
  return *block == NULL ? 12 : 0;
}

void* mmap(void* at, size_t size, int protection, int flags, int file, off_t offset) {
  num_memory_calls++;
  return (void*)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

void* mmap64(void* at, size_t size, int protection, int flags, int file, off_t offset) {
  return mmap(at, size, protection, flags, file, offset);
}
