/*
 * The task's output: from its pipes to the scribe, or to two FIFOs. Nothing here touches a log file. Whatever the disk or a reader
 * does, the task is neither killed nor blocked for long: what finds no room for a second is counted and forgotten, until there is room.
 */
#include "shim.h"

#define STALL_MS 1000
/* What a FIFO has not taken, or what is read only to be counted. */
static u8 pending[2][WINDOW];

static int queued_in(int fd) {
  int queued = 0;
  return fd >= 0 && ioctl(fd, FIONREAD, &queued) == 0 && queued > 0;
}

static void output_forward(int which) {
  struct sink *s = &S.sinks[which];
  while (s->pending_len) {
    ssize_t w = write(s->fifo, s->pending + s->pending_at, s->pending_len);
    if (w < 0 && errno == EINTR) continue;
    if (w <= 0) {
      if (!s->stalled_since) s->stalled_since = now_ms();
      return;
    }
    s->stored += (u64)w;
    s->pending_at += (u32)w;
    s->pending_len -= (u32)w;
    s->stalled_since = 0;
    s->dropping = 0;
  }
}

static void drop_pending(struct sink *s) {
  s->dropped += s->pending_len;
  s->pending_len = 0;
  s->stalled_since = 0;
}

static void forward(int which) {
  struct sink *s = &S.sinks[which];
  ssize_t n = read(s->from, s->pending, WINDOW);
  if (n <= 0) {
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) { close(s->from); s->from = -1; }
    return;
  }
  s->pending_at = 0;
  s->pending_len = (u32)n;
  output_forward(which);
  if (s->dropping && s->pending_len) drop_pending(s);
}

static int to_files(void) { return S.record.output == OUT_ROTATE || S.record.output == OUT_COLLECT; }

/* A few reads at most, so that a flood leaves time for requests. */
void output_read(int which) {
  struct sink *s = &S.sinks[which];
  if (S.record.output == OUT_FORWARD) {
    if (s->pending_len == 0) forward(which);
    return;
  }
  for (int i = 0; i < 8 && s->from >= 0; i++) {
    /* After a loss only an empty pipe is begun again: the scribe then knows where the gap is. */
    if (s->dropping && scribe_waiting(which) == 0) { s->dropping = 0; scribe_gap(which); }
    ssize_t n = s->dropping ? read(s->from, s->pending, WINDOW) : scribe_take(which, s->from);
    if (n > 0 && s->dropping) s->dropped += (u64)n;
    if (n > 0 || (n < 0 && errno == EINTR)) continue;
    if (n == 0 || errno != EAGAIN) { close(s->from); s->from = -1; }
    /* Nothing there, or no room for it? */
    else if (!s->dropping && queued_in(s->from) && !s->stalled_since) s->stalled_since = now_ms();
    return;
  }
}

/* True while a stream is not read: what was read of it has no place yet. */
int output_waits(int which) { return S.sinks[which].pending_len > 0 || S.sinks[which].stalled_since > 0; }

/* There is room again. */
void output_room(int which) {
  if (to_files()) S.sinks[which].stalled_since = 0;
  else output_forward(which);
}

/* What must become writable before a stream is read again, or -1. */
int output_waits_for(int which) {
  const struct sink *s = &S.sinks[which];
  return !output_waits(which) ? -1 : to_files() ? s->inner[1] : s->fifo;
}

struct counts output_counts(int which) {
  const struct sink *s = &S.sinks[which];
  if (!to_files()) return (struct counts){s->stored, s->dropped, s->pending_len, s->dropping};
  const struct stream *r = scribe_stream(which);
  u64 failed = r->failed;
  return (struct counts){r->taken - failed, s->dropped + failed, scribe_waiting(which), s->dropping};
}

u64 output_deadline(void) {
  u64 next = 0;
  for (int i = 0; i < 2; i++) {
    u64 since = S.sinks[i].stalled_since;
    if (since && (!next || since + STALL_MS < next)) next = since + STALL_MS;
  }
  return next;
}

