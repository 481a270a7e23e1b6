/* The start record that comes in, the exit record that goes out. */
#include "shim.h"
#include <stdio.h>

int strings_add(char **list, int *count, int cap, const u8 *v, u32 len) {
  const char *s = field_string(v, len);
  if (!s || *count + 1 >= cap) return -1;
  list[(*count)++] = (char *)s;
  list[*count] = NULL;
  return 0;
}

static int number32(u32 *into, const u8 *v, u32 len) {
  if (len != 4) return -1;
  *into = be32(v);
  return 0;
}
static int number8(u8 *into, const u8 *v, u32 len, u8 max) {
  if (len != 1 || v[0] > max) return -1;
  *into = v[0];
  return 0;
}
static int string(const char **into, const u8 *v, u32 len) {
  *into = field_string(v, len);
  return *into ? 0 : -1;
}

static int record_field(struct record *r, u8 tag, const u8 *v, u32 len) {
  switch (tag) {
    case F_DIR: return string(&r->dir, v, len);
    case F_LAUNCHER: return number8(&r->launcher, v, len, LAUNCH_NONE);
    case F_KILL_UNIT: return number8(&r->kill_unit, v, len, KILL_PIDNS);
    case F_KILL_CGROUP:
      if (r->kill_cgroup_count == (int)COUNT(r->kill_cgroups)) return -1;
      return string(&r->kill_cgroups[r->kill_cgroup_count++], v, len);
    case F_MEMORY_CGROUP: return string(&r->memory_cgroup, v, len);
    case F_OUTPUT: return number8(&r->output, v, len, OUT_DISCARD);
    case F_STDOUT: return string(&r->out_name[0], v, len);
    case F_STDERR: return string(&r->out_name[1], v, len);
    case F_LOG_DIR: return string(&r->log_dir, v, len);
    case F_MAX_FILES: return number32(&r->max_files, v, len);
    case F_MAX_BYTES: if (len != 8) return -1; r->max_bytes = be64(v); return 0;
    case F_STDOUT_FIFO: return string(&r->fifo[0], v, len);
    case F_STDERR_FIFO: return string(&r->fifo[1], v, len);
    case F_STOP_SIGNAL: return number32(&r->stop_signal, v, len);
    case F_STOP_TIMEOUT: return number32(&r->stop_timeout, v, len);
    case F_GATE: return number8(&r->gate, v, len, 1);
    case F_GO_TIMEOUT: return number32(&r->go_timeout, v, len);
    case F_VERIFY: r->verify = v; r->verify_len = len; return 0;
    case F_OCI_START: return strings_add(r->oci_start, &r->oci_start_count, COUNT(r->oci_start), v, len);
    case F_OCI_DELETE: return strings_add(r->oci_delete, &r->oci_delete_count, COUNT(r->oci_delete), v, len);
    case F_PID_FILE: return string(&r->pid_file, v, len);
    case F_MOUNT_PROC: return number8(&r->mount_proc, v, len, 1);
    case F_FILE_MODE: return number32(&r->file_mode, v, len);
    case F_MOUNTS_OF_OTHERS: return string(&r->mounts_of_others, v, len);
    case F_OWN_MOUNT: return r->own_mount_count == (int)COUNT(r->own_mounts) ? -1 : string(&r->own_mounts[r->own_mount_count++], v, len);
    case F_COVER: return strings_add(r->covers, &r->cover_count, COUNT(r->covers), v, len);
    case F_PASSAGE: return strings_add(r->passages, &r->passage_count, COUNT(r->passages), v, len);
    case F_JOIN_USERS: return string(&r->identity.users, v, len);
    default: return 0;
  }
}

