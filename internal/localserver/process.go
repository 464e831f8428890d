package localserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// drain is how long a dead server's children may keep its log open.
const drain = 10 * time.Second

// process is a server that runs, with the goroutine that started it and waits for it.
type process struct {
	command *exec.Cmd
	exited  chan struct{} // closed when the process is gone and its log is read
	err     error         // how it ended; read it after exited is closed
}

// startProcess starts a command in a process group of its own, so that a Ctrl-C meant
// for the owner leaves it alone until the owner stops it in order.
//
// Linux can signal a child when its parent dies, but means by parent the thread that
// forked (prctl(2), PR_SET_PDEATHSIG). So one goroutine starts the command, keeps its
// thread and stays until the command ends.
func startProcess(command *exec.Cmd) (*process, error) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
	dieWithParent(command.SysProcAttr)
	command.WaitDelay = drain

	p := &process{command: command, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		if p.err = command.Start(); p.err != nil {
			started <- p.err
			return
		}
		started <- nil
		p.err = command.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	return p, nil
}

// signal sends a signal to the process itself; one that has ended is no error.
func (p *process) signal(sig os.Signal) error {
	if err := p.command.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.command.Path, err)
	}
	return nil
}

// stop asks the process to end, waits, and kills it when the context ends first.
func (p *process) stop(ctx context.Context, sig os.Signal) error {
	if err := p.signal(sig); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		killed := p.kill()
		return errors.Join(fmt.Errorf("stop %s: %w", p.command.Path, context.Cause(ctx)), killed)
	}
}

// kill ends the process at once and waits for it.
func (p *process) kill() error {
	err := p.signal(os.Kill)
	<-p.exited
	return err
}

// run runs a command to its end and puts the last lines it wrote into the error.
func run(ctx context.Context, command *exec.Cmd) error {
	log := newLineLog(nil)
	command.Stdout, command.Stderr = log, log
	p, err := startProcess(command)
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), p.kill())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w: %s", command.Path, p.err, log.tail())
	}
	return nil
}

// await asks again and again until the server is ready, has ended, or the context ends.
// There is no event to wait for: a listening server announces itself by answering.
func (p *process) await(ctx context.Context, ready func(context.Context) bool) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if ready(ctx) {
			return nil
		}
		select {
		case <-again.C:
		case <-p.exited:
			return errEndedEarly
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var errEndedEarly = errors.New("the server ended before it was ready")
