/* Memory, queues and sockets of the host's, all of them open to everyone who can name them. */
#include "attack.h"
#include <mqueue.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

static int key(void) { return given_int("canary_key"); }
static enum outcome shared_memory(void) {
  int id = shmget(key(), 0, 0);
  return took(id >= 0 && shmat(id, NULL, 0) != (void *)-1);
}
static enum outcome shared_memory_by_id(void) { return took(shmat(given_int("canary_shm"), NULL, 0) != (void *)-1); }
static enum outcome messages(void) { return took(msgget(key(), 0) >= 0); }
static enum outcome semaphores(void) { return took(semget(key(), 0, 0) >= 0); }
static enum outcome segments(void) {
  char text[4096];
  if (pipe_text("/proc/sysvipc/shm", text, sizeof text) <= 0) return STOPPED;
  char *line = strchr(text, '\n');
  return took(line && strlen(line) > 8);
}
static enum outcome queue(void) { return took(mq_open(given("canary_queue"), O_RDWR) >= 0); }
static enum outcome shm_file(void) { return took(open(given("canary_shm_file"), O_RDWR | O_CLOEXEC) >= 0); }

static int reach(const char *path, size_t length) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  memcpy(at.sun_path, path, length < sizeof at.sun_path ? length : sizeof at.sun_path);
  if (at.sun_path[0] == '@') at.sun_path[0] = 0;
  const int kinds[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  for (int i = 0; i < 3; i++) {
    int fd = socket(AF_UNIX, kinds[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int done = connect(fd, (struct sockaddr *)&at, offsetof(struct sockaddr_un, sun_path) + length);
    close(fd);
    if (done == 0) return 1;
  }
  return 0;
}
static enum outcome named_socket(void) { return took(reach(given("canary_socket"), strlen(given("canary_socket")))); }
static enum outcome abstract_socket(void) { return took(reach(given("canary_abstract"), strlen(given("canary_abstract")))); }
/* Every socket whose name the kernel tells. */
static enum outcome all_named(int abstract) {
  static char text[1 << 20];
  int fd = open("/proc/net/unix", O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  for (ssize_t n; fd >= 0 && (n = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += n;
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    char *name = strpbrk(line, "/@");
    if (name && (*name == '@') == abstract && reach(name, strlen(name))) return THROUGH;
  }
  return STOPPED;
}
static enum outcome every_named(void) { return all_named(0); }
static enum outcome every_abstract(void) { return all_named(1); }
const struct attack ipc_attacks[] = {
  {"attach shared memory of the host by its key", FATAL, shared_memory},
  {"attach shared memory of the host by its id", FATAL, shared_memory_by_id},
  {"open a message queue of the host", FATAL, messages},
  {"open semaphores of the host", FATAL, semaphores},
  {"list the host's shared memory", LEAK, segments},
  {"open a POSIX queue of the host", FATAL, queue},
  {"open a file of the host's /dev/shm", FATAL, shm_file},
  {"connect to a named socket of the host", FATAL, named_socket},
  {"connect to an abstract socket of the host", REACH, abstract_socket},
  {"connect to any named socket", FATAL, every_named},
  {"connect to any abstract socket", REACH, every_abstract},
  END,
};
