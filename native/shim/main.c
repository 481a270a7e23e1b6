/*
 * The shim's loop, the spawn helper, and the entry point.
 * States: starting → held → running → ending → ended (docs/shim-protocol.md).
 */
#include "shim.h"
#include <sys/file.h>

struct shim S;
static u8 start_frame[FRAME_MAX + 8];
static char *start_argv[ARGV_MAX], *start_env[ARGV_MAX];

static const char *const state_names[] = {"starting", "held", "running", "ending", "ended"};

/* "held" is only what waits for a go; released and not yet executed is still "starting". */
const char *state_name(void) {
  return state_names[S.state == HELD && (S.go_sent || !S.record.gate) ? STARTING : S.state];
}

void set_state(enum state state) {
  if (state == S.state) return;
  S.state = state;
  if (state == ENDING) {
    if (!S.finished_at) S.finished_at = now_ns(CLOCK_REALTIME);
    S.kill_deadline = now_ms() + 5000;
    S.next_step = now_ms();
    S.stop_deadline = S.go_deadline = 0;
    exec_kill_all();
  }
  serve_state();
}

static void main_ended(const siginfo_t *how) {
  S.have_status = 1;
  S.wait_code = how->si_code;
  S.wait_status = how->si_status;
  S.finished_at = now_ns(CLOCK_REALTIME);
  /* A clock that was set back meanwhile must not make the task end before it began. */
  if (S.started_at && S.finished_at < S.started_at) S.finished_at = S.started_at + now_ns(CLOCK_BOOTTIME) - S.started_boottime;
  if (S.launcher == S.main) S.launcher = 0;
  if (!S.started_at && !S.start_failed && !S.never_started) launch_failed("held", 0, "the process ended before it was released");
  set_state(ENDING);
}

static void reap_one(pid_t pid) {
  siginfo_t how;
  how.si_pid = 0;
  if (waitid(P_PID, (id_t)pid, &how, WEXITED | WNOHANG) || how.si_pid == 0) return;
  if (pid == S.scribe) scribe_ended();
  else if (pid == S.launcher) launch_child_ended(pid, &how);
  else exec_child_ended(pid, &how);
}

static void look_at_main(void) {
  siginfo_t how;
  how.si_pid = 0;
  if (S.main <= 0 || S.have_status) return;
  if (waitid(P_PID, (id_t)S.main, &how, WEXITED | WNOHANG | WNOWAIT) || !how.si_pid) return;
  /* That it was executed may have been said since the last look: a task can end as soon as it has begun. */
  launch_drain();
  main_ended(&how);
}

static void reap(void) {
  pid_t pids[512];
  launch_drain();
  exec_status_readable_all();
  look_at_main();
  int n = next_child(pids, COUNT(pids));
  if (n < 0) {
    /* A kernel without the list of children: the main process, once dead, hides the others until it is reaped. */
    siginfo_t how;
    while (how.si_pid = 0, waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid && how.si_pid != S.main) reap_one(how.si_pid);
    look_at_main();
    return;
  }
  for (int i = 0; i < n; i++)
    if (pids[i] != S.main) reap_one(pids[i]);
  look_at_main();
}

static void finish(void) {
  u64 kills = oom_kills_now();
  if (kills > S.oom_kills) S.oom_kills = kills;
  exit_record_write();
  S.next_step = S.record_failed ? now_ms() + 1000 : 0;
  if (S.have_status) { siginfo_t how; waitid(P_PID, (id_t)S.main, &how, WEXITED | WNOHANG); }
  kill_unit_cleanup();
  S.state = ENDED;
  serve_state();
}

static void ending_step(u64 now) {
  if (S.kill_deadline) {
    u64 kills = oom_kills_now();
    if (kills > S.oom_kills) S.oom_kills = kills;
    int left = S.record.launcher == LAUNCH_NONE ? 0 : kill_unit_step();
    if (left && now < S.kill_deadline) { S.next_step = now + 5; return; }
    S.leftover = left;
    S.kill_deadline = 0;
    S.drain_deadline = now + 2000;
  }
  if (!S.output_over && (output_drained() || now >= S.drain_deadline)) {
    output_close();
    S.drain_deadline = now + 2000;
  }
  if (S.output_over && output_settled(now >= S.drain_deadline)) finish();
  else S.next_step = S.drain_deadline;
}

