/*
 * The task's output. A plain read and write loop (measured faster than splice). Whatever the disk or a reader does, the task is
 * neither killed nor blocked for long: what cannot be stored is counted and forgotten.
 */
#include "shim.h"

#define CHUNK (128u * 1024u)
#define STALL_MS 1000
static u8 chunk[CHUNK];
static u8 pending[2][WINDOW];
char output_said[160];
size_t output_said_len;

/* The number behind `<name>.`, or -1 where the entry is not one of this stream's files. */
static int64_t index_of(const char *entry, const char *name) {
  size_t n = strlen(name);
  if (strncmp(entry, name, n) || entry[n] != '.' || !entry[n + 1] || strlen(entry + n + 1) > 9) return -1;
  for (const char *p = entry + n + 1; *p; p++)
    if (*p < '0' || *p > '9') return -1;
  return (int64_t)parse_u64(entry + n + 1);
}

/* Walks the log directory; with `below`, removes files with a smaller index; returns the highest index or -1. */
static int64_t scan(const struct sink *s, int64_t below) {
  static _Alignas(8) u8 entries[8192];
  int64_t highest = -1;
  int fd = openat(S.log_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  long n;
  while ((n = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0)
    for (long at = 0; at < n;) {
      const char *name = (const char *)entries + at + 19;
      int64_t index = index_of(name, s->name);
      if (index > highest) highest = index;
      if (index >= 0 && index < below) unlinkat(S.log_dir, name, 0);
      at += *(u16 *)(entries + at + 16);
    }
  close(fd);
  return highest;
}

static void file_name(const struct sink *s, u32 index, char *into, size_t cap) {
  struct text t = {into, 0, cap - 1, 0};
  text_str(&t, s->name);
  text_str(&t, ".");
  text_u64(&t, index);
  into[t.len] = 0;
}

/* The directory may be the task's to write: only our own regular file with one link is written to. */
static int open_index(struct sink *s, u32 index) {
  char name[300];
  struct stat st;
  file_name(s, index, name, sizeof name);
  for (int attempt = 0; attempt < 3; attempt++) {
    int fd = openat(S.log_dir, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S.record.file_mode);
    if (fd >= 0) {
      if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid()) {
        s->file = fd;
        s->index = index;
        s->size = (u64)st.st_size;
        return 0;
      }
      close(fd);
    } else if (errno != ELOOP && errno != ENXIO && errno != EISDIR && errno != EACCES) return -1;
    if (unlinkat(S.log_dir, name, 0) && unlinkat(S.log_dir, name, AT_REMOVEDIR)) return -1;
  }
  return -1;
}

static int next_file(struct sink *s) {
  if (s->file >= 0) {
    close(s->file);
    s->file = -1;
    s->index++;
    s->size = 0;
  }
  if (open_index(s, s->index)) return -1;
  if (s->index >= S.record.max_files) scan(s, (int64_t)s->index - S.record.max_files + 1);
  return 0;
}

static void remember(const u8 *p, size_t n) {
  size_t keep = sizeof output_said;
  if (n > keep) { p += n - keep; n = keep; }
  size_t old = output_said_len < keep - n ? output_said_len : keep - n;
  memmove(output_said, output_said + output_said_len - old, old);
  memcpy(output_said + old, p, n);
  output_said_len = old + n;
}

static void store(struct sink *s, const u8 *p, size_t n) {
  if (S.state < RUNNING && s == &S.sinks[1]) remember(p, n);
  while (n) {
    if ((s->file < 0 || s->size >= S.record.max_bytes) && next_file(s)) break;
    size_t room = s->size < S.record.max_bytes ? (size_t)(S.record.max_bytes - s->size) : 0;
    if (room == 0) continue;
    ssize_t w = write(s->file, p, n < room ? n : room);
    if (w < 0 && errno == EINTR) continue;
    if (w <= 0) break;
    s->size += (u64)w;
    s->stored += (u64)w;
    p += w;
    n -= (size_t)w;
  }
  s->dropped += n;
}

void output_forward(int which) {
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

/* A few reads at most, so that a flood leaves time for requests. */
void output_read(int which) {
  struct sink *s = &S.sinks[which];
  if (S.record.output == OUT_FORWARD) {
    if (s->pending_len == 0) forward(which);
    return;
  }
  for (int i = 0; i < 8 && s->from >= 0; i++) {
    ssize_t n = read(s->from, chunk, sizeof chunk);
    if (n > 0) {
      store(s, chunk, (size_t)n);
      if ((size_t)n < sizeof chunk / 2) return;
    } else if (n < 0 && errno == EINTR) continue;
    else if (n < 0 && errno == EAGAIN) return;
    else { close(s->from); s->from = -1; }
  }
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

int output_drained(void) {
  for (int i = 0; i < 2; i++)
    if (S.sinks[i].from >= 0 || S.sinks[i].pending_len) return 0;
  return 1;
}

/* What is still in the pipes is taken along; what a FIFO does not take now is dropped. */
void output_close(void) {
  for (int i = 0; i < 2; i++) {
    struct sink *s = &S.sinks[i];
    int queued = 1;
    for (int round = 0; round < 64 && s->from >= 0 && queued > 0; round++) {
      output_read(i);
      if (s->pending_len) drop_pending(s);
      if (s->from >= 0 && ioctl(s->from, FIONREAD, &queued)) break;
    }
    if (s->pending_len) drop_pending(s);
    if (s->from >= 0) close(s->from);
    if (s->file >= 0) close(s->file);
    s->from = s->file = -1;
  }
}

/* What lies in a FIFO goes with its last holder, so the end waits a little for its reader. */
int output_unread(void) {
  for (int i = 0; i < 2; i++) {
    int queued = 0;
    if (S.sinks[i].fifo >= 0 && ioctl(S.sinks[i].fifo, FIONREAD, &queued) == 0 && queued > 0) return 1;
  }
  return 0;
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
    s->from = s->fifo = s->file = -1;
    s->name = r->out_name[i];
    s->pending = pending[i];
    if (r->output == OUT_DISCARD) continue;
    if (r->output == OUT_FORWARD && (s->fifo = hold_fifo(s->name, 0)) < 0) { *message = "open FIFO"; return -1; }
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
    if (r->output != OUT_FORWARD) {
      int64_t highest = scan(s, 0);
      s->index = highest < 0 ? 0 : (u32)highest;
      /* A file that cannot be made now is tried again with each chunk. */
      next_file(s);
    }
  }
  return 0;
}
