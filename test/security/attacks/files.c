/* Files of the host, devices, and the kernel's own files. */
#include "attack.h"
#include <dirent.h>
#include <sys/sysmacros.h>

static enum outcome canary_file(void) { return took(open(given("canary_file"), O_RDONLY | O_CLOEXEC) >= 0); }
static enum outcome canary_write(void) { return took(open(given("canary_file"), O_WRONLY | O_CLOEXEC) >= 0); }
static enum outcome up_and_down(void) {
  char path[512];
  snprintf(path, sizeof path, "../../../../../../../../../../../../..%s", given("canary_file"));
  return took(open(path, O_RDONLY | O_CLOEXEC) >= 0);
}
static enum outcome hard_link(void) {
  unlink("linked");
  return took(link(given("canary_file"), "linked") == 0);
}
static enum outcome by_symlink(void) {
  unlink("symlink");
  if (symlink(given("canary_file"), "symlink")) return STOPPED;
  return took(open("symlink", O_RDONLY | O_CLOEXEC) >= 0);
}
static enum outcome inherited(void) {
  char path[64], target[256];
  for (int fd = 3; fd < 256; fd++) {
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n > 0 && fcntl(fd, F_GETFD) >= 0) return THROUGH;
  }
  return STOPPED;
}
/* Read-only or not: a file that is made, never one that is changed. */
static enum outcome makes(const char *folder) {
  char path[256];
  snprintf(path, sizeof path, "%s/drover-attack-%d", folder, getpid());
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error = errno;
  if (fd >= 0) unlink(path);
  errno = error;
  return took(fd >= 0);
}
static enum outcome write_usr(void) { return makes("/usr/bin"); }
static enum outcome write_lib(void) { return makes("/usr/lib"); }
static enum outcome write_etc(void) { return makes("/etc"); }
static enum outcome write_logs(void) { return given("logs")[0] ? makes(given("logs")) : makes("/var/log"); }
static enum outcome core_pattern(void) { return opened("/proc/sys/kernel/core_pattern", O_WRONLY); }
static enum outcome modprobe(void) { return opened("/proc/sys/kernel/hostname", O_WRONLY); }
static enum outcome memory_settings(void) { return opened("/proc/sys/vm/drop_caches", O_WRONLY); }
static enum outcome file_settings(void) { return opened("/proc/sys/fs/protected_symlinks", O_WRONLY); }
static enum outcome binfmt(void) { return opened("/proc/sys/kernel/randomize_va_space", O_WRONLY); }
static enum outcome sysrq(void) { return opened("/proc/sysrq-trigger", O_WRONLY); }
static enum outcome kernel_messages(void) {
  int fd = open("/dev/kmsg", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  return took(fd >= 0);
}
static enum outcome proc_kmsg(void) { return opened("/proc/kmsg", O_RDONLY); }
static enum outcome keys(void) {
  char text[256];
  return took(pipe_text("/proc/keys", text, sizeof text) > 0);
}
static enum outcome timers(void) {
  char text[256];
  return took(pipe_text("/proc/timer_list", text, sizeof text) > 0);
}
static enum outcome symbols(void) {
  char text[64];
  if (pipe_text("/proc/kallsyms", text, sizeof text) < 17) return STOPPED;
  return took(strncmp(text, "0000000000000000", 16) != 0);
}
static enum outcome slabs(void) { return opened("/proc/slabinfo", O_RDONLY); }
static enum outcome pages(void) { return opened("/proc/kpagecgroup", O_RDONLY); }
static enum outcome page_types(void) { return opened("/proc/pagetypeinfo", O_RDONLY); }
static enum outcome allocations(void) { return opened("/proc/vmallocinfo", O_RDONLY); }
static enum outcome huge_pages(void) { return opened("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY); }
static enum outcome processors(void) { return opened("/sys/devices/system/cpu/cpu1/online", O_WRONLY); }
static enum outcome events(void) { return opened("/sys/devices/virtual/mem/null/uevent", O_WRONLY); }
static enum outcome block_settings(void) {
  DIR *folder = opendir("/sys/block");
  for (struct dirent *each; folder && (each = readdir(folder));) {
    char path[400];
    snprintf(path, sizeof path, "/sys/block/%s/queue/read_ahead_kb", each->d_name);
    if (open(path, O_WRONLY | O_CLOEXEC) >= 0) return THROUGH;
  }
  return STOPPED;
}
/* The group that holds it, wherever its hierarchy is. */
static enum outcome own_group(const char *file, const char *text) {
  static const char *roots[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
  char groups[4096], path[8192];
  if (pipe_text("/proc/self/cgroup", groups, sizeof groups) <= 0) return STOPPED;
  for (char *line = strtok(groups, "\n"); line; line = strtok(NULL, "\n")) {
    char *at = strrchr(line, ':');
    for (size_t i = 0; at && i < sizeof roots / sizeof *roots; i++) {
      snprintf(path, sizeof path, "%s%s/%s", roots[i], at + 1, file);
      int fd = open(path, O_WRONLY | O_CLOEXEC);
      if (fd >= 0 && (!text[0] || write(fd, text, strlen(text)) > 0)) return THROUGH;
    }
  }
  return STOPPED;
}
static enum outcome raise_memory(void) { return own_group("memory.limit_in_bytes", ""); }
static enum outcome leave_group(void) { return own_group("cgroup.procs", ""); }
static enum outcome leave_to_top(void) {
  const char *tops[] = {"/sys/fs/cgroup/pids/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs"};
  for (int i = 0; i < 4; i++)
    if (open(tops[i], O_WRONLY | O_CLOEXEC) >= 0) return THROUGH;
  return STOPPED;
}
/* Of a hierarchy, or of the only one: directories below it are others', for one's own is its top. */
static enum outcome other_groups(void) {
  static const char *roots[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
  for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
    char path[600];
    snprintf(path, sizeof path, "%s/cgroup.procs", roots[i]);
    DIR *folder = access(path, F_OK) ? NULL : opendir(roots[i]);
    for (struct dirent *each; folder && (each = readdir(folder));)
      if (each->d_type == DT_DIR && each->d_name[0] != '.') return THROUGH;
  }
  return STOPPED;
}
static enum outcome release_agent(void) {
  const char *agents[] = {"/sys/fs/cgroup/pids/release_agent", "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/cpu/release_agent", "/sys/fs/cgroup/systemd/release_agent"};
  for (int i = 0; i < 4; i++)
    if (open(agents[i], O_WRONLY | O_CLOEXEC) >= 0) return THROUGH;
  return STOPPED;
}

static enum outcome makes_device(mode_t kind, dev_t device) {
  unlink("device");
  if (mknod("device", kind | 0600, device)) return STOPPED;
  int fd = open("device", O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = errno;
  unlink("device");
  errno = error;
  return took(fd >= 0);
}
static enum outcome make_disk(void) { return makes_device(S_IFBLK, strtoul(given("disk"), NULL, 10)); }
static enum outcome make_kmsg(void) { return makes_device(S_IFCHR, makedev(1, 11)); }
static enum outcome make_null(void) { return makes_device(S_IFCHR, makedev(1, 3)); }
static enum outcome any_disk(void) {
  DIR *folder = opendir("/dev");
  for (struct dirent *each; folder && (each = readdir(folder));) {
    struct stat is;
    if (fstatat(dirfd(folder), each->d_name, &is, 0) || !S_ISBLK(is.st_mode)) continue;
    if (openat(dirfd(folder), each->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) >= 0) return THROUGH;
  }
  return STOPPED;
}
static enum outcome kvm(void) { return took(open("/dev/kvm", O_RDWR | O_CLOEXEC) >= 0); }
static enum outcome fuse(void) { return took(open("/dev/fuse", O_RDWR | O_CLOEXEC) >= 0); }
static enum outcome loop(void) { return took(open("/dev/loop-control", O_RDWR | O_CLOEXEC) >= 0); }
static enum outcome console(void) { return took(open("/dev/ttyS0", O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) >= 0 || open("/dev/tty0", O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) >= 0); }
static enum outcome port_memory(void) { return took(open("/dev/port", O_RDONLY | O_CLOEXEC) >= 0 || open("/dev/mem", O_RDONLY | O_CLOEXEC) >= 0); }

const struct attack file_attacks[] = {
  {"read a file of the host", FATAL, canary_file},
  {"write a file of the host", FATAL, canary_write},
  {"read a file of the host by way of ..", FATAL, up_and_down},
  {"link a file of the host", FATAL, hard_link},
  {"read a file of the host by a link", FATAL, by_symlink},
  {"find an open descriptor", FATAL, inherited},
  {"write to /usr/bin", FATAL, write_usr},
  {"write to /usr/lib", FATAL, write_lib},
  {"write to /etc", FATAL, write_etc},
  {"write to its own logs", FATAL, write_logs},
  {"set the core pattern", FATAL, core_pattern},
  {"set the host's name by a file", FATAL, modprobe},
  {"drop the kernel's caches", FATAL, memory_settings},
  {"set rules of links", FATAL, file_settings},
  {"turn randomisation off", FATAL, binfmt},
  {"press the system request key", FATAL, sysrq},
  {"read /dev/kmsg", LEAK, kernel_messages},
  {"read /proc/kmsg", LEAK, proc_kmsg},
  {"read /proc/keys", LEAK, keys},
  {"read /proc/timer_list", LEAK, timers},
  {"read addresses of the kernel", LEAK, symbols},
  {"read /proc/slabinfo", LEAK, slabs},
  {"read the groups of pages", LEAK, pages},
  {"read the types of pages", LEAK, page_types},
  {"read the kernel's allocations", LEAK, allocations},
  {"set huge pages", FATAL, huge_pages},
  {"turn a processor off", FATAL, processors},
  {"make up a device event", FATAL, events},
  {"set a disk's queue", FATAL, block_settings},
  {"raise its own memory limit", FATAL, raise_memory},
  {"open its own group", FATAL, leave_group},
  {"leave its group", FATAL, leave_to_top},
  {"see the groups of other tasks", LEAK, other_groups},
  {"set a release agent", FATAL, release_agent},
  {"make the host's disk and read it", FATAL, make_disk},
  {"make the kernel's log and read it", FATAL, make_kmsg},
  {"make a device", FATAL, make_null},
  {"read a disk", FATAL, any_disk},
  {"open /dev/kvm", FATAL, kvm},
  {"open /dev/fuse", FATAL, fuse},
  {"open /dev/loop-control", FATAL, loop},
  {"open a console", FATAL, console},
  {"open the machine's memory", FATAL, port_memory},
  END,
};
