package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"time"
)

// Config says how receivers are reached. The zero value is right for production.
type Config struct {
	Private bool           // addresses of the own network too
	Plain   bool           // http too, to this machine alone; for development
	Timeout time.Duration  // of one call, from the connection to the end of the answer; 0: 10 s
	RootCAs *x509.CertPool // nil: the system's
}

// Sender makes calls. It is safe for concurrent use; Close it when done.
type Sender struct {
	private, plain bool
	client         *http.Client
	transport      *http.Transport
}

const (
	defaultTimeout = 10 * time.Second
	maxAnswer      = 64 << 10 // bytes read of an answer, so that its connection can be used again
	connsPerHost   = 16
)

// New makes a Sender.
func New(c Config) *Sender {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	s := &Sender{private: c.Private, plain: c.Plain}
	dialer := &net.Dialer{Timeout: c.Timeout, Control: s.guard}
	s.transport = &http.Transport{
		Proxy:                  nil, // a proxy would resolve the name by itself, past the guard
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs},
		TLSHandshakeTimeout:    c.Timeout,
		MaxIdleConnsPerHost:    connsPerHost,
		MaxConnsPerHost:        connsPerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
	s.client = &http.Client{Transport: s.transport, Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// Close gives idle connections up.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Answer is what came of a call.
type Answer struct {
	Status  int     // 0: there was no answer
	Problem Problem // "" when it was accepted
}

// Problem says in a word why a call was not accepted. It is kept and shown; nothing else of an answer is.
type Problem string

// The problems.
const (
	ProblemRefused     Problem = "refused"             // the receiver will not have this message: 3xx and 4xx
	ProblemBusy        Problem = "busy"                // or has too much to do: 408, 425, 429
	ProblemFailed      Problem = "failed"              // or has a problem of its own: 5xx and what is no status
	ProblemUnreachable Problem = "unreachable"         // no connection, or it broke
	ProblemTimeout     Problem = "timeout"             // no answer in time
	ProblemTLS         Problem = "certificate"         // the receiver could not show who it is
	ProblemAddress     Problem = "address_not_allowed" // its name leads into a network that is off limits
)

// Refused reports whether the receiver has looked at the message and will not have it: sending it again is
// unlikely to help, and says nothing about other messages.
func (p Problem) Refused() bool { return p == ProblemRefused }

// Post makes one call. What comes of it is in the answer; an error means that no call was made because
// the context had ended.
func (s *Sender) Post(ctx context.Context, url string, header http.Header, body []byte) (Answer, error) {
	if err := s.CheckURL(url); err != nil {
		return Answer{Problem: ProblemAddress}, nil //nolint:nilerr // told by the answer
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{Problem: ProblemAddress}, nil //nolint:nilerr // told by the answer
	}
	maps.Copy(request.Header, header)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Consentry")
	response, err := s.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		return Answer{Problem: problemOf(err)}, nil
	}
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	_ = response.Body.Close()
	return Answer{Status: response.StatusCode, Problem: problemOfStatus(response.StatusCode)}, nil
}

func problemOfStatus(status int) Problem {
	switch {
	case status >= 200 && status < 300:
		return ""
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return ProblemBusy
	case status >= 300 && status < 500:
		return ProblemRefused
	default:
		return ProblemFailed
	}
}

func problemOf(err error) Problem {
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, errAddress):
		return ProblemAddress
	case errors.As(err, &certificate):
		return ProblemTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return ProblemTimeout
	default:
		return ProblemUnreachable
	}
}
