// The init of a microvm: mounts what it was given, runs one ordinary command, carries its output and what is asked of it over virtio ports,
// writes how it ended to a disk, and restarts the machine, which ends it. What the host and it say to each other: README.md.
#include "guest.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

static u8 start[2 * 1024 * 1024];
static struct command main_command;
static const char *host_name = "microvm";
static char *address, *gateway;  // of the card, where there is one
static int ports[3];  // out, err, control

static void end_machine(void) {
  sync();
  reboot(RB_AUTOBOOT);
  for (;;) pause();
}

static void give_up(const char *what) {
  struct text t = {(char[256]){0}, 0, 255, 0};
  text_str(&t, "drover: ");
  text_str(&t, what);
  text_str(&t, ": ");
  text_str(&t, strerror(errno));
  text_str(&t, "\n");
  write_all(ports[1] > 0 ? ports[1] : 2, t.at, t.len);
  end_machine();
}

static void mount_at(const char *what, const char *where, const char *type, unsigned long flags) {
  mkdir(where, 0755);
  if (mount(what, where, type, flags, NULL)) give_up(where);
}

// One per line, in the order in which they need each other.
static void load_modules(void) {
  static char list[4096];
  if (read_file_at(AT_FDCWD, "/modules/order", list, sizeof list) < 0) return;
  for (char *name = strtok(list, "\n"); name; name = strtok(NULL, "\n")) {
    int fd = openat(AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) give_up(name);
    // 4: the kernel unpacks it
    int packed = strlen(name) > 3 && strcmp(name + strlen(name) - 3, ".ko") != 0;
    if (syscall(SYS_finit_module, fd, "", packed ? 4 : 0) && errno != EEXIST) give_up(name);
    close(fd);
  }
}

static int wait_for(const char *device, int flags) {
  for (int i = 0; i < 100; i++) {
    int fd = open(device, flags | O_CLOEXEC);
    if (fd >= 0) return fd;
    usleep(50000);
  }
  return -1;
}

// Ports are called by name; their numbers are the machine's.
static int find_port(const char *wanted) {
  char path[80], name[32];
  for (int device = 0; device < 8; device++)
    for (int number = 1; number < 8; number++) {
      struct text t = {path, 0, sizeof path - 1, 0};
      text_str(&t, "/sys/class/virtio-ports/vport");
      text_int(&t, device);
      text_str(&t, "p");
      text_int(&t, number);
      size_t bare = t.len;
      text_str(&t, "/name");
      path[t.len] = 0;
      if (read_file_at(AT_FDCWD, path, name, sizeof name) <= 0) continue;
      name[strcspn(name, "\n")] = 0;
      if (strcmp(name, wanted) != 0) continue;
      path[bare] = 0;
      char *base = strrchr(path, '/') - 4;
      memcpy(base, "/dev", 4);
      return open(base, O_RDWR | O_CLOEXEC);
    }
  errno = ENODEV;
  return -1;
}

// The machine tells of its ports one by one, some time after the driver is there.
static int open_port(const char *wanted) {
  int fd = -1;
  for (int i = 0; i < 200 && (fd = find_port(wanted)) < 0; i++) usleep(20000);
  return fd;
}

// In place of what the root file system has there, a link too.
static void write_file(const char *path, const u8 *content, u32 length) {
  char at[512] = "";
  if (strlen(path) >= sizeof at) return;
  strcat(at, path);
  for (char *slash = at; (slash = strchr(slash + 1, '/'));) {
    *slash = 0;
    mkdir(at, 0755);
    *slash = '/';
  }
  unlink(at);
  int fd = open(at, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 || write_all(fd, content, length)) give_up(at);
  close(fd);
}

