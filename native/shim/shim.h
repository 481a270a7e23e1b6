/* The shim's one state, and what its files offer one another. See docs/shim-protocol.md for every word used here. */
#ifndef DROVER_SHIM_H
#define DROVER_SHIM_H
#include "../privileges.h"
#include "scribe.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { LAUNCH_DIRECT, LAUNCH_BWRAP, LAUNCH_OCI, LAUNCH_NONE };
enum { KILL_SESSION, KILL_CGROUP, KILL_PIDNS };
enum { OUT_ROTATE, OUT_FORWARD, OUT_COLLECT, OUT_PULL, OUT_DISCARD };
enum { F_KILL_UNIT = 17, F_KILL_CGROUP, F_MEMORY_CGROUP, F_OUTPUT, F_STDOUT, F_STDERR, F_LOG_DIR, F_MAX_FILES, F_MAX_BYTES,
  F_STDOUT_FIFO, F_STDERR_FIFO, F_STOP_SIGNAL, F_STOP_TIMEOUT, F_GATE, F_GO_TIMEOUT, F_VERIFY, F_OCI_START, F_OCI_DELETE,
  F_PID_FILE, F_MOUNT_PROC, F_FILE_MODE, F_MOUNTS_OF_OTHERS, F_OWN_MOUNT, F_COVER, F_PASSAGE, F_JOIN_USERS };
enum { F_TTY = 64, F_ROWS, F_COLUMNS, F_HOST };
enum { C_HELLO = 1, C_STATUS, C_SIGNAL, C_STOP, C_GO, C_EXEC, C_SHUTDOWN, C_REPORT, C_STDIN = 32, C_STDIN_END, C_RESIZE, C_WINDOW, C_SESSION_SIGNAL };
enum { S_HELLO = 128, S_ANSWER, S_ERROR, S_EXIT, S_REPORT, S_STATE, S_OUTPUT = 144, S_SESSION_END, S_STDIN_WINDOW };
enum state { STARTING, HELD, RUNNING, ENDING, ENDED };

#define ARGV_MAX 8192
#define WINDOW 65536u

struct record {
  const char *dir, *log_dir, *out_name[2], *fifo[2], *pid_file, *memory_cgroup, *mounts_of_others, *own_mounts[8];
  u8 launcher, kill_unit, output, gate, mount_proc;
  struct identity identity;
  const char *kill_cgroups[16];
  int kill_cgroup_count, own_mount_count;
  u32 max_files, stop_signal, stop_timeout, go_timeout, file_mode;
  u64 max_bytes;
  const u8 *verify;
  u32 verify_len;
  char *oci_start[64], *oci_delete[64];
  int oci_start_count, oci_delete_count;
  char *covers[16], *passages[64];
  int cover_count, passage_count;
};

struct sink {
  int from, fifo, inner[2];
  u64 stored, dropped;
  u8 *pending;
  u32 pending_at, pending_len;
  u64 stalled_since;
  int dropping;
};

struct shim {
  struct record record;
  enum state state;
  int dir, log_dir, socket, signals, pid_lock;
  char boot_id[40];
  /* The launcher: the forked child of `direct` is the main process itself. */
  pid_t self, launcher, main, init, scribe, verifier;
  struct rlimit inherited_files;
  int main_fd, init_fd, lifeline;
  int status, gate, verify, info;
  char info_text[512];
  u32 info_len;
  char oci_step;
  int go_said, verify_spoke, verify_ready, go_sent;
  u64 main_start_time, started_at, started_boottime, finished_at, go_deadline;
  /* The end. */
  int have_status, wait_code, wait_status, oom_fd, leftover, start_failed, record_written, record_failed;
  u64 oom_kills, stop_deadline, kill_deadline, drain_deadline, next_step, quit;
  int stop_asked, stop_killed, signalled, never_started, output_over, output_settled, failure_quotes;
  struct failure failure;
  char failure_text[256];
  char *exit_json;
  size_t exit_json_len;
  struct sink sinks[2];
};
extern struct shim S;

/* main.c */
void set_state(enum state state);
const char *state_name(void);
/* record.c: -1 and a message where the fields are wrong. */
int record_parse(const u8 *data, size_t len, struct record *r, char **argv, char **env, const char **message);
int strings_add(char **list, int *count, int cap, const u8 *v, u32 len);
void record_prepare(void);
void exit_record_write(void);
void exit_record_text(void);
const char *ended_by(void);
u64 oom_kills_now(void);
/* child.c */
struct message {
  u8 kind;
  int value;
  char stage[40];
};
void say(int fd, u8 kind, int value, const char *stage);
int close_child_fds(const int want[7]);
pid_t fork_step(char **argv, char **env, const int want[7], const struct identity *id, int gate);
pid_t fork_tool(char **argv, char **env, int out, int err, int verify, int creates);
/* sealed.c: the copy, or -1 */
void sealed_self(char **argv);
extern int sealed_runtime;
void sealed_make(const char *name, char *const *env);
void sealed_close(void);
/* passage.c */
int open_passage(struct failure *f);
int leave_mounts_of_others(void);
/* launch.c */
int open_null(void);
int launch_start(char **argv, char **env, const char **message);
void launch_status_readable(void);
void launch_info_readable(void);
void launch_verify_readable(void);
void launch_child_ended(pid_t pid, const siginfo_t *how);
void launch_go(void);
void launch_failed(const char *stage, int error, const char *detail);
void never_started(void);
void launch_drain(void);
pid_t oci_delete_start(void);
#define REPORT_MAX (128u * 1024u)
extern char verify_report[REPORT_MAX];
extern u32 verify_report_len;
/* kill.c */
int kill_unit_step(void);
void kill_main(int sig);
void kill_unit_cleanup(void);
int next_child(pid_t *pids, int cap);
u64 processes_in_unit(void);
/* output.c */
int output_open(int write_ends[2], const char **message);
void output_read(int which);
u64 output_deadline(void);
void output_tick(void);
int output_drained(void);
void output_close(void);
int output_waits(int which);
int output_waits_for(int which);
void output_room(int which);
int output_settled(int now);
/* Where the bytes of a stream went; `hung`: what comes now is dropped, because what came before finds no room. */
struct counts {
  u64 stored, dropped, waiting;
  int hung;
};
struct counts output_counts(int which);
int output_unread(void);
/* serve.c */
int serve_open(void);
int serve_poll(struct pollfd *fds, int at, int cap);
void serve_ready(const struct pollfd *fds, int from, int to);
void serve_state(void);
int client_send(int client, u8 type, const void *head, size_t head_len, const void *data, size_t len);
size_t client_room(int client);
void client_error(int client, u32 id, const char *kind, const char *message, int error);
void client_answer(int client, u32 id, const char *json, size_t len);
int clients_flushed(void);
/* exec.c */
void exec_request(int client, u32 id, const u8 *data, u32 len);
void exec_frame(int client, u8 type, const u8 *data, u32 len);
void exec_client_gone(int client);
int exec_poll(struct pollfd *fds, int at, int cap);
void exec_ready(const struct pollfd *fds, int from, int to);
int exec_child_ended(pid_t pid, const siginfo_t *how);
void exec_status_readable_all(void);
u64 exec_tick(void);
void exec_kill_all(void);
#endif
