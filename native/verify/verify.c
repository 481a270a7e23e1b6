/*
 * drover-verify <fd>: the entry process of a sandbox (docs/shim-protocol.md, "The verifier").
 *
 *   read instructions → become what they say → look at everything → filter → "ready" → wait for go → execve
 *
 * It only finds and does; whether what it found is enough is decided by the agent. Everything that can be asked of the kernel
 * without /proc is asked that way, because a sandbox need not have one.
 *
 * Compiled by itself, because where it can it runs without the C library's start (bare.c): nothing here may need what that start does.
 */
#include "../privileges.h"
#include <dirent.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/vfs.h>

#define ARGV_MAX 8192
#define F_NONCE 96
#define F_KEEP 97

static u8 frame[FRAME_MAX + 4];
static char *argv[ARGV_MAX], *env[ARGV_MAX];
static char line[16384];
static const char *nonce = "";
static int control;

static struct text begin(const char *event) {
  struct text t = {line, 0, sizeof line - 1, 0};
  text_str(&t, "{\"nonce\":");
  text_json(&t, nonce, strlen(nonce));
  text_str(&t, ",\"event\":\"");
  text_str(&t, event);
  text_str(&t, "\"");
  return t;
}

/* Lines go together: the supervisor does not wake for each of them. */
static char unsent[sizeof line + 16384];
static size_t unsent_len;

static void send_unsent(void) {
  if (write_all(control, unsent, unsent_len)) _exit(125);
  unsent_len = 0;
}

static void send_line(struct text *t) {
  /* A line that was cut is not JSON: the reader sees that something is missing rather than something else. */
  text_str(t, "}");
  line[t->len] = '\n';
  if (t->len + 1 > sizeof unsent - unsent_len) send_unsent();
  memcpy(unsent + unsent_len, line, t->len + 1);
  unsent_len += t->len + 1;
}

static void check(const char *name, const char *found, size_t len) {
  struct text t = begin("check");
  text_str(&t, ",\"name\":\"");
  text_str(&t, name);
  text_str(&t, "\",\"found\":");
  text_json(&t, found, len);
  send_line(&t);
}

static void check_text(const char *name, const struct text *t) { check(name, t->at, t->len); }

static _Noreturn void stop(const struct failure *f) {
  struct text t = begin("failed");
  const char *what = f->error ? strerrordesc_np(f->error) : "";
  text_str(&t, ",\"stage\":\"");
  text_str(&t, f->stage);
  text_str(&t, "\",\"errno\":");
  text_int(&t, f->error);
  text_str(&t, ",\"message\":");
  text_json(&t, what ? what : "", strlen(what ? what : ""));
  send_line(&t);
  send_unsent();
  _exit(f->error == ENOENT ? 127 : 126);
}

static void numbers(struct text *t, const u32 *values, int count) {
  for (int i = 0; i < count; i++) {
    if (i) text_str(t, " ");
    text_u64(t, values[i]);
  }
}

static void text_hex(struct text *t, u64 v) {
  for (int shift = 60; shift >= 0; shift -= 4) text_raw(t, &"0123456789abcdef"[v >> shift & 15], 1);
}

static void check_user(void) {
  static char found[2048];
  static gid_t groups[256];
  u32 ids[3];
  struct text t = {found, 0, sizeof found, 0};
  getresuid(&ids[0], &ids[1], &ids[2]);
  numbers(&t, ids, 3);
  check_text("uid", &t);
  t.len = 0;
  getresgid(&ids[0], &ids[1], &ids[2]);
  numbers(&t, ids, 3);
  check_text("gid", &t);
  t.len = 0;
  int n = getgroups(COUNT(groups), groups);
  numbers(&t, groups, n < 0 ? 0 : n);
  check_text("groups", &t);
}

/* Sixteen hex digits each: effective, permitted, inheritable, bounding, ambient. */
static void check_capabilities(void) {
  char found[128];
  struct text t = {found, 0, sizeof found, 0};
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
  u64 bounding = 0, ambient = 0;
  syscall(SYS_capget, &header, data);
  for (int cap = 0; cap < 64; cap++) {
    int has = prctl(PR_CAPBSET_READ, cap);
    if (has < 0) break; /* the kernel knows no more */
    if (has) bounding |= 1ull << cap;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1) ambient |= 1ull << cap;
  }
  const u64 sets[5] = {(u64)data[1].effective << 32 | data[0].effective, (u64)data[1].permitted << 32 | data[0].permitted,
    (u64)data[1].inheritable << 32 | data[0].inheritable, bounding, ambient};
  for (int i = 0; i < 5; i++) {
    if (i) text_str(&t, " ");
    text_hex(&t, sets[i]);
  }
  check_text("capabilities", &t);
}

static void check_number(const char *name, long value) {
  char found[24];
  struct text t = {found, 0, sizeof found, 0};
  text_int(&t, value);
  check_text(name, &t);
}

/* Open descriptors besides 0–2, our own, and what was told to be kept. */
static void note_descriptor(struct text *t, const u8 *keep, int fd, int listing) {
  if (fd < 3 || fd == control || fd == listing || (fd < 256 && keep[fd])) return;
  if (t->len) text_str(t, " ");
  text_int(t, fd);
}

