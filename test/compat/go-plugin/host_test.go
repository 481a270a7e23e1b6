// Our drivers as plugins of Go hosts: the go-plugin library starts them and Nomad's own driver client and harness talk to them.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/nomad/ci"
	"github.com/hashicorp/nomad/helper/pluginutils/hclspecutils"
	"github.com/hashicorp/nomad/helper/pluginutils/hclutils"
	"github.com/hashicorp/nomad/helper/uuid"
	"github.com/hashicorp/nomad/nomad/structs"
	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/drivers/testutils"
	"github.com/hashicorp/nomad/plugins/shared/hclspec"
	"github.com/shoenig/test/must"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/msgpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

type hosted struct {
	client *plugin.Client
	driver drivers.DriverPlugin
}

// host starts `drover driver serve NAME` as a Go host starts any plugin, and configures it.
func host(t *testing.T, name, state string, config map[string]any) *hosted {
	t.Helper()
	program, err := filepath.Abs("../../../bin/drover.js")
	must.NoError(t, err)
	lendProofs(t, state)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr})
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  base.Handshake,
		Plugins:          map[string]plugin.Plugin{base.PluginTypeBase: &base.PluginBase{}, base.PluginTypeDriver: drivers.NewDriverPlugin(nil, logger)},
		Cmd:              exec.Command("node", program, "driver", "serve", "-state-dir", state, name),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           logger,
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	must.NoError(t, err)
	must.NoError(t, rpc.Ping())
	raw, err := rpc.Dispense(base.PluginTypeBase)
	must.NoError(t, err)
	basic := raw.(base.BasePlugin)
	info, err := basic.PluginInfo()
	must.NoError(t, err)
	must.Eq(t, name, info.Name)
	must.Eq(t, base.PluginTypeDriver, info.Type)
	must.SliceContains(t, info.PluginApiVersions, drivers.ApiVersion010)
	schema, err := basic.ConfigSchema()
	must.NoError(t, err)
	for range 2 { // as Nomad does
		must.NoError(t, basic.SetConfig(&base.Config{ApiVersion: drivers.ApiVersion010, PluginConfig: encode(t, schema, config)}))
	}
	raw, err = rpc.Dispense(base.PluginTypeDriver)
	must.NoError(t, err)
	return &hosted{client, raw.(drivers.DriverPlugin)}
}

// lendProofs hands a new state directory what the plugins before it have proved of this host, and keeps what this one will have.
func lendProofs(t *testing.T, state string) {
	t.Helper()
	kept, own := filepath.Join(os.TempDir(), "proofs.json"), filepath.Join(state, "proofs.json")
	if _, err := os.Stat(own); err == nil {
		return
	}
	if proofs, err := os.ReadFile(kept); err == nil {
		must.NoError(t, os.WriteFile(own, proofs, 0o600))
	}
	t.Cleanup(func() {
		if proofs, err := os.ReadFile(own); err == nil {
			must.NoError(t, os.WriteFile(kept, proofs, 0o600))
		}
	})
}

// valueOf takes options through Nomad's own chain.
func valueOf(t *testing.T, schema *hclspec.Spec, config any) cty.Value {
	t.Helper()
	spec, diagnostics := hclspecutils.Convert(schema)
	must.False(t, diagnostics.HasErrors(), must.Sprintf("%v", diagnostics))
	value, diagnostics, errs := hclutils.ParseHclInterface(config, spec, nil)
	must.False(t, diagnostics.HasErrors(), must.Sprintf("%v", errs))
	return value
}

func encode(t *testing.T, schema *hclspec.Spec, config any) []byte {
	t.Helper()
	value := valueOf(t, schema, config)
	data, err := msgpack.Marshal(value, value.Type())
	must.NoError(t, err)
	return data
}

// task makes a task's directories and log pipes as a Nomad client does. The harness is good for one task: its end closes it.
func task(t *testing.T, driver drivers.DriverPlugin, config map[string]any) (*testutils.DriverHarness, *drivers.TaskConfig) {
	t.Helper()
	harness := testutils.NewDriverHarness(t, driver)
	t.Cleanup(harness.Kill)
	alloc := uuid.Generate()
	of := &drivers.TaskConfig{
		ID: fmt.Sprintf("%s/t/%s", alloc, uuid.Short()), AllocID: alloc, Name: "t", JobID: "j", JobName: "j", TaskGroupName: "g", Namespace: "default",
		Resources: &drivers.Resources{
			NomadResources: &structs.AllocatedTaskResources{Cpu: structs.AllocatedCpuResources{CpuShares: 100}, Memory: structs.AllocatedMemoryResources{MemoryMB: 64}},
			LinuxResources: &drivers.LinuxResources{CPUShares: 100, MemoryLimitBytes: 64 << 20},
		},
	}
	schema, err := harness.TaskConfigSchema()
	must.NoError(t, err)
	must.NoError(t, of.EncodeDriverConfig(valueOf(t, schema, config)))
	t.Cleanup(harness.MkAllocDir(of, true))
	return harness, of
}

