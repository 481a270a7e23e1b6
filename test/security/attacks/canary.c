/* Things of the host that a task must not find: told as KEY=VALUE words on one line, gone when the input ends. */
#include "attack.h"
#include <arpa/inet.h>
#include <mqueue.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static int listen_tcp(int *port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, length) || listen(fd, 16)) return -1;
  getsockname(fd, (struct sockaddr *)&at, &length);
  *port = ntohs(at.sin_port);
  return fd;
}

/* `path` with a leading @: an abstract name. */
static int listen_unix(const char *path) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strncpy(at.sun_path, path, sizeof at.sun_path - 1);
  if (path[0] == '@') at.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, offsetof(struct sockaddr_un, sun_path) + strlen(path)) || listen(fd, 16)) return -1;
  if (path[0] != '@') chmod(path, 0777);
  return fd;
}

int canary(void) {
  char file[128], in_shm[64], path[128], abstract[64], queue[64], byte;
  /* the pid tells canaries of a namespace apart, the time those of several */
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int port = 0, pid = getpid(), tag = (int)(now.tv_nsec / 1000 + now.tv_sec % 1000 * 1000000);
  umask(0);
  snprintf(file, sizeof file, "/var/tmp/drover-canary-%d", tag);
  snprintf(in_shm, sizeof in_shm, "/dev/shm/drover-canary-%d", tag);
  snprintf(path, sizeof path, "/var/tmp/drover-canary-%d.sock", tag);
  snprintf(abstract, sizeof abstract, "@drover-canary-%d", tag);
  snprintf(queue, sizeof queue, "/drover-canary-%d", tag);
  const char *files[] = {file, in_shm};
  for (int i = 0; i < 2; i++) {
    int fd = open(files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, "canary", 6) != 6) return 1;
    close(fd);
  }
  int shm = shmget(0x0d0d0000 + (tag & 0xffff), 4096, IPC_CREAT | 0666);
  int msg = msgget(0x0d0d0000 + (tag & 0xffff), IPC_CREAT | 0666);
  int sem = semget(0x0d0d0000 + (tag & 0xffff), 1, IPC_CREAT | 0666);
  mqd_t mq = mq_open(queue, O_RDWR | O_CREAT, 0666, NULL);
  int tcp = listen_tcp(&port), named = listen_unix(path), hidden = listen_unix(abstract);
  if (shm < 0 || msg < 0 || sem < 0 || mq < 0 || tcp < 0 || named < 0 || hidden < 0) return 1;
  struct stat root;
  stat("/", &root);
  printf("canary_pid=%d canary_file=%s canary_shm_file=%s canary_key=%d canary_shm=%d canary_queue=%s canary_port=%d "
         "canary_socket=%s canary_abstract=%s disk=%lu root_inode=%lu\n",
    pid, file, in_shm, 0x0d0d0000 + (tag & 0xffff), shm, queue, port, path, abstract, (unsigned long)root.st_dev, (unsigned long)root.st_ino);
  fflush(stdout);
  while (read(0, &byte, 1) > 0)
    ;
  unlink(file);
  unlink(in_shm);
  unlink(path);
  mq_unlink(queue);
  shmctl(shm, IPC_RMID, NULL);
  msgctl(msg, IPC_RMID, NULL);
  semctl(sem, 0, IPC_RMID);
  return 0;
}