/* Listed by the kernel's own proc file system where it is there; without it each number is asked for, which takes milliseconds where limits are high. */
static void check_descriptors(const u8 *keep) {
  static char found[4096], entries[4096];
  struct text t = {found, 0, sizeof found, 0};
  struct statfs kind;
  int listing = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing >= 0 && !fstatfs(listing, &kind) && kind.f_type == PROC_SUPER_MAGIC) {
    for (long n; (n = syscall(SYS_getdents64, listing, entries, sizeof entries)) > 0;)
      for (long at = 0; at < n; at += ((struct dirent64 *)(entries + at))->d_reclen) {
        const char *name = ((struct dirent64 *)(entries + at))->d_name;
        if (*name != '.') note_descriptor(&t, keep, (int)parse_u64(name), listing);
      }
  } else {
    struct rlimit limit = {1024, 1024};
    getrlimit(RLIMIT_NOFILE, &limit);
    int top = limit.rlim_cur > 65536 ? 65536 : (int)limit.rlim_cur;
    for (int fd = 3; fd < top; fd++)
      if (fcntl(fd, F_GETFD) >= 0) note_descriptor(&t, keep, fd, listing);
  }
  if (listing >= 0) close(listing);
  check_text("descriptors", &t);
}

static void check_namespaces(void) {
  static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};
  char path[40], name[24], found[64];
  for (size_t i = 0; i < COUNT(names); i++) {
    struct text p = {path, 0, sizeof path - 1, 0}, n = {name, 0, sizeof name - 1, 0};
    text_str(&p, "/proc/self/ns/");
    text_str(&p, names[i]);
    path[p.len] = 0;
    text_str(&n, "ns.");
    text_str(&n, names[i]);
    name[n.len] = 0;
    ssize_t len = readlink(path, found, sizeof found);
    if (len > 0) check(name, found, (size_t)len);
  }
}

/* One line of a file is one finding: `uid_map` for each range. Mounts the agent looks at itself. */
static void check_lines(const char *name, const char *path) {
  static char content[65536];
  ssize_t n = read_file_at(AT_FDCWD, path, content, sizeof content);
  if (n == (ssize_t)sizeof content - 1) check(name, "(more than 64 KiB)", 18);
  for (char *at = content; n > 0 && *at;) {
    size_t len = strcspn(at, "\n");
    check(name, at, len);
    at += len + (at[len] == '\n');
  }
}

struct instructions {
  struct identity identity;
  u8 keep[256];
};

static int parse(struct instructions *in, const u8 *data, u32 len) {
  struct fields f = {data, data + len};
  int more, argc = 0, envc = 0;
  u8 tag;
  const u8 *v;
  u32 n;
  identity_init(&in->identity);
  while ((more = field_next(&f, &tag, &v, &n)) > 0) {
    const char *s = field_string(v, n);
    if (tag == F_ARGV || tag == F_ENV) {
      char **list = tag == F_ARGV ? argv : env;
      int *count = tag == F_ARGV ? &argc : &envc;
      if (!s || *count + 1 >= ARGV_MAX) return -1;
      list[(*count)++] = (char *)s;
    } else if (tag == F_NONCE) {
      if (!s || n > 256) return -1;
      nonce = s;
    } else if (tag == F_KEEP) {
      if (n != 4 || be32(v) > 255) return -1;
      in->keep[be32(v)] = 1;
    } else if (identity_field(&in->identity, tag, v, n) < 0) return -1;
  }
  return more < 0 || argc == 0 ? -1 : 0;
}

/* All from 3 on but those, a call for each gap between them. */
static void close_all(const u8 *keep) {
  u32 from = 3, own = (u32)control;
  for (u32 fd = 3; fd < 256 || fd <= own; fd++) {
    if (fd != own && (fd >= 256 || !keep[fd])) continue;
    if (fd > from) syscall(SYS_close_range, from, fd - 1, 0);
    from = fd + 1;
  }
  syscall(SYS_close_range, from, ~0u, 0);
}

_Noreturn void verify_fd(const char *number) {
  static struct instructions in;
  struct failure f = {"instructions", EPROTO};
  u8 head[5];
  control = (int)parse_u64(number);
  if (fcntl(control, F_SETFD, FD_CLOEXEC) || read_all(control, head, 5)) _exit(125);
  u32 len = be32(head);
  if (len < 1 || len > FRAME_MAX || head[4] != 1 || read_all(control, frame, len - 1)) _exit(125);
  if (parse(&in, frame, len - 1)) stop(&f);
  struct identity unfiltered = in.identity;
  unfiltered.seccomp = NULL;
  if (drop_to(&unfiltered, 0, &f)) stop(&f);
  check_user();
  /* From the first words the supervisor knows that the launcher has done its part, and ends it while the rest is looked at. */
  send_unsent();
  check_capabilities();
  check_number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  check_number("pid", getpid());
  check_descriptors(in.keep);
  check_namespaces();
  check_lines("uid_map", "/proc/self/uid_map");
  check_lines("gid_map", "/proc/self/gid_map");
  if (take_filter(&in.identity, &f)) stop(&f);
  check_number("seccomp", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
  struct text ready = begin("ready");
  send_line(&ready);
  send_unsent();
  if (read_all(control, head, 5) || head[4] != 2) _exit(125);
  /*
   * A task must not outlive its supervisor unseen. Only now is the supervisor our parent (a launcher may have been it before);
   * where it died in between, its end of the socket is closed.
   */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct pollfd alive = {control, POLLIN, 0};
  if (poll(&alive, 1, 0) > 0) _exit(125);
  close_all(in.keep);
  execute(argv, env, &f);
  stop(&f);
}
