/*
 * From a start record to a main process that is ours to wait for.
 *
 *   direct   fork ─ place ─ drop ─ "held" ─ go ─ execve
 *   pidns    fork A ─ unshare ─ fork init, fork main ─ A ends, both are adopted
 *   bwrap    fork bwrap ─ names its child ─ verifier speaks ─ bwrap is killed, the child adopted ─ verifier ready ─ go
 *   oci      run ─ verifier speaks ─ adopted ─ verifier ready ─ go;   or: create ─ pid file ─ adopted ─ held or not ─ start
 */
#include "shim.h"

char verify_report[REPORT_MAX];
u32 verify_report_len;

static char **kept_env;

static pid_t oci_tool(char **argv) {
  int log = openat(S.dir, "launcher.log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  pid_t pid = fork_tool(argv, kept_env, log, log, -1, 0);
  if (log >= 0) close(log);
  return pid;
}

pid_t oci_delete_start(void) { return oci_tool(S.record.oci_delete); }

static int reopened(int fd) {
  char path[40] = "";
  struct text t = {path, 0, sizeof path - 1, 0};
  text_str(&t, "/proc/self/fd/");
  text_int(&t, fd);
  return open(path, O_RDWR | O_CLOEXEC);
}

/*
 * crun gives the streams of a container to its user, who could then close the host's /dev/null to everybody. What a runtime gets is opened by way
 * of a read-only mount: who writes to it may, who changes its owner may not. Kernels before 5.12 have no such mount. It is kept, and the helper has
 * it made before it forks: to let go of a mount waits for all processors.
 */
int open_null(void) {
  static int tree = -1;
  const int wanted = S.record.launcher == LAUNCH_OCI;
  if (wanted && tree < 0 && (tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) >= 0 &&
      syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &(struct mount_attr){.attr_set = MOUNT_ATTR_RDONLY}, sizeof(struct mount_attr))) { close(tree); tree = -1; }
  return wanted && tree >= 0 ? reopened(tree) : open("/dev/null", O_RDWR | O_CLOEXEC);
}

/*
 * bwrap's end of the info pipe can be read too: a write to it must not fail once the shim is dead. bwrap would be ended by SIGPIPE before it
 * lets its child go on, and the child would wait for ever. So it goes on to the verifier, which finds its socket closed, and ends.
 */
static int info_pair(int fds[2]) {
  if (pipe2(fds, O_CLOEXEC)) return -1;
  int both = reopened(fds[1]);
  if (both < 0) return -1;
  close(fds[1]);
  fds[1] = both;
  return 0;
}

static int pair(int fds[2], int kind) {
  return kind == 's' ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : pipe2(fds, O_CLOEXEC);
}

