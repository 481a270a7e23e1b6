// A task driver that runs nothing: it takes every kind of option there is, prints what it got, and ends when told.
// Built by test/compat/go-fixture.test.ts and run by our host.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hashicorp/go-hclog"
	cstructs "github.com/hashicorp/nomad/client/structs"
	"github.com/hashicorp/nomad/helper/pluginutils/hclspecutils"
	"github.com/hashicorp/nomad/helper/pluginutils/hclutils"
	"github.com/hashicorp/nomad/plugins"
	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/drivers"
	"github.com/hashicorp/nomad/plugins/drivers/fsisolation"
	"github.com/hashicorp/nomad/plugins/shared/hclspec"
	"github.com/hashicorp/nomad/plugins/shared/structs"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/msgpack"
)

var nested = hclspec.NewObject(map[string]*hclspec.Spec{
	"a": hclspec.NewAttr("a", "number", false),
	"b": hclspec.NewAttr("b", "list(string)", false),
})

var taskSpec = hclspec.NewObject(map[string]*hclspec.Spec{
	"run_for":   hclspec.NewDefault(hclspec.NewAttr("run_for", "string", false), hclspec.NewLiteral(`"50ms"`)),
	"exit_code": hclspec.NewAttr("exit_code", "number", false),
	"text":      hclspec.NewAttr("text", "string", true),
	"any":       hclspec.NewAttr("any", "any", false),
	"object":    hclspec.NewAttr("object", "object({x=string,y=bool})", false),
	"tuple":     hclspec.NewAttr("tuple", "tuple([string,number])", false),
	"set":       hclspec.NewAttr("set", "set(string)", false),
	"pair":      hclspec.NewArray([]*hclspec.Spec{hclspec.NewAttr("left", "string", false), hclspec.NewLiteral(`upper("right")`)}),
	"one":       hclspec.NewBlock("one", false, nested),
	"free":      hclspec.NewBlockAttrs("free", "number", false),
	"list":      hclspec.NewBlockListLimited("list", 0, 3, nested),
	"sets":      hclspec.NewBlockSet("sets", nested),
	"map":       hclspec.NewBlockMap("map", []string{"key"}, nested),
})

var fixtureConfig = map[string]any{
	"text": "é ${upper(\"x\")}", "exit_code": 23, "any": []any{1, "b", nil, 2.5}, "left": "l",
	"object": map[string]any{"x": 1, "y": "true"}, "tuple": []any{"t", "7"}, "set": []any{"z", "a", "z"},
	"one": []any{map[string]any{"a": 0.1}}, "free": []any{map[string]any{"q": 70000, "p": -5}},
	"sets": []any{map[string]any{"a": 3}},
	"list": []any{map[string]any{"a": 1}, map[string]any{"b": []any{"x"}}},
	"map":  []any{map[string]any{"k": []any{map[string]any{"a": 1e30}}}},
}

type taskOptions struct {
	RunFor   string `codec:"run_for"`
	ExitCode int    `codec:"exit_code"`
	Text     string `codec:"text"`
}

type running struct {
	exit   int
	until  time.Time
	ended  chan struct{}
	ending sync.Once
}

type fixture struct {
	drivers.DriverSignalTaskNotSupported
	drivers.DriverExecTaskNotSupported
	logger hclog.Logger
	mutex  sync.Mutex
	tasks  map[string]*running
	// by allocation
	networks map[string]bool
}

func (f *fixture) PluginInfo() (*base.PluginInfoResponse, error) {
	return &base.PluginInfoResponse{Type: base.PluginTypeDriver, PluginApiVersions: []string{drivers.ApiVersion010}, PluginVersion: "0.3.0", Name: "go_fixture"}, nil
}

func (f *fixture) ConfigSchema() (*hclspec.Spec, error) {
	return hclspec.NewObject(map[string]*hclspec.Spec{"greeting": hclspec.NewAttr("greeting", "string", true)}), nil
}

func (f *fixture) SetConfig(c *base.Config) error {
	var options struct {
		Greeting string `codec:"greeting"`
	}
	if err := base.MsgPackDecode(c.PluginConfig, &options); err != nil {
		return err
	}
	// drivers on these packages end their process where they are told of no processors
	compute := c.AgentConfig.Driver.Topology.Compute()
	f.logger.Warn("configured", "greeting", options.Greeting, "cores", compute.NumCores)
	fmt.Println("chatter on stdout")
	return nil
}

