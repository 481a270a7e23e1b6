#include "shim.h"
#include <linux/futex.h>

#define CHUNK (128u * 1024u)
#define AGAIN_MS 20
/* Shared with the scribe. */
static struct board {
  _Atomic int ready;
  struct stream streams[2];
  size_t said_len;
  char said[160];
  _Alignas(4096) u8 chunk[CHUNK];
} *board;
/* When the last scribe began, and when the next is to. */
static u64 begun, again;

/* In the scribe alone: its descriptors, and the files. */
enum { DIRECTORY, INNER };
static int file[2] = {-1, -1};

/* The number behind `<name>.`, or -1 where the entry is not one of this stream's files. */
static int64_t index_of(const char *entry, const char *name) {
  size_t n = strlen(name);
  if (strncmp(entry, name, n) || entry[n] != '.' || !entry[n + 1] || strlen(entry + n + 1) > 9) return -1;
  for (const char *p = entry + n + 1; *p; p++)
    if (*p < '0' || *p > '9') return -1;
  return (int64_t)parse_u64(entry + n + 1);
}

/* Walks the log directory; with `below`, removes files with a smaller index; returns the highest index or -1. */
static int64_t scan(const char *stream, int64_t below) {
  static _Alignas(8) u8 entries[8192];
  int64_t highest = -1;
  int fd = openat(DIRECTORY, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  long n;
  while ((n = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0)
    for (long at = 0; at < n;) {
      const char *name = (const char *)entries + at + 19;
      int64_t index = index_of(name, stream);
      if (index > highest) highest = index;
      if (index >= 0 && index < below) unlinkat(DIRECTORY, name, 0);
      at += *(u16 *)(entries + at + 16);
    }
  close(fd);
  return highest;
}

static void close_file(int which) {
  board->streams[which].known = 0;
  if (file[which] >= 0) close(file[which]);
  file[which] = -1;
}

/* The directory may be the task's to write: only our own regular file with one link is written to. */
static int open_file(int which, u64 *size) {
  struct stream *r = &board->streams[which];
  char name[300];
  struct stat st;
  struct text t = {name, 0, sizeof name - 1, 0};
  text_str(&t, S.record.out_name[which]);
  text_str(&t, ".");
  text_u64(&t, r->index);
  name[t.len] = 0;
  for (int attempt = 0; attempt < 3; attempt++) {
    int fd = openat(DIRECTORY, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S.record.file_mode);
    if (fd >= 0) {
      if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid()) {
        file[which] = fd;
        *size = (u64)st.st_size;
        return 0;
      }
      close(fd);
    } else if (errno != ELOOP && errno != ENXIO && errno != EISDIR && errno != EACCES) return -1;
    if (unlinkat(DIRECTORY, name, 0) && unlinkat(DIRECTORY, name, AT_REMOVEDIR)) return -1;
  }
  return -1;
}

/* An open file that has room. */
static int ready_file(int which) {
  struct stream *r = &board->streams[which];
  u64 size = r->taken - r->file_from;
  if (!r->scanned) {
    int64_t highest = scan(S.record.out_name[which], 0);
    r->index = highest < 0 ? 0 : (u32)highest;
    r->scanned = 1;
  }
  if (file[which] < 0 && open_file(which, &size)) return -1;
  while (size >= S.record.max_bytes || (r->gap && size)) {
    close_file(which);
    r->index++;
    if (open_file(which, &size)) return -1;
    if (r->index >= S.record.max_files) scan(S.record.out_name[which], (int64_t)r->index - S.record.max_files + 1);
  }
  r->gap = 0;
  r->file_from = r->taken - size;
  r->known = 1;
  return 0;
}

static void settle_failure(struct stream *r) {
  r->taken = r->failing_taken;
  r->failed = r->failing_failed;
  r->failing = 0;
}

/* What cannot be written is counted and forgotten. */
static void forget(int which, size_t n) {
  struct stream *r = &board->streams[which];
  close_file(which);
  r->gap = 1;
  r->failing_taken = r->taken + n;
  r->failing_failed = r->failed + n;
  r->failing = 1;
  settle_failure(r);
}

/* Stores the chunk up to a position of the stream. */
static void store(int which, u64 end) {
  struct stream *r = &board->streams[which];
  while (r->taken < end) {
    size_t n = (size_t)(end - r->taken);
    if (ready_file(which)) { forget(which, n); return; }
    u64 room = S.record.max_bytes - (r->taken - r->file_from);
    if (n > room) n = (size_t)room;
    ssize_t w = write(file[which], board->chunk + (r->taken - r->chunk_from), n);
    if (w > 0) r->taken += (u64)w;
    else if (w == 0 || errno != EINTR) forget(which, (size_t)(end - r->taken));
  }
}

/* What a launcher said is the reason a person needs, where the start fails. */
static void remember(const u8 *p, size_t n) {
  size_t keep = sizeof board->said;
  if (n > keep) { p += n - keep; n = keep; }
  size_t old = board->said_len < keep - n ? board->said_len : keep - n;
  memmove(board->said, board->said + board->said_len - old, old);
  memcpy(board->said + old, p, n);
  board->said_len = old + n;
}

/* A scribe before this one was killed: what its last write had stored by then is counted by the size of the file, the rest is stored now. */
static void take_over(int which) {
  struct stream *r = &board->streams[which];
  u64 size;
  if (r->failing) settle_failure(r);
  if (r->known && !open_file(which, &size)) {
    u64 more = size - (r->taken - r->file_from);
    if (more <= r->consumed - r->taken) r->taken += more;
    else close_file(which);
  }
  store(which, r->consumed);
}

static void scribe_main(int first, int second) {
  int want[7] = {S.log_dir, first, second, -1, -1, -1, -1};
  prctl(PR_SET_NAME, "drover-scribe");
  if (close_child_fds(want) || chdir("/")) _exit(1);
  for (int i = 0; i < 2; i++) {
    take_over(i);
    /* A file that cannot be made now is tried again with each chunk. */
    if (ready_file(i)) close_file(i);
  }
  board->ready = 1;
  syscall(SYS_futex, &board->ready, FUTEX_WAKE, 1, NULL, NULL, 0);
  struct pollfd fds[2] = {{INNER, POLLIN, 0}, {INNER + 1, POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (poll(fds, 2, -1) < 0) continue;
    for (int i = 0; i < 2; i++) {
      if (fds[i].fd < 0 || !fds[i].revents) continue;
      struct stream *r = &board->streams[i];
      r->chunk_from = r->taken;
      ssize_t n = read(fds[i].fd, board->chunk, CHUNK);
      if (n == 0) fds[i].fd = -1;
      if (n <= 0) continue;
      if (i == 1) remember(board->chunk, (size_t)n);
      store(i, r->chunk_from + (u64)n);
    }
  }
  _exit(0);
}

/* Between two scribes nobody reads the inner pipes, so what they hold tells how far the last one has read. */
static void scribe_fork(void) {
  begun = now_ms();
  again = begun + 100;
  for (int i = 0; i < 2; i++) {
    int queued = 0;
    if (ioctl(S.sinks[i].inner[0], FIONREAD, &queued)) return;
    board->streams[i].consumed = board->streams[i].put - (u64)queued;
  }
  pid_t pid = fork();
  if (pid == 0) scribe_main(S.sinks[0].inner[0], S.sinks[1].inner[0]);
  if (pid < 0) return;
  S.scribe = pid;
  again = 0;
}

int scribe_open(void) {
  board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (board == MAP_FAILED) return -1;
  for (int i = 0; i < 2; i++) {
    if (pipe2(S.sinks[i].inner, O_CLOEXEC)) return -1;
    fcntl(S.sinks[i].inner[1], F_SETPIPE_SZ, 1 << 20);
  }
  scribe_fork();
  return S.scribe > 0 ? 0 : -1;
}

/* A disk that hangs already now is not waited for. */
void scribe_started(void) {
  struct timespec limit = {0, 250000000};
  if (board && !board->ready) syscall(SYS_futex, &board->ready, FUTEX_WAIT, 0, &limit, NULL, 0);
}

ssize_t scribe_take(int which, int from) {
  ssize_t n = splice(from, NULL, S.sinks[which].inner[1], NULL, 1 << 20, SPLICE_F_NONBLOCK);
  if (n > 0) board->streams[which].put += (u64)n;
  return n;
}

u64 scribe_waiting(int which) { return board ? board->streams[which].put - board->streams[which].taken : 0; }
const struct stream *scribe_stream(int which) { return &board->streams[which]; }
void scribe_gap(int which) { board->streams[which].gap = 1; }

const char *scribe_said(size_t *len) {
  *len = board ? board->said_len : 0;
  return board ? board->said : "";
}

/* Whoever killed it: the next goes on, though not in a loop of deaths. */
void scribe_ended(void) {
  S.scribe = 0;
  if (S.output_settled || (S.output_over && scribe_waiting(0) + scribe_waiting(1) == 0)) return;
  again = now_ms() < begun + AGAIN_MS ? begun + AGAIN_MS : now_ms();
  scribe_tick();
}

void scribe_finish(void) {
  for (int i = 0; i < 2; i++) {
    if (S.sinks[i].inner[1] >= 0) close(S.sinks[i].inner[1]);
    S.sinks[i].inner[1] = -1;
  }
}

void scribe_abandon(void) {
  if (S.scribe > 0) kill(S.scribe, SIGKILL);
  again = 0;
}

u64 scribe_deadline(void) { return again; }
void scribe_tick(void) {
  if (again && now_ms() >= again) scribe_fork();
}
