// Frames both ways: u8 type, u32 id, u32 length, bytes. From the host: S signal (u32) · X run (NUL-ended words) · T the same on a terminal ·
// I input · C its end · W rows and columns (u32 each) · K kill. To the host: O output · E error output · Z ended (u32 wait status) · P pong (to P).
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>

#define PAYLOAD 65536

static struct session {
  u32 id;
  pid_t pid;  // 0: ended
  int in, out, err, used, ended, status;
} sessions[SESSIONS];
static u8 incoming[9 + PAYLOAD];
static size_t have;

static void send_frame(int control, u8 type, u32 id, const void *data, u32 length) {
  static u8 frame[9 + PAYLOAD];
  frame[0] = type;
  put32(frame + 1, id);
  put32(frame + 5, length);
  memcpy(frame + 9, data, length);
  write_all(control, frame, 9 + length);
}

static void drop(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

size_t add_sessions(struct pollfd *polled) {
  size_t count = 0;
  for (struct session *s = sessions; s < sessions + SESSIONS; s++)
    if (s->used)
      for (int i = 0; i < 2; i++) polled[count++] = (struct pollfd){.fd = i ? s->err : s->out, .events = POLLIN};
  return count;
}

static void forward(int control, struct session *s, int *fd, u8 type) {
  u8 buffer[16384];
  ssize_t n = read(*fd, buffer, sizeof buffer);
  if (n > 0) send_frame(control, type, s->id, buffer, (u32)n);
  else if (n == 0 || (errno != EINTR && errno != EAGAIN)) drop(fd);
}

void serve_sessions(const struct pollfd *polled, size_t count, int control) {
  size_t at = 0;
  for (struct session *s = sessions; s < sessions + SESSIONS && at < count; s++) {
    if (!s->used) continue;
    if (polled[at].revents && s->out >= 0) forward(control, s, &s->out, 'O');
    if (polled[at + 1].revents && s->err >= 0) forward(control, s, &s->err, 'E');
    at += 2;
  }
  // the end is told after the output
  for (struct session *s = sessions; s < sessions + SESSIONS; s++)
    if (s->used && s->ended && s->out < 0 && s->err < 0) {
      u8 status[4];
      put32(status, (u32)s->status);
      send_frame(control, 'Z', s->id, status, 4);
      drop(&s->in);
      s->used = 0;
    }
}

void session_ended(pid_t pid, int status) {
  for (struct session *s = sessions; s < sessions + SESSIONS; s++)
    if (s->used && s->pid == pid) {
      s->ended = 1;
      s->status = status;
      s->pid = 0;
    }
}

static void run(u32 id, char *words, u32 length, int terminal, const struct command *as, int control) {
  static struct command command;
  struct session *s = sessions;
  while (s < sessions + SESSIONS && s->used) s++;
  command = *as;
  size_t argc = 0;
  for (char *at = words; at < words + length && argc < COUNT(command.argv) - 1; at += strlen(at) + 1) command.argv[argc++] = at;
  command.argv[argc] = NULL;
  if (s < sessions + SESSIONS && argc > 0) {
    *s = (struct session){.id = id, .used = 1, .in = -1, .out = -1, .err = -1};
    s->pid = spawn(&command, &(struct ends){&s->in, &s->out, &s->err}, terminal);
    if (s->pid > 0) return;
    s->used = 0;
  }
  u8 refused[4];
  put32(refused, 126u << 8);
  send_frame(control, 'Z', id, refused, 4);
}

static void on_frame(u8 type, u32 id, u8 *data, u32 length, int control, pid_t main_pid, const struct command *as) {
  data[length] = 0;
  if (type == 'S' && length == 4) kill(main_pid, (int)be32(data));
  if (type == 'P') send_frame(control, 'P', id, "", 0);
  if (type == 'X' || type == 'T') run(id, (char *)data, length, type == 'T', as, control);
  for (struct session *s = sessions; s < sessions + SESSIONS; s++) {
    if (!s->used || s->id != id) continue;
    if (type == 'I' && s->in >= 0 && write_all(s->in, data, length)) drop(&s->in);
    if (type == 'C') drop(&s->in);
    if (type == 'K' && s->pid > 0) kill(-s->pid, SIGKILL);
    if (type == 'W' && length == 8 && s->out >= 0)
      ioctl(s->out, TIOCSWINSZ, &(struct winsize){.ws_row = (u16)be32(data), .ws_col = (u16)be32(data + 4)});
  }
}

// The host went away, or another came: what the old one had asked for is nobody's.
static void forget_all(void) {
  have = 0;
  for (struct session *s = sessions; s < sessions + SESSIONS; s++)
    if (s->used && s->pid > 0) kill(-s->pid, SIGKILL);
}

int serve_control(int control, pid_t main_pid, const struct command *as) {
  static int there;
  for (;;) {
    struct pollfd polled = {.fd = control, .events = POLLIN};
    if (poll(&polled, 1, 0) < 0) return there;
    if (polled.revents & POLLHUP) {
      if (there) forget_all();
      return there = 0;
    }
    there = 1;
    if (!(polled.revents & POLLIN)) return there;
    ssize_t n = read(control, incoming + have, sizeof incoming - 1 - have);
    if (n <= 0) return there;
    have += (size_t)n;
    size_t at = 0;
    while (have - at >= 9) {
      u32 length = be32(incoming + at + 5);
      if (length > PAYLOAD - 1) { have = 0; return there; }
      if (have - at < 9 + length) break;
      u8 *data = incoming + at + 9, after = data[length];
      on_frame(incoming[at], be32(incoming + at + 1), data, length, control, main_pid, as);
      data[length] = after;
      at += 9 + length;
    }
    have -= at;
    memmove(incoming, incoming + at, have);
  }
}
