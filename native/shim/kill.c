/* Ending everything that belongs to a task, and nothing else: only our own unreaped children, and pidfds, are ever signalled. */
#include "shim.h"

void kill_main(int sig) {
  if (S.main <= 0 || S.have_status) return;
  if (S.main_fd >= 0) syscall(SYS_pidfd_send_signal, S.main_fd, sig, NULL, 0);
  else if (S.main == S.launcher) kill(S.main, sig);
}

static int numbers(const char *text, pid_t *pids, int cap) {
  int n = 0;
  while (*text && n < cap) {
    if (*text >= '0' && *text <= '9') {
      pid_t pid = (pid_t)parse_u64(text);
      if (pid > 1) pids[n++] = pid;
      while (*text >= '0' && *text <= '9') text++;
    } else text++;
  }
  return n;
}

/* Our children; any number of zombies may be among them. */
int next_child(pid_t *pids, int cap) {
  static char text[4096];
  char path[64] = "";
  struct text t = {path, 0, sizeof path - 1, 0};
  text_str(&t, "/proc/self/task/");
  text_int(&t, getpid());
  text_str(&t, "/children");
  if (read_file_at(AT_FDCWD, path, text, sizeof text) < 0) return -1;
  return numbers(text, pids, cap);
}

/* Only a group that is gone is empty unseen: of one that cannot be read (too many open files) it is not known. */
static int unknown(void) { return errno != ENOENT && errno != ENODEV; }

/* Signals the processes of one cgroup directory and of those below; returns how many were there. A pid counts only if it is listed both before and after its pidfd was opened. */
static int kill_cgroup_dir(int dir, int depth) {
  static char before[4096], after[4096];
  pid_t pids[64], again[256];
  int fds[64], seen = 0;
  _Alignas(8) u8 entries[1024];
  ssize_t listed = read_file_at(dir, "cgroup.procs", before, sizeof before);
  if (listed <= 0) seen += listed < 0 && unknown();
  else {
    int n = numbers(before, pids, COUNT(pids));
    for (int i = 0; i < n; i++) fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
    if (read_file_at(dir, "cgroup.procs", after, sizeof after) < 0) after[0] = 0;
    int m = numbers(after, again, COUNT(again));
    for (int i = 0; i < n; i++) {
      if (fds[i] < 0) continue;
      for (int j = 0; j < m; j++)
        if (again[j] == pids[i] && pids[i] != getpid()) { syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0); seen++; break; }
      close(fds[i]);
    }
  }
  int list = depth < 8 ? openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (list < 0) return depth < 8 ? seen + unknown() : seen;
  for (long got; (got = syscall(SYS_getdents64, list, entries, sizeof entries)) > 0;)
    for (long at = 0; at < got;) {
      const char *name = (const char *)entries + at + 19;
      if (entries[at + 18] == 4 && name[0] != '.') {
        int below = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (below < 0) seen += unknown(); else { seen += kill_cgroup_dir(below, depth + 1); close(below); }
      }
      at += *(u16 *)(entries + at + 16);
    }
  close(list);
  return seen;
}

static int kill_cgroups(void) {
  int seen = 0;
  for (int i = 0; i < S.record.kill_cgroup_count; i++) {
    int dir = open(S.record.kill_cgroups[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) { seen += unknown(); continue; }
    char text[256];
    if (write_file_at(dir, "cgroup.kill", "1") == 0) {
      ssize_t got = read_file_at(dir, "cgroup.events", text, sizeof text);
      seen += got < 0 ? unknown() : strstr(text, "populated 1") != NULL;
    } else {
      /* v1: hold still what forks, signal all, let it die. Without the freezer the loop alone has to win. */
      int frozen = write_file_at(dir, "freezer.state", "FROZEN") == 0;
      seen += kill_cgroup_dir(dir, 0);
      if (frozen) write_file_at(dir, "freezer.state", "THAWED");
    }
    close(dir);
  }
  return seen;
}

/* Children and, as their parents die, all their descendants; the main process stays unreaped until the record is written. */
static int kill_children(void) {
  pid_t pids[512];
  int left = 0, n = next_child(pids, COUNT(pids));
  for (int i = 0; i < n; i++) {
    siginfo_t how = {.si_pid = 0};
    if (pids[i] == S.main || pids[i] == S.launcher || pids[i] == S.scribe) continue;
    kill(pids[i], SIGKILL);
    if (waitid(P_PID, (id_t)pids[i], &how, WEXITED | WNOHANG)) continue;
    if (how.si_pid) exec_child_ended(pids[i], &how);
    /* One that was reaped may have left us its own children: look again. */
    left++;
  }
  return left;
}

/* One round; 0 when the unit is seen to be empty. */
int kill_unit_step(void) {
  if (!S.have_status) kill_main(SIGKILL);
  int left = 0;
  if (S.record.kill_unit == KILL_CGROUP) left = kill_cgroups();
  if (S.record.kill_unit == KILL_PIDNS) {
    if (S.lifeline >= 0) close(S.lifeline);
    S.lifeline = -1;
    if (S.init_fd >= 0) syscall(SYS_pidfd_send_signal, S.init_fd, SIGKILL, NULL, 0);
    /* Process 1 ends only when every other one of its namespace is reaped, the main process too; so when it is gone, all are. */
    siginfo_t how;
    if (S.have_status) waitid(P_PID, (id_t)S.main, &how, WEXITED | WNOHANG);
  }
  return left + kill_children();
}

/* After the end: what the runtime keeps. */
void kill_unit_cleanup(void) {
  if (S.record.launcher != LAUNCH_OCI || S.record.oci_delete_count == 0) return;
  pid_t pid = oci_delete_start();
  u64 deadline = now_ms() + 5000;
  siginfo_t how = {.si_pid = 0};
  while (pid > 0 && waitid(P_PID, (id_t)pid, &how, WEXITED | WNOHANG) == 0 && how.si_pid == 0 && now_ms() < deadline) usleep(5000);
  if (pid > 0 && how.si_pid == 0) kill(pid, SIGKILL);
}

u64 processes_in_unit(void) {
  static char text[16384];
  pid_t pids[4096];
  if (S.record.kill_unit != KILL_CGROUP) return 0;
  int dir = open(S.record.kill_cgroups[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return 0;
  u64 n = read_file_at(dir, "cgroup.procs", text, sizeof text) > 0 ? (u64)numbers(text, pids, COUNT(pids)) : 0;
  close(dir);
  return n;
}
