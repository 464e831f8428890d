package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Sandbox tries revisions in a process of their own: one call of a built-in can ask for more memory than there is, and cannot be
// interrupted, so a revision that nobody has approved is not evaluated beside the people's data. The child is this
// program, told to be one. It has no environment, no network, no file but its standard streams, and limits on memory and
// time; what takes more is killed, whatever it is doing.
type Sandbox struct {
	Path string   // of the program
	Args []string // with its name, and what makes it call [Child]
}

const (
	childTime    = checkTime + 15*time.Second // for all of it
	childMemory  = checkMemory                // bytes of heap
	childData    = 2 * childMemory            // bytes of all writable memory: what the kernel gives at most
	childStop    = time.Second                // after which a killed child is not waited for
	childAnswer  = 32 << 20                   // bytes of a report
	childTooMuch = 3                          // exit status
)

var errChild = privacy.NewError(privacy.KindUnavailable, "policy_tests_unavailable", "the policy could not be tested; try again")

// Try is [Try], in a child.
func (s Sandbox) Try(ctx context.Context, revision Revision) (Report, error) {
	content, err := revision.Content()
	if err != nil {
		return Report{}, err
	}
	if problems := sizeProblems(revision); len(problems) > 0 {
		return failed(revision, problems...), nil
	}
	bounded, cancel := context.WithTimeout(ctx, childTime)
	defer cancel()
	answer := &boundedAnswer{}
	child := exec.CommandContext(bounded, s.Path) //nolint:gosec // the path is our own: who makes a Sandbox names the running program
	child.Args, child.Env, child.Stdin, child.Stdout, child.WaitDelay = s.Args, []string{}, bytes.NewReader(content), answer, childStop
	err = child.Run()
	switch {
	case ctx.Err() != nil:
		return Report{}, unavailable(ctx.Err())
	case err != nil && s.gaveUp(bounded, err):
		return failed(revision, tooExpensive()), nil
	case err != nil:
		return Report{}, privacy.Unavailable(err, errChild.Code, errChild.Detail)
	}
	var report Report
	if err := json.Unmarshal(answer.Bytes(), &report); err != nil {
		return Report{}, privacy.Unavailable(err, errChild.Code, errChild.Detail)
	}
	return report, nil
}

// gaveUp reports whether a child ended because of what it was given: it took too long, too much, said too much, or the
// runtime had no memory left.
func (s Sandbox) gaveUp(ctx context.Context, err error) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, errAnswer) {
		return true
	}
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return false
	}
	const failed = 1 // and it says why
	// Who runs out of memory dies with a code of the runtime's own, or of the race detector's.
	return ended.ExitCode() > failed || killed(ended)
}

// killed reports whether the kernel took the child's life, as it does where memory is short.
func killed(ended *exec.ExitError) bool {
	status, ok := ended.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Child is what a child does: it reads a revision's content and writes the report. Exit ends the process at once.
func Child(ctx context.Context, in io.Reader, out io.Writer, exit func(int)) error {
	limit := syscall.Rlimit{Cur: childData, Max: childData}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return privacy.Internal(err, "limit the memory of a child")
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // where memory is short, it is the child that goes; no matter where there is no such file
	debug.SetGCPercent(100)
	go watch(exit)
	content, err := io.ReadAll(io.LimitReader(in, 2*largestWhole))
	if err != nil {
		return privacy.Internal(err, "read a revision")
	}
	revision, err := ParseRevision(content)
	if err != nil {
		return err
	}
	report, err := Try(ctx, revision)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}

// watch ends the process when it has grown too large or too old. It lives as long as the process does.
func watch(exit func(int)) {
	until := time.Now().Add(childTime)
	for range time.Tick(heapInterval) {
		if heapInUse() > childMemory || time.Now().After(until) {
			exit(childTooMuch)
		}
	}
}

func failed(revision Revision, problems ...Problem) Report {
	return Report{Revision: revision.ID, Problems: problems, Cases: []CaseResult{}, Tests: []TestResult{}, Warnings: warnings(revision.Tests)}
}

func tooExpensive() Problem {
	return Problem{Code: ProblemTooExpensive, Message: "evaluating it takes too much time or memory; look for a comprehension over a product of tables, or a text that grows"}
}

// boundedAnswer keeps an answer of at most childAnswer bytes.
type boundedAnswer struct{ bytes.Buffer }

var errAnswer = errors.New("the report is too large")

func (b *boundedAnswer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > childAnswer {
		return 0, errAnswer
	}
	return b.Buffer.Write(p)
}
