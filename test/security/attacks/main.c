/*
 * attack run KEY=VALUE…       tries everything; a line of JSON for each attack: {"kind","name","harm","outcome","error"}
 * attack canary KEY=VALUE…    what attacks look for: prints where it is, and stays until its input ends
 * attack control KEY=VALUE…   both, in here: for the namespaces of a positive control; uid=N tries as that user
 * attack race target=DIR      changes its working directory under whoever looks at it, until its input ends
 * attack stay                goes on
 * attack leave               goes on without its first thread
 * attack take-over           ends whoever enters, and opens what they ran to write to it
 * attack whoami UID           exit code 100 where it runs with more than UID had
 */
#include "attack.h"
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static char *pairs[128];
static int pair_count;

const char *given(const char *key) {
  size_t length = strlen(key);
  for (int i = pair_count - 1; i >= 0; i--)
    if (!strncmp(pairs[i], key, length) && pairs[i][length] == '=') return pairs[i] + length + 1;
  return "";
}

int given_int(const char *key) { return atoi(given(key)); }

enum outcome took(int ok) { return ok ? THROUGH : STOPPED; }

enum outcome past_the_gate(long result) {
  return took(result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS));
}

enum outcome opened(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return ABSENT;
  return took(fd >= 0);
}

int pipe_text(const char *path, char *into, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  ssize_t n = read(fd, into, size - 1);
  close(fd);
  into[n < 0 ? 0 : n] = 0;
  return (int)n;
}

static struct shared {
  enum outcome outcome;
  int error, done;
} *shared;

static const char *outcomes[] = {"through", "stopped", "absent", "hung"}, *harms[] = {"fatal", "leak", "reach", "self"};

static const char *kind;

static void report(const struct attack *attack, const char *outcome, const char *error) {
  printf("{\"kind\":\"%s\",\"name\":\"%s\",\"harm\":\"%s\",\"outcome\":\"%s\",\"error\":\"%s\"}\n", kind, attack->name, harms[attack->harm], outcome, error);
  fflush(stdout);
}

/*
 * Of an attack that said nothing: a filter or the processor ended it, or the memory's limit the one that is about it. Whatever else did, as the
 * host that has no memory left, or its own time, has stopped nothing.
 */
static const char *ended_by(const struct attack *attack, int status) {
  if (!WIFSIGNALED(status)) return "hung";
  switch (WTERMSIG(status)) {
    case SIGSYS: case SIGSEGV: case SIGBUS: case SIGILL: return "stopped";
    case SIGKILL: return attack->harm == FATAL && strstr(attack->name, "use memory") ? "stopped" : "hung";
    default: return "hung";
  }
}

/* In a child that ends after a minute, much longer than a busy host takes for any of them. */
static void try(const struct attack *attack) {
  memset(shared, 0, sizeof *shared);
  pid_t child = fork();
  if (child < 0) return report(attack, "hung", "no process could be made");
  if (child == 0) {
    alarm(60);
    /* in a control what takes effect must not reach the next attack */
    if (given("apart")[0] && geteuid() == 0 && unshare(CLONE_NEWNS | CLONE_NEWUTS)) _exit(1);
    if (chdir(given("scratch")[0] ? given("scratch") : "/tmp")) _exit(1);
    errno = 0;
    shared->outcome = attack->run();
    shared->error = errno;
    shared->done = 1;
    _exit(0);
  }
  int status;
  while (waitpid(child, &status, 0) != child)
    if (errno != EINTR) return;
  if (shared->done) report(attack, outcomes[shared->outcome], shared->error ? strerrorname_np(shared->error) : "");
  else report(attack, ended_by(attack, status), WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "ended");
}

/* What an attack left ends one by one, and has its place until it is waited for: by this one, for the first process of a sandbox may be none that does. */
static void clear_away(void) {
  for (int i = 0; i < 200; i++) {
    pid_t gone = waitpid(-1, NULL, WNOHANG);
    if (gone < 0) return;
    if (gone == 0) usleep(10000);
  }
}

static int run(void) {
  static const struct {
    const char *kind;
    const struct attack *attacks;
  } all[] = {{"identity", identity_attacks}, {"capabilities", capability_attacks}, {"namespaces and mounts", namespace_attacks},
    {"system calls", kernel_attacks}, {"files and devices", file_attacks}, {"processes", process_attacks},
    {"memory, queues and sockets", ipc_attacks}, {"network", network_attacks}, {"resources", resource_attacks}};
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    kind = all[i].kind;
    for (const struct attack *each = all[i].attacks; each->name; each++)
      if (!given("only")[0] || strstr(each->name, given("only"))) {
        try(each);
        if (all[i].attacks == resource_attacks) clear_away();
      }
  }
  puts("{\"end\":true}");
  return 0;
}

static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
}

/* The canary's answer becomes what attacks are given. */
static int control(void) {
  int answer[2], life[2];
  static char line[4096];
  loopback_up();
  if (pipe2(answer, O_CLOEXEC) || pipe2(life, O_CLOEXEC)) return 1;
  pid_t canaries = fork();
  if (canaries == 0) {
    dup2(life[0], 0);
    dup2(answer[1], 1);
    close(life[1]);
    _exit(canary());
  }
  close(answer[1]);
  pairs[pair_count++] = "apart=yes";
  ssize_t n = read(answer[0], line, sizeof line - 1);
  if (n <= 0) return 1;
  for (char *word = strtok(line, " \n"); word && pair_count < 127; word = strtok(NULL, " \n")) pairs[pair_count++] = word;
  pid_t stranger = fork();
  if (stranger == 0) {
    prctl(PR_SET_NAME, "stranger");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(life[1]);
    for (;;) pause();
  }
  int uid = given_int("uid");
  if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))) return 1;
  int code = run();
  close(life[1]); /* the stranger goes with this process */
  waitpid(canaries, NULL, 0);
  return code;
}

int main(int argc, char **argv) {
  for (int i = 2; i < argc && pair_count < 100; i++) pairs[pair_count++] = argv[i];
  if (argc > 1 && !strcmp(argv[1], "run")) return run();
  if (argc > 1 && !strcmp(argv[1], "canary")) return canary();
  if (argc > 1 && !strcmp(argv[1], "control")) return control();
  if (argc > 1 && !strcmp(argv[1], "race")) return race();
  if (argc > 1 && !strcmp(argv[1], "stay")) return stay_put();
  if (argc > 1 && !strcmp(argv[1], "leave")) return leave();
  if (argc > 1 && !strcmp(argv[1], "take-over")) return take_over();
  if (argc > 2 && !strcmp(argv[1], "whoami")) {
    int uid = atoi(argv[2]);
    int raw = socket(AF_INET, SOCK_RAW, 1);
    return ((int)geteuid() != uid && geteuid() == 0) || getegid() == 0 || raw >= 0 ? 100 : 0;
  }
  fputs("attack run|canary|control|race|stay|leave|take-over KEY=VALUE…\n", stderr);
  return 2;
}
