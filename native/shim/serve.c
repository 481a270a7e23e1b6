/* The socket: clients, their requests, and what they are told. A client that does not read is never waited for. */
#include "shim.h"

#define CLIENTS 16
#define OUT_CAP (192u * 1024u)
#define OUT_RESERVE 16384u

struct client {
  int fd, greeted;
  u32 in_len, out_at, out_len;
};
static struct client clients[CLIENTS];
static u8 in[CLIENTS][FRAME_MAX + 4], out[CLIENTS][OUT_CAP];

int serve_open(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "shim.sock"};
  for (int i = 0; i < CLIENTS; i++) clients[i].fd = -1;
  S.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (S.socket < 0 || fchdir(S.dir)) return -1;
  unlinkat(S.dir, "shim.sock", 0);
  return bind(S.socket, (struct sockaddr *)&address, sizeof address) || listen(S.socket, 128) ? -1 : 0;
}

static void drop(int c) {
  if (clients[c].fd < 0) return;
  close(clients[c].fd);
  clients[c].fd = -1;
  exec_client_gone(c);
  madvise((void *)(((uintptr_t)in[c] + 4095) & ~(uintptr_t)4095), sizeof in[c] - 8192, MADV_DONTNEED);
  madvise((void *)(((uintptr_t)out[c] + 4095) & ~(uintptr_t)4095), sizeof out[c] - 8192, MADV_DONTNEED);
}