int launch_start(char **argv, char **env, const char **message) {
  const struct record *r = &S.record;
  int out[2], null, status[2] = {-1, -1}, gate[2] = {-1, -1}, verify[2] = {-1, -1}, info[2] = {-1, -1}, lifeline[2] = {-1, -1};
  if (output_open(out, message)) return -1;
  kept_env = env;
  if (r->launcher == LAUNCH_NONE) {
    S.started_at = now_ns(CLOCK_REALTIME);
    set_state(RUNNING);
    return 0;
  }
  *message = "descriptors";
  if ((null = open_null()) < 0 || pair(status, 'p') || pair(gate, 'p')) return -1;
  if (r->verify && pair(verify, 's')) return -1;
  if (r->launcher == LAUNCH_BWRAP && info_pair(info)) return -1;
  if (r->kill_unit == KILL_PIDNS && pair(lifeline, 'p')) return -1;
  int o = out[0] >= 0 ? out[0] : null, e = out[1] >= 0 ? out[1] : null;
  if (r->verify) {
    u8 head[5];
    int names = r->launcher == LAUNCH_OCI && !r->pid_file;
    if (names && setsockopt(verify[0], SOL_SOCKET, SO_PASSCRED, &names, sizeof names)) return -1;
    put32(head, r->verify_len + 1);
    head[4] = 1;
    int big = 1 << 20;
    setsockopt(verify[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
    fcntl(verify[0], F_SETFL, O_NONBLOCK);
    if (write_all(verify[0], head, 5) || write_all(verify[0], r->verify, r->verify_len)) return -1;
  }
  if (r->launcher == LAUNCH_OCI) {
    S.oci_step = 'c';
    S.launcher = fork_tool(argv, env, o, e, verify[1], 1);
    close(status[1]);
    close(status[0]);
    close(gate[0]);
    close(gate[1]);
    status[0] = gate[1] = -1;
  } else {
    struct identity outer = r->identity;
    if (r->launcher == LAUNCH_BWRAP) { outer.has_caps = outer.no_new_privs = 0; outer.seccomp = NULL; outer.umask = 022; outer.cwd = "/"; }
    int own_gate = r->gate && r->launcher == LAUNCH_DIRECT && !r->verify;
    int want[7] = {null, o, e, verify[1], info[1] >= 0 ? info[1] : lifeline[0], status[1], own_gate ? gate[0] : -1};
    S.launcher = fork_step(argv, env, want, &outer, own_gate);
    close(status[1]);
    close(gate[0]);
  }
  if (S.launcher < 0) return -1;
  if (r->launcher == LAUNCH_DIRECT && r->kill_unit != KILL_PIDNS) S.main = S.launcher;
  close(null);
  for (int i = 0; i < 2; i++) if (out[i] >= 0) close(out[i]);
  if (verify[1] >= 0) close(verify[1]);
  if (info[1] >= 0) close(info[1]);
  if (lifeline[0] >= 0) close(lifeline[0]);
  S.status = status[0];
  S.gate = gate[1];
  S.verify = verify[0];
  S.info = info[0];
  S.lifeline = lifeline[1];
  if (S.main) { S.main_fd = (int)syscall(SYS_pidfd_open, S.main, 0); S.main_start_time = process_start_time(S.main); }
  if (r->gate) S.go_deadline = now_ms() + r->go_timeout;
  return 0;
}

static void running(void) {
  S.started_at = now_ns(CLOCK_REALTIME);
  S.started_boottime = now_ns(CLOCK_BOOTTIME);
  S.go_deadline = 0;
  if (S.gate >= 0) close(S.gate);
  S.gate = -1;
  set_state(RUNNING);
}

/* The process has said that it is ready. Held is only one that is known too: in a pid namespace of ours two processes tell, and either may be the first. */
static int is_ready;

static void held(void) {
  is_ready = 1;
  if (S.state != STARTING || S.main <= 0) return;
  set_state(HELD);
  if (!S.record.gate || S.go_said) launch_go();
}

void launch_go(void) {
  S.go_said = 1;
  if (S.state != HELD || S.go_sent) return;
  S.go_sent = 1;
  if (S.verify >= 0) {
    static const u8 go[5] = {0, 0, 0, 1, 2};
    if (write_all(S.verify, go, sizeof go)) launch_failed("go", errno, "the verifier is gone");
  } else if (S.record.launcher == LAUNCH_OCI) {
    S.oci_step = 's';
    S.launcher = oci_tool(S.record.oci_start);
  } else if (S.record.gate && write(S.gate, "g", 1) != 1) launch_failed("go", errno, "the held process is gone");
}

/* The start is off: what there is of it is killed; its end, or its absence, leads to the record. */
void launch_failed(const char *stage, int error, const char *detail) {
  if (S.started_at || S.start_failed || S.never_started) return;
  S.start_failed = 1;
  S.failure.stage = stage;
  S.failure.error = error;
  struct text t = {S.failure_text, 0, sizeof S.failure_text - 1, 0};
  if (detail) text_str(&t, detail);
  S.failure_quotes = detail && S.record.launcher != LAUNCH_DIRECT;
  S.failure_text[t.len] = 0;
  S.go_deadline = 0;
  if (S.launcher > 0) kill(S.launcher, SIGKILL);
  kill_main(SIGKILL);
  if (S.launcher <= 0 && S.main <= 0) set_state(ENDING);
}

void never_started(void) {
  if (S.state > HELD || S.start_failed) return;
  S.never_started = 1;
  S.go_deadline = 0;
  if (S.launcher > 0) kill(S.launcher, SIGKILL);
  kill_main(SIGKILL);
  if (S.launcher <= 0 && S.main <= 0) set_state(ENDING);
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void launch_status_readable(void) {
  static char stage[40];
  struct message m;
  ssize_t n = read(S.status, &m, sizeof m);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n != (ssize_t)sizeof m) {
    close_fd(&S.status);
    /* End of file: executed, or dead before. bwrap's own execve says nothing about the task. */
    if (S.record.launcher == LAUNCH_DIRECT && !S.record.verify && S.state == HELD && (S.go_sent || !S.record.gate) && !S.start_failed) running();
    return;
  }
  if (m.kind == 'P') { S.main = m.value; S.main_start_time = process_start_time(S.main); if (is_ready) held(); }
  if (m.kind == 'I') S.init = m.value;
  if (m.kind == 'H' && S.record.launcher == LAUNCH_DIRECT && !S.record.verify) held();
  if (m.kind == 'E') {
    memcpy(stage, m.stage, sizeof stage);
    stage[sizeof stage - 1] = 0;
    S.started_at = 0;
    launch_failed(stage, m.value, NULL);
  }
}

static int adopt(pid_t pid) {
  siginfo_t none;
  if (waitid(P_PID, (id_t)pid, &none, WEXITED | WNOHANG | WNOWAIT)) return -1;
  S.main = pid;
  if (S.main_fd >= 0) close(S.main_fd);
  S.main_fd = (int)syscall(SYS_pidfd_open, pid, 0);
  S.main_start_time = process_start_time(pid);
  return 0;
}

static void oci_not_made(const char *detail) {
  launch_failed("oci create", 0, detail);
  if (S.main <= 0) set_state(ENDING);
}

/* The runtime has ended and left its container's process to us. */
static void oci_adopt(pid_t pid) {
  if (pid <= 0 || adopt(pid)) { oci_not_made("no process to adopt"); return; }
  S.oci_step = S.record.verify ? 'v' : 'h';
  if (!S.record.verify) { held(); return; }
  if (S.record.oci_start_count) S.launcher = oci_tool(S.record.oci_start);
  if (S.verify_ready) held();
  else if (S.verify < 0) launch_failed("verify", 0, "the verifier ended before it was ready");
}

/* Its pid as ours is told by the kernel with its words, if we asked for it: a runtime's pid file would wait for the disk. */
static ssize_t verifier_says(char *to, size_t room) {
  _Alignas(struct cmsghdr) char with[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec text = {to, room};
  struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = with, .msg_controllen = sizeof with};
  ssize_t n = recvmsg(S.verify, &m, MSG_CMSG_CLOEXEC);
  struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) S.verifier = ((const struct ucred *)CMSG_DATA(c))->pid;
  return n;
}

/* bwrap has named its child and the verifier speaks from it: bwrap has nothing left to do, and ends while the verifier looks around. */
static void bwrap_step(void) {
  if (S.record.launcher != LAUNCH_BWRAP || !S.verify_spoke || S.info_text[0] != 1) return;
  if (S.launcher > 0) kill(S.launcher, SIGKILL);
}

void launch_info_readable(void) {
  ssize_t n = read(S.info, S.info_text + 1 + S.info_len, sizeof S.info_text - 2 - S.info_len);
  if (n < 0 && errno == EINTR) return;
  if (n > 0) S.info_len += (u32)n;
  S.info_text[1 + S.info_len] = 0;
  char *at = strstr(S.info_text + 1, "\"child-pid\":");
  if (at && strchr(at, '}')) {
    at += 12;
    while (*at == ' ') at++;
    S.main = (pid_t)parse_u64(at);
    S.info_text[0] = 1;
    close_fd(&S.info);
    bwrap_step();
  } else if (n <= 0 || S.info_len >= sizeof S.info_text - 2) close_fd(&S.info);
}

static void verify_line(const char *line, size_t n) {
  /* The lines that decide always find room. */
  int decides = !memmem(line, n, "\"event\":\"check\"", 15);
  if (n + 1 + (decides ? 0 : 4096) <= sizeof verify_report - verify_report_len) {
    memcpy(verify_report + verify_report_len, line, n);
    verify_report[verify_report_len + n] = '\n';
    verify_report_len += (u32)n + 1;
  }
  if (memmem(line, n, "\"event\":\"ready\"", 15)) {
    S.verify_ready = 1;
    if (S.record.launcher == LAUNCH_DIRECT || S.oci_step == 'v' || (S.record.launcher == LAUNCH_BWRAP && S.launcher <= 0)) held();
  } else if (memmem(line, n, "\"event\":\"failed\"", 16)) {
    char detail[200];
    size_t len = n < sizeof detail - 1 ? n : sizeof detail - 1;
    const char *number = memmem(line, n, "\"errno\":", 8);
    memcpy(detail, line, len);
    detail[len] = 0;
    launch_failed("verify", number ? (int)parse_u64(number + 8) : 0, detail);
  }
}

void launch_verify_readable(void) {
  static char line[16384];
  static u32 have;
  ssize_t n = verifier_says(line + have, sizeof line - have);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) {
    close_fd(&S.verify);
    if (S.go_sent && S.state == HELD && !S.start_failed) running();
    else if (S.state < RUNNING && S.launcher <= 0) launch_failed("verify", 0, "the verifier ended before it was ready");
    /* else the launcher's own end says more */
    return;
  }
  if (!S.verify_spoke) { S.verify_spoke = 1; bwrap_step(); }
  if (S.oci_step == 'w') oci_adopt(S.verifier);
  have += (u32)n;
  u32 from = 0;
  for (u32 i = 0; i < have; i++)
    if (line[i] == '\n') { verify_line(line + from, i - from); from = i + 1; }
  memmove(line, line + from, have - from);
  have -= from;
  if (have == sizeof line) have = 0;
}

