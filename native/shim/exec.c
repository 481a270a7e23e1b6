/* Exec sessions: a command inside the running task (or, on the host side, a runtime's own exec), its streams carried within windows. */
#include "shim.h"

#define SESSIONS 32
#define GRACE_MS 200

struct session {
  u32 id;
  int used, client, status, in, stream[2], tty, started, failed, ended, in_end;
  pid_t mid, pid;
  int code, signal;
  u32 window[2], in_at, in_len;
  u64 close_at;
};
static struct session sessions[SESSIONS];
static u8 stdin_data[SESSIONS][WINDOW];
static char *argv[ARGV_MAX], *env[ARGV_MAX];

struct request {
  struct identity identity;
  u8 tty, host;
  u32 rows, columns;
  int argc, envc;
};

static struct session *find(int client, u32 id) {
  for (int i = 0; i < SESSIONS; i++)
    if (sessions[i].used && sessions[i].client == client && sessions[i].id == id) return &sessions[i];
  return NULL;
}

static int parse(struct request *q, const u8 *data, u32 len) {
  struct fields f = {data, data + len};
  u8 tag;
  const u8 *v;
  u32 n;
  int more, user = 0;
  memset(q, 0, sizeof *q);
  q->identity = S.record.identity;
  q->identity.cwd = NULL;
  argv[0] = env[0] = NULL;
  while ((more = field_next(&f, &tag, &v, &n)) > 0) {
    int bad = 0;
    if (tag == F_UID && !user) { user = 1; q->identity.group_count = 0; q->identity.has_gid = 0; }
    switch (tag) {
      case F_ARGV: bad = strings_add(argv, &q->argc, ARGV_MAX, v, n); break;
      case F_ENV: bad = strings_add(env, &q->envc, ARGV_MAX, v, n); break;
      case F_CWD: case F_UID: case F_GID: case F_GROUP: bad = identity_field(&q->identity, tag, v, n); break;
      case F_TTY: bad = n == 1 ? (q->tty = v[0], 0) : -1; break;
      case F_HOST: bad = n == 1 ? (q->host = v[0], 0) : -1; break;
      case F_ROWS: bad = n == 4 ? (q->rows = be32(v), 0) : -1; break;
      case F_COLUMNS: bad = n == 4 ? (q->columns = be32(v), 0) : -1; break;
    }
    if (bad < 0) return -1;
  }
  return more < 0 || q->argc == 0 ? -1 : 0;
}

/*
 * A namespace of the task's main process, -1 where it is ours too, -2 where it cannot be told: of a process whose first thread has ended the
 * kernel names none. That must not pass for ours, except where nothing was made for the task. The process is our unreaped child, so its pid is
 * its own.
 */
static int namespace_fd(const char *name) {
  char theirs[64], ours[64];
  struct stat a, b;
  struct text t = {theirs, 0, sizeof theirs - 1, 0}, o = {ours, 0, sizeof ours - 1, 0};
  text_str(&t, "/proc/");
  text_int(&t, S.main);
  text_str(&t, name);
  theirs[t.len] = 0;
  text_str(&o, "/proc/self");
  text_str(&o, name);
  ours[o.len] = 0;
  if (stat(ours, &b)) return -1;
  if (stat(theirs, &a)) return S.record.launcher == LAUNCH_DIRECT && S.record.kill_unit != KILL_PIDNS ? -1 : -2;
  if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) return -1;
  int fd = open(theirs, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -2 : fd;
}

/* 0; −1 where not all of them can be told: then the session would be somewhere else than the task. */
static int place_open(struct place *p) {
  *p = (struct place){-1, -1, -1, -1, -1, -1, -1, -1, -1};
  p->user = namespace_fd("/ns/user");
  p->mnt = namespace_fd("/ns/mnt");
  p->pid = namespace_fd("/ns/pid");
  p->net = S.record.identity.network ? -1 : namespace_fd("/ns/net");
  p->ipc = namespace_fd("/ns/ipc");
  p->uts = namespace_fd("/ns/uts");
  p->cgroup = namespace_fd("/ns/cgroup");
  p->root = namespace_fd("/root");
  struct stat owner, leaf;
  if (p->user >= 0 && p->mnt >= 0) {
    p->owner = ioctl(p->mnt, NS_GET_USERNS);
    if (p->owner >= 0) fcntl(p->owner, F_SETFD, FD_CLOEXEC);
    if (p->owner >= 0 && !fstat(p->owner, &owner) && !fstat(p->user, &leaf) && owner.st_ino == leaf.st_ino) { close(p->owner); p->owner = -1; }
  }
  const int fds[] = {p->user, p->mnt, p->pid, p->net, p->ipc, p->uts, p->cgroup, p->root};
  for (size_t i = 0; i < COUNT(fds); i++)
    if (fds[i] == -2) return -1;
  return 0;
}