static void flush(int c) {
  struct client *k = &clients[c];
  while (k->fd >= 0 && k->out_len) {
    ssize_t n = send(k->fd, out[c] + k->out_at, k->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { drop(c); return; }
    k->out_at += (u32)n;
    k->out_len -= (u32)n;
  }
  k->out_at = 0;
}

int clients_flushed(void) {
  for (int c = 0; c < CLIENTS; c++)
    if (clients[c].fd >= 0 && clients[c].out_len) return 0;
  return 1;
}

/* Room for stream data; what is kept back serves answers and events. */
size_t client_room(int c) {
  size_t used = clients[c].out_len + OUT_RESERVE;
  return clients[c].fd < 0 || used >= OUT_CAP ? 0 : OUT_CAP - used;
}

int client_send(int c, u8 type, const void *head, size_t head_len, const void *data, size_t len) {
  struct client *k = &clients[c];
  size_t need = 5 + head_len + len;
  if (k->fd < 0) return -1;
  if (need > OUT_CAP - k->out_len) flush(c);
  if (k->fd < 0 || need > OUT_CAP - k->out_len) { drop(c); return -1; }
  if (need > OUT_CAP - k->out_at - k->out_len) { memmove(out[c], out[c] + k->out_at, k->out_len); k->out_at = 0; }
  u8 *p = out[c] + k->out_at + k->out_len;
  put32(p, (u32)(1 + head_len + len));
  p[4] = type;
  if (head_len) memcpy(p + 5, head, head_len);
  if (len) memcpy(p + 5 + head_len, data, len);
  k->out_len += (u32)need;
  flush(c);
  return k->fd < 0 ? -1 : 0;
}

void client_answer(int c, u32 id, const char *json, size_t len) {
  u8 head[4];
  put32(head, id);
  client_send(c, S_ANSWER, head, 4, json, len);
}

void client_error(int c, u32 id, const char *kind, const char *message, int error) {
  char json[512];
  struct text t = {json, 0, sizeof json, 0};
  u8 head[4];
  put32(head, id);
  text_str(&t, "{\"kind\":\"");
  text_str(&t, kind);
  text_str(&t, "\",\"message\":");
  text_json(&t, message, strlen(message));
  text_str(&t, ",\"errno\":");
  text_int(&t, error);
  text_str(&t, "}");
  client_send(c, S_ERROR, head, 4, json, t.len);
}

static void ledger(struct text *t, const char *name, int which) {
  struct counts c = output_counts(which);
  text_str(t, name);
  text_u64(t, c.stored);
  text_str(t, "\",\"dropped\":\"");
  text_u64(t, c.dropped);
  text_str(t, "\",\"waiting\":\"");
  text_u64(t, c.waiting);
  text_str(t, c.hung ? "\",\"hung\":true}" : "\",\"hung\":false}");
}

static char status_json[4096];

static size_t status(void) {
  static const char *const units[] = {"session", "cgroup", "pid-namespace"};
  struct text t = {status_json, 0, sizeof status_json, 0};
  int there = S.state < ENDING && S.main > 0;
  text_str(&t, "{\"state\":\"");
  text_str(&t, state_name());
  text_str(&t, "\",\"pid\":");
  text_int(&t, there ? S.main : 0);
  text_str(&t, ",\"startTime\":\"");
  text_u64(&t, there ? S.main_start_time : 0);
  text_str(&t, "\",\"startedAt\":\"");
  text_u64(&t, S.started_at);
  text_str(&t, "\",\"bootId\":\"");
  text_str(&t, S.boot_id);
  text_str(&t, "\",\"killUnit\":\"");
  text_str(&t, units[S.record.kill_unit]);
  text_str(&t, "\",\"processes\":");
  text_u64(&t, processes_in_unit());
  ledger(&t, ",\"stdout\":{\"stored\":\"", 0);
  ledger(&t, ",\"stderr\":{\"stored\":\"", 1);
  text_str(&t, ",\"exit\":");
  if (S.state == ENDED) text_raw(&t, S.exit_json, S.exit_json_len);
  else text_str(&t, "null");
  text_str(&t, "}");
  return t.len;
}

/* All that a start waits for comes unasked: what the verifier found with "held", the main process and its times with every state; then the end. */
static void tell_state(int c) {
  if (S.state == HELD && verify_report_len) client_send(c, S_REPORT, NULL, 0, verify_report, verify_report_len);
  if (S.state == ENDED) client_send(c, S_EXIT, NULL, 0, S.exit_json, S.exit_json_len);
  else client_send(c, S_STATE, NULL, 0, status_json, status());
}

void serve_state(void) {
  for (int c = 0; c < CLIENTS; c++)
    if (clients[c].fd >= 0 && clients[c].greeted) tell_state(c);
}

/* The signal and time of a request; 0 where not given. */
static int signal_fields(const u8 *data, u32 len, u32 *sig, u32 *timeout) {
  struct fields f = {data, data + len};
  u8 tag;
  const u8 *v;
  u32 n;
  int more;
  while ((more = field_next(&f, &tag, &v, &n)) > 0) {
    if ((tag == F_STOP_SIGNAL || tag == F_STOP_TIMEOUT) && n != 4) return -1;
    if (tag == F_STOP_SIGNAL) *sig = be32(v);
    if (tag == F_STOP_TIMEOUT) *timeout = be32(v);
  }
  return more < 0 || *sig == 0 || *sig > 64 ? -1 : 0;
}

static void stop(u32 sig, u32 timeout) {
  u64 deadline = now_ms() + timeout;
  if (S.record.launcher == LAUNCH_NONE && S.state == RUNNING) {
    S.stop_asked = 1;
    S.wait_code = CLD_EXITED;
    set_state(ENDING);
  } else if (S.state <= HELD && !S.go_sent) never_started();
  else if (S.state <= RUNNING) {
    if (!S.stop_asked) kill_main((int)sig);
    S.stop_asked = 1;
    if (!S.stop_deadline || deadline < S.stop_deadline) S.stop_deadline = deadline;
  }
}

static void request(int c, u8 type, u32 id, const u8 *data, u32 len) {
  u32 sig = S.record.stop_signal, timeout = S.record.stop_timeout;
  u8 head[4];
  switch (type) {
    case C_STATUS: client_answer(c, id, status_json, status()); return;
    case C_SIGNAL:
      sig = 0;
      if (signal_fields(data, len, &sig, &timeout)) { client_error(c, id, "invalid", "signal: 1 to 64", 0); return; }
      if (!(S.state == RUNNING || (S.state == HELD && S.go_sent)) || S.main <= 0) { client_error(c, id, "conflict", "the task is not running", 0); return; }
      S.signalled = 1;
      kill_main((int)sig);
      break;
    case C_STOP:
      if (signal_fields(data, len, &sig, &timeout)) { client_error(c, id, "invalid", "signal: 1 to 64", 0); return; }
      stop(sig, timeout);
      break;
    case C_GO:
      if (S.state > HELD || S.start_failed || S.never_started) { client_error(c, id, "conflict", "nothing is held", 0); return; }
      launch_go();
      break;
    case C_EXEC: exec_request(c, id, data, len); return;
    case C_REPORT:
      put32(head, id);
      client_send(c, S_ANSWER, head, 4, verify_report, verify_report_len);
      return;
    case C_SHUTDOWN:
      if (S.state != ENDED) { client_error(c, id, "conflict", "the task is still there", 0); return; }
      unlinkat(S.dir, "shim.sock", 0);
      S.quit = now_ms();
      break;
    default: client_error(c, id, "unsupported", "unknown request", 0); return;
  }
  client_answer(c, id, "{}", 2);
}

static void hello(int c, const u8 *data, u32 len) {
  char json[128];
  struct text t = {json, 0, sizeof json, 0};
  if (len < 2 || data[0] > 1 || data[1] < 1) {
    client_error(c, 0, "unsupported", "this shim speaks version 1", 0);
    drop(c);
    return;
  }
  text_str(&t, "{\"version\":1,\"min\":1,\"max\":1,\"kind\":\"native\",\"pid\":");
  text_int(&t, getpid());
  text_str(&t, "}");
  clients[c].greeted = 1;
  if (client_send(c, S_HELLO, NULL, 0, json, t.len) == 0) tell_state(c);
}

static void frame(int c, u8 type, const u8 *data, u32 len) {
  if (!clients[c].greeted) {
    if (type == C_HELLO) hello(c, data, len);
    else drop(c);
  } else if (type >= C_STATUS && type < C_STDIN) {
    if (len < 4) drop(c);
    else request(c, type, be32(data), data + 4, len - 4);
  } else exec_frame(c, type, data, len);
}

/* Complete frames are taken while there is room to answer; the rest waits. */
static void take_frames(int c) {
  struct client *k = &clients[c];
  u32 at = 0;
  while (k->fd >= 0 && k->in_len - at >= 5 && client_room(c)) {
    u32 len = be32(in[c] + at);
    if (len < 1 || len > FRAME_MAX) { drop(c); return; }
    if (k->in_len - at < 4 + len) break;
    frame(c, in[c][at + 4], in[c] + at + 5, len - 1);
    at += 4 + len;
  }
  if (k->fd < 0) return;
  memmove(in[c], in[c] + at, k->in_len - at);
  k->in_len -= at;
}

static void readable(int c) {
  struct client *k = &clients[c];
  ssize_t n = recv(k->fd, in[c] + k->in_len, sizeof in[c] - k->in_len, MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) { drop(c); return; }
  k->in_len += (u32)n;
  take_frames(c);
}

static int accept_client(void) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  int fd = accept4(S.socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return 0;
  for (int c = 0; c < CLIENTS; c++)
    if (clients[c].fd < 0 && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && (peer.uid == 0 || peer.uid == geteuid())) {
      clients[c] = (struct client){.fd = fd};
      return 1;
    }
  close(fd);
  return 1;
}

int serve_poll(struct pollfd *fds, int at, int cap) {
  fds[at++] = (struct pollfd){S.socket, POLLIN, 0};
  for (int c = 0; c < CLIENTS && at < cap; c++) {
    struct client *k = &clients[c];
    short events = (short)((k->out_len ? POLLOUT : 0) | (client_room(c) && k->in_len < sizeof in[c] ? POLLIN : 0));
    fds[at++] = (struct pollfd){k->fd, events, 0};
  }
  return at;
}

void serve_ready(const struct pollfd *fds, int from, int to) {
  /* All that wait, within reason: a full queue refuses the next one at once. */
  for (int i = 0; fds[from].revents && i < 64 && accept_client(); i++) {}
  for (int i = from + 1; i < to; i++) {
    int c = i - from - 1;
    if (clients[c].fd < 0 || clients[c].fd != fds[i].fd || !fds[i].revents) continue;
    if (fds[i].revents & POLLOUT) { flush(c); if (clients[c].fd >= 0 && clients[c].in_len) take_frames(c); }
    if (clients[c].fd >= 0 && fds[i].revents & (POLLIN | POLLHUP | POLLERR)) readable(c);
  }
}
