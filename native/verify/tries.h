/*
 * drover-verify canary            things of the host that a task must not reach: told as KEY=VALUE words on one line, gone when the input ends
 * drover-verify try KEY=VALUE…    as a task: tries each thing that a line of the ladder forbids, and prints `NONCE LINE OUTCOME ERRNO NAME`
 *
 * OUTCOME is through, stopped, absent (there is nothing here to try it on) or cut_off: it did not come to its end, or the host had no room for
 * it, which proves nothing. Each runs in a child of its own, which is thrown away. Nothing that takes effect leaves a trace or harms the host:
 * files are nameless, calls are given arguments that are refused only after the right to call. What a stop proves is decided by the agent,
 * which has the same tried where nothing protects.
 */
#include <stddef.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>

enum outcome { THROUGH, STOPPED, ABSENT, CUT_OFF };

static char **try_words;

static const char *told(const char *key) {
  size_t length = strlen(key);
  for (char **word = try_words; *word; word++)
    if (!strncmp(*word, key, length) && (*word)[length] == '=') return *word + length + 1;
  return "";
}

static long told_int(const char *key) { return atol(told(key)); }
/* What a host says that has enough to do, whoever asks. */
static int no_room(int error) { return error == EAGAIN || error == ENOMEM || error == ENFILE || error == EMFILE || error == ENOBUFS; }
static enum outcome took(int ok) { return ok ? THROUGH : STOPPED; }
static enum outcome opens(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600), error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  return fd < 0 && (error == ENOENT || error == EISDIR || error == EOPNOTSUPP) ? ABSENT : took(fd >= 0);
}
/* A masked file can be opened and is empty. */
static enum outcome tells(const char *path) {
  char byte;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno == ENOENT ? ABSENT : STOPPED;
  return took(read(fd, &byte, 1) == 1);
}
/* What takes effect stays inside: the child ends. */
static enum outcome try_setuid(void) { return took(!setresuid(getuid() ? 0 : 61234, -1, -1)); }
static enum outcome try_groups(void) { return took(!setgroups(1, (gid_t[]){4})); }
static enum outcome try_chroot(void) { return took(!chroot("/")); }
/* Whoever has a limit of its own may go up to it. */
static enum outcome try_nice(void) {
  struct rlimit limit;
  const int now = getpriority(PRIO_PROCESS, 0);
  if (now <= -20 || getrlimit(RLIMIT_NICE, &limit) || limit.rlim_cur > 0) return ABSENT;
  return took(!setpriority(PRIO_PROCESS, 0, now - 1));
}
static enum outcome try_raw_socket(void) { return took(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) >= 0); }
static enum outcome try_hostname(void) {
  char name[65];
  return took(!gethostname(name, sizeof name) && !sethostname(name, strlen(name)));
}
static enum outcome try_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_max == RLIM_INFINITY) return ABSENT;
  limit.rlim_max++;
  return took(!setrlimit(RLIMIT_MEMLOCK, &limit));
}
static int scratch(void) { return open(told("scratch"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }
static enum outcome try_chown(void) {
  int fd = scratch();
  return fd < 0 ? ABSENT : took(!fchown(fd, getuid() + 1, -1));
}
static enum outcome device(mode_t kind, int major, int minor) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/device.%d", told("scratch"), getpid()) >= (int)sizeof path) return ABSENT;
  if (mknod(path, kind | 0600, makedev(major, minor))) return STOPPED;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = errno;
  unlink(path);
  errno = error;
  return took(fd >= 0);
}
static enum outcome try_kernel_log(void) { return device(S_IFCHR, 1, 11); }
static enum outcome try_memory_device(void) { return device(S_IFCHR, 1, 1); }
static enum outcome try_disk(void) { return device(S_IFBLK, 7, 0); }
/* It is there: who does not find it was kept from it. */
static enum outcome told_file(const char *path) { return *path ? took(open(path, O_RDONLY | O_CLOEXEC) >= 0) : ABSENT; }
static enum outcome try_canary_file(void) { return told_file(told("host_file")); }
static enum outcome try_closed_file(void) { return told_file(told("closed_file")); }
static enum outcome try_neighbour_file(void) { return told_file(told("neighbour_file")); }
/* The classic: a root below the directory that is held open, then up. */
static enum outcome try_leave_root(void) {
  const int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!*told("host_file")) return ABSENT;
  if (chroot(told("scratch")) || fchdir(top)) return STOPPED;
  for (int i = 0; i < 64; i++)
    if (chdir("..")) return STOPPED;
  return chroot(".") ? STOPPED : told_file(told("host_file"));
}
/* It belongs to a user who is nobody else; whoever is root becomes an ordinary one first. */
static enum outcome try_setuid_program(void) {
  char path[4096], uid[16];
  int status, length = snprintf(path, sizeof path, "%s/setuid", told("scratch"));
  snprintf(uid, sizeof uid, "%ld", told_int("setuid"));
  if (!*told("setuid") || length >= (int)sizeof path || access(path, F_OK)) return ABSENT;
  if (!getuid() && setresuid(61234, 61234, 61234)) return ABSENT;
  pid_t child = fork();
  if (child == 0) {
    execl(path, "setuid", "is-user", uid, NULL);
    _exit(no_room(errno) ? 2 : 1);
  }
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) > 1) return CUT_OFF;
  return took(WEXITSTATUS(status) == 0);
}
enum { SPIN_MS = 300, PERIOD_MS = 100, SPIN_ROUNDS = 5 };
/* Of all processors since the start of the host, in milliseconds; 0: not to be seen. */
static long unused_time(void) {
  char text[256];
  long user, nice, system, idle;
  const int seen = read_file_at(AT_FDCWD, "/proc/stat", text, sizeof text) > 0 && sscanf(text, "cpu %ld %ld %ld %ld", &user, &nice, &system, &idle) == 4;
  return seen ? idle * 1000 / sysconf(_SC_CLK_TCK) : 0;
}
/* Shared with the child of a try. */
static struct {
  enum outcome outcome;
  int error;
  size_t memory;
  volatile long spun[2];
} *tried;

