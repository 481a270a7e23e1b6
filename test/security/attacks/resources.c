/* More than its share. Bounded: what nothing stops, stops by itself. */
#include "attack.h"
#include <sys/mman.h>
#include <sys/resource.h>

/* Given by the harness: one more than the task may have. */
static enum outcome processes(void) {
  int most = given_int("processes"), made = 0;
  if (most == 0) return ABSENT;
  while (made < most) {
    pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child < 0) break;
    made++;
  }
  int error = errno;
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  errno = error;
  return took(made >= most);
}
static enum outcome fork_many(void) {
  setsid();
  return processes();
}
static enum outcome memory(void) {
  size_t size = (size_t)given_int("memory_mb") << 20;
  if (size == 0) return ABSENT;
  char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return STOPPED;
  for (size_t i = 0; i < size; i += 4096) at[i] = 1;
  return THROUGH;
}
static enum outcome core_file(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  return took(limit.rlim_max > 0);
}

const struct attack resource_attacks[] = {
  {"make processes without end", FATAL, fork_many},
  {"use memory without end", FATAL, memory},
  {"leave images of its memory", SELF, core_file},
  END,
};
