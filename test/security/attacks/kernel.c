/* System calls that reach the whole machine. What would harm it is called with an argument refused after the right to call it. */
#include "attack.h"
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sys/fanotify.h>
#include <sys/klog.h>
#include <sys/personality.h>
#include <sys/quota.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>

static enum outcome reboot_machine(void) { return past_the_gate(syscall(SYS_reboot, 0, 0, 0, 0)); }
static enum outcome swap_on(void) { return past_the_gate(swapon("/nothing-here", 0)); }
static enum outcome swap_off(void) { return past_the_gate(swapoff("/nothing-here")); }
static enum outcome accounting(void) { return past_the_gate(acct("/nothing-here")); }
static enum outcome load_program(void) {
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  return took(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr) >= 0);
}
static enum outcome measure(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK};
  return took(syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0) >= 0);
}
static enum outcome measure_self(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1};
  return took(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) >= 0);
}
static enum outcome fault_handler(void) { return took(syscall(SYS_userfaultfd, O_CLOEXEC) >= 0); }
static enum outcome ring(void) {
  struct io_uring_params params = {0};
  return took(syscall(SYS_io_uring_setup, 4, &params) >= 0);
}
static enum outcome add_key(void) { return took(syscall(SYS_add_key, "user", "attack", "x", 1, -3) >= 0); }
static enum outcome session_keys(void) { return took(syscall(SYS_keyctl, 0, -3, 1, 0, 0) >= 0); }
static enum outcome request_key(void) { return past_the_gate(syscall(SYS_request_key, "user", "attack", NULL, -3)); }
static enum outcome kernel_log(void) {
  char text[256];
  return took(klogctl(3, text, sizeof text) >= 0);
}
static enum outcome clear_log_gate(void) { return past_the_gate(klogctl(8, NULL, 99)); }
static enum outcome old_layout(void) { return took(personality(READ_IMPLIES_EXEC) >= 0 && personality(0xffffffff) == READ_IMPLIES_EXEC); }
static enum outcome watch_files(void) { return took(syscall(SYS_fanotify_init, FAN_CLASS_CONTENT, O_RDONLY) >= 0); }
static enum outcome quota(void) { return past_the_gate(syscall(SYS_quotactl, QCMD(Q_QUOTAON, USRQUOTA), "/nothing-here", 0, 0)); }
static enum outcome open_handle(void) {
  struct {
    struct file_handle head;
    char bytes[MAX_HANDLE_SZ];
  } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
  int id;
  if (name_to_handle_at(AT_FDCWD, "/", &handle.head, &id, 0)) return STOPPED;
  return took(open_by_handle_at(open("/", O_RDONLY | O_CLOEXEC), &handle.head, O_RDONLY) >= 0);
}
static enum outcome set_time(void) {
  struct timezone zone = {.tz_minuteswest = 16 * 60};
  return past_the_gate(syscall(SYS_settimeofday, NULL, &zone));
}
static enum outcome set_clock(void) {
  struct timespec never = {-1, 0};
  return past_the_gate(clock_settime(CLOCK_REALTIME, &never)) == THROUGH && geteuid() == 0 ? THROUGH : STOPPED;
}
static enum outcome adjust_clock(void) {
  struct timex change = {.modes = ADJ_TICK, .tick = 1};
  return past_the_gate(adjtimex(&change));
}
static enum outcome host_name(void) {
  char was[256], is[256];
  gethostname(was, sizeof was);
  if (sethostname("attacked", 8)) return STOPPED;
  gethostname(is, sizeof is);
  sethostname(was, strlen(was));
  return took(!strcmp(is, "attacked"));
}
static enum outcome domain_name(void) { return took(setdomainname("attacked", 8) == 0); }
static enum outcome hang_up(void) {
  setsid();
  return took(syscall(SYS_vhangup) == 0);
}
/* A byte put into the terminal that the process stands on: typed for whoever reads there next. */
static enum outcome type_by(long request) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) || unlockpt(master)) return STOPPED;
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  setsid();
  ioctl(slave, TIOCSCTTY, 0);
  return took(syscall(SYS_ioctl, slave, request, "x") == 0);
}
static enum outcome type_into_terminal(void) { return type_by(TIOCSTI); }
/* The kernel takes half of the register, and a filter may compare all of it. */
static const long beyond = 1L << 32;
static enum outcome type_widely(void) { return type_by(beyond | TIOCSTI); }
static enum outcome move_memory(void) { return past_the_gate(syscall(SYS_migrate_pages, given_int("canary_pid"), 0, NULL, NULL)); }
static enum outcome vsock(void) { return took(socket(40, SOCK_STREAM, 0) >= 0); }
static enum outcome vsock_widely(void) { return took(syscall(SYS_socket, beyond | 40, SOCK_STREAM, 0) >= 0); }

#ifdef __x86_64__
static enum outcome io_level(void) { return took(syscall(SYS_iopl, 3) == 0); }
static enum outcome io_ports(void) { return took(syscall(SYS_ioperm, 0x80, 1, 1) == 0); }
/* unshare(CLONE_NEWUSER) as a 32-bit call: a filter that looks at numbers alone takes it for another. */
static enum outcome foreign_abi_call(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(310), "b"(0x10000000) : "memory");
  errno = result < 0 ? -result : 0;
  return took(result == 0);
}
static enum outcome foreign_abi(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
  return took(result == getpid());
}
#else
static enum outcome io_level(void) { return ABSENT; }
static enum outcome io_ports(void) { return ABSENT; }
static enum outcome foreign_abi_call(void) { return ABSENT; }
static enum outcome foreign_abi(void) { return ABSENT; }
#endif

const struct attack kernel_attacks[] = {
  {"reboot the machine", FATAL, reboot_machine},
  {"turn swap on", FATAL, swap_on},
  {"turn swap off", FATAL, swap_off},
  {"turn accounting on", FATAL, accounting},
  {"load something into the kernel (bpf)", FATAL, load_program},
  {"measure a whole processor", FATAL, measure},
  {"measure itself", LEAK, measure_self},
  {"handle page faults", FATAL, fault_handler},
  {"make an io_uring", FATAL, ring},
  {"add a key to the kernel's", FATAL, add_key},
  {"get the session's keys", FATAL, session_keys},
  {"ask for a key", FATAL, request_key},
  {"read the kernel's log", LEAK, kernel_log},
  {"set the kernel's console", FATAL, clear_log_gate},
  {"make its memory executable", FATAL, old_layout},
  {"watch all files", FATAL, watch_files},
  {"turn quotas on", FATAL, quota},
  {"open a file by its handle", FATAL, open_handle},
  {"set the time zone", FATAL, set_time},
  {"set the clock", FATAL, set_clock},
  {"adjust the clock", FATAL, adjust_clock},
  {"change the host's name", FATAL, host_name},
  {"change the domain's name", FATAL, domain_name},
  {"hang up a terminal", FATAL, hang_up},
  {"type into a terminal", FATAL, type_into_terminal},
  {"type into a terminal by a wide request", FATAL, type_widely},
  {"move another's memory", FATAL, move_memory},
  {"talk to the hypervisor", FATAL, vsock},
  {"talk to the hypervisor by a wide family", FATAL, vsock_widely},
  {"change the i/o privilege level", FATAL, io_level},
  {"use i/o ports", FATAL, io_ports},
  {"make a user namespace by a 32-bit call", FATAL, foreign_abi_call},
  {"make a 32-bit call", FATAL, foreign_abi},
  END,
};