static long passed(clockid_t clock, const struct timespec *from) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}
/* What two processes get of that time, in milliseconds, and soon no more once that is `enough`; -1: they could not be made. */
static long spin(long enough) {
  static const struct timespec start;
  struct timespec from;
  struct rusage before, used;
  tried->spun[0] = tried->spun[1] = 0;
  getrusage(RUSAGE_CHILDREN, &before);
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (int i = 0; i < 2; i++) {
    pid_t child = fork();
    if (child < 0) return -1;
    if (child) continue;
    do tried->spun[i] = passed(CLOCK_PROCESS_CPUTIME_ID, &start);
    while (passed(CLOCK_MONOTONIC, &from) < SPIN_MS && tried->spun[0] + tried->spun[1] <= enough);
    _exit(0);
  }
  while (wait(NULL) > 0);
  getrusage(RUSAGE_CHILDREN, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec - before.ru_utime.tv_sec - before.ru_stime.tv_sec) * 1000 +
    (used.ru_utime.tv_usec + used.ru_stime.tv_usec - before.ru_utime.tv_usec - before.ru_stime.tv_usec) / 1000;
}
/* Whether the host soon has as much as is asked of a round. */
static int has_time(void) {
  const long before = unused_time();
  for (int waited = 0; waited < SPIN_MS; waited += PERIOD_MS / 4) {
    poll(NULL, 0, PERIOD_MS / 4);
    if (unused_time() - before >= PERIOD_MS) return 1;
  }
  return 0;
}
/*
 * It was held back only where there was time that nobody used: a busy host gives less in any case, and nothing can be found out on it. There
 * the first round is the only one that takes time from others.
 */
