package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	cstructs "github.com/hashicorp/nomad/client/structs"
	"github.com/hashicorp/nomad/plugins/drivers"
)

// The driver with signals, commands inside its tasks (with and without streams), statistics and events.
type full struct {
	*bare
	events chan *drivers.TaskEvent
}

func (d *full) Capabilities() (*drivers.Capabilities, error) {
	return &drivers.Capabilities{FSIsolation: drivers.FSIsolationNone, SendSignals: true, Exec: true, MountConfigs: drivers.MountConfigSupportNone}, nil
}

func (d *full) StartTask(config *drivers.TaskConfig) (*drivers.TaskHandle, *drivers.DriverNetwork, error) {
	handle, network, err := d.bare.StartTask(config)
	if err == nil {
		select {
		case d.events <- &drivers.TaskEvent{
			TaskID: config.ID, TaskName: config.Name, AllocID: config.AllocID, Timestamp: time.Now(),
			Message: "a process of its own", Annotations: map[string]string{"driver": d.name},
		}:
		default:
		}
	}
	return handle, network, err
}

func (d *full) TaskEvents(context.Context) (<-chan *drivers.TaskEvent, error) { return d.events, nil }

func (d *full) SignalTask(id string, signal string) error {
	task, err := d.find(id)
	if err != nil {
		return err
	}
	if signals[signal] == 0 {
		return fmt.Errorf("no signal %q here", signal)
	}
	task.kill(signals[signal])
	return nil
}

func (d *full) TaskStats(ctx context.Context, id string, interval time.Duration) (<-chan *cstructs.TaskResourceUsage, error) {
	if _, err := d.find(id); err != nil {
		return nil, err
	}
	samples := make(chan *cstructs.TaskResourceUsage)
	go func() {
		defer close(samples)
		for {
			sample := &cstructs.TaskResourceUsage{
				Timestamp: time.Now().UnixNano(),
				ResourceUsage: &cstructs.ResourceUsage{
					MemoryStats: &cstructs.MemoryStats{RSS: 4096, Measured: []string{"RSS"}},
					CpuStats:    &cstructs.CpuStats{Percent: 1, Measured: []string{"Percent"}},
				},
			}
			select {
			case samples <- sample:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(interval):
			case <-ctx.Done():
				return
			}
		}
	}()
	return samples, nil
}

func (d *full) inside(ctx context.Context, id string, command []string) (*exec.Cmd, error) {
	task, err := d.find(id)
	if err != nil {
		return nil, err
	}
	if len(command) == 0 {
		return nil, errors.New("which command?")
	}
	made := exec.CommandContext(ctx, command[0], command[1:]...)
	made.Dir, made.Env = task.dir, task.env
	return made, nil
}

func resultOf(err error) (*drivers.ExitResult, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &drivers.ExitResult{ExitCode: exit.ExitCode()}, nil
	}
	return &drivers.ExitResult{}, err
}

func (d *full) ExecTask(id string, command []string, timeout time.Duration) (*drivers.ExecTaskResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	made, err := d.inside(ctx, id, command)
	if err != nil {
		return nil, err
	}
	var out, problems bytes.Buffer
	made.Stdout, made.Stderr = &out, &problems
	result, err := resultOf(made.Run())
	if err != nil {
		return nil, err
	}
	return &drivers.ExecTaskResult{Stdout: out.Bytes(), Stderr: problems.Bytes(), ExitResult: result}, nil
}

func (d *full) ExecTaskStreaming(ctx context.Context, id string, options *drivers.ExecOptions) (*drivers.ExitResult, error) {
	if options.Tty {
		return nil, errors.New("no terminal, only streams: " + strings.Join(options.Command, " "))
	}
	made, err := d.inside(ctx, id, options.Command)
	if err != nil {
		return nil, err
	}
	made.Stdout, made.Stderr = options.Stdout, options.Stderr
	// by a pipe: the command ends whether or not its input does
	input, err := made.StdinPipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer input.Close()
		buffer := make([]byte, 32*1024)
		for {
			n, err := options.Stdin.Read(buffer)
			if n > 0 {
				if _, err := input.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return resultOf(made.Run())
}
