/* More than its share. Bounded: what nothing stops, stops by itself. */
#include "attack.h"
#include <sys/mman.h>
#include <sys/prctl.h>
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
  /* who came not even near the task's own limit met that of a host that is full */
  return made >= most ? THROUGH : made * 4 < most ? HUNG : STOPPED;
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
/* The kernel says of a child that ended whether there is an image of it, whoever has it. */
static enum outcome crash(int with_limit) {
  char name[32];
  int status;
  pid_t child = fork();
  if (child == 0) {
    struct rlimit limit = {0, 0};
    if (with_limit && getrlimit(RLIMIT_CORE, &limit)) _exit(1);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
    prctl(PR_SET_DUMPABLE, 1);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    _exit(1);
  }
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) return HUNG;
  snprintf(name, sizeof name, "core.%d", child);
  int file = !access("core", F_OK) || !access(name, F_OK);
  unlink("core");
  unlink(name);
  return took(WCOREDUMP(status) || file);
}
static enum outcome core_file(void) { return crash(1); }
/* A program of the host's that is given images is run for whoever wants none in a file. */
static enum outcome core_handler(void) {
  char pattern[2] = "";
  return pipe_text("/proc/sys/kernel/core_pattern", pattern, sizeof pattern) > 0 && *pattern != '|' ? ABSENT : crash(0);
}

const struct attack resource_attacks[] = {
  {"leave images of its memory", SELF, core_file},
  {"give images of its memory to a program of the host's", SELF, core_handler},
  {"make processes without end", FATAL, fork_many},
  {"use memory without end", FATAL, memory},
  END,
};
