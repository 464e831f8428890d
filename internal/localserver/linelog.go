package localserver

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

// keepLines is how many of a server's last lines an error shows.
const keepLines = 12

// lineLog takes what a server writes: each line goes to the logger at debug level, and
// the last few are kept for the error of a start that fails.
type lineLog struct {
	logger *slog.Logger // nil: only keep

	mu      sync.Mutex
	partial []byte
	last    []string
}

func newLineLog(logger *slog.Logger) *lineLog { return &lineLog{logger: logger} }

// Write implements io.Writer; it never fails.
func (l *lineLog) Write(chunk []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, chunk...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			return len(chunk), nil
		}
		l.keep(string(line))
		l.partial = rest
	}
}

func (l *lineLog) keep(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if l.logger != nil {
		l.logger.LogAttrs(context.Background(), slog.LevelDebug, "server log", slog.String("line", line))
	}
	l.last = append(l.last, line)
	if len(l.last) > keepLines {
		l.last = l.last[1:]
	}
}

// tail gives the last lines in one.
func (l *lineLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, " | ")
}
