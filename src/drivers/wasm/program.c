/* What the tests of the driver run as a module: each word is a thing to try, and says what came of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int say(const char *what, int result) {
  printf("%s %s\n", what, result >= 0 ? "done" : strerror(errno));
  return result >= 0 ? 0 : 1;
}

static int show(const char *path) {
  char text[256];
  int fd = open(path, O_RDONLY);
  ssize_t size;
  if (fd < 0) return say("read", -1);
  size = read(fd, text, sizeof text);
  if (size > 0) fwrite(text, 1, (size_t)size, stdout);
  return say("read", (int)size);
}

static int put(const char *path, int flags) {
  int fd = open(path, flags, 0644);
  if (fd < 0) return say("write", -1);
  return say("write", (int)write(fd, "written", 7));
}

static int list(const char *path) {
  DIR *directory = opendir(path);
  struct dirent *entry;
  if (directory == NULL) return say("list", -1);
  while ((entry = readdir(directory)) != NULL)
    if (entry->d_name[0] != '.') puts(entry->d_name);
  return 0;
}

static int hoard(void) {
  volatile size_t megabytes = 0;
  volatile char *block;
  while ((block = malloc(1 << 20)) != NULL) {
    for (size_t i = 0; i < 1 << 20; i += 4096) block[i] = 1;
    megabytes++;
  }
  printf("%zu MB\n", megabytes);
  return 0;
}

static int deep(volatile int n) { return n == 0 ? 0 : deep(n + 1) + n; }

static void pause_for(long ms) {
  struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&left, NULL);
}

extern char **environ;

int main(int argc, char **argv) {
  const char *word = argc > 1 ? argv[1] : "";
  const char *a = argc > 2 ? argv[2] : "";
  const char *b = argc > 3 ? argv[3] : "";
  setvbuf(stdout, NULL, _IONBF, 0);
  if (!strcmp(word, "exit")) return atoi(a);
  if (!strcmp(word, "say")) return puts(a) < 0;
  if (!strcmp(word, "sleep")) return pause_for(atol(a)), 0;
  if (!strcmp(word, "nap")) return puts("napping"), pause_for(1000000), 0;
  if (!strcmp(word, "spin")) for (volatile int i = puts("spinning");; i++);
  if (!strcmp(word, "count")) {
    volatile long n = 0;
    for (long i = atol(a); i > 0; i--) n += i;
    return printf("%ld\n", n), 0;
  }
  if (!strcmp(word, "trap")) __builtin_trap();
  if (!strcmp(word, "divide")) return 1 / (atoi(a));
  if (!strcmp(word, "deep")) return deep(1);
  if (!strcmp(word, "hoard")) return hoard();
  if (!strcmp(word, "read")) return show(a);
  if (!strcmp(word, "write")) return put(a, O_WRONLY | O_CREAT | O_TRUNC);
  if (!strcmp(word, "append")) return put(a, O_WRONLY | O_APPEND);
  if (!strcmp(word, "update")) return put(a, O_RDWR);
  if (!strcmp(word, "list")) return list(a);
  if (!strcmp(word, "mkdir")) return say(word, mkdir(a, 0755));
  if (!strcmp(word, "rmdir")) return say(word, rmdir(a));
  if (!strcmp(word, "unlink")) return say(word, unlink(a));
  if (!strcmp(word, "rename")) return say(word, rename(a, b));
  if (!strcmp(word, "link")) return say(word, link(a, b));
  if (!strcmp(word, "symlink")) return say(word, symlink(a, b));
  if (!strcmp(word, "truncate")) {
    int fd = open(a, O_RDONLY);
    return say(word, fd < 0 ? -1 : ftruncate(fd, 0));
  }
  if (!strcmp(word, "touch")) return say(word, utimensat(AT_FDCWD, a, NULL, 0));
  if (!strcmp(word, "env")) {
    for (char **each = environ; *each != NULL; each++) puts(*each);
    return 0;
  }
  if (!strcmp(word, "args")) {
    for (int i = 0; i < argc; i++) puts(argv[i]);
    return 0;
  }
  fprintf(stderr, "unknown word %s\n", word);
  return 2;
}