func (f *fixture) TaskConfigSchema() (*hclspec.Spec, error) { return taskSpec, nil }

func (f *fixture) Capabilities() (*drivers.Capabilities, error) {
	return &drivers.Capabilities{
		FSIsolation: fsisolation.None, NetIsolationModes: []drivers.NetIsolationMode{drivers.NetIsolationModeGroup}, MustInitiateNetwork: true,
	}, nil
}

func (f *fixture) CreateNetwork(alloc string, request *drivers.NetworkCreateRequest) (*drivers.NetworkIsolationSpec, bool, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	made := !f.networks[alloc]
	f.networks[alloc] = true
	return &drivers.NetworkIsolationSpec{
		Mode: drivers.NetIsolationModeGroup, Path: "/run/" + alloc, Labels: map[string]string{"made": "by Go"},
		HostsConfig: &drivers.HostsConfig{Hostname: request.Hostname, Address: "10.9.8.7"},
	}, made, nil
}

func (f *fixture) DestroyNetwork(alloc string, spec *drivers.NetworkIsolationSpec) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if spec.Path != "/run/"+alloc {
		return fmt.Errorf("the network of %s is not %s", alloc, spec.Path)
	}
	delete(f.networks, alloc)
	return nil
}

func (f *fixture) Fingerprint(ctx context.Context) (<-chan *drivers.Fingerprint, error) {
	reports := make(chan *drivers.Fingerprint, 1)
	reports <- &drivers.Fingerprint{
		Health: drivers.HealthStateHealthy, HealthDescription: drivers.DriverHealthy,
		Attributes: map[string]*structs.Attribute{"driver.go_fixture": structs.NewBoolAttribute(true), "driver.go_fixture.memory": structs.NewIntAttribute(3, "GiB")},
	}
	return reports, nil
}

func (f *fixture) begin(id string, exit int, until time.Time) {
	task := &running{exit: exit, until: until, ended: make(chan struct{})}
	f.mutex.Lock()
	f.tasks[id] = task
	f.mutex.Unlock()
	time.AfterFunc(time.Until(until), func() { task.ending.Do(func() { close(task.ended) }) })
}

func (f *fixture) find(id string) (*running, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if task, found := f.tasks[id]; found {
		return task, nil
	}
	return nil, drivers.ErrTaskNotFound
}

type taskState struct {
	Exit  int
	Until int64
}

func (f *fixture) StartTask(config *drivers.TaskConfig) (*drivers.TaskHandle, *drivers.DriverNetwork, error) {
	var options taskOptions
	if err := config.DecodeDriverConfig(&options); err != nil {
		return nil, nil, err
	}
	duration, err := time.ParseDuration(options.RunFor)
	if err != nil {
		return nil, nil, err
	}
	if _, err := f.find(config.ID); err == nil {
		return nil, nil, fmt.Errorf("the task %s is known already", config.ID)
	}
	output, err := os.OpenFile(config.StdoutPath, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer output.Close()
	fmt.Fprintln(output, options.Text)
	until := time.Now().Add(duration)
	f.begin(config.ID, options.ExitCode, until)
	handle := drivers.NewTaskHandle(1)
	handle.Config = config
	handle.State = drivers.TaskStateRunning
	return handle, nil, handle.SetDriverState(taskState{options.ExitCode, until.UnixNano()})
}

func (f *fixture) RecoverTask(handle *drivers.TaskHandle) error {
	var state taskState
	if err := handle.GetDriverState(&state); err != nil {
		return err
	}
	if handle.Version != 1 {
		return fmt.Errorf("a state of version %d", handle.Version)
	}
	if _, err := f.find(handle.Config.ID); err != nil {
		f.begin(handle.Config.ID, state.Exit, time.Unix(0, state.Until))
	}
	return nil
}

func (f *fixture) WaitTask(ctx context.Context, id string) (<-chan *drivers.ExitResult, error) {
	task, err := f.find(id)
	if err != nil {
		return nil, err
	}
	results := make(chan *drivers.ExitResult, 1)
	go func() {
		defer close(results)
		select {
		case <-task.ended:
			results <- &drivers.ExitResult{ExitCode: task.exit}
		case <-ctx.Done():
		}
	}()
	return results, nil
}

func (f *fixture) StopTask(id string, _ time.Duration, _ string) error {
	task, err := f.find(id)
	if err == nil {
		task.ending.Do(func() { close(task.ended) })
	}
	return err
}

func (t *running) over() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}

