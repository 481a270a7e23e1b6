// The drivers of engines and machines in a Go host, each on a real one: a container engine of the test's own, a Java machine, an emulator.
package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/nomad/structs"
	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/drivers/testutils"
	"github.com/shoenig/test/must"
)

// life is what tasks of a driver can be told to do.
type life struct {
	driver  string
	options map[string]any
	// memoryMB is a task's.
	memoryMB int64
	// files are laid into a task's local directory by name.
	files map[string][]byte
	// says prints out and ends.
	says map[string]any
	// fails ends with 9.
	fails map[string]any
	// stays until it is stopped.
	stays map[string]any
	// inside prints checked in a task that stays, and ends with 4; empty: the driver has no such call.
	inside []string
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// engine starts a container engine of the test's own and tells its endpoint.
func engine(t *testing.T, name string) string {
	t.Helper()
	command := exec.Command("node", "daemon.mjs", name)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	must.NoError(t, err)
	output, err := command.StdoutPipe()
	must.NoError(t, err)
	must.NoError(t, command.Start())
	t.Cleanup(func() {
		input.Close()
		command.Wait()
	})
	line, _ := bufio.NewReader(output).ReadString('\n')
	if lacking, found := strings.CutPrefix(line, "lacking "); found {
		t.Skipf("not installed: %s", lacking)
	}
	must.StrHasPrefix(t, "unix://", line)
	return strings.TrimSpace(line)
}

// inContainers is the life of a driver whose tasks are containers of busybox.
func inContainers(driver, image string, options, more map[string]any) life {
	shell := func(script string) map[string]any {
		options := map[string]any{"image": image, "command": "/bin/sh", "args": []string{"-c", script}}
		for name, value := range more {
			options[name] = value
		}
		return options
	}
	return life{
		driver: driver, options: options, memoryMB: 64,
		says: shell("echo out"), fails: shell("exit 9"), stays: shell("trap 'exit 0' INT TERM; sleep 300 & wait"),
		inside: []string{"/bin/sh", "-c", "echo checked; exit 4"},
	}
}

func TestDocker(t *testing.T) {
	live(t, inContainers("docker", "drover-test/busybox:1", map[string]any{"endpoint": engine(t, "docker")}, nil))
}

// rkt is podman by its own name and options.
func TestPodmanAndRkt(t *testing.T) {
	socket := engine(t, "podman")
	// the engine's own default limits may be more than this host gives
	limits := []map[string]any{{"nofile": "1024:1024", "nproc": "1024:1024"}}
	podman := map[string]any{"network_mode": "none", "ulimit": limits}
	t.Run("podman", func(t *testing.T) {
		live(t, inContainers("podman", "localhost/drover-test/busybox:1", map[string]any{"socket_path": socket}, podman))
	})
	t.Run("rkt", func(t *testing.T) {
		options := map[string]any{"socket_path": socket, "translate": true}
		live(t, inContainers("rkt", "docker://localhost/drover-test/busybox:1", options, map[string]any{"net": []string{"none"}}))
	})
}

func TestWasm(t *testing.T) {
	needs(t, "clang", "wasm-ld")
	modules := t.TempDir()
	module := filepath.Join(modules, "program.wasm")
	compiler := exec.Command("clang", "--target=wasm32-wasi", "--sysroot=/usr", "-O1", "-s", "-o", module, "../../../src/drivers/wasm/program.c")
	output, err := compiler.CombinedOutput()
	must.NoError(t, err, must.Sprint(string(output)))
	data, err := os.ReadFile(module)
	must.NoError(t, err)
	runs := func(args ...string) map[string]any {
		return map[string]any{"module": "local/program.wasm", "args": args}
	}
	live(t, life{
		driver: "wasm", options: map[string]any{}, memoryMB: 192, files: map[string][]byte{"program.wasm": data},
		says: runs("say", "out"), fails: runs("exit", "9"), stays: runs("sleep", "300000"),
		inside: []string{"sh", "-c", "echo checked; exit 4"},
	})
}

// The machine's root file system is busybox alone.
func TestMicrovm(t *testing.T) {
	needs(t, "qemu-system-x86_64", "mke2fs", "busybox")
	if kernels, _ := filepath.Glob("/boot/vmlinuz-*"); len(kernels) == 0 {
		t.Skip("no kernel is installed")
	}
	images := t.TempDir()
	for _, name := range []string{"bin", "proc", "sys", "dev", "etc", "root"} {
		must.NoError(t, os.MkdirAll(filepath.Join(images, "root", name), 0o755))
	}
	busybox, err := os.ReadFile("/bin/busybox")
	must.NoError(t, err)
	must.NoError(t, os.WriteFile(filepath.Join(images, "root/bin/busybox"), busybox, 0o755))
	for _, name := range []string{"sh", "echo", "sleep", "mount"} {
		must.NoError(t, os.Symlink("busybox", filepath.Join(images, "root/bin", name)))
	}
	shell := func(script string) map[string]any {
		return map[string]any{"rootfs": filepath.Join(images, "root"), "command": "sh", "args": []string{"-c", script}}
	}
	live(t, life{
		driver: "microvm", options: map[string]any{"image_paths": []string{images}}, memoryMB: 128,
		says: shell("echo out"), fails: shell("exit 9"), stays: shell("trap 'exit 0' INT TERM; sleep 300 & wait"),
		inside: []string{"sh", "-c", "echo checked; exit 4"},
	})
}

func TestJava(t *testing.T) {
	needs(t, "java", "ecj")
	classes := t.TempDir()
	compiler := exec.Command("ecj", "-17", "-proc:none", "-nowarn", "-d", classes, "../../../src/drivers/java/Program.java")
	output, err := compiler.CombinedOutput()
	must.NoError(t, err, must.Sprint(string(output)))
	program, err := os.ReadFile(filepath.Join(classes, "Program.class"))
	must.NoError(t, err)
	runs := func(args ...string) map[string]any {
		machine := []string{"-Xmx32m", "-XX:+UseSerialGC"}
		return map[string]any{"class_path": "local", "class": "Program", "args": args, "jvm_options": machine}
	}
	live(t, life{
		driver: "java", options: map[string]any{}, memoryMB: 192, files: map[string][]byte{"Program.class": program},
		says: runs("say", "out"), fails: runs("exit", "9"), stays: runs("sleep", "300000"),
		inside: []string{"/bin/sh", "-c", "echo checked; exit 4"},
	})
}

// sector is 16-bit code as the first sector of a disk of 1 MB.
func sector(code ...byte) []byte {
	disk := make([]byte, 1<<20)
	copy(disk, code)
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

func TestQemu(t *testing.T) {
	needs(t, "qemu-system-x86_64")
	halt := []byte{0xfa, 0xf4, 0xeb, 0xfd}
	// the emulator's exit device ends it with (value << 1) | 1
	exits := func(value byte) []byte { return append([]byte{0xba, 0xf4, 0x00, 0xb0, value, 0xee}, halt...) }
	says := []byte{}
	for _, each := range []byte(strings.Repeat("\n", 16) + "out\n") {
		says = append(says, 0xba, 0xf8, 0x03, 0xb0, each, 0xee)
	}
	runs := func(disk string) map[string]any {
		device := []string{"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"}
		return map[string]any{"image_path": "local/" + disk, "accelerator": "tcg", "args": device}
	}
	live(t, life{
		driver: "qemu", options: map[string]any{}, memoryMB: 128,
		files: map[string][]byte{"says": sector(append(says, exits(0)...)...), "fails": sector(exits(4)...), "stays": sector(0xfb, 0xf4, 0xeb, 0xfd)},
		says:  runs("says"), fails: runs("fails"), stays: runs("stays"),
	})
}

// live is the whole life of tasks of a driver.
func live(t *testing.T, of life) {
	state := t.TempDir()
	first := host(t, of.driver, state, of.options)
	known(t, first.driver, of)
	start := func(t *testing.T, options map[string]any) (*testutils.DriverHarness, *drivers.TaskConfig, *drivers.TaskHandle) {
		harness, config := task(t, first.driver, options)
		config.Resources.NomadResources = &structs.AllocatedTaskResources{Cpu: structs.AllocatedCpuResources{CpuShares: 500}, Memory: structs.AllocatedMemoryResources{MemoryMB: of.memoryMB}}
		config.Resources.LinuxResources = &drivers.LinuxResources{CPUShares: 500, MemoryLimitBytes: of.memoryMB << 20}
		for name, data := range of.files {
			must.NoError(t, os.WriteFile(filepath.Join(config.TaskDir().LocalDir, name), data, 0o644))
		}
		handle, _, err := harness.StartTask(config)
		must.NoError(t, err)
		return harness, config, handle
	}

	t.Run("output", func(t *testing.T) {
		harness, config, _ := start(t, of.says)
		ended(t, harness, config.ID)
		said(t, config, "out")
		must.NoError(t, harness.DestroyTask(config.ID, false))
	})

	t.Run("exit code", func(t *testing.T) {
		harness, config, _ := start(t, of.fails)
		must.Eq(t, 9, ended(t, harness, config.ID).ExitCode)
		must.NoError(t, harness.DestroyTask(config.ID, false))
		_, err := harness.InspectTask(config.ID)
		must.ErrorContains(t, err, drivers.ErrTaskNotFound.Error())
	})

	t.Run("exec, stats, a new plugin process, stop", func(t *testing.T) {
		harness, config, handle := start(t, of.stays)
		must.NoError(t, harness.WaitUntilStarted(config.ID, 10*time.Second))
		if len(of.inside) > 0 {
			result, err := harness.ExecTask(config.ID, of.inside, 10*time.Second)
			must.NoError(t, err)
			must.Eq(t, "checked", strings.TrimSpace(string(result.Stdout)))
			must.Eq(t, 4, result.ExitResult.ExitCode)
		}
		sample(t, harness, config.ID)
		first.client.Kill()
		second := host(t, of.driver, state, of.options)
		must.NoError(t, second.driver.RecoverTask(handle))
		must.Error(t, second.driver.DestroyTask(config.ID, false))
		sample(t, second.driver, config.ID)
		must.NoError(t, second.driver.StopTask(config.ID, 5*time.Second, ""))
		ended(t, second.driver, config.ID)
		must.NoError(t, second.driver.DestroyTask(config.ID, false))
	})
}

// known is what the plugin says of itself, against what its tasks are told to do.
func known(t *testing.T, driver drivers.DriverPlugin, of life) {
	t.Helper()
	report := fingerprint(t, driver)
	must.Eq(t, drivers.HealthStateHealthy, report.Health, must.Sprint(report.HealthDescription))
	must.MapContainsKey(t, report.Attributes, "driver."+of.driver)
	capabilities, err := driver.Capabilities()
	must.NoError(t, err)
	must.Eq(t, len(of.inside) > 0, capabilities.Exec)
}
