/*
 * drover-verify probe landlock DIRECTORY | kvm | quota DIRECTORY UID ID | devices GROUP: tries a mechanism of the kernel in this process, which is thrown away, and prints one line:
 * `ok …` or `no …`. Nothing is concluded from versions: each right is used, the guest really runs.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "quota.h"

struct ll_ruleset {
  u64 fs, net, scoped;
};
struct ll_path {
  u64 access;
  int parent;
} __attribute__((packed));

enum { LL_EXEC, LL_WRITE, LL_READ, LL_LIST, LL_RMDIR, LL_UNLINK, LL_CHAR, LL_MKDIR, LL_CREATE, LL_SOCK, LL_FIFO, LL_BLOCK, LL_LINK, LL_MOVE,
  LL_CUT };
static const struct {
  const char *name;
  int abi;
} ll_rights[] = {{"execute", 1}, {"write_file", 1}, {"read_file", 1}, {"read_dir", 1}, {"remove_dir", 1}, {"remove_file", 1}, {"make_char", 1},
  {"make_dir", 1}, {"make_reg", 1}, {"make_sock", 1}, {"make_fifo", 1}, {"make_block", 1}, {"make_sym", 1}, {"refer", 2}, {"truncate", 3}};

static int ll_errno(int result) { return result < 0 ? errno : 0; }

static int ll_open(int at, const char *name, int flags) {
  int fd = openat(at, name, flags | O_CLOEXEC, 0600), error = ll_errno(fd);
  if (fd >= 0) close(fd);
  return error;
}

/* Each right is used on what lies in the directory; the answer is an error number. */
static int ll_use(int right, int at) {
  switch (right) {
    case LL_EXEC: return ll_errno((int)syscall(SYS_execveat, at, "program", NULL, NULL, 0));
    case LL_WRITE: return ll_open(at, "file", O_WRONLY);
    case LL_READ: return ll_open(at, "file", O_RDONLY);
    case LL_LIST: return ll_open(at, "listed", O_RDONLY | O_DIRECTORY);
    case LL_RMDIR: return ll_errno(unlinkat(at, "directory", AT_REMOVEDIR));
    case LL_UNLINK: return ll_errno(unlinkat(at, "removed", 0));
    case LL_CHAR: return ll_errno(mknodat(at, "char", S_IFCHR | 0600, makedev(1, 3)));
    case LL_MKDIR: return ll_errno(mkdirat(at, "made", 0700));
    case LL_CREATE: return ll_open(at, "created", O_WRONLY | O_CREAT | O_EXCL);
    case LL_SOCK: return ll_errno(mknodat(at, "socket", S_IFSOCK | 0600, 0));
    case LL_FIFO: return ll_errno(mknodat(at, "fifo", S_IFIFO | 0600, 0));
    case LL_BLOCK: return ll_errno(mknodat(at, "block", S_IFBLK | 0600, makedev(7, 0)));
    case LL_LINK: return ll_errno(symlinkat("/", at, "link"));
    case LL_MOVE: return ll_errno(renameat(at, "moved", at, "listed/moved"));
    default: return ll_open(at, "file", O_WRONLY | O_TRUNC);
  }
}

static void ll_file(int at, const char *name, const char *content, int mode) {
  int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
  if (fd < 0) return;
  if (write_all(fd, content, strlen(content))) _exit(125);
  close(fd);
}

static int ll_scene(int root, const char *name) {
  mkdirat(root, name, 0700);
  int at = openat(root, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return -1;
  ll_file(at, "file", "content", 0600);
  ll_file(at, "removed", "", 0600);
  ll_file(at, "moved", "", 0600);
  /* No interpreter: whether it may be executed is asked, running it would end us. */
  ll_file(at, "program", "#!/nowhere\n", 0700);
  mkdirat(at, "listed", 0700);
  mkdirat(at, "directory", 0700);
  return at;
}

static int ll_other(const char *name, int refused, char *lacks) {
  if (!refused) strcat(strcat(lacks, " "), name);
  return refused;
}

/* Rights of later versions beside those of files. `outside`: an abstract socket from before. */
static int ll_beyond(int abi, const struct sockaddr_un *outside, socklen_t len, char *lacks) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int got = 0;
  if (abi >= 4) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    got += ll_other("bind_tcp", bind(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == EACCES, lacks);
    to.sin_port = htons(1);
    got += ll_other("connect_tcp", connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == EACCES, lacks);
    close(fd);
  }
  if (abi >= 5) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), none;
    got += ll_other("ioctl_dev", ioctl(fd, TIOCOUTQ, &none) < 0 && errno == EACCES, lacks);
    close(fd);
  }
  if (abi >= 6) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    got += ll_other("abstract_unix_socket", connect(fd, (const struct sockaddr *)outside, len) < 0 && errno == EPERM, lacks);
    got += ll_other("signal", kill(getppid(), 0) < 0 && errno == EPERM, lacks);
    close(fd);
  }
  return got;
}

