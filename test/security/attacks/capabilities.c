/* Each capability used, not looked at. */
#include "attack.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <time.h>

static int scratch_file(const char *name, int mode) {
  unlink(name);
  int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) fchmod(fd, mode);
  return fd;
}

static enum outcome chown_file(void) {
  int fd = scratch_file("chown", 0600);
  return took(fd >= 0 && fchown(fd, 1, 1) == 0);
}
static enum outcome dac_override(void) {
  close(scratch_file("closed", 0));
  return took(open("closed", O_RDWR | O_CLOEXEC) >= 0);
}
static enum outcome dac_read_search(void) {
  mkdir("closed-folder", 0700);
  chmod("closed-folder", 0);
  int fd = open("closed-folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = errno;
  chmod("closed-folder", 0700);
  rmdir("closed-folder");
  errno = error;
  return took(fd >= 0);
}
static enum outcome fowner(void) {
  char path[512];
  snprintf(path, sizeof path, "%s/foreign", given("plant"));
  int done = chmod(path, 0644);
  return errno == ENOENT ? ABSENT : took(done == 0);
}
static enum outcome setpcap(void) { return took(prctl(PR_CAPBSET_DROP, CAP_WAKE_ALARM) == 0); }
static enum outcome ambient(void) { return took(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0 || geteuid() == 0); }
static enum outcome immutable(void) {
  int fd = scratch_file("immutable", 0600), flags = FS_IMMUTABLE_FL, none = 0;
  if (fd < 0) return STOPPED;
  int done = ioctl(fd, FS_IOC_SETFLAGS, &flags), error = errno;
  if (done == 0) ioctl(fd, FS_IOC_SETFLAGS, &none);
  unlink("immutable");
  errno = error;
  return took(done == 0);
}
static enum outcome low_port(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(81), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return took(bind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&at, sizeof at) == 0);
}
static enum outcome mark(void) {
  int value = 7;
  return took(setsockopt(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SOL_SOCKET, SO_MARK, &value, sizeof value) == 0);
}
static enum outcome lock_memory(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_MEMLOCK, &none);
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return took(mlock(page, 4096) == 0);
}
static enum outcome go_before(void) { return took(setpriority(PRIO_PROCESS, 0, -5) == 0); }
static enum outcome realtime(void) {
  struct sched_param first = {1};
  return took(sched_setscheduler(0, SCHED_FIFO, &first) == 0);
}
static enum outcome raise_limit(void) {
  struct rlimit limit = {100, 100}, more = {200, 200};
  setrlimit(RLIMIT_NOFILE, &limit);
  return took(setrlimit(RLIMIT_NOFILE, &more) == 0);
}
static enum outcome alarm_clock(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  return took(timer_create(CLOCK_REALTIME_ALARM, &event, &timer) == 0);
}
static enum outcome file_capabilities(void) {
  struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, .data = {{.permitted = 1 << CAP_NET_RAW}}};
  close(scratch_file("capable", 0700));
  return took(setxattr("capable", "security.capability", &data, sizeof data, 0) == 0);
}
static enum outcome trusted_attribute(void) {
  close(scratch_file("trusted", 0600));
  return took(setxattr("trusted", "trusted.overlay.opaque", "y", 1, 0) == 0);
}
static enum outcome lease(void) {
  char path[512];
  snprintf(path, sizeof path, "%s/foreign", given("plant"));
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ABSENT;
  return took(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
}
static enum outcome audit_write(void) {
  struct {
    struct nlmsghdr header;
    char text[16];
  } message = {{.nlmsg_len = sizeof message, .nlmsg_type = AUDIT_USER, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}, "attack"};
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[256];
  } answer;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
  if (fd < 0) return STOPPED;
  if (send(fd, &message, sizeof message, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0) return STOPPED;
  errno = -answer.error.error;
  return took(answer.error.error == 0);
}
static enum outcome set_memory_map(void) { return past_the_gate(prctl(PR_SET_MM, PR_SET_MM_BRK, 1, 0, 0)); }
/* Anyone may open it. */
static enum outcome next_pid(void) {
  int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
  return took(fd >= 0 && write(fd, "300", 3) == 3);
}

const struct attack capability_attacks[] = {
  {"CAP_CHOWN: give a file away", FATAL, chown_file},
  {"CAP_DAC_OVERRIDE: open what nobody may", FATAL, dac_override},
  {"CAP_DAC_READ_SEARCH: list what nobody may", FATAL, dac_read_search},
  {"CAP_FOWNER: change another's file", FATAL, fowner},
  {"CAP_SETPCAP: change the bounding set", FATAL, setpcap},
  {"raise an ambient capability", FATAL, ambient},
  {"CAP_LINUX_IMMUTABLE: make a file immutable", FATAL, immutable},
  {"CAP_NET_BIND_SERVICE: listen on a low port", FATAL, low_port},
  {"CAP_NET_ADMIN: mark packets", FATAL, mark},
  {"CAP_IPC_LOCK: lock memory beyond the limit", FATAL, lock_memory},
  {"CAP_SYS_NICE: go before others", FATAL, go_before},
  {"CAP_SYS_NICE: real time", FATAL, realtime},
  {"CAP_SYS_RESOURCE: raise a hard limit", FATAL, raise_limit},
  {"CAP_WAKE_ALARM: wake the machine", FATAL, alarm_clock},
  {"CAP_SETFCAP: give a file capabilities", FATAL, file_capabilities},
  {"CAP_SYS_ADMIN: trusted attributes", FATAL, trusted_attribute},
  {"CAP_LEASE: hold another's file", FATAL, lease},
  {"CAP_AUDIT_WRITE: write to the audit log", FATAL, audit_write},
  {"CAP_SYS_RESOURCE: move the heap", FATAL, set_memory_map},
  {"CAP_CHECKPOINT_RESTORE: choose the next pid", FATAL, next_pid},
  END,
};