func ended(t *testing.T, driver drivers.DriverPlugin, id string) *drivers.ExitResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	results, err := driver.WaitTask(ctx, id)
	must.NoError(t, err)
	select {
	case result := <-results:
		must.NotNil(t, result)
		return result
	case <-ctx.Done():
		t.Fatal("the task did not end")
		return nil
	}
}

func stdout(t *testing.T, of *drivers.TaskConfig, want string) {
	t.Helper()
	output(t, of, want, func(text string) bool { return text == want })
}

// said is for what a machine's firmware may say before.
func said(t *testing.T, of *drivers.TaskConfig, want string) {
	t.Helper()
	output(t, of, want, func(text string) bool { return strings.HasSuffix(strings.TrimSpace(text), want) })
}

func output(t *testing.T, of *drivers.TaskConfig, want string, good func(string) bool) {
	t.Helper()
	path := filepath.Join(of.AllocDir, "alloc", "logs", "t.stdout.0")
	text := ""
	for range 100 {
		data, _ := os.ReadFile(path)
		if text = string(data); good(text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("stdout is %q, not %q", text, want)
}

// sample is the first of a task's statistics.
func sample(t *testing.T, driver drivers.DriverPlugin, id string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	samples, err := driver.TaskStats(ctx, id, 100*time.Millisecond)
	must.NoError(t, err)
	sample := <-samples
	must.NotNil(t, sample)
	must.Positive(t, sample.ResourceUsage.MemoryStats.RSS+sample.ResourceUsage.MemoryStats.Usage)
}

// fingerprint is the driver's first report.
func fingerprint(t *testing.T, driver drivers.DriverPlugin) *drivers.Fingerprint {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reports, err := driver.Fingerprint(ctx)
	must.NoError(t, err)
	report := <-reports
	must.NoError(t, report.Err)
	return report
}

func describe(t *testing.T, driver drivers.DriverPlugin, name string) {
	t.Helper()
	report := fingerprint(t, driver)
	must.Eq(t, drivers.HealthStateHealthy, report.Health)
	must.MapContainsKey(t, report.Attributes, "driver."+name)
	capabilities, err := driver.Capabilities()
	must.NoError(t, err)
	must.True(t, capabilities.SendSignals)
	must.True(t, capabilities.Exec)
}

func TestMockDriver(t *testing.T) {
	plugin := host(t, "mock_driver", t.TempDir(), map[string]any{})
	describe(t, plugin.driver, "mock_driver")
	harness, short := task(t, plugin.driver, map[string]any{"exit_code": 5, "run_for": "100ms", "stdout_string": "hello\n"})
	handle, network, err := harness.StartTask(short)
	must.NoError(t, err)
	must.Nil(t, network)
	must.Eq(t, drivers.TaskStateRunning, handle.State)
	must.Eq(t, 5, ended(t, harness, short.ID).ExitCode)
	stdout(t, short, "hello\n")
	status, err := harness.InspectTask(short.ID)
	must.NoError(t, err)
	must.Eq(t, drivers.TaskStateExited, status.State)
	must.NoError(t, harness.DestroyTask(short.ID, false))
	_, err = harness.InspectTask(short.ID)
	must.ErrorContains(t, err, drivers.ErrTaskNotFound.Error())

	harness, refused := task(t, plugin.driver, map[string]any{"start_error": "not today", "start_error_recoverable": true})
	_, _, err = harness.StartTask(refused)
	must.ErrorContains(t, err, "not today")
	must.True(t, structs.IsRecoverable(err))

	harness, long := task(t, plugin.driver, map[string]any{"run_for": "60s", "driver_ip": "10.1.2.3", "port_map": "web:8080"})
	_, network, err = harness.StartTask(long)
	must.NoError(t, err)
	must.Eq(t, "10.1.2.3", network.IP)
	must.NoError(t, harness.SignalTask(long.ID, "SIGHUP"))
	must.NoError(t, harness.StopTask(long.ID, time.Second, ""))
	ended(t, harness, long.ID)
	must.NoError(t, harness.DestroyTask(long.ID, false))
}

func TestRawExec(t *testing.T) {
	commandDriver(t, "raw_exec", map[string]any{"enabled": true})
}

func TestExec(t *testing.T) {
	commandDriver(t, "exec", map[string]any{})
}

// commandDriver is the whole life of tasks of a driver whose options are command and args.
func commandDriver(t *testing.T, name string, config map[string]any) {
	state := t.TempDir()
	first := host(t, name, state, config)
	describe(t, first.driver, name)
	shell := func(script string) map[string]any {
		return map[string]any{"command": "/bin/sh", "args": []string{"-c", script}}
	}

	t.Run("output and exit code", func(t *testing.T) {
		harness, of := task(t, first.driver, shell("echo out; exit 9"))
		_, _, err := harness.StartTask(of)
		must.NoError(t, err)
		must.Eq(t, 9, ended(t, harness, of.ID).ExitCode)
		stdout(t, of, "out\n")
		must.NoError(t, harness.DestroyTask(of.ID, false))
	})

	t.Run("exec, stats, signal, stop", func(t *testing.T) {
		harness, of := task(t, first.driver, shell("trap 'echo hup' HUP; while :; do sleep 0.1; done"))
		_, _, err := harness.StartTask(of)
		must.NoError(t, err)
		must.NoError(t, harness.WaitUntilStarted(of.ID, 5*time.Second))
		result, err := harness.ExecTask(of.ID, []string{"/bin/sh", "-c", "echo checked; exit 4"}, 5*time.Second)
		must.NoError(t, err)
		must.Eq(t, "checked", strings.TrimSpace(string(result.Stdout)))
		must.Eq(t, 4, result.ExitResult.ExitCode)
		testutils.TestExecTaskStreamingBasicResponses(t, harness, of.ID)
		sample(t, harness, of.ID)
		must.NoError(t, harness.SignalTask(of.ID, "SIGHUP"))
		stdout(t, of, "hup\n")
		must.NoError(t, harness.StopTask(of.ID, 5*time.Second, "SIGKILL"))
		must.Eq(t, 9, ended(t, harness, of.ID).Signal)
		must.NoError(t, harness.DestroyTask(of.ID, false))
	})

	t.Run("a task outlives its plugin and is recovered by the next", func(t *testing.T) {
		harness, of := task(t, first.driver, shell("sleep 4; echo late; exit 11"))
		handle, _, err := harness.StartTask(of)
		must.NoError(t, err)
		from := time.Now()
		first.client.Kill()
		must.Less(t, 2*time.Second, time.Since(from))
		second := host(t, name, state, config)
		must.NoError(t, second.driver.RecoverTask(handle))
		must.NoError(t, second.driver.RecoverTask(handle)) // known already: no error
		must.Eq(t, 11, ended(t, second.driver, of.ID).ExitCode)
		stdout(t, of, "late\n")
		must.NoError(t, second.driver.DestroyTask(of.ID, false))
	})
}

// A host that asks for TLS gets it, and whoever has no certificate of that host gets nothing.
func TestAutoMTLS(t *testing.T) {
	program, err := filepath.Abs("../../../bin/drover.js")
	must.NoError(t, err)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr})
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  base.Handshake,
		Plugins:          map[string]plugin.Plugin{base.PluginTypeBase: &base.PluginBase{}},
		Cmd:              exec.Command("node", program, "driver", "serve", "-state-dir", t.TempDir(), "mock_driver"),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		Logger:           logger,
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	must.NoError(t, err)
	must.NoError(t, rpc.Ping())
	raw, err := rpc.Dispense(base.PluginTypeBase)
	must.NoError(t, err)
	info, err := raw.(base.BasePlugin).PluginInfo()
	must.NoError(t, err)
	must.Eq(t, "mock_driver", info.Name)

	for name, credential := range map[string]credentials.TransportCredentials{
		"plain":                     insecure.NewCredentials(),
		"TLS without a certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
	} {
		connection, err := grpc.NewClient("unix:"+client.ReattachConfig().Addr.String(), grpc.WithTransportCredentials(credential))
		must.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		_, err = healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{Service: "plugin"})
		must.Error(t, err, must.Sprint(name))
		cancel()
		connection.Close()
	}
}

// Without the cookie nobody meant to start a plugin.
func TestCookie(t *testing.T) {
	output, err := exec.Command("node", "../../../bin/drover.js", "driver", "serve", "mock_driver").CombinedOutput()
	must.Error(t, err)
	must.StrContains(t, string(output), "plugin_dir")
}

// The harness leaves directories behind: they are made where they are removed afterwards.
func TestMain(m *testing.M) {
	directory, err := os.MkdirTemp("", "dg")
	if err != nil {
		panic(err)
	}
	os.Setenv("TMPDIR", directory)
	// The harness links these into every task's directory, all that a host has of libraries; drivers of ours show tasks the host's own.
	for _, folder := range []string{"/lib", "/lib32", "/lib64", "/usr/lib/jvm"} {
		delete(ci.TinyChroot, folder)
	}
	code := m.Run()
	os.RemoveAll(directory)
	os.Exit(code)
}