static enum outcome try_spin(void) {
  const long allowed = told_int("processor_percent") * (SPIN_MS + 2 * PERIOD_MS) / 100;
  if (!allowed) return ABSENT;
  for (int round = 0; round < SPIN_ROUNDS; round++) {
    if (round && !has_time()) continue;
    const long before = unused_time(), got = spin(allowed + PERIOD_MS / 20);
    if (got < 0) return CUT_OFF;
    if (got > allowed) return THROUGH;
    if (unused_time() - before >= PERIOD_MS) return STOPPED;
  }
  return ABSENT;
}
static enum outcome try_core_pattern(void) { return opens("/proc/sys/kernel/core_pattern", O_WRONLY); }
static enum outcome try_usr(void) { return opens(told("usr"), O_TMPFILE | O_RDWR); }
static enum outcome try_etc(void) { return opens(told("etc"), O_TMPFILE | O_RDWR); }
static enum outcome try_kcore(void) { return tells("/proc/kcore"); }
static enum outcome try_keys(void) { return tells("/proc/keys"); }
static enum outcome try_timers(void) { return tells("/proc/timer_list"); }
/* In a pid namespace of its own a small number is somebody else. */
static pid_t canary_pid(void) { return told_int("canary_pid") > 1000 ? (pid_t)told_int("canary_pid") : 0; }
static enum outcome try_see_process(void) { return canary_pid() ? took(!kill(canary_pid(), 0) || errno == EPERM) : ABSENT; }
static enum outcome try_signal(void) { return canary_pid() ? took(!kill(canary_pid(), 0)) : ABSENT; }
static enum outcome try_shared_memory(void) { return *told("canary_key") ? took(shmget((key_t)told_int("canary_key"), 0, 0) >= 0) : ABSENT; }
/* A question that was lost is asked again by the kernel after a second. */
enum { ANSWER_MS = 1500 };
static enum outcome try_connect(const char *address, long port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((u16)port)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
  socklen_t len = sizeof error;
  inet_pton(AF_INET, address, &to.sin_addr);
  if (!connect(fd, (struct sockaddr *)&to, sizeof to)) return THROUGH;
  struct pollfd ready = {fd, POLLOUT, 0};
  if (errno != EINPROGRESS || poll(&ready, 1, ANSWER_MS) <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len)) return STOPPED;
  errno = error;
  return took(!error);
}
static enum outcome try_host_loopback(void) { return *told("canary_port") ? try_connect("127.0.0.1", told_int("canary_port")) : ABSENT; }
static enum outcome try_metadata(void) { return try_connect("169.254.169.254", 80); }
static enum outcome try_abstract_socket(void) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  const char *name = told("canary_socket");
  size_t len = strlen(name);
  if (!len || len > sizeof to.sun_path - 1) return ABSENT;
  memcpy(to.sun_path + 1, name, len);
  return took(!connect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)));
}
static enum outcome try_group_path(void) {
  char text[4096];
  if (read_file_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof text) <= 0) return ABSENT;
  for (char *row = strtok(text, "\n"); row; row = strtok(NULL, "\n")) {
    const char *path = strchr(row, '/');
    if (path && path[1]) return THROUGH;
  }
  return STOPPED;
}
/* Of a hierarchy, or of the only one: directories below it are others', for one's own is its top. */
static enum outcome try_other_groups(void) {
  static const char *const roots[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
  char path[64];
  for (size_t i = 0; i < COUNT(roots); i++) {
    snprintf(path, sizeof path, "%s/cgroup.procs", roots[i]);
    DIR *folder = access(path, F_OK) ? NULL : opendir(roots[i]);
    for (struct dirent *each; folder && (each = readdir(folder));)
      if (each->d_type == DT_DIR && each->d_name[0] != '.') return THROUGH;
  }
  return STOPPED;
}
static enum outcome try_descriptors(void) {
  for (int fd = 3; fd < 64; fd++)
    if (fcntl(fd, F_GETFD) >= 0) return THROUGH;
  return STOPPED;
}
/* The limit is half of what is tried: who comes not even to a part of that met another one, of a host that is full. */
static enum outcome try_processes(void) {
  const long most = told_int("processes");
  if (!most) return ABSENT;
  for (long made = 0; made < most; made++) {
    pid_t child = fork();
    if (child < 0) return made * 4 < most ? CUT_OFF : STOPPED;
    if (child == 0) {
      pause();
      _exit(0);
    }
  }
  return THROUGH;
}
static enum outcome try_memory(void) {
  size_t size = (size_t)told_int("memory_mb") << 20;
  /* the first to go where there is not enough: neither the task nor the agent */
  write_oom_score_adj(1000);
  char *at = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
  if (at == MAP_FAILED) return STOPPED;
  for (; tried->memory < size; tried->memory += 4096) at[tried->memory] = 1;
  return THROUGH;
}
/* Only where tasks' disks are bound. Nameless, so that it goes with the child. */
static enum outcome try_disk_space(void) {
  static char block[65536];
  int fd = *told("disk_kib") ? scratch() : -1;
  if (fd < 0) return ABSENT;
  for (long left = told_int("disk_kib"); left > 0; left -= (long)sizeof block >> 10)
    if (write(fd, block, sizeof block) < (long)sizeof block) return STOPPED;
  return THROUGH;
}
/* What is of no project is counted for nobody: a file's owner may give it to another, unless kept from it. */
static enum outcome try_project(void) {
  struct fsxattr attributes;
  int fd = *told("disk_kib") ? scratch() : -1;
  if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attributes)) return ABSENT;
  attributes.fsx_projid = attributes.fsx_projid ? 0 : 1;
  /* as the newer call has it: file_setattr, which a runtime's filter need not know by name */
  struct { u64 xflags; u32 extent, extents, project, copied; } newer = {attributes.fsx_xflags, 0, 0, attributes.fsx_projid, 0};
  return took(!ioctl(fd, FS_IOC_FSSETXATTR, &attributes) || !syscall(469, fd, "", &newer, sizeof newer, AT_EMPTY_PATH));
}
/* Files made in it would be of none. */
static enum outcome try_inherit(void) {
  char path[4096];
  int flags;
  if (!*told("disk_kib") || snprintf(path, sizeof path, "%s/project.%d", told("scratch"), getpid()) >= (int)sizeof path || mkdir(path, 0700)) return ABSENT;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  rmdir(path);
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) || !(flags & FS_PROJINHERIT_FL)) return ABSENT;
  flags &= ~FS_PROJINHERIT_FL;
  return took(!ioctl(fd, FS_IOC_SETFLAGS, &flags));
}
static enum outcome try_foreign_abi(void) {
#ifdef __x86_64__
  long pid = 20;
  __asm__ volatile("int $0x80" : "+a"(pid) : : "memory", "r8", "r9", "r10", "r11");
  return took(pid == getpid());
#else
  return ABSENT;
#endif
}
static enum outcome try_x32(void) {
#ifdef __x86_64__
  return took(syscall(0x40000000 | SYS_getpid) == getpid());
#else
  return ABSENT;
#endif
}

