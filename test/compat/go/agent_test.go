// Package compat drives a real Drover agent through Nomad's own public Go client.
package compat

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// startAgent runs an agent of its own on loopback, and ends it by pid when the test ends.
func startAgent(t *testing.T) *api.Client {
	t.Helper()
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	config := fmt.Sprintf(`{"name":"node1","data_dir":%q,"ports":{"http":%d},"log_level":"WARN"}`, filepath.Join(dir, "data"), port)
	file := filepath.Join(dir, "agent.json")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	agent := exec.Command("node", "../../../bin/drover.js", "agent", "-dev", "-config", file)
	agent.Stdout, agent.Stderr = os.Stderr, os.Stderr
	agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { agent.Wait(); close(ended) }()
	t.Cleanup(func() {
		agent.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			agent.Process.Kill()
		}
	})
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", port)})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() error {
		nodes, _, err := client.Nodes().List(nil)
		if err != nil {
			return err
		}
		if len(nodes) != 1 || nodes[0].Status != "ready" {
			return fmt.Errorf("nodes: %v", nodes)
		}
		return nil
	})
	return client
}

func eventually(t *testing.T, limit time.Duration, attempt func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := attempt()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func shell(name, script string) *api.Job {
	task := api.NewTask("main", "raw_exec").
		SetConfig("command", "/bin/sh").
		SetConfig("args", []string{"-c", script}).
		Require(&api.Resources{CPU: pointer(20), MemoryMB: pointer(32)})
	group := api.NewTaskGroup("group", 1).AddTask(task)
	group.RestartPolicy = &api.RestartPolicy{Attempts: pointer(0), Mode: pointer("fail")}
	return api.NewBatchJob(name, name, "global", 50).AddTaskGroup(group)
}

func pointer[T any](value T) *T { return &value }

// run submits the job and waits until its one allocation has the status.
func run(t *testing.T, client *api.Client, job *api.Job, status string) *api.Allocation {
	t.Helper()
	answer, meta, err := client.Jobs().Register(job, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.EvalID == "" || meta.LastIndex == 0 {
		t.Fatalf("no evaluation or index: %+v %+v", answer, meta)
	}
	return await(t, client, *job.ID, status)
}

func await(t *testing.T, client *api.Client, job, status string) *api.Allocation {
	t.Helper()
	var found *api.Allocation
	eventually(t, 20*time.Second, func() error {
		stubs, _, err := client.Jobs().Allocations(job, false, nil)
		if err != nil {
			return err
		}
		if len(stubs) == 0 || stubs[0].ClientStatus != status {
			return fmt.Errorf("%d allocations, want one that is %s", len(stubs), status)
		}
		found, _, err = client.Allocations().Info(stubs[0].ID, nil)
		return err
	})
	return found
}

func TestNomadsGoClient(t *testing.T) {
	client := startAgent(t)

	t.Run("a batch job runs to its end and its exit code is told", func(t *testing.T) {
		alloc := run(t, client, shell("three", "exit 3"), "failed")
		events := alloc.TaskStates["main"].Events
		for _, event := range events {
			if event.Type == api.TaskTerminated && event.ExitCode == 3 {
				return
			}
		}
		t.Fatalf("no Terminated event with exit code 3: %+v", events)
	})

	t.Run("logs are read through the file API", func(t *testing.T) {
		alloc := run(t, client, shell("say", "echo hello; echo problem >&2"), "complete")
		for stream, want := range map[string]string{"stdout": "hello\n", "stderr": "problem\n"} {
			cancel := make(chan struct{})
			frames, errs := client.AllocFS().Logs(alloc, false, "main", stream, "start", 0, cancel, nil)
			var text strings.Builder
			for frames != nil {
				select {
				case frame, ok := <-frames:
					if !ok {
						frames = nil
						break
					}
					text.Write(frame.Data)
				case err := <-errs:
					if err != nil {
						t.Fatal(err)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("the log stream does not end")
				}
			}
			close(cancel)
			if text.String() != want {
				t.Fatalf("%s: %q, want %q", stream, text.String(), want)
			}
		}
	})

	t.Run("a service is updated, stopped and purged", func(t *testing.T) {
		job := shell("serve", "sleep 300")
		job.Type = pointer("service")
		run(t, client, job, "running")
		plan, _, err := client.Jobs().Plan(job, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		if plan.Diff == nil || plan.Annotations == nil {
			t.Fatalf("plan without diff or annotations: %+v", plan)
		}
		stored, _, err := client.Jobs().Info("serve", nil)
		if err != nil || *stored.Version != 0 || *stored.Type != "service" {
			t.Fatalf("stored job: %+v %v", stored, err)
		}
		job.TaskGroups[0].Count = pointer(2)
		if _, _, err := client.Jobs().EnforceRegister(job, *stored.JobModifyIndex, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, func() error {
			summary, _, err := client.Jobs().Summary("serve", nil)
			if err != nil {
				return err
			}
			if running := summary.Summary["group"].Running; running != 2 {
				return fmt.Errorf("%d running, want 2", running)
			}
			return nil
		})
		if _, _, err := client.Jobs().EnforceRegister(job, 1, nil); err == nil || !strings.Contains(err.Error(), api.RegisterEnforceIndexErrPrefix) {
			t.Fatalf("a wrong index is not refused: %v", err)
		}
		versions, _, _, err := client.Jobs().Versions("serve", true, nil)
		if err != nil || len(versions) != 2 {
			t.Fatalf("%d versions, %v", len(versions), err)
		}
		if _, _, err := client.Jobs().Deregister("serve", true, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, func() error {
			_, _, err := client.Jobs().Info("serve", nil)
			if err == nil {
				return fmt.Errorf("the job is still there")
			}
			if !strings.Contains(err.Error(), "404") {
				return err
			}
			return nil
		})
	})

	t.Run("a job file is parsed by the agent", func(t *testing.T) {
		job, err := client.Jobs().ParseHCL("job \"parsed\" {\n group \"g\" {\n  task \"t\" {\n   driver = \"raw_exec\"\n  }\n }\n}\n", true)
		if err != nil || *job.ID != "parsed" || *job.Priority != 50 {
			t.Fatalf("%+v %v", job, err)
		}
		if _, err := client.Jobs().ParseHCL(`job "broken" {`, true); err == nil {
			t.Fatal("a broken file parses")
		}
	})

	t.Run("blocking queries wake when something changes", func(t *testing.T) {
		_, meta, err := client.Jobs().List(nil)
		if err != nil {
			t.Fatal(err)
		}
		woken := make(chan time.Time, 1)
		go func() {
			client.Jobs().List(&api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 20 * time.Second})
			woken <- time.Now()
		}()
		time.Sleep(300 * time.Millisecond)
		select {
		case <-woken:
			t.Fatal("it did not block")
		default:
		}
		if _, _, err := client.Jobs().Register(shell("wake", "true"), nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-woken:
		case <-time.After(2 * time.Second):
			t.Fatal("it did not wake")
		}
	})

	t.Run("nodes, evaluations and the agent tell about themselves", func(t *testing.T) {
		nodes, _, err := client.Nodes().List(nil)
		if err != nil {
			t.Fatal(err)
		}
		node, _, err := client.Nodes().Info(nodes[0].ID, nil)
		if err != nil || node.Attributes["kernel.name"] != "linux" {
			t.Fatalf("node: %+v %v", node, err)
		}
		if _, err := client.Nodes().Stats(node.ID, nil); err != nil {
			t.Fatal(err)
		}
		evaluations, _, err := client.Evaluations().List(nil)
		if err != nil || len(evaluations) == 0 {
			t.Fatalf("evaluations: %v %v", evaluations, err)
		}
		self, err := client.Agent().Self()
		if err != nil || self.Stats["client"]["node_id"] != node.ID {
			t.Fatalf("self: %+v %v", self, err)
		}
		health, err := client.Agent().Health()
		if err != nil || !health.Server.Ok || !health.Client.Ok {
			t.Fatalf("health: %+v %v", health, err)
		}
		if leader, err := client.Status().Leader(); err != nil || leader == "" {
			t.Fatalf("leader: %q %v", leader, err)
		}
	})

	t.Run("eligibility keeps new work away and lets it in again", func(t *testing.T) {
		nodes, _, _ := client.Nodes().List(nil)
		if _, err := client.Nodes().ToggleEligibility(nodes[0].ID, false, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.Jobs().Register(shell("later", "true"), nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, func() error {
			evaluations, _, err := client.Jobs().Evaluations("later", nil)
			if err != nil {
				return err
			}
			for _, evaluation := range evaluations {
				if evaluation.Status == "blocked" {
					return nil
				}
			}
			return fmt.Errorf("no blocked evaluation in %v", evaluations)
		})
		if _, err := client.Nodes().ToggleEligibility(nodes[0].ID, true, nil); err != nil {
			t.Fatal(err)
		}
		await(t, client, "later", "complete")
	})

	t.Run("allocations are signalled, restarted, entered and stopped", func(t *testing.T) {
		job := shell("live", `trap 'echo got-usr1' USR1; while true; do sleep 0.1; done`)
		job.Type = pointer("service")
		alloc := run(t, client, job, "running")
		if err := client.Allocations().Signal(alloc, nil, "main", "SIGUSR1"); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, func() error {
			reader, err := client.AllocFS().Cat(alloc, "alloc/logs/main.stdout.0", nil)
			if err != nil {
				return err
			}
			defer reader.Close()
			buffer := make([]byte, 100)
			n, _ := reader.Read(buffer)
			if !strings.Contains(string(buffer[:n]), "got-usr1") {
				return fmt.Errorf("the task did not get the signal: %q", buffer[:n])
			}
			return nil
		})
		files, _, err := client.AllocFS().List(alloc, "/", nil)
		if err != nil || len(files) < 2 {
			t.Fatalf("files: %v %v", files, err)
		}
		if _, err := client.Allocations().Stats(alloc, nil); err != nil {
			t.Fatal(err)
		}
		var out, errs strings.Builder
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		code, err := client.Allocations().Exec(ctx, alloc, "main", false, []string{"/bin/sh", "-c", "echo inside; exit 7"}, strings.NewReader(""), &out, &errs, nil, nil)
		if err != nil || code != 7 || out.String() != "inside\n" {
			t.Fatalf("exec: code %d, output %q %q, %v", code, out.String(), errs.String(), err)
		}
		if err := client.Allocations().Restart(alloc, "main", nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, 15*time.Second, func() error {
			info, _, err := client.Allocations().Info(alloc.ID, nil)
			if err != nil {
				return err
			}
			if state := info.TaskStates["main"]; state.State != "running" || state.Restarts != 1 {
				return fmt.Errorf("state %s, %d restarts", state.State, state.Restarts)
			}
			return nil
		})
		if _, err := client.Allocations().Stop(alloc, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, 15*time.Second, func() error {
			info, _, err := client.Allocations().Info(alloc.ID, nil)
			if err != nil {
				return err
			}
			if info.ClientStatus != "complete" || info.DesiredStatus != "stop" {
				return fmt.Errorf("client %s, desired %s", info.ClientStatus, info.DesiredStatus)
			}
			return nil
		})
	})
}
