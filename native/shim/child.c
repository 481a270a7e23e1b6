/* What runs between a fork of the shim and the program that takes its place: it only prepares, speaks through a pipe, and execs or ends. */
#include "shim.h"

void say(int fd, u8 kind, int value, const char *stage) {
  struct message m;
  memset(&m, 0, sizeof m);
  m.kind = kind;
  m.value = value;
  if (stage) strncpy(m.stage, stage, sizeof m.stage - 1);
  if (write(fd, &m, sizeof m) < 0) _exit(126);
}

/* Puts descriptors at 0–6 (stdin, stdout, stderr, verifier, info, status, gate; −1: none) and closes all others. */
int close_child_fds(const int want[7]) {
  int high[7];
  for (int i = 0; i < 7; i++) {
    high[i] = want[i] < 0 ? -1 : fcntl(want[i], F_DUPFD, 64);
    if (want[i] >= 0 && high[i] < 0) return -1;
  }
  for (int i = 0; i < 7; i++)
    if (high[i] < 0) close(i);
    else if (dup2(high[i], i) < 0) return -1;
  if (syscall(SYS_close_range, 7, ~0u, 0))
    for (int fd = 7; fd < 65536; fd++) close(fd);
  for (int i = 5; i < 7; i++)
    if (high[i] >= 0) fcntl(i, F_SETFD, FD_CLOEXEC);
  setrlimit(RLIMIT_NOFILE, &S.inherited_files);
  return 0;
}

/* The last steps of a child that becomes the task (or bwrap). Descriptors 5 and 6 are the status pipe and the gate. */
static void become_task(const struct identity *id, int gate, char **argv, char **env) {
  struct failure f = {NULL, 0};
  u8 byte;
  if (drop_to(id, 0, &f) == 0) {
    /* A task must not outlive its shim unseen. Whoever has a cgroup or a namespace has it as a second line; changes of the user reset it, so it is last. */
    if (S.record.launcher == LAUNCH_DIRECT && S.record.kill_unit != KILL_PIDNS) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != S.self) _exit(125);
    }
    say(5, 'H', 0, NULL);
    if (gate && read(6, &byte, 1) != 1) _exit(125);
    execute(argv, env, &f);
  }
  say(5, 'E', f.error, f.stage);
  _exit(f.error == ENOENT ? 127 : 126);
}

/* Process 1 of a pid namespace of ours: lives as long as the shim holds the other end of the lifeline; the kernel reaps for it. */
static void init_main(int lifeline, int ready) {
  u8 byte;
  setsid();
  signal(SIGCHLD, SIG_IGN);
  if (S.record.mount_proc && !unshare(CLONE_NEWNS)) {
    mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL);
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  }
  /* The status pipe ends with the execution of the task: nobody else may hold it by then. */
  close(5);
  if (write(ready, "1", 1) != 1) _exit(1);
  close(ready);
  dup2(lifeline, 0);
  syscall(SYS_close_range, 1, ~0u, 0);
  while (read(0, &byte, 1) < 0 && errno == EINTR) {}
  _exit(0);
}

/* Makes the namespace and its two first processes, tells their pids, and leaves both to the subreaper. */
static void namespace_main(const struct identity *id, int gate, char **argv, char **env, int lifeline) {
  int ready[2], flags = CLONE_NEWPID;
  u8 byte;
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (uid != 0) flags |= CLONE_NEWUSER;
  if (unshare(flags)) { say(5, 'E', errno, "unshare pid namespace"); _exit(126); }
  if (uid != 0) {
    write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");
    if (write_id_map("/proc/self/uid_map", uid, uid) || write_id_map("/proc/self/gid_map", gid, gid)) { say(5, 'E', errno, "map user namespace"); _exit(126); }
  }
  if (pipe(ready)) { say(5, 'E', errno, "pipe"); _exit(126); }
  pid_t init = fork();
  if (init == 0) { close(ready[0]); init_main(lifeline, ready[1]); }
  close(ready[1]);
  if (init < 0 || read(ready[0], &byte, 1) != 1) { say(5, 'E', errno, "fork init"); _exit(126); }
  close(ready[0]);
  close(lifeline);
  say(5, 'I', init, NULL);
  int mnt = -1;
  if (S.record.mount_proc) {
    char path[40] = "";
    struct text t = {path, 0, sizeof path - 1, 0};
    text_str(&t, "/proc/");
    text_int(&t, init);
    text_str(&t, "/ns/mnt");
    mnt = open(path, O_RDONLY | O_CLOEXEC);
  }
  pid_t main = fork();
  if (main == 0) {
    setsid();
    if (mnt >= 0 && setns(mnt, CLONE_NEWNS)) { say(5, 'E', errno, "join mount namespace"); _exit(126); }
    if (mnt >= 0) close(mnt);
    become_task(id, gate, argv, env);
  }
  if (main < 0) { say(5, 'E', errno, "fork"); _exit(126); }
  say(5, 'P', main, NULL);
  _exit(0);
}

pid_t fork_step(char **argv, char **env, const int want[7], const struct identity *id, int gate) {
  pid_t pid = fork_in_cgroup(id);
  if (pid) return pid;
  struct failure f = {NULL, 0};
  setsid();
  if (close_child_fds(want)) { if (want[5] >= 0) say(5, 'E', errno, "descriptors"); _exit(126); }
  int lifeline = S.record.kill_unit == KILL_PIDNS ? 4 : -1;
  if (place_self(id, NULL, &f)) { if (want[5] >= 0) say(5, 'E', f.error, f.stage); _exit(126); }
  if (S.record.launcher == LAUNCH_BWRAP && leave_mounts_of_others()) { say(5, 'E', errno, "own mounts"); _exit(126); }
  if (open_passage(&f)) { if (want[5] >= 0) say(5, 'E', f.error, f.stage); _exit(126); }
  if (lifeline >= 0) namespace_main(id, gate, argv, env, lifeline);
  become_task(id, gate, argv, env);
  return 0;
}

/* A step of the OCI runtime: as the shim itself, without a status pipe. */
pid_t fork_tool(char **argv, char **env, int out, int err, int verify, int creates) {
  pid_t pid = fork();
  if (pid) return pid;
  int null = open_null();
  int want[7] = {null, out, err, verify, -1, creates ? sealed_runtime : -1, -1};
  struct failure f;
  setsid();
  umask(022);
  write_oom_score_adj(S.record.identity.oom_score_adj);
  default_signals();
  /* Only `create` reaches for the task's files; the other steps are told by the runtime's own. */
  int there = !creates || (!leave_mounts_of_others() && !open_passage(&f));
  if (there && !close_child_fds(want)) {
    if (want[5] >= 0) syscall(SYS_execveat, 5, "", argv, env, AT_EMPTY_PATH);
    execute(argv, env, &f);
  }
  _exit(127);
}
