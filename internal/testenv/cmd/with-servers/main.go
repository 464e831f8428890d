// With-servers starts one PostgreSQL and one Vault, runs a command with their addresses
// in its environment, and stops them:
//
//	go run ./internal/testenv/cmd/with-servers go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/consentry/consentry/internal/testenv"
)

// grace is what an interrupted command has to end in order.
const grace = 20 * time.Second

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: with-servers COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1], os.Args[2:])
	stop()
	var ended *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &ended):
		os.Exit(max(ended.ExitCode(), 1)) // the command has said why
	default:
		fmt.Fprintln(os.Stderr, "with-servers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string, args []string) (err error) {
	servers, err := testenv.StartShared(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Stop()) }()

	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // running what it is told to is its purpose
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = grace
	command.Env = append(os.Environ(), servers.Environ()...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	return command.Run()
}