static const struct try {
  const char *line, *name;
  enum outcome (*run)(void);
} tries[] = {
  {"descriptors", "a descriptor that was left open", try_descriptors},
  {"empty_capabilities", "CAP_SETUID", try_setuid},
  {"empty_capabilities", "CAP_SETGID", try_groups},
  {"mount_namespace", "a file of the host by its path", try_canary_file},
  {"empty_capabilities", "CAP_SYS_CHROOT", try_chroot},
  {"mount_namespace", "the host's files, by leaving a root within the root", try_leave_root},
  {"unique_uid", "a file of another allocation", try_neighbour_file},
  {"no_new_privs", "a setuid program", try_setuid_program},
  {"read_only_system", "a file in /usr", try_usr},
  {"read_only_system", "a file in /etc", try_etc},
  {"pid_namespace", "a process of the host", try_see_process},
  {"ipc_namespace", "shared memory of the host", try_shared_memory},
  {"unique_uid", "a signal to a process of the agent's user", try_signal},
  {"empty_capabilities", "CAP_CHOWN", try_chown},
  {"empty_capabilities", "CAP_SYS_NICE", try_nice},
  {"empty_capabilities", "CAP_NET_RAW", try_raw_socket},
  {"empty_capabilities", "CAP_SYS_ADMIN", try_hostname},
  {"empty_capabilities", "CAP_SYS_RESOURCE", try_limit},
  {"seccomp", "calls of 32 bit", try_foreign_abi},
  {"seccomp", "calls of x32", try_x32},
  {"network_namespace", "an abstract socket of the host", try_abstract_socket},
  {"network_policy", "the host's loopback", try_host_loopback},
  {"network_policy", "the metadata address", try_metadata},
  {"cgroup_namespace", "the names of control groups", try_group_path},
  {"cgroup_namespace", "groups of other tasks", try_other_groups},
  {"user_namespace", "core_pattern", try_core_pattern},
  {"not_root", "a closed file of root", try_closed_file},
  {"devices", "the kernel's log, by a device", try_kernel_log},
  {"devices", "memory, by a device", try_memory_device},
  {"devices", "a disk, by a device", try_disk},
  {"masked_proc", "/proc/kcore", try_kcore},
  {"masked_proc", "/proc/keys", try_keys},
  {"masked_proc", "/proc/timer_list", try_timers},
  {"disk_quota", "more than its disk may hold", try_disk_space},
  {"disk_quota", "a file given to another project", try_project},
  {"disk_quota", "a directory taken out of its project", try_inherit},
  {"cgroup_limits", "more processor time than allowed", try_spin},
  {"pids_limit", "more processes than allowed", try_processes},
  /* last: where a control group ends as one, everything after is lost */
  {"memory_limit", "more memory than allowed", try_memory},
};