void output_tick(void) {
  for (int i = 0; i < 2; i++) {
    struct sink *s = &S.sinks[i];
    if (s->stalled_since && now_ms() >= s->stalled_since + STALL_MS) { drop_pending(s); s->dropping = 1; }
  }
}

/* Everything the writers have written is read. FIFOs that we hold never end: there it is that they are empty. */
int output_drained(void) {
  for (int i = 0; i < 2; i++) {
    if (S.sinks[i].pending_len) return 0;
    if (S.sinks[i].from >= 0 && (S.record.output != OUT_COLLECT || queued_in(S.sinks[i].from))) return 0;
  }
  return 1;
}

/* Before nobody reads it: whoever opened it after that would wait for a reader for ever. Another that stands there by now stays. */
static void remove_fifo(const char *path, int held) {
  struct stat ours, there;
  if (fstat(held, &ours) || lstat(path, &there) || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev) return;
  unlink(path);
}

/* The reading ends. What is still in the pipes is taken along; what finds no room now is dropped. */
void output_close(void) {
  int collects = S.record.output == OUT_COLLECT;
  for (int i = 0; i < 2 && collects; i++)
    if (S.sinks[i].from >= 0) remove_fifo(S.record.fifo[i], S.sinks[i].from);
  for (int i = 0; i < 2; i++) {
    struct sink *s = &S.sinks[i];
    for (int round = 0; round < 64 && s->from >= 0 && (round == 0 || queued_in(s->from)); round++) {
      output_read(i);
      if (output_waits(i)) { drop_pending(s); s->dropping = 1; }
    }
    if (s->pending_len) drop_pending(s);
    /* a collected one stays open as long as the shim: somebody may be just opening it */
    if (s->from >= 0 && !collects) close(s->from);
    s->from = -1;
    s->stalled_since = 0;
  }
  S.output_over = 1;
  scribe_finish();
}

/* True once nothing more will be stored; with `now`, what is not stored yet never will be. */
int output_settled(int now) {
  if (S.scribe <= 0 && !scribe_deadline()) now = 1;
  if (!now || S.output_settled) return now;
  scribe_abandon();
  for (int i = 0; i < 2; i++) S.sinks[i].dropped += scribe_waiting(i);
  S.output_settled = 1;
  return 1;
}

/* What lies in a FIFO goes with its last holder, so the end waits a little for its reader. */
int output_unread(void) {
  return queued_in(S.sinks[0].fifo) || queued_in(S.sinks[1].fifo);
}

static int hold_fifo(const char *path, int make) {
  if (make && mkfifo(path, 0600) && errno != EEXIST) return -1;
  int fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (fd >= 0 && (fstat(fd, &st) || !S_ISFIFO(st.st_mode))) { close(fd); errno = EINVAL; return -1; }
  if (fd >= 0) fcntl(fd, F_SETPIPE_SZ, 1 << 20);
  return fd;
}

int output_open(int write_ends[2], const char **message) {
  const struct record *r = &S.record;
  write_ends[0] = write_ends[1] = -1;
  S.log_dir = -1;
  /* The directory that holds it is a task's to change: a link in its place would lead us, who may be root, anywhere. */
  if (r->log_dir && (S.log_dir = open(r->log_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) { *message = "open logDir"; return -1; }
  for (int i = 0; i < 2; i++) {
    struct sink *s = &S.sinks[i];
    s->pending = pending[i];
    if (r->output == OUT_DISCARD) continue;
    if (r->output == OUT_FORWARD && (s->fifo = hold_fifo(r->out_name[i], 0)) < 0) { *message = "open FIFO"; return -1; }
    if (r->output == OUT_COLLECT) {
      if ((s->from = hold_fifo(r->fifo[i], 1)) < 0) { *message = "make FIFO"; return -1; }
    } else {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC)) { *message = "pipe"; return -1; }
      s->from = ends[0];
      write_ends[i] = ends[1];
      fcntl(ends[0], F_SETFL, O_NONBLOCK);
      fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
    }
  }
  if (to_files() && scribe_open()) { *message = "fork"; return -1; }
  return 0;
}
