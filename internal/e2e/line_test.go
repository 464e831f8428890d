package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
)

// line is a connection on which one call follows the other. It does no more for a call than to write it and to read the answer: where the
// vault is compared with something that is not called over HTTP, what the caller's own library costs is no part of it.
type line struct {
	connection net.Conn
	answers    *bufio.Reader
	head       string // of every call, but for the body's length
	call       []byte
}

// dial opens a line for calls of one kind.
func (v *vault) dial(tb testing.TB, method, path, token string) *line {
	tb.Helper()
	address, err := url.Parse(v.url)
	if err != nil {
		tb.Fatal(err)
	}
	connection, err := net.Dial("tcp", address.Host)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = connection.Close() })
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: ", method, path, address.Host, token)
	return &line{connection: connection, answers: bufio.NewReaderSize(connection, 16<<10), head: head}
}

// send makes a call, and gives the status of its answer.
func (l *line) send(body string) (status int) {
	l.call = fmt.Appendf(append(l.call[:0], l.head...), "%d\r\n\r\n%s", len(body), body)
	if _, err := l.connection.Write(l.call); err != nil {
		panic(err)
	}
	answer, err := http.ReadResponse(l.answers, nil)
	if err != nil {
		panic(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		panic(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
