package testenv

import (
	"bufio"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// SMTPServer takes email over a real connection and keeps it.
type SMTPServer struct {
	Host    string
	Port    int
	Refuse  string // the answer to RCPT when set, "550 no such user" for instance
	Letters chan Letter
	serving sync.WaitGroup
}

// Letter is an email as it arrived.
type Letter struct{ From, To, Data string }

// NewSMTP starts a server that ends with the test.
func NewSMTP(t testing.TB, refuse string) *SMTPServer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	s := &SMTPServer{Host: host, Refuse: refuse, Letters: make(chan Letter, 100)}
	s.Port, _ = strconv.Atoi(port)
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.talk(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.serving.Wait()
	})
	return s
}

// talk speaks as much of RFC 5321 as a sender needs.
func (s *SMTPServer) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	lines := bufio.NewReader(conn)
	say := func(line string) { _, _ = conn.Write([]byte(line + "\r\n")) }
	say("220 test")
	var letter Letter
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch verb := strings.ToUpper(strings.SplitN(line, " ", 2)[0]); {
		case verb == "EHLO":
			say("250-test")
			say("250 8BITMIME")
		case verb == "MAIL":
			letter = Letter{From: line}
			say("250 ok")
		case verb == "RCPT" && s.Refuse != "":
			say(s.Refuse)
		case verb == "RCPT":
			letter.To = line
			say("250 ok")
		case verb == "DATA":
			say("354 go on")
			letter.Data = body(lines)
			s.Letters <- letter
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func body(lines *bufio.Reader) string {
	var data strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return data.String()
		}
		data.WriteString(strings.TrimPrefix(line, "."))
	}
}
