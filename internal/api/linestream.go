package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// lineStream is one streamed import under way, of whatever: a body of lines in, an answer a line out.
type lineStream struct {
	api     *API
	caller  custody.Caller
	out     *json.Encoder
	control *http.ResponseController
}

// streamLines begins the answer to an import.
func (a *API) streamLines(w http.ResponseWriter, caller custody.Caller) lineStream {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/2 always is
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	return lineStream{api: a, caller: caller, out: json.NewEncoder(w), control: control}
}

// lineTaker is what an import does with its lines.
type lineTaker interface {
	// take is given each line that is not blank, by its number.
	take(ctx context.Context, number int, line []byte, tooLong bool)
	// pending says how many lines wait to be answered.
	pending() int
	// flush carries out what waits and answers it. It reports false when the import cannot go on.
	flush(ctx context.Context) bool
}

// feed gives every line to the taker, counts those that came, blank ones too, and reports whether it
// came to the end.
func (s *lineStream) feed(ctx context.Context, body io.Reader, count *int, taker lineTaker) bool {
	reader := bufio.NewReaderSize(body, 64<<10)
	held := 0 // bytes of the lines that wait
	for {
		s.extend()
		line, tooLong, err := readLine(reader)
		if len(line) > 0 || tooLong {
			*count++
		}
		if tooLong || len(bytes.TrimSpace(line)) > 0 {
			taker.take(ctx, *count, line, tooLong)
			held += len(line)
		}
		if waiting := taker.pending(); waiting >= importBatch || held >= importBytes || (err != nil && waiting > 0) {
			if !taker.flush(ctx) {
				return false
			}
			held = 0
		}
		if err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// extend gives sender and receiver a fresh while: an import may take hours, silence may not.
func (s *lineStream) extend() {
	until := s.api.now().Add(importPause)
	_ = s.control.SetReadDeadline(until)
	_ = s.control.SetWriteDeadline(until)
}

// drainWithin is how long what is still being sent is taken in after an import that cannot go on was answered.
const drainWithin = time.Second

// drain takes in what is left of the body of an import that was given up. In full duplex net/http would come to its end only after the
// handler has returned, begin to watch the connection from there, and take that for a second reader of the next request.
func (s *lineStream) drain(body io.Reader) {
	_ = s.control.Flush()
	_ = s.control.SetReadDeadline(s.api.now().Add(drainWithin))
	_, _ = io.Copy(io.Discard, body)
}

// readLine reads a line without its end, dropping one that is over the limit. A blank line is
// returned as one space, so that lines keep their numbers.
func readLine(reader *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, more, err := reader.ReadLine()
		if err != nil {
			return line, tooLong, err
		}
		if tooLong = tooLong || len(line)+len(part) > maxImportLine; !tooLong {
			line = append(line, part...)
		}
		if !more {
			if len(line) == 0 {
				line = []byte{' '}
			}
			return line, tooLong, nil
		}
	}
}

var errLineTooLong = privacy.NewError(privacy.KindTooLarge, "line_too_long", "a line is at most 1 MiB")
