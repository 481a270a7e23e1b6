// Task drivers that we did not write, of several ages of Nomad's plugin SDK, as plugins: `drivers NAME` serves one of them.
// Built by test/compat/go-drivers.test.ts, once with each of the module files beside this one.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/drivers/exec"
	"github.com/hashicorp/nomad/drivers/java"
	"github.com/hashicorp/nomad/drivers/mock"
	"github.com/hashicorp/nomad/drivers/qemu"
	"github.com/hashicorp/nomad/drivers/rawexec"
	"github.com/hashicorp/nomad/plugins"
	"github.com/hashicorp/nomad/plugins/drivers"
)

var made = map[string]func(context.Context, hclog.Logger) drivers.DriverPlugin{
	"exec":        exec.NewExecDriver,
	"java":        java.NewDriver,
	"mock_driver": mock.NewMockDriver,
	"qemu":        qemu.NewQemuDriver,
	"raw_exec":    rawexec.NewRawExecDriver,
}

func main() {
	if len(os.Args) < 2 || made[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "which driver?")
		os.Exit(2)
	}
	plugins.ServeCtx(func(ctx context.Context, log hclog.Logger) any { return made[os.Args[1]](ctx, log) })
}