static void place_close(const struct place *p) {
  const int fds[] = {p->user, p->owner, p->mnt, p->pid, p->net, p->ipc, p->uts, p->cgroup, p->root};
  for (size_t i = 0; i < COUNT(fds); i++)
    if (fds[i] >= 0) close(fds[i]);
}

/* In the child: what the main process went through, then the command. `status` is where a failure is told. */
static void child(const struct request *q, const struct place *p, int in, int out, int err, int status) {
  struct failure f = {NULL, 0};
  int want[7] = {in, out, err, -1, -1, status, -1};
  struct identity host;
  const struct identity *id = &q->identity;
  setsid();
  if (q->host) {
    identity_init(&host);
    host.cwd = q->identity.cwd;
    write_oom_score_adj(S.record.identity.oom_score_adj);
    id = &host;
  } else {
    if (place_self(id, p, &f)) goto failed;
    if (p->pid >= 0) {
      pid_t pid = fork();
      if (pid < 0) { fail(&f, "fork"); goto failed; }
      if (pid > 0) { say(status, 'P', pid, NULL); _exit(0); }
      setsid();
    }
  }
  if (close_child_fds(want)) { fail(&f, "descriptors"); goto failed; }
  status = 5;
  if (q->tty && ioctl(0, TIOCSCTTY, 0)) { fail(&f, "controlling terminal"); goto failed; }
  if (drop_to(id, !q->host && p->user >= 0, &f) == 0) {
    /* Ends with the shim; inside a pid namespace the parent is one that has just ended, and the namespace dies with the shim anyway. */
    if (q->host || p->pid < 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
    execute(argv, env, &f);
  }
failed:
  say(status, 'E', f.error, f.stage);
  _exit(f.error == ENOENT ? 127 : 126);
}

static int open_tty(const struct request *q, int *slave) {
  struct winsize size = {.ws_row = (u16)q->rows, .ws_col = (u16)q->columns};
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (master < 0) return -1;
  if (unlockpt(master) || (*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) { close(master); return -1; }
  if (q->rows && q->columns) ioctl(master, TIOCSWINSZ, &size);
  if (q->identity.has_uid && !q->host && fchown(*slave, q->identity.uid, (gid_t)-1)) { /* it can be used, not reopened */ }
  return master;
}

void exec_request(int client, u32 id, const u8 *data, u32 len) {
  struct request q;
  struct session *s = NULL;
  struct place place;
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, status[2] = {-1, -1};
  for (int i = 0; i < SESSIONS && !s; i++)
    if (!sessions[i].used) s = &sessions[i];
  if (parse(&q, data, len)) { client_error(client, id, "invalid", "exec: fields", 0); return; }
  if (S.state != RUNNING || S.main <= 0) { client_error(client, id, "conflict", "the task is not running", 0); return; }
  if (!s || find(client, id)) { client_error(client, id, s ? "exists" : "unavailable", s ? "session" : "too many exec sessions", 0); return; }
  int slave = -1, unseen = 0, bad = pipe2(status, O_CLOEXEC);
  if (!bad && q.tty) bad = (out[0] = open_tty(&q, &slave)) < 0;
  if (!bad && !q.tty) bad = pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC);
  if (!bad) {
    unseen = place_open(&place) && !q.host;
    pid_t pid = unseen ? -1 : q.host ? fork() : fork_in_cgroup(&q.identity);
    if (pid == 0) child(&q, &place, q.tty ? slave : in[0], q.tty ? slave : out[1], q.tty ? slave : err[1], status[1]);
    bad = pid < 0;
    if (!bad) *s = (struct session){.id = id, .used = 1, .client = client, .status = status[0], .in = q.tty ? fcntl(out[0], F_DUPFD_CLOEXEC, 3) : in[1],
      .stream = {out[0], err[0]}, .tty = q.tty, .window = {WINDOW, WINDOW}, .mid = !q.host && place.pid >= 0 ? pid : 0, .pid = !q.host && place.pid >= 0 ? 0 : pid};
    place_close(&place);
  }
  int error = errno;
  const int theirs[] = {slave, in[0], out[1], err[1], status[1]}, ours[] = {in[1], out[0], err[0], status[0]};
  for (size_t i = 0; i < COUNT(theirs); i++)
    if (theirs[i] >= 0) close(theirs[i]);
  for (size_t i = 0; i < COUNT(ours); i++) {
    if (ours[i] < 0) continue;
    if (bad) close(ours[i]);
    else if (i < 3) fcntl(ours[i], F_SETFL, O_NONBLOCK);
  }
  if (unseen) client_error(client, id, "conflict", "where the task is cannot be seen: its first thread may have ended", 0);
  else if (bad) client_error(client, id, "unavailable", "exec", error);
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void kill_session(struct session *s) {
  if (s->ended) return;
  /* Our own unreaped children: neither the pid nor the group it leads can be another's. */
  if (s->pid > 0) { kill(-s->pid, SIGKILL); kill(s->pid, SIGKILL); }
  if (s->mid > 0) kill(s->mid, SIGKILL);
}

static void release(struct session *s) {
  close_fd(&s->status);
  close_fd(&s->in);
  close_fd(&s->stream[0]);
  close_fd(&s->stream[1]);
  s->used = 0;
  madvise((void *)(((uintptr_t)stdin_data[s - sessions] + 4095) & ~(uintptr_t)4095), WINDOW - 4096, MADV_DONTNEED);
}

static void settle(struct session *s) {
  if (!s->ended || s->status >= 0 || s->stream[0] >= 0 || s->stream[1] >= 0) return;
  if (s->started && s->client >= 0) {
    char json[64];
    u8 head[4];
    struct text t = {json, 0, sizeof json, 0};
    text_str(&t, "{\"code\":");
    text_int(&t, s->code);
    text_str(&t, ",\"signal\":");
    text_int(&t, s->signal);
    text_str(&t, "}");
    put32(head, s->id);
    client_send(s->client, S_SESSION_END, head, 4, json, t.len);
  }
  release(s);
}

static void status_readable(struct session *s) {
  struct message m;
  ssize_t n = read(s->status, &m, sizeof m);
  if (n < 0 && errno == EINTR) return;
  if (n == (ssize_t)sizeof m) {
    if (m.kind == 'P') s->pid = m.value;
    if (m.kind == 'E' && !s->failed) {
      char text[160];
      struct text t = {text, 0, sizeof text - 1, 0};
      const char *what = strerrordesc_np(m.value);
      m.stage[sizeof m.stage - 1] = 0;
      text_str(&t, m.stage);
      text_str(&t, ": ");
      text_str(&t, what ? what : "error");
      text[t.len] = 0;
      s->failed = 1;
      if (s->client >= 0) client_error(s->client, s->id, m.value == ENOENT ? "not_found" : "invalid", text, m.value);
    }
    return;
  }
  close_fd(&s->status);
  if (s->failed) { close_fd(&s->stream[0]); close_fd(&s->stream[1]); }
  else if (s->client >= 0) {
    char json[64];
    struct text t = {json, 0, sizeof json, 0};
    text_str(&t, "{\"session\":");
    text_u64(&t, s->id);
    text_str(&t, ",\"pid\":");
    text_int(&t, s->pid);
    text_str(&t, "}");
    s->started = 1;
    client_answer(s->client, s->id, json, t.len);
  }
  settle(s);
}

void exec_status_readable_all(void) {
  for (int i = 0; i < SESSIONS; i++)
    while (sessions[i].used && sessions[i].status >= 0) {
      struct pollfd p = {sessions[i].status, POLLIN, 0};
      if (poll(&p, 1, 0) != 1) break;
      status_readable(&sessions[i]);
    }
}

int exec_child_ended(pid_t pid, const siginfo_t *how) {
  for (int i = 0; i < SESSIONS; i++) {
    struct session *s = &sessions[i];
    if (!s->used || (s->pid != pid && s->mid != pid)) continue;
    if (s->mid == pid) {
      s->mid = 0;
      if (s->pid > 0) return 1;
    }
    s->ended = 1;
    s->signal = how->si_code == CLD_EXITED ? 0 : how->si_status;
    s->code = s->signal ? 128 + s->signal : how->si_status;
    s->close_at = now_ms() + GRACE_MS;
    settle(s);
    return 1;
  }
  return 0;
}

static void write_stdin(struct session *s) {
  u8 *data = stdin_data[s - sessions];
  u32 taken = 0;
  while (s->in >= 0 && s->in_len) {
    ssize_t n = write(s->in, data + s->in_at, s->in_len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) { taken += s->in_len; s->in_len = 0; close_fd(&s->in); break; }
    s->in_at += (u32)n;
    s->in_len -= (u32)n;
    taken += (u32)n;
  }
  if (!s->in_len) s->in_at = 0;
  if (s->in_end && !s->in_len) close_fd(&s->in);
  if (taken && s->client >= 0) {
    u8 head[8];
    put32(head, s->id);
    put32(head + 4, taken);
    client_send(s->client, S_STDIN_WINDOW, head, 8, NULL, 0);
  }
}

static void stdin_frame(struct session *s, const u8 *data, u32 len) {
  u8 *buffer = stdin_data[s - sessions];
  if (s->in_len + len > WINDOW) { kill_session(s); return; }
  memmove(buffer, buffer + s->in_at, s->in_len);
  s->in_at = 0;
  memcpy(buffer + s->in_len, data, len);
  s->in_len += len;
  write_stdin(s);
}

void exec_frame(int client, u8 type, const u8 *data, u32 len) {
  struct session *s = len >= 4 ? find(client, be32(data)) : NULL;
  if (!s) return;
  if (type == C_STDIN) stdin_frame(s, data + 4, len - 4);
  if (type == C_STDIN_END && !s->in_end) {
    static const u8 end_of_transmission = 4;
    if (s->tty) stdin_frame(s, &end_of_transmission, 1);
    else { s->in_end = 1; write_stdin(s); }
  }
  if (type == C_RESIZE && len == 8 && s->tty && s->stream[0] >= 0) {
    struct winsize size = {.ws_row = (u16)(data[4] << 8 | data[5]), .ws_col = (u16)(data[6] << 8 | data[7])};
    ioctl(s->stream[0], TIOCSWINSZ, &size);
  }
  if (type == C_WINDOW && len == 9 && (data[4] == 1 || data[4] == 2)) {
    u32 *window = &s->window[data[4] - 1], more = be32(data + 5);
    *window = more > WINDOW - *window ? WINDOW : *window + more;
  }
  if (type == C_SESSION_SIGNAL && len == 8 && s->pid > 0 && !s->ended && be32(data + 4) <= 64) kill(s->pid, (int)be32(data + 4));
}

void exec_client_gone(int client) {
  for (int i = 0; i < SESSIONS; i++) {
    struct session *s = &sessions[i];
    if (!s->used || s->client != client) continue;
    kill_session(s);
    s->client = -1;
    close_fd(&s->stream[0]);
    close_fd(&s->stream[1]);
    close_fd(&s->in);
    settle(s);
  }
}

void exec_kill_all(void) {
  for (int i = 0; i < SESSIONS; i++)
    if (sessions[i].used) kill_session(&sessions[i]);
}

static void stream_readable(struct session *s, int which) {
  static u8 data[32768];
  u8 head[5];
  size_t room = client_room(s->client), want = s->window[which];
  if (want > sizeof data) want = sizeof data;
  if (want > room) want = room;
  if (!want) return;
  ssize_t n = read(s->stream[which], data, want);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) {
    close_fd(&s->stream[which]);
    settle(s);
    return;
  }
  s->window[which] -= (u32)n;
  put32(head, s->id);
  head[4] = (u8)(which + 1);
  client_send(s->client, S_OUTPUT, head, 5, data, (size_t)n);
}

/* A command has ended but something it left behind holds its output: what is there is delivered, then the stream ends. */
u64 exec_tick(void) {
  u64 now = now_ms(), next = 0;
  for (int i = 0; i < SESSIONS; i++) {
    struct session *s = &sessions[i];
    if (!s->used || !s->ended) continue;
    if (now >= s->close_at) {
      s->close_at = now + GRACE_MS;
      for (int k = 0; k < 2; k++) {
        int queued = 0;
        if (s->stream[k] >= 0 && (ioctl(s->stream[k], FIONREAD, &queued) || queued == 0)) close_fd(&s->stream[k]);
      }
      settle(s);
    }
    if (s->used && (!next || s->close_at < next)) next = s->close_at;
  }
  return next;
}

int exec_poll(struct pollfd *fds, int at, int cap) {
  for (int i = 0; i < SESSIONS && at + 4 <= cap; i++) {
    struct session *s = &sessions[i];
    if (!s->used) continue;
    size_t room = s->client >= 0 ? client_room(s->client) : 0;
    fds[at++] = (struct pollfd){s->status, POLLIN, 0};
    fds[at++] = (struct pollfd){s->in_len ? s->in : -1, POLLOUT, 0};
    for (int k = 0; k < 2; k++) fds[at++] = (struct pollfd){room && s->window[k] && s->started ? s->stream[k] : -1, POLLIN, 0};
  }
  return at;
}

void exec_ready(const struct pollfd *fds, int from, int to) {
  for (int i = 0; i < SESSIONS; i++) {
    struct session *s = &sessions[i];
    for (int at = from; at < to; at++) {
      if (!fds[at].revents || fds[at].fd < 0 || !s->used) continue;
      if (fds[at].fd == s->status) status_readable(s);
      else if (fds[at].fd == s->in) write_stdin(s);
      else if (fds[at].fd == s->stream[0]) stream_readable(s, 0);
      else if (fds[at].fd == s->stream[1]) stream_readable(s, 1);
    }
  }
}
