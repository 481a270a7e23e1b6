// Task drivers as a stranger writes them: ordinary processes, Nomad's public plugin packages and nothing else of it.
// `author bare NAME` has none of the optional calls, `author full NAME` has those of an author who took pains.
// Built by test/compat/go-author.test.ts, once with each of the module files beside this one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	cstructs "github.com/hashicorp/nomad/client/structs"
	"github.com/hashicorp/nomad/plugins"
	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/shared/hclspec"
	"github.com/hashicorp/nomad/plugins/shared/structs"
)

type taskOptions struct {
	Command string   `codec:"command"`
	Args    []string `codec:"args"`
}

// What a later process of the plugin has to know; the exit code is in a file, for no later process is the parent.
type taskState struct {
	Pid      int
	ExitFile string
}

type process struct {
	taskState
	ended  chan struct{}
	result *drivers.ExitResult
	dir    string
	env    []string
}

type bare struct {
	drivers.DriverSignalTaskNotSupported
	drivers.DriverExecTaskNotSupported
	name  string
	log   hclog.Logger
	mutex sync.Mutex
	tasks map[string]*process
	// one start after the other: two of one id at once must not both succeed
	starts sync.Mutex
	shell  string
}

func (d *bare) PluginInfo() (*base.PluginInfoResponse, error) {
	return &base.PluginInfoResponse{
		Type: base.PluginTypeDriver, PluginApiVersions: []string{drivers.ApiVersion010}, PluginVersion: "0.0.1", Name: d.name,
	}, nil
}

func (d *bare) ConfigSchema() (*hclspec.Spec, error) {
	return hclspec.NewObject(map[string]*hclspec.Spec{
		"shell": hclspec.NewDefault(hclspec.NewAttr("shell", "string", false), hclspec.NewLiteral(`"/bin/sh"`)),
	}), nil
}

func (d *bare) SetConfig(c *base.Config) error {
	var options struct {
		Shell string `codec:"shell"`
	}
	if len(c.PluginConfig) != 0 {
		if err := base.MsgPackDecode(c.PluginConfig, &options); err != nil {
			return err
		}
	}
	d.shell = options.Shell
	return nil
}

func (d *bare) TaskConfigSchema() (*hclspec.Spec, error) {
	return hclspec.NewObject(map[string]*hclspec.Spec{
		"command": hclspec.NewAttr("command", "string", true),
		"args":    hclspec.NewAttr("args", "list(string)", false),
	}), nil
}

func (d *bare) Capabilities() (*drivers.Capabilities, error) {
	return &drivers.Capabilities{FSIsolation: drivers.FSIsolationNone}, nil
}

func (d *bare) Fingerprint(ctx context.Context) (<-chan *drivers.Fingerprint, error) {
	reports := make(chan *drivers.Fingerprint)
	go func() {
		defer close(reports)
		for {
			report := &drivers.Fingerprint{
				Health: drivers.HealthStateHealthy, HealthDescription: drivers.DriverHealthy,
				Attributes: map[string]*structs.Attribute{"driver." + d.name: structs.NewBoolAttribute(true)},
			}
			select {
			case reports <- report:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(30 * time.Second):
			case <-ctx.Done():
				return
			}
		}
	}()
	return reports, nil
}

func (d *bare) find(id string) (*process, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if task, found := d.tasks[id]; found {
		return task, nil
	}
	return nil, drivers.ErrTaskNotFound
}

func (d *bare) keep(id string, task *process, exited func()) {
	d.mutex.Lock()
	d.tasks[id] = task
	d.mutex.Unlock()
	go func() {
		exited()
		task.result = task.read()
		close(task.ended)
	}()
}

func (t *process) read() *drivers.ExitResult {
	data, err := os.ReadFile(t.ExitFile)
	if err != nil {
		return &drivers.ExitResult{Signal: int(syscall.SIGKILL)}
	}
	code, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return &drivers.ExitResult{Err: fmt.Errorf("the exit file says %q", data)}
	}
	return &drivers.ExitResult{ExitCode: code}
}