static int probe_landlock(const char *directory) {
  char lacks[512] = "";
  int got = 0, root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
  if (abi < 1) return printf("no %s\n", strerrordesc_np(errno)) < 0;
  struct ll_ruleset wanted = {0, abi >= 4 ? 3 : 0, abi >= 6 ? 3 : 0};
  for (size_t i = 0; i < COUNT(ll_rights); i++)
    if (ll_rights[i].abi <= abi) wanted.fs |= 1ull << i;
  if (abi >= 5) wanted.fs |= 1ull << 15;
  int open_at = ll_scene(root, "open"), shut_at = ll_scene(root, "shut");
  int rules = (int)syscall(SYS_landlock_create_ruleset, &wanted, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
  struct ll_path allow = {wanted.fs, open_at}, devices = {wanted.fs & 4, open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  struct sockaddr_un outside = {.sun_family = AF_UNIX};
  socklen_t len = sizeof outside;
  int heard = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(heard, (struct sockaddr *)&outside, sizeof outside.sun_family) || listen(heard, 1) ||
      getsockname(heard, (struct sockaddr *)&outside, &len))
    return printf("no socket: %s\n", strerrordesc_np(errno)) < 0;
  if (open_at < 0 || shut_at < 0 || rules < 0) return printf("no %s\n", strerrordesc_np(errno)) < 0;
  if (syscall(SYS_landlock_add_rule, rules, 1, &allow, 0) || syscall(SYS_landlock_add_rule, rules, 1, &devices, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, rules, 0))
    return printf("no %s\n", strerrordesc_np(errno)) < 0;
  for (size_t i = 0; i < COUNT(ll_rights); i++) {
    if (ll_rights[i].abi > abi) continue;
    int shut = ll_use((int)i, shut_at), allowed = ll_use((int)i, open_at);
    int refused = shut == EACCES || (i == LL_MOVE && shut == EXDEV);
    got += ll_other(ll_rights[i].name, refused && allowed != EACCES, lacks);
  }
  got += ll_beyond(abi, &outside, len, lacks);
  return printf("%s ABI %d: %d rights refused outside, allowed inside%s%s\n", *lacks ? "no" : "ok", abi, got, *lacks ? "; not:" : "", lacks) < 0;
}

/* A real-mode guest of six bytes: writes 0x2a to port 0x10 and halts. */
static int probe_kvm(void) {
  static const u8 guest[] = {0xb0, 0x2a, 0xe6, 0x10, 0xf4};
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) return printf("no /dev/kvm: %s\n", strerrordesc_np(errno)) < 0;
#ifdef __x86_64__
  int vm = ioctl(kvm, KVM_CREATE_VM, 0), cpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
  int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  u8 *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct kvm_run *run = cpu < 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  if (run == MAP_FAILED || memory == MAP_FAILED) return printf("no machine: %s\n", strerrordesc_np(errno)) < 0;
  memcpy(memory, guest, sizeof guest);
  struct kvm_userspace_memory_region region = {0, 0, 0x1000, 4096, (u64)(uintptr_t)memory};
  struct kvm_sregs special;
  struct kvm_regs registers = {.rip = 0x1000, .rflags = 2};
  if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) || ioctl(cpu, KVM_GET_SREGS, &special)) return printf("no memory\n") < 0;
  special.cs.base = special.cs.selector = 0;
  if (ioctl(cpu, KVM_SET_SREGS, &special) || ioctl(cpu, KVM_SET_REGS, &registers)) return printf("no registers\n") < 0;
  alarm(3);
  if (ioctl(cpu, KVM_RUN, 0)) return printf("no guest: %s\n", strerrordesc_np(errno)) < 0;
  const int said = run->exit_reason == KVM_EXIT_IO && run->io.port == 0x10 && *((u8 *)run + run->io.data_offset) == 0x2a;
  return printf("%s a guest ran under KVM, exit reason %u\n", said ? "ok" : "no", run->exit_reason) < 0;
#else
  return printf("no guest of ours for this architecture\n") < 0;
#endif
}

/*
 * Rules of devices in a group of version 2 are a program that nothing reads back: a child born in the group opens what we can open ourselves
 * and what no task is given, and must be refused by the group, which says EPERM.
 */
static int probe_devices(const char *group) {
  static const char *const devices[] = {"/dev/kmsg", "/dev/loop-control", "/dev/fuse", "/dev/mem", "/dev/port", "/dev/vda", "/dev/sda"};
  struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
  int opened[COUNT(devices)], control = 0, at = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;
  if (at < 0) return printf("no group: %s\n", strerrordesc_np(errno)) < 0;
  for (size_t i = 0; i < COUNT(devices); i++) {
    int fd = open(devices[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    opened[i] = fd >= 0;
    control += fd >= 0;
    if (fd >= 0) close(fd);
  }
  if (!control) return printf("no device can be opened outside, so that a refusal would prove nothing\n") < 0;
  fflush(stdout);
  how.cgroup = (u64)at;
  pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
  if (pid == 0) {
    for (size_t i = 0; i < COUNT(devices); i++)
      if (opened[i] && (open(devices[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0 || errno != EPERM)) _exit(1 + (int)i);
    _exit(0);
  }
  if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return printf("no child in the group: %s\n", pid < 0 ? strerrordesc_np(errno) : "it was killed") < 0;
  if (WEXITSTATUS(status)) return printf("no %s is not refused\n", devices[(WEXITSTATUS(status) - 1) % (int)COUNT(devices)]) < 0;
  return printf("ok %d devices that open outside are refused inside\n", control) < 0;
}

static int probe_main(int argc, char **args) {
  int failed = argc == 2 && !strcmp(args[0], "landlock") ? probe_landlock(args[1])
    : argc == 1 && !strcmp(args[0], "kvm")               ? probe_kvm()
    : argc == 4 && !strcmp(args[0], "quota")             ? probe_quota(args[1], (uid_t)atol(args[2]), (u32)atol(args[3]))
    : argc == 2 && !strcmp(args[0], "devices")           ? probe_devices(args[1])
                                                         : 2;
  return fflush(stdout) ? 1 : failed;
}
