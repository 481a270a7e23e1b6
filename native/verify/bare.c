/*
 * The entry process of a sandbox without the start of the C library, which asks the processor about its caches: in a virtual machine each
 * such question leaves the machine, 0.7 ms of every start together. `drover_start` goes to verify.c where a descriptor is the only argument,
 * and to the library's own start for everything else. What verify.c calls is here, as calls of the kernel; the build joins the two into one
 * object in which only the two ways in are seen, so that the rest of the program has the library's. x86-64 only: elsewhere nothing is asked.
 */
#include "../privileges.h"
#include <poll.h>
#include <stdarg.h>
#include <sys/vfs.h>

__asm__(
  ".globl drover_start\n"
  "drover_start:\n"
  "  cmpq $2, (%rsp)\n"
  "  jne _start\n"
  "  movq 16(%rsp), %rdi\n"
  "  movzbl (%rdi), %eax\n"
  "  subl $'0', %eax\n"
  "  cmpl $9, %eax\n"
  "  ja _start\n"
  "  xorl %ebp, %ebp\n"
  "  call verify_fd\n");

static int last_error;
int *__errno_location(void) { return &last_error; }

static long result(long value) {
  if ((unsigned long)value < -4095ul) return value;
  last_error = (int)-value;
  return -1;
}

static long kernel(long number, long a, long b, long c, long d, long e) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
  __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result(number);
}

#define CALL(name, a, b, c, d, e) kernel(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

/* As many as were passed; more are read, and are nothing. */
#define ARGUMENTS(last, count) \
  long arg[count]; \
  va_list list; \
  va_start(list, last); \
  for (int i = 0; i < count; i++) arg[i] = va_arg(list, long); \
  va_end(list)

long syscall(long number, ...) { ARGUMENTS(number, 5); return kernel(number, arg[0], arg[1], arg[2], arg[3], arg[4]); }
int prctl(int option, ...) { ARGUMENTS(option, 4); return (int)CALL(prctl, option, arg[0], arg[1], arg[2], arg[3]); }
int fcntl(int fd, int command, ...) { ARGUMENTS(command, 1); return (int)CALL(fcntl, fd, command, arg[0], 0, 0); }
int open(const char *path, int flags, ...) { ARGUMENTS(flags, 1); return (int)CALL(openat, AT_FDCWD, path, flags, arg[0], 0); }
int openat(int at, const char *path, int flags, ...) { ARGUMENTS(flags, 1); return (int)CALL(openat, at, path, flags, arg[0], 0); }
int close(int fd) { return (int)CALL(close, fd, 0, 0, 0, 0); }
ssize_t read(int fd, void *to, size_t n) { return CALL(read, fd, to, n, 0, 0); }
ssize_t write(int fd, const void *from, size_t n) { return CALL(write, fd, from, n, 0, 0); }
ssize_t readlink(const char *path, char *to, size_t n) { return CALL(readlink, path, to, n, 0, 0); }
int fstatfs(int fd, struct statfs *facts) { return (int)CALL(fstatfs, fd, facts, 0, 0, 0); }
int poll(struct pollfd *fds, nfds_t count, int timeout) { return (int)CALL(poll, fds, count, timeout, 0, 0); }
int chdir(const char *path) { return (int)CALL(chdir, path, 0, 0, 0, 0); }
mode_t umask(mode_t mode) { return (mode_t)CALL(umask, mode, 0, 0, 0, 0); }
pid_t getpid(void) { return (pid_t)CALL(getpid, 0, 0, 0, 0, 0); }
uid_t geteuid(void) { return (uid_t)CALL(geteuid, 0, 0, 0, 0, 0); }
int getresuid(uid_t *r, uid_t *e, uid_t *s) { return (int)CALL(getresuid, r, e, s, 0, 0); }
int getresgid(gid_t *r, gid_t *e, gid_t *s) { return (int)CALL(getresgid, r, e, s, 0, 0); }
int setresuid(uid_t r, uid_t e, uid_t s) { return (int)CALL(setresuid, r, e, s, 0, 0); }
int setresgid(gid_t r, gid_t e, gid_t s) { return (int)CALL(setresgid, r, e, s, 0, 0); }
int getgroups(int count, gid_t *groups) { return (int)CALL(getgroups, count, groups, 0, 0, 0); }
int setgroups(size_t count, const gid_t *groups) { return (int)CALL(setgroups, count, groups, 0, 0, 0); }
int getrlimit(__rlimit_resource_t which, struct rlimit *limit) { return (int)CALL(prlimit64, 0, which, 0, limit, 0); }
int setrlimit(__rlimit_resource_t which, const struct rlimit *limit) { return (int)CALL(prlimit64, 0, which, limit, 0, 0); }
int execve(const char *path, char *const *argv, char *const *env) { return (int)CALL(execve, path, argv, env, 0, 0); }

_Noreturn void _exit(int code) {
  for (;;) CALL(exit_group, code, 0, 0, 0, 0);
}

/* Only dispositions without a handler are set: the kernel's structure has nothing else then. */
int sigaction(int signal, const struct sigaction *restrict new, struct sigaction *restrict old) {
  struct { void *handler; unsigned long flags; void *restorer; u64 mask; } kernels = {(void *)new->sa_handler, 0, NULL, 0};
  (void)old;
  return (int)CALL(rt_sigaction, signal, &kernels, NULL, 8, 0);
}
int sigemptyset(sigset_t *set) { memset(set, 0, sizeof *set); return 0; }
int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old) { return (int)CALL(rt_sigprocmask, how, set, old, 8, 0); }

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
  return to;
}
void *memset(void *to, int byte, size_t n) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
  return to;
}
void *memchr(const void *in, int byte, size_t n) {
  for (const u8 *at = in; n--; at++) if (*at == (u8)byte) return (void *)at;
  return NULL;
}
size_t strlen(const char *s) {
  const char *end = s;
  while (*end) end++;
  return (size_t)(end - s);
}
char *strchr(const char *s, int c) {
  for (; *s != (char)c; s++) if (!*s) return NULL;
  return (char *)s;
}
int strncmp(const char *a, const char *b, size_t n) {
  for (; n && *a && *a == *b; n--) { a++; b++; }
  return n ? (u8)*a - (u8)*b : 0;
}
size_t strcspn(const char *s, const char *stop) {
  size_t n = 0;
  while (s[n] && !strchr(stop, s[n])) n++;
  return n;
}