static void oci_child_ended(const siginfo_t *how) {
  int ok = how->si_code == CLD_EXITED && how->si_status == 0;
  if (S.oci_step == 'c') {
    char text[32];
    if (!ok) oci_not_made("the runtime's create failed");
    else if (S.record.pid_file) oci_adopt(read_file_at(AT_FDCWD, S.record.pid_file, text, sizeof text) > 0 ? (pid_t)parse_u64(text) : 0);
    else if (S.verify_spoke || S.verify < 0) oci_adopt(S.verifier);
    else S.oci_step = 'w';
  } else if (S.oci_step == 's' || S.oci_step == 'v') {
    if (!ok) launch_failed("oci start", 0, "the runtime's start failed; see launcher.log");
    else if (S.oci_step == 's' && S.state == HELD) running();
    else if (S.oci_step == 'v' && !S.verify_ready && S.verify < 0) launch_failed("verify", 0, "the verifier ended before it was ready");
  }
}

/* Reads what children have said before their end is looked at: the order of the two must not depend on poll. */
void launch_drain(void) {
  for (int i = 0; i < 64; i++) {
    struct pollfd p[3] = {{S.status, POLLIN, 0}, {S.info, POLLIN, 0}, {S.verify, POLLIN, 0}};
    if (poll(p, 3, 0) <= 0) return;
    if (p[0].revents) launch_status_readable();
    if (p[1].revents) launch_info_readable();
    if (p[2].revents) launch_verify_readable();
  }
}

/* The launcher (not the main process) has ended and was reaped. */
void launch_child_ended(pid_t pid, const siginfo_t *how) {
  if (pid != S.launcher) return;
  S.launcher = 0;
  if (S.record.launcher == LAUNCH_OCI) { oci_child_ended(how); return; }
  if (S.init > 0) S.init_fd = (int)syscall(SYS_pidfd_open, S.init, 0);
  if (S.main > 0 && adopt(S.main) == 0) {
    if (S.start_failed || S.never_started) kill_main(SIGKILL);
    else if (S.record.launcher == LAUNCH_BWRAP) {
      if (S.verify_ready) held();
      else if (!S.verify_spoke || S.verify < 0) launch_failed("bwrap", 0, "bwrap ended before the verifier was ready");
    }
    return;
  }
  S.main = 0;
  launch_failed(S.record.launcher == LAUNCH_BWRAP ? "bwrap" : "launch", 0, "the launcher ended without a process");
  set_state(ENDING);
}