/*
 * Each is refused by the filter; without it the kernel finds fault with the arguments, or does what changes nothing. Of a number of which the kernel
 * takes half the other half is set: it must not matter to the filter.
 */
#define WIDE (1L << 32)
#define NOWHERE ((long)"/nonexistent")
#define CALL(name, ...) {#name, SYS_##name, {__VA_ARGS__}}
static const struct call {
  const char *name;
  long number, arguments[6];
} calls[] = {
  CALL(unshare, CLONE_NEWUSER), CALL(setns, -1, 0), CALL(mount, NOWHERE, NOWHERE, NOWHERE, 0, 0), CALL(umount2, NOWHERE, 0),
  CALL(pivot_root, NOWHERE, NOWHERE), CALL(chroot, NOWHERE), CALL(open_by_handle_at, -1, 0, 0), CALL(open_tree, -1, NOWHERE, 0),
  CALL(fsopen, NOWHERE, 0), CALL(fsmount, -1, 0, 0), CALL(fspick, -1, NOWHERE, 0), CALL(move_mount, -1, NOWHERE, -1, NOWHERE, 0),
  CALL(quotactl, -1, NOWHERE, 0, 0), CALL(keyctl, 0, -1, 0), CALL(add_key, 0, 0, 0, 0, 0), CALL(request_key, 0, 0, 0, 0),
  CALL(bpf, -1, 0, 0), CALL(perf_event_open, 0, 0, -1, -1, 0), CALL(io_uring_setup, 0, 0), CALL(io_uring_enter, -1, 0, 0, 0, 0, 0),
  CALL(io_uring_register, -1, 0, 0, 0), CALL(userfaultfd, ~0), CALL(kcmp, 1, 1, 0, 0, 0), CALL(pidfd_getfd, -1, 0, 0),
  CALL(process_madvise, -1, 0, 0, 0, 0), CALL(move_pages, 0, 0, 0, 0, 0, 0), CALL(migrate_pages, 0, 0, 0, 0), CALL(adjtimex, 0),
  CALL(clock_adjtime, 0, 0), CALL(clock_settime, -1, 0), CALL(settimeofday, 8, 0), CALL(sethostname, 0, -1), CALL(setdomainname, 0, -1),
  CALL(kexec_load, 0, 0, 0, ~0), CALL(init_module, 0, 0, 0), CALL(delete_module, NOWHERE, 0), CALL(finit_module, -1, 0, 0),
  CALL(swapon, NOWHERE, 0), CALL(swapoff, NOWHERE), CALL(acct, NOWHERE), CALL(reboot, 0, 0, 0, 0), CALL(syslog, 10, 0, 0),
  CALL(fanotify_init, ~0, 0), CALL(socket, WIDE | AF_VSOCK, SOCK_STREAM, 0), CALL(ioctl, -1, WIDE | TIOCSTI, 0),
};

static enum outcome try_call(const struct call *call) {
  const long *a = call->arguments;
  errno = 0;
  const long result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
  return result < 0 && errno == ENOSYS ? ABSENT : took(result >= 0 || errno != EPERM);
}