static const char *record_check(const struct record *r, int argc) {
  if (!r->dir || r->dir[0] != '/') return "dir: an absolute path is needed";
  if (r->launcher != LAUNCH_NONE && (argc == 0 || !*r->dir)) return "argv: a command is needed";
  if (r->output == OUT_PULL) return "output: pull is not a shim's";
  if ((r->launcher == LAUNCH_NONE) != (r->output == OUT_COLLECT)) return "output: collect and launcher none go together";
  if (r->output == OUT_ROTATE || r->output == OUT_COLLECT) {
    if (!r->log_dir || !r->out_name[0] || !r->out_name[1]) return "logDir, stdout, stderr: all three are needed";
    if (strchr(r->out_name[0], '/') || strchr(r->out_name[1], '/')) return "stdout, stderr: a file name holds no slash";
    if (r->max_files == 0 || r->max_bytes == 0) return "maxFiles, maxBytes: at least 1";
  }
  if (r->output == OUT_FORWARD && (!r->out_name[0] || !r->out_name[1])) return "stdout, stderr: two FIFOs are needed";
  if (r->output == OUT_COLLECT && (!r->fifo[0] || !r->fifo[1])) return "stdoutFifo, stderrFifo: both are needed";
  if (r->kill_unit == KILL_CGROUP && r->kill_cgroup_count == 0 && r->identity.cgroup_count == 0) return "killCgroup: the unit names no cgroup";
  if (r->kill_unit == KILL_PIDNS && r->launcher != LAUNCH_DIRECT) return "killUnit: a pid namespace of ours needs the direct launcher";
  if (r->launcher == LAUNCH_BWRAP && !r->verify) return "verify: bwrap needs the verifier";
  if (r->launcher == LAUNCH_OCI && (r->oci_start_count ? !r->pid_file : !r->verify)) return "ociStart with pidFile, or the verifier: one is needed";
  if (r->stop_signal == 0 || r->stop_signal > 64) return "stopSignal: 1 to 64";
  return NULL;
}

int record_parse(const u8 *data, size_t len, struct record *r, char **argv, char **env, const char **message) {
  struct fields f = {data, data + len};
  int more, argc = 0, envc = 0;
  u8 tag;
  const u8 *v;
  u32 n;
  memset(r, 0, sizeof *r);
  identity_init(&r->identity);
  r->stop_signal = SIGTERM;
  r->stop_timeout = 5000;
  r->go_timeout = 30000;
  r->file_mode = 0644;
  argv[0] = env[0] = NULL;
  *message = "fields: malformed";
  while ((more = field_next(&f, &tag, &v, &n)) > 0) {
    int bad;
    if (tag == F_ARGV) bad = strings_add(argv, &argc, ARGV_MAX, v, n);
    else if (tag == F_ENV) bad = strings_add(env, &envc, ARGV_MAX, v, n);
    else if ((bad = identity_field(&r->identity, tag, v, n)) == 0) bad = record_field(r, tag, v, n);
    if (bad < 0) return -1;
  }
  if (more < 0) return -1;
  *message = record_check(r, argc);
  if (*message) return -1;
  if (r->kill_unit == KILL_CGROUP && r->kill_cgroup_count == 0)
    for (int i = 0; i < r->identity.cgroup_count; i++) r->kill_cgroups[r->kill_cgroup_count++] = r->identity.cgroups[i];
  return 0;
}

/* The space of the exit record is taken at the start, so that a full disk cannot lose it; likewise the counter's descriptor. */
void record_prepare(void) {
  int fd = openat(S.dir, "exit.json.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd >= 0) {
    if (posix_fallocate(fd, 0, 4096)) { /* a file system without it: the write at the end takes its chance */ }
    close(fd);
  }
  S.oom_fd = -1;
  if (S.record.memory_cgroup) {
    int dir = open(S.record.memory_cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
      S.oom_fd = openat(dir, "memory.events", O_RDONLY | O_CLOEXEC);
      if (S.oom_fd < 0) S.oom_fd = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
      close(dir);
    }
  }
}

u64 oom_kills_now(void) {
  char text[512];
  if (S.oom_fd < 0) return 0;
  ssize_t n = pread(S.oom_fd, text, sizeof text - 1, 0);
  if (n <= 0) return 0;
  text[n] = 0;
  char *p = strstr(text, "oom_kill ");
  return p ? parse_u64(p + 9) : 0;
}

const char *ended_by(void) {
  if (S.never_started) return "never-started";
  if (S.start_failed) return "start-failed";
  if (S.wait_code != CLD_EXITED && S.wait_status == SIGKILL && S.oom_kills > 0 && !S.stop_killed) return "oom";
  if (S.stop_killed) return "kill";
  if (S.stop_asked) return "stop";
  if (S.signalled && S.wait_code != CLD_EXITED) return "signal";
  return "task";
}