func (d *bare) StartTask(config *drivers.TaskConfig) (*drivers.TaskHandle, *drivers.DriverNetwork, error) {
	d.starts.Lock()
	defer d.starts.Unlock()
	if _, err := d.find(config.ID); err == nil {
		return nil, nil, fmt.Errorf("the task %s is known already", config.ID)
	}
	var options taskOptions
	if err := config.DecodeDriverConfig(&options); err != nil {
		return nil, nil, err
	}
	program, err := exec.LookPath(options.Command)
	if err != nil {
		return nil, nil, err
	}
	stdout, err := os.OpenFile(config.StdoutPath, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer stdout.Close()
	stderr, err := os.OpenFile(config.StderrPath, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer stderr.Close()
	task := &process{ended: make(chan struct{}), dir: config.TaskDir().Dir, env: config.EnvList()}
	task.ExitFile = filepath.Join(task.dir, "exit-code")
	os.Remove(task.ExitFile)
	// the shell lives on when its group is told to end, to write down how it ended
	script := `trap : INT TERM HUP; (trap - INT TERM HUP; exec "$@"); code=$?; echo $code > "$EXIT.new" && mv "$EXIT.new" "$EXIT"`
	command := exec.Command(d.shell, append([]string{"-c", script, "task", program}, options.Args...)...)
	command.Dir, command.Stdout, command.Stderr = task.dir, stdout, stderr
	command.Env = append(task.env, "EXIT="+task.ExitFile)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	task.Pid = command.Process.Pid
	handle := drivers.NewTaskHandle(1)
	handle.Config = config
	handle.State = drivers.TaskStateRunning
	if err := handle.SetDriverState(&task.taskState); err != nil {
		command.Process.Kill()
		return nil, nil, err
	}
	d.keep(config.ID, task, func() { command.Wait() })
	return handle, nil, nil
}

func (d *bare) RecoverTask(handle *drivers.TaskHandle) error {
	if handle == nil {
		return errors.New("no handle")
	}
	if _, err := d.find(handle.Config.ID); err == nil {
		return nil
	}
	task := &process{ended: make(chan struct{}), dir: handle.Config.TaskDir().Dir, env: handle.Config.EnvList()}
	if err := handle.GetDriverState(&task.taskState); err != nil {
		return err
	}
	d.keep(handle.Config.ID, task, func() {
		for syscall.Kill(task.Pid, 0) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	})
	return nil
}

func (d *bare) WaitTask(ctx context.Context, id string) (<-chan *drivers.ExitResult, error) {
	task, err := d.find(id)
	if err != nil {
		return nil, err
	}
	results := make(chan *drivers.ExitResult, 1)
	go func() {
		defer close(results)
		select {
		case <-task.ended:
			results <- task.result
		case <-ctx.Done():
			results <- &drivers.ExitResult{Err: ctx.Err()}
		}
	}()
	return results, nil
}

func (d *bare) StopTask(id string, timeout time.Duration, signal string) error {
	task, err := d.find(id)
	if err != nil {
		return err
	}
	task.kill(signals[signal])
	select {
	case <-task.ended:
	case <-time.After(timeout):
		task.kill(syscall.SIGKILL)
		<-task.ended
	}
	return nil
}

func (t *process) kill(signal syscall.Signal) {
	if signal == 0 {
		signal = syscall.SIGINT
	}
	if !t.over() {
		syscall.Kill(-t.Pid, signal)
	}
}

func (t *process) over() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}

func (d *bare) DestroyTask(id string, force bool) error {
	task, err := d.find(id)
	if err != nil {
		return err
	}
	if !task.over() && !force {
		return fmt.Errorf("the task %s runs", id)
	}
	// its group may be there although it is over
	syscall.Kill(-task.Pid, syscall.SIGKILL)
	d.mutex.Lock()
	delete(d.tasks, id)
	d.mutex.Unlock()
	return nil
}

func (d *bare) InspectTask(id string) (*drivers.TaskStatus, error) {
	task, err := d.find(id)
	if err != nil {
		return nil, err
	}
	if task.over() {
		return &drivers.TaskStatus{ID: id, State: drivers.TaskStateExited, ExitResult: task.result}, nil
	}
	return &drivers.TaskStatus{ID: id, State: drivers.TaskStateRunning}, nil
}

func (d *bare) TaskStats(context.Context, string, time.Duration) (<-chan *cstructs.TaskResourceUsage, error) {
	return nil, cstructs.DriverStatsNotImplemented
}

func (d *bare) TaskEvents(ctx context.Context) (<-chan *drivers.TaskEvent, error) {
	events := make(chan *drivers.TaskEvent)
	go func() { <-ctx.Done(); close(events) }()
	return events, nil
}

var signals = map[string]syscall.Signal{
	"SIGHUP": syscall.SIGHUP, "SIGINT": syscall.SIGINT, "SIGKILL": syscall.SIGKILL, "SIGTERM": syscall.SIGTERM,
	"SIGUSR1": syscall.SIGUSR1, "SIGUSR2": syscall.SIGUSR2,
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "author bare|full NAME")
		os.Exit(2)
	}
	kind := os.Args[1]
	plugins.Serve(func(log hclog.Logger) interface{} {
		driver := &bare{name: os.Args[2], log: log, tasks: map[string]*process{}}
		if kind == "full" {
			return &full{bare: driver, events: make(chan *drivers.TaskEvent, 16)}
		}
		return driver
	})
}