func (f *fixture) DestroyTask(id string, force bool) error {
	task, err := f.find(id)
	if err != nil {
		return err
	}
	if !task.over() && !force {
		return fmt.Errorf("the task %s runs", id)
	}
	f.mutex.Lock()
	delete(f.tasks, id)
	f.mutex.Unlock()
	return nil
}

func (f *fixture) InspectTask(id string) (*drivers.TaskStatus, error) {
	task, err := f.find(id)
	if err != nil {
		return nil, err
	}
	if task.over() {
		return &drivers.TaskStatus{ID: id, State: drivers.TaskStateExited, ExitResult: &drivers.ExitResult{ExitCode: task.exit}}, nil
	}
	return &drivers.TaskStatus{ID: id, State: drivers.TaskStateRunning}, nil
}

func (f *fixture) TaskStats(context.Context, string, time.Duration) (<-chan *cstructs.TaskResourceUsage, error) {
	return nil, fmt.Errorf("stats not implemented for driver")
}

func (f *fixture) TaskEvents(context.Context) (<-chan *drivers.TaskEvent, error) {
	return make(chan *drivers.TaskEvent), nil
}

// What Nomad's own chain makes of the options above: compared with ours.
func printBytes() error {
	spec, diagnostics := hclspecutils.Convert(taskSpec)
	if diagnostics.HasErrors() {
		return diagnostics
	}
	value, diagnostics, _ := hclutils.ParseHclInterface(fixtureConfig, spec, nil)
	if diagnostics.HasErrors() {
		return diagnostics
	}
	data, err := msgpack.Marshal(value, value.Type())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"config": fixtureConfig, "bytes": hex.EncodeToString(data)})
}

type question struct {
	// A specification as the plugin protocol has it.
	Spec   []byte
	Config any
	// What templates of a task may use; null: an operator's options.
	Variables map[string]string
}

type answer struct {
	Bytes string `json:"bytes,omitempty"`
	Error string `json:"error,omitempty"`
}

// What Nomad's own chain makes of the options.
func answerTo(asked question) (result answer) {
	defer func() {
		if reason := recover(); reason != nil {
			result = answer{Error: fmt.Sprint("panic: ", reason)}
		}
	}()
	var published hclspec.Spec
	if err := proto.Unmarshal(asked.Spec, &published); err != nil {
		return answer{Error: err.Error()}
	}
	spec, diagnostics := hclspecutils.Convert(&published)
	if diagnostics.HasErrors() {
		return answer{Error: "specification: " + diagnostics.Error()}
	}
	var variables map[string]cty.Value
	if asked.Variables != nil {
		variables = map[string]cty.Value{}
		for name, value := range asked.Variables {
			variables[name] = cty.StringVal(value)
		}
	}
	value, diagnostics, all := hclutils.ParseHclInterface(asked.Config, spec, variables)
	if diagnostics.HasErrors() {
		return answer{Error: fmt.Sprint(all)}
	}
	data, err := msgpack.Marshal(value, value.Type())
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Bytes: hex.EncodeToString(data)}
}

// One question a line on stdin, one answer a line on stdout.
func decodeAll() error {
	asked, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	asked.UseNumber()
	for {
		var each question
		if err := asked.Decode(&each); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		each.Config = plain(each.Config)
		if err := answers.Encode(answerTo(each)); err != nil {
			return err
		}
	}
}

// As an API job has numbers: whole ones exact.
func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		near, _ := value.Float64()
		return near
	case []any:
		for at := range value {
			value[at] = plain(value[at])
		}
	case map[string]any:
		for key := range value {
			value[key] = plain(value[key])
		}
	}
	return value
}

func main() {
	asked := map[string]func() error{"bytes": printBytes, "decode": decodeAll}
	if len(os.Args) > 1 && asked[os.Args[1]] != nil {
		if err := asked[os.Args[1]](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	plugins.Serve(func(logger hclog.Logger) any {
		return &fixture{logger: logger, tasks: map[string]*running{}, networks: map[string]bool{}}
	})
}
