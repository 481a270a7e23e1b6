/* Other processes: of the host (the canary), and one's own. */
#include "attack.h"
#include <dirent.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

static pid_t target(void) { return given_int("canary_pid"); }

/* That pid may be somebody else's in here: it counts only where it is the canary. */
static int is_canary(void) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/%d/cmdline", target());
  int n = pipe_text(path, text, sizeof text);
  for (int i = 0; i < n; i++)
    if (!strncmp(text + i, "canary", 6) || !strncmp(text + i, "control", 7)) return 1;
  return 0;
}

static enum outcome see(void) { return took(is_canary()); }
static enum outcome signal_it(void) { return took(is_canary() && kill(target(), 0) == 0); }
static enum outcome trace(void) { return took(is_canary() && ptrace(PTRACE_SEIZE, target(), 0, 0) == 0); }
static enum outcome read_memory(void) {
  char byte;
  struct iovec to = {&byte, 1}, from = {(void *)8, 1};
  return took(is_canary() && process_vm_readv(target(), &to, 1, &from, 1, 0) < 0 && errno == EFAULT);
}
static enum outcome write_memory(void) {
  char byte = 0;
  struct iovec from = {&byte, 1}, to = {(void *)8, 1};
  return took(is_canary() && process_vm_writev(target(), &from, 1, &to, 1, 0) < 0 && errno == EFAULT);
}
static enum outcome about(const char *what, int flags) {
  char path[128];
  snprintf(path, sizeof path, "/proc/%d/%s", target(), what);
  int fd = is_canary() ? open(path, flags | O_CLOEXEC) : -1;
  return took(fd >= 0);
}
static enum outcome environment(void) { return about("environ", O_RDONLY); }
static enum outcome memory_file(void) { return about("mem", O_RDWR); }
static enum outcome its_root(void) {
  char path[256];
  snprintf(path, sizeof path, "/proc/%d/root%s", target(), given("canary_file"));
  return took(is_canary() && open(path, O_RDONLY | O_CLOEXEC) >= 0);
}
static enum outcome its_cwd(void) { return about("cwd/.", O_RDONLY | O_DIRECTORY); }
static enum outcome its_descriptor(void) { return about("fd/0", O_RDONLY | O_NONBLOCK); }
static enum outcome oom_score(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/oom_score_adj", target());
  return took(is_canary() && open(path, O_WRONLY | O_CLOEXEC) >= 0);
}
static enum outcome handle(void) { return took(is_canary() && syscall(SYS_pidfd_open, target(), 0) >= 0); }
static enum outcome take_descriptor(void) {
  int fd = is_canary() ? (int)syscall(SYS_pidfd_open, target(), 0) : -1;
  return took(fd >= 0 && syscall(SYS_pidfd_getfd, fd, 0, 0) >= 0);
}
static enum outcome compare(void) { return took(is_canary() && syscall(SYS_kcmp, getpid(), target(), 0, 0, 0) >= 0); }
static enum outcome affinity(void) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  return took(is_canary() && sched_getaffinity(target(), sizeof cpus, &cpus) == 0 && sched_setaffinity(target(), sizeof cpus, &cpus) == 0);
}
static enum outcome priority(void) { return took(is_canary() && setpriority(PRIO_PROCESS, target(), 1) == 0); }
static enum outcome io_priority(void) { return took(is_canary() && syscall(SYS_ioprio_set, 1, target(), (2 << 13) | 7) == 0); }
static enum outcome limits(void) {
  struct rlimit limit;
  return took(is_canary() && prlimit(target(), RLIMIT_CORE, NULL, &limit) == 0 && prlimit(target(), RLIMIT_CORE, &limit, NULL) == 0);
}
/* Every process but those of this program. */
static enum outcome strangers(void) {
  DIR *proc = opendir("/proc");
  int seen = 0;
  for (struct dirent *each; proc && (each = readdir(proc));) {
    char path[300], text[64];
    snprintf(path, sizeof path, "/proc/%s/comm", each->d_name);
    if (each->d_name[0] < '0' || each->d_name[0] > '9' || pipe_text(path, text, sizeof text) < 0) continue;
    if (strncmp(text, "attack", 6)) seen++;
  }
  return took(seen > 0);
}
static enum outcome first_root(void) {
  struct stat theirs;
  return took(given("root_inode")[0] && stat("/proc/1/root/", &theirs) == 0 && theirs.st_ino == strtoul(given("root_inode"), NULL, 10) &&
              theirs.st_dev == strtoul(given("disk"), NULL, 10));
}
static enum outcome trace_child(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  long traced = ptrace(PTRACE_SEIZE, child, 0, 0);
  kill(child, SIGKILL);
  return took(traced == 0);
}

const struct attack process_attacks[] = {
  {"see a process of the host", FATAL, see},
  {"signal a process of the host", FATAL, signal_it},
  {"trace a process of the host", FATAL, trace},
  {"read the memory of a process of the host", FATAL, read_memory},
  {"write the memory of a process of the host", FATAL, write_memory},
  {"open the memory of a process of the host", FATAL, memory_file},
  {"read the environment of a process of the host", FATAL, environment},
  {"go through the root of a process of the host", FATAL, its_root},
  {"go through the directory of a process of the host", FATAL, its_cwd},
  {"open a descriptor of a process of the host", FATAL, its_descriptor},
  {"have the kernel end a process of the host", FATAL, oom_score},
  {"get a handle of a process of the host", FATAL, handle},
  {"take a descriptor of a process of the host", FATAL, take_descriptor},
  {"compare itself with a process of the host", LEAK, compare},
  {"move a process of the host to other processors", FATAL, affinity},
  {"put a process of the host behind", FATAL, priority},
  {"put the disk of a process of the host behind", FATAL, io_priority},
  {"change the limits of a process of the host", FATAL, limits},
  {"see other programs' processes", LEAK, strangers},
  {"go through the root of the first process", FATAL, first_root},
  {"trace its own child", SELF, trace_child},
  END,
};