// The fields: README.md.
static void read_start(int fd) {
  ssize_t have = 0, n;
  while (have < (ssize_t)sizeof start && (n = read(fd, start + have, sizeof start - (size_t)have)) > 0) have += n;
  if (have < 8 || memcmp(start, "DRVM", 4) != 0 || be32(start + 4) > (u32)have - 8) {
    errno = EPROTO;
    give_up("start");
  }
  struct fields fields = {start + 8, start + 8 + be32(start + 4)};
  size_t argc = 0, envc = 0;
  const char *path = NULL;
  u8 tag;
  const u8 *value;
  u32 length;
  while (field_next(&fields, &tag, &value, &length) == 1) {
    if (tag == 6) {
      if (path) write_file(path, value, length);
      continue;
    }
    const char *text = field_string(value, length);
    if (!text) continue;
    if (tag == 1 && argc < COUNT(main_command.argv) - 1) main_command.argv[argc++] = (char *)text;
    if (tag == 2 && envc < COUNT(main_command.env) - 1) main_command.env[envc++] = (char *)text;
    if (tag == 3) main_command.work_dir = text;
    if (tag == 4) {
      main_command.uid = (u32)parse_u64(text);
      main_command.gid = (u32)parse_u64(strchr(text, ' ') ? strchr(text, ' ') + 1 : "0");
    }
    if (tag == 5) path = text;
    if (tag == 7) host_name = text;
    if (tag == 8 && (gateway = strchr(text, ' '))) {
      *gateway++ = 0;
      address = (char *)text;
    }
  }
}

static void build_root(int start_disk) {
  mount_at("/dev/vda", "/root", "ext4", 0);
  mount_at("/dev/vdb", "/root/local", "ext4", MS_NOSUID | MS_NODEV);
  mount_at("secrets", "/root/secrets", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  // whatever the mask takes off: they are the task's, who may be anybody
  chmod("/root/local", 0777);
  mkdir("/root/alloc", 0777);
  chmod("/root/alloc", 0777);
  if (!mkdir("/root/tmp", 01777)) chmod("/root/tmp", 01777);
  mount_at("proc", "/root/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount_at("sys", "/root/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount_at("dev", "/root/dev", "devtmpfs", MS_NOSUID);
  mount_at("pts", "/root/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC);
  mount_at("shm", "/root/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV);
  if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) give_up("/root");
  read_start(start_disk);
  if (sethostname(host_name, strlen(host_name))) give_up(host_name);
  if (network_up(address, gateway)) give_up("network");
}

// The raw wait status, where the host reads it: the disk has one size, whatever is written.
static void tell_end(int status) {
  u8 sector[512] = "DRVE";
  put32(sector + 4, (u32)status);
  int fd = open("/dev/vdd", O_WRONLY | O_SYNC | O_CLOEXEC);
  if (fd < 0 || write_all(fd, sector, sizeof sector) || fsync(fd)) give_up("/dev/vdd");
  close(fd);
}

static void finish(int status, int out, int err) {
  kill(-1, SIGKILL);
  carry_to_end(out, ports[0]);
  carry_to_end(err, ports[1]);
  tell_end(status);
  end_machine();
}

int main(void) {
  mount_at("proc", "/proc", "proc", 0);
  mount_at("sys", "/sys", "sysfs", 0);
  mount_at("dev", "/dev", "devtmpfs", 0);
  load_modules();
  int start_disk = wait_for("/dev/vdc", O_RDONLY);
  // a machine that only had to show that it boots
  if (start_disk < 0) end_machine();
  ports[0] = open_port("out");
  ports[1] = open_port("err");
  ports[2] = open_port("control");
  if (ports[0] < 0 || ports[1] < 0 || ports[2] < 0) give_up("ports");
  build_root(start_disk);
  close(start_disk);

  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  int child_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  signal(SIGPIPE, SIG_IGN);
  int out = -1, err = -1, connected = 0;
  pid_t main_pid = spawn(&main_command, &(struct ends){.out = &out, .err = &err}, 0);
  if (main_pid < 0) give_up("fork");
  for (;;) {
    struct pollfd polled[4 + 2 * SESSIONS] = {{.fd = child_fd, .events = POLLIN},
                                              {.fd = out, .events = POLLIN},
                                              {.fd = err, .events = POLLIN},
                                              // a port that nobody listens to is always ready
                                              {.fd = connected ? ports[2] : -1, .events = POLLIN}};
    size_t count = 4 + add_sessions(polled + 4);
    poll(polled, count, 100);
    if (polled[1].revents && !carry(out, ports[0])) out = -1;
    if (polled[2].revents && !carry(err, ports[1])) err = -1;
    serve_sessions(polled + 4, count - 4, ports[2]);
    connected = serve_control(ports[2], main_pid, &main_command);
    struct signalfd_siginfo info;
    while (read(child_fd, &info, sizeof info) > 0) continue;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (pid == main_pid) finish(status, out, err);
      session_ended(pid, status);
    }
  }
}