static void text_ledger(struct text *t, const char *name, int which) {
  struct counts c = output_counts(which);
  text_str(t, ",\"");
  text_str(t, name);
  text_str(t, "\":{\"stored\":\"");
  text_u64(t, c.stored);
  text_str(t, "\",\"dropped\":\"");
  text_u64(t, c.dropped);
  text_str(t, "\"}");
}

static void failure_message(struct text *t) {
  char message[sizeof S.failure_text + 200];
  struct text m = {message, 0, sizeof message, 0};
  size_t n;
  const char *said = scribe_said(&n), *what = S.failure.error ? strerrordesc_np(S.failure.error) : NULL;
  text_str(&m, S.failure_text[0] ? S.failure_text : what ? what : "");
  while (n && (said[n - 1] == '\n' || said[n - 1] == ' ')) n--;
  /* What bwrap or the runtime said is the reason a person needs. */
  if (S.failure_quotes && n) {
    text_str(&m, ": ");
    text_raw(&m, said, n);
  }
  text_json(t, m.at, m.len);
}

void exit_record_text(void) {
  static char json[2048];
  struct text t = {json, 0, sizeof json, 0};
  static const char *const units[] = {"session", "cgroup", "pid-namespace"};
  int started = S.started_at != 0;
  int signal = started && S.wait_code != CLD_EXITED ? S.wait_status : 0;
  int code = S.start_failed ? (S.failure.error == ENOENT && strcmp(S.failure.stage, "chdir") ? 127 : 126) : S.never_started ? 0 : signal ? 128 + signal : S.wait_status;
  text_str(&t, "{\"version\":1,\"kind\":\"native\",\"bootId\":\"");
  text_str(&t, S.boot_id);
  text_str(&t, "\",\"pid\":");
  text_int(&t, S.main);
  text_str(&t, started ? ",\"started\":true,\"code\":" : ",\"started\":false,\"code\":");
  text_int(&t, code);
  text_str(&t, ",\"signal\":");
  text_int(&t, signal);
  text_str(&t, S.wait_code == CLD_DUMPED ? ",\"coreDumped\":true" : ",\"coreDumped\":false");
  text_str(&t, S.oom_kills ? ",\"oomKilled\":true,\"oomKills\":" : ",\"oomKilled\":false,\"oomKills\":");
  text_u64(&t, S.oom_kills);
  text_str(&t, ",\"by\":\"");
  text_str(&t, ended_by());
  text_str(&t, "\",\"startedAt\":\"");
  text_u64(&t, S.started_at);
  text_str(&t, "\",\"finishedAt\":\"");
  text_u64(&t, S.finished_at);
  text_str(&t, "\",\"killUnit\":\"");
  text_str(&t, units[S.record.kill_unit]);
  text_str(&t, "\",\"leftover\":");
  text_int(&t, S.leftover);
  text_ledger(&t, "stdout", 0);
  text_ledger(&t, "stderr", 1);
  if (S.failure.stage) {
    text_str(&t, ",\"error\":{\"stage\":\"");
    text_str(&t, S.failure.stage);
    text_str(&t, "\",\"errno\":");
    text_int(&t, S.failure.error);
    text_str(&t, ",\"message\":");
    failure_message(&t);
    text_str(&t, "}}");
  } else text_str(&t, ",\"error\":null}");
  S.exit_json = json;
  S.exit_json_len = t.len;
}

/* Write, fsync, rename, fsync of the directory. What goes wrong is tried again by the caller. */
void exit_record_write(void) {
  exit_record_text();
  S.record_failed = 1;
  int fd = openat(S.dir, "exit.json.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  int bad = write_all(fd, S.exit_json, S.exit_json_len) || ftruncate(fd, (off_t)S.exit_json_len) || fsync(fd);
  close(fd);
  if (bad || renameat(S.dir, "exit.json.new", S.dir, "exit.json") || fsync(S.dir)) return;
  S.record_failed = 0;
  S.record_written = 1;
}