/* Lines whose tries take until there is no more. */
static int takes_all(const char *line) { return !strcmp(line, "pids_limit") || !strcmp(line, "memory_limit") || !strcmp(line, "disk_quota"); }

/*
 * Of a child that said nothing: filters end it with SIGSYS; a processor or kernel that knows no such calls, with SIGSEGV; a group that has no
 * more memory, with SIGKILL, as a host does that has none: but when the child has about what its group may have.
 */
static enum outcome ended_by(int signal, const char *line) {
  const size_t limit = (size_t)told_int("memory_limit_mb") << 20;
  if (signal == SIGSYS) return STOPPED;
  if (signal == SIGSEGV && !strcmp(line, "seccomp")) return ABSENT;
  if (signal == SIGKILL && tried->memory > limit / 2 && tried->memory < limit / 4 * 5) return STOPPED;
  return CUT_OFF;
}

/* A place of what was killed before is soon free. */
static pid_t fork_soon(void) {
  pid_t child = fork();
  for (int i = 0; child < 0 && i < 200; i++) {
    poll(NULL, 0, 10);
    while (waitpid(-1, NULL, WNOHANG) > 0);
    child = fork();
  }
  return child;
}

static void try_one(const char *line, const char *name, enum outcome (*run)(void), const struct call *call) {
  static const char *const outcomes[] = {"through", "stopped", "absent", "cut_off"};
  tried->outcome = CUT_OFF;
  tried->error = 0;
  tried->memory = 0;
  pid_t child = fork_soon();
  if (child == 0) {
    /* what it starts ends with it */
    setpgid(0, 0);
    alarm(30);
    errno = 0;
    enum outcome outcome = call ? try_call(call) : run();
    tried->error = errno;
    tried->outcome = outcome == STOPPED && no_room(errno) && !takes_all(line) ? CUT_OFF : outcome;
    _exit(0);
  }
  int status = 0;
  const int over = child > 0 && waitpid(child, &status, 0) == child;
  if (child > 0) kill(-child, SIGKILL);
  if (over && tried->outcome == CUT_OFF && WIFSIGNALED(status)) tried->outcome = ended_by(WTERMSIG(status), line);
  const char *error = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : tried->error ? strerrorname_np(tried->error) : "";
  printf("%s %s %s %s %s\n", told("nonce"), line, outcomes[tried->outcome], error && *error ? error : "-", name);
  fflush(stdout);
}

static int try_all(char **words) {
  try_words = words;
  tried = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (tried == MAP_FAILED) return 1;
  for (size_t i = 0; i < COUNT(calls); i++) try_one("seccomp", calls[i].name, NULL, &calls[i]);
  for (size_t i = 0; i < COUNT(tries); i++) {
    while (waitpid(-1, NULL, WNOHANG) > 0);
    try_one(tries[i].line, tries[i].name, tries[i].run, NULL);
  }
  printf("%s end - - -\n", told("nonce"));
  return fflush(stdout) ? 1 : 0;
}

static int canary(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_un hidden = {.sun_family = AF_UNIX};
  socklen_t at_len = sizeof at, hidden_len = sizeof hidden;
  const key_t key = 0x0d0e0000 | (getpid() & 0xffff);
  int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int shared = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0666);
  /* the kernel gives the name */
  const int heard = !bind(tcp, (struct sockaddr *)&at, at_len) && !listen(tcp, 64) && !getsockname(tcp, (struct sockaddr *)&at, &at_len);
  const int named = !bind(local, (struct sockaddr *)&hidden, sizeof hidden.sun_family) && !listen(local, 64) &&
    !getsockname(local, (struct sockaddr *)&hidden, &hidden_len);
  printf("canary_pid=%d", getpid());
  if (shared >= 0) printf(" canary_key=%d", key);
  if (heard) printf(" canary_port=%d", ntohs(at.sin_port));
  if (named) printf(" canary_socket=%.*s", (int)(hidden_len - offsetof(struct sockaddr_un, sun_path) - 1), hidden.sun_path + 1);
  printf("\n");
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0);
  if (shared >= 0) shmctl(shared, IPC_RMID, NULL);
  return 0;
}