static void tick(void) {
  u64 now = now_ms();
  if (S.go_deadline && now >= S.go_deadline) never_started();
  if (S.stop_deadline && now >= S.stop_deadline) {
    S.stop_killed = 1;
    kill_unit_step();
    S.stop_deadline = now + 200;
  }
  if (S.state == ENDING && (now >= S.next_step || output_drained())) ending_step(now);
  if (S.state == ENDED && S.record_failed && now >= S.next_step) { exit_record_write(); S.next_step = now + 1000; }
  struct stat st;
  /* Acknowledged by removing the directory: nobody can ever come for this record. */
  if (S.state == ENDED && !S.quit && (fstat(S.dir, &st) || st.st_nlink == 0)) S.quit = now;
  output_tick();
  scribe_tick();
}

static int poll_timeout(void) {
  u64 now = now_ms(), next = 0, times[] = {S.go_deadline, S.stop_deadline, S.state == ENDING || S.record_failed ? S.next_step : 0, output_deadline(), scribe_deadline(), exec_tick()};
  for (size_t i = 0; i < COUNT(times); i++)
    if (times[i] && (!next || times[i] < next)) next = times[i];
  if (S.quit && (!next || next > now + 20)) return 20;
  if (!next) return S.state == ENDED ? 30000 : -1;
  return next <= now ? 0 : next - now > 60000 ? 60000 : (int)(next - now);
}

static void loop(void) {
  static struct pollfd fds[256];
  while (!S.quit || ((!clients_flushed() || output_unread()) && now_ms() < S.quit + 2000)) {
    enum { SIGNALS, STATUS, INFO, VERIFY, FROM, ROOM = FROM + 2, OWN = ROOM + 2 };
    int own[OWN] = {S.signals, S.status, S.info, S.verify}, n = OWN;
    for (int i = 0; i < 2; i++) own[FROM + i] = output_waits(i) ? -1 : S.sinks[i].from;
    for (int i = 0; i < 2; i++) own[ROOM + i] = output_waits_for(i);
    for (int i = 0; i < OWN; i++) fds[i] = (struct pollfd){own[i], i < ROOM ? POLLIN : POLLOUT, 0};
    int clients = n;
    n = serve_poll(fds, n, COUNT(fds));
    int sessions = n;
    n = exec_poll(fds, n, COUNT(fds));
    if (poll(fds, (nfds_t)n, poll_timeout()) < 0 && errno != EINTR) _exit(1);
    for (int i = 0; i < 2; i++) {
      if (fds[FROM + i].revents) output_read(i);
      if (fds[ROOM + i].revents) output_room(i);
    }
    if (fds[STATUS].revents && S.status >= 0) launch_status_readable();
    if (fds[INFO].revents && S.info >= 0) launch_info_readable();
    if (fds[VERIFY].revents && S.verify >= 0) launch_verify_readable();
    if (fds[SIGNALS].revents) {
      struct signalfd_siginfo info;
      while (read(S.signals, &info, sizeof info) == sizeof info) {}
      reap();
    }
    exec_ready(fds, sessions, n);
    serve_ready(fds, clients, sessions);
    tick();
  }
}

