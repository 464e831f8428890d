package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/custody"
)

// holder is an import that keeps its lines until it is told to let go.
type holder struct{ lines, held, most int }

func (h *holder) take(_ context.Context, _ int, line []byte, _ bool) {
	h.lines++
	h.held += len(line)
	h.most = max(h.most, h.held)
}

func (h *holder) pending() int { return h.lines }

func (h *holder) flush(context.Context) bool {
	h.lines, h.held = 0, 0
	return true
}

// However long its lines are, an import holds no more than a few megabytes of them.
func TestImportHoldsABoundedNumberOfBytes(t *testing.T) {
	t.Parallel()
	f := newFace(t, Config{})
	for _, size := range []int{maxImportLine, maxImportLine / 10, 100} {
		const lines = 100
		stream := f.streamLines(httptest.NewRecorder(), custody.Caller{})
		var h holder
		var count int
		line := strings.Repeat("x", size-1) + "\n"
		if !stream.feed(t.Context(), io.LimitReader(repeated(line), int64(lines*size)), &count, &h) || count != lines {
			t.Fatalf("%d of %d lines came through", count, lines)
		}
		if h.most > importBytes+maxImportLine || h.pending() != 0 {
			t.Errorf("lines of %d bytes: %d bytes were held, and %d lines at the end", size, h.most, h.pending())
		}
	}
}

// refuser cannot go on.
type refuser struct{ holder }

func (*refuser) flush(context.Context) bool { return false }

// An import that is given up leaves its connection in order: the next request on it is served.
func TestImportThatIsGivenUpLeavesItsConnection(t *testing.T) {
	t.Parallel()
	f := newFace(t, Config{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, count := f.streamLines(w, custody.Caller{}), 0
		if stream.feed(r.Context(), r.Body, &count, &refuser{}) {
			t.Error("it was not given up")
		}
		stream.drain(r.Body)
	}))
	var log bytes.Buffer
	server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&log, nil), slog.LevelError)
	server.Start()
	reused := false
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	for range 3 {
		request, err := http.NewRequestWithContext(trace, http.MethodPost, server.URL, strings.NewReader(strings.Repeat("line\n", 40_000)))
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Error(err)
		}
		_ = response.Body.Close()
	}
	server.Close() // waits for the connections
	if log.Len() > 0 || !reused {
		t.Errorf("reused %t: %s", reused, log.String())
	}
}

// repeated is one text over and over.
func repeated(text string) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n := copy(p, text)
		text = text[n:] + text[:n]
		return n, nil
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