static int lock_and_sign(void) {
  char line[256];
  struct text t = {line, 0, sizeof line, 0};
  S.pid_lock = openat(S.dir, "shim.pid", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (S.pid_lock < 0 || flock(S.pid_lock, LOCK_EX | LOCK_NB)) return -1;
  text_str(&t, "{\"version\":1,\"pid\":");
  text_int(&t, getpid());
  text_str(&t, ",\"startTime\":\"");
  text_u64(&t, process_start_time(getpid()));
  text_str(&t, "\",\"bootId\":\"");
  text_str(&t, S.boot_id);
  text_str(&t, "\",\"kind\":\"native\"}\n");
  return ftruncate(S.pid_lock, 0) || write_all(S.pid_lock, line, t.len) ? -1 : 0;
}

static void reply(int out, u8 type, u32 id, const char *kind, const char *what, int error) {
  char frame[600];
  struct text t = {frame + 9, 0, sizeof frame - 9, 0};
  if (type == S_ANSWER) {
    text_str(&t, "{\"pid\":");
    text_int(&t, getpid());
    text_str(&t, "}");
  } else {
    text_str(&t, "{\"kind\":\"");
    text_str(&t, kind);
    text_str(&t, "\",\"message\":");
    text_json(&t, what, strlen(what));
    text_str(&t, ",\"errno\":");
    text_int(&t, error);
    text_str(&t, "}");
  }
  put32((u8 *)frame, (u32)t.len + 5);
  frame[4] = (char)type;
  put32((u8 *)frame + 5, id);
  /* One write below PIPE_BUF: shims of one helper share the pipe. */
  write_all(out, frame, t.len + 9);
}

static void refuse(int out, u32 id, const char *kind, const char *what, int error) {
  reply(out, S_ERROR, id, kind, what, error);
  if (S.dir >= 0) unlinkat(S.dir, "shim.sock", 0);
  _exit(1);
}

/* From a start frame to the end; never returns. */
static void shim_main(const u8 *frame, u32 len, int out) {
  const char *message;
  u32 id = be32(frame);
  S.dir = S.log_dir = S.socket = S.main_fd = S.init_fd = S.lifeline = S.status = S.gate = S.verify = S.info = S.oom_fd = -1;
  for (int i = 0; i < 2; i++) S.sinks[i].from = S.sinks[i].fifo = S.sinks[i].inner[0] = S.sinks[i].inner[1] = -1;
  setsid();
  umask(077);
  prctl(PR_SET_NAME, "drover-shim");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  for (int sig = 1; sig < 32; sig++)
    if (sig == SIGHUP || sig == SIGINT || sig == SIGTERM || sig == SIGQUIT || sig == SIGUSR1 || sig == SIGUSR2 || sig == SIGTSTP) signal(sig, SIG_IGN);
  struct rlimit files = {4096, 4096};
  getrlimit(RLIMIT_NOFILE, &files);
  S.inherited_files = files;
  S.self = getpid();
  files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : files.rlim_cur < 4096 ? 4096 : files.rlim_cur;
  setrlimit(RLIMIT_NOFILE, &files);
  if (record_parse(frame + 4, len - 4, &S.record, start_argv, start_env, &message)) refuse(out, id, "invalid", message, 0);
  if ((S.dir = open(S.record.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) refuse(out, id, "invalid", "dir: cannot be opened", errno);
  ssize_t n = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", S.boot_id, sizeof S.boot_id);
  if (n > 0 && S.boot_id[n - 1] == '\n') S.boot_id[n - 1] = 0;
  if (faccessat(S.dir, "exit.json", F_OK, 0) == 0) refuse(out, id, "exists", "dir: holds an exit record already", 0);
  if (lock_and_sign()) refuse(out, id, errno == EWOULDBLOCK ? "exists" : "unavailable", "shim.pid: cannot be locked or written", errno);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  S.signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
  int listening = serve_open();
  umask(0); /* from here on every mode is the one that is written */
  if (listening) refuse(out, id, "unavailable", "shim.sock: cannot listen", errno);
  if (write_oom_score_adj(-900)) { /* not permitted: as killable as the agent */ }
  record_prepare();
  if (launch_start(start_argv, start_env, &message)) refuse(out, id, "unavailable", message, errno);
  sealed_close();
  reply(out, S_ANSWER, id, NULL, NULL, 0);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  if (null > 2) close(null);
  if (chdir("/")) { /* stays where it is */ }
  /* Whoever connects meanwhile is greeted once the files of the output are there. */
  scribe_started();
  loop();
  _exit(0);
}

static int read_start(u32 *len) {
  u8 head[5];
  do {
    if (read_all(0, head, 4)) return -1;
    *len = be32(head);
    if (*len < 5 || *len > FRAME_MAX || read_all(0, head, 1)) return -1;
    (*len)--;
    if (read_all(0, start_frame, *len)) return -1;
  } while (head[0] != 1);
  return 0;
}

/* So that the reader can tell whose shim it was that ended before it could answer. */
static void say_forked(u32 id, pid_t pid) {
  char frame[64];
  struct text t = {frame + 9, 0, sizeof frame - 9, 0};
  text_str(&t, "{\"pid\":");
  text_int(&t, pid);
  text_str(&t, "}");
  put32((u8 *)frame, (u32)t.len + 5);
  frame[4] = (char)S_REPORT;
  put32((u8 *)frame + 5, id);
  write_all(1, frame, t.len + 9);
}

static void spawn_reap(int signals) {
  struct signalfd_siginfo info;
  int status;
  pid_t pid;
  while (read(signals, &info, sizeof info) == sizeof info) {}
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    char frame[96];
    struct text t = {frame + 5, 0, sizeof frame - 5, 0};
    text_str(&t, "{\"pid\":");
    text_int(&t, pid);
    text_str(&t, ",\"status\":");
    text_int(&t, status);
    text_str(&t, "}");
    put32((u8 *)frame, (u32)t.len + 1);
    frame[4] = (char)S_EXIT;
    write_all(1, frame, t.len + 5);
  }
}

static int spawn(void) {
  sigset_t child, before;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &before);
  int signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
  prctl(PR_SET_NAME, "drover-spawn");
  setsid();
  signal(SIGPIPE, SIG_IGN);
  for (;;) {
    struct pollfd fds[2] = {{0, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents) spawn_reap(signals);
    if (!fds[0].revents) continue;
    u32 len;
    if (read_start(&len)) return 0;
    const char *message;
    if (!record_parse(start_frame + 4, len - 4, &S.record, start_argv, start_env, &message) && S.record.launcher == LAUNCH_OCI) { sealed_make(start_argv[0], start_env); close(open_null()); }
    pid_t pid = fork();
    if (pid == 0) {
      close(signals);
      sigprocmask(SIG_SETMASK, &before, NULL);
      shim_main(start_frame, len, 1);
    }
    if (pid > 0) say_forked(be32(start_frame), pid);
    if (pid < 0) reply(1, S_ERROR, be32(start_frame), "unavailable", "fork", errno);
    /* The environment and arguments of one task do not stay in the memory of all later ones. */
    madvise((void *)(((uintptr_t)start_frame + 4095) & ~(uintptr_t)4095), sizeof start_frame - 8192, MADV_DONTNEED);
    memset(start_frame, 0, 8192);
  }
}

/* For an agent that finds a lost shim's cgroups: 0 once they are empty, 1 where 5 s were not enough. */
static int empty(int count, char **directories) {
  u64 deadline = now_ms() + 5000;
  S.record.kill_unit = KILL_CGROUP;
  for (int i = 0; i < count && i < (int)COUNT(S.record.kill_cgroups); i++) S.record.kill_cgroups[S.record.kill_cgroup_count++] = directories[i];
  S.have_status = 1;
  while (kill_unit_step())
    if (now_ms() > deadline) return 1;
    else usleep(5000);
  return 0;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  u32 len;
  /* What was inherited by accident must not be held open for the life of a task. */
  syscall(SYS_close_range, 3, ~0u, 0);
  if (!strcmp(mode, "version")) return write_all(1, "1\n", 2) ? 1 : 0;
  if (!strcmp(mode, "spawn") || !strcmp(mode, "run")) sealed_self(argv);
  if (!strcmp(mode, "spawn")) return spawn();
  if (!strcmp(mode, "empty")) return empty(argc - 2, argv + 2);
  if (!strcmp(mode, "run") && !read_start(&len)) shim_main(start_frame, len, 1);
  static const char usage[] = "usage: drover-shim spawn|run|version|empty DIRECTORY… (docs/shim-protocol.md)\n";
  write_all(2, usage, sizeof usage - 1);
  return 2;
}
