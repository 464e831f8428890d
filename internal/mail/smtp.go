package mail

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/consentry/consentry/internal/privacy"
)

// SMTPConfig says which server takes email, and how to speak to it.
type SMTPConfig struct {
	Host     string
	Port     int
	Username string // "" for none
	Password string
	From     string // the sender, "Name <address>" or the address alone
	Security Security
	Timeout  time.Duration // of a delivery; 0: 15 s
	TLS      *tls.Config   // nil: the system's authorities
	Now      func() time.Time
	Random   io.Reader // for message ids
}

// Security says how the connection is kept from being read.
type Security string

// The kinds of security. None is for servers on the same machine.
const (
	StartTLS      Security = "starttls" // or nothing is sent
	ImplicitTLS   Security = "tls"
	Opportunistic Security = "opportunistic"
	NoTLS         Security = "none"
)

// SMTP sends email. It holds no connection between messages.
type SMTP struct {
	config SMTPConfig
	from   *mail.Address
	domain string
}

// NewSMTP checks the settings. No server is asked.
func NewSMTP(config SMTPConfig) (*SMTP, error) {
	from, err := mail.ParseAddress(config.From)
	if err != nil {
		return nil, privacy.Invalid("invalid_mail_settings", "the sender's address is not one")
	}
	if config.Timeout <= 0 {
		config.Timeout = 15 * time.Second
	}
	s := &SMTP{config: config, from: from, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	if _, err := s.client(&line{}); err != nil {
		return nil, privacy.Invalid("invalid_mail_settings", "the server for email is not named by a host and a port, or its security is unknown")
	}
	return s, nil
}

// line is the connection of one delivery. The client leaves it open when the two cannot agree on TLS.
type line struct{ conn net.Conn }

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

func (s *SMTP) dial(l *line) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		if s.config.Security == ImplicitTLS {
			conn, err = (&tls.Dialer{Config: s.config.TLS}).DialContext(ctx, network, address)
		} else {
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
		}
		l.conn = conn
		return conn, err
	}
}

func (s *SMTP) client(l *line) (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithDialContextFunc(s.dial(l)), gomail.WithPort(s.config.Port), gomail.WithTimeout(s.config.Timeout), gomail.WithHELO(s.domain)}
	switch s.config.Security {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case Opportunistic:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case ImplicitTLS:
		options = append(options, gomail.WithSSL())
	default:
		return nil, errors.New("unknown security")
	}
	if s.config.TLS != nil {
		options = append(options, gomail.WithTLSConfig(s.config.TLS))
	}
	if s.config.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.config.Username), gomail.WithPassword(s.config.Password))
	}
	return gomail.NewClient(s.config.Host, options...)
}

// Send hands a message over to the server. KindUnavailable is worth another try.
func (s *SMTP) Send(ctx context.Context, to privacy.Cleartext, message Message) error {
	letter, err := s.letter(to, message)
	if err != nil {
		return err
	}
	l := &line{}
	defer l.close()
	client, err := s.client(l)
	if err != nil {
		return unavailable()
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	var failed *gomail.SendError
	switch err := client.DialAndSendWithContext(ctx, letter); {
	case err == nil || letter.IsDelivered(): // a server that hangs up after taking it has taken it
		return nil
	case errors.As(err, &failed) && !failed.IsTemp() && failed.ErrorCode() >= 500:
		return refused()
	default:
		return unavailable()
	}
}

func (s *SMTP) letter(to privacy.Cleartext, message Message) (*gomail.Msg, error) {
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	letter.FromMailAddress(s.from)
	if err := to.Borrow(func(address string) error { return letter.To(address) }); err != nil {
		return nil, refused()
	}
	var id [16]byte
	if _, err := io.ReadFull(s.config.Random, id[:]); err != nil {
		return nil, privacy.Internal(err, "name a message")
	}
	letter.SetMessageIDWithValue(hex.EncodeToString(id[:]) + "@" + s.domain)
	letter.SetDateWithValue(s.config.Now())
	letter.SetGenHeader(gomail.Header("Auto-Submitted"), "auto-generated") // RFC 3834: no vacation notes, please
	letter.Subject(message.Subject)
	letter.SetBodyString(gomail.TypeTextPlain, message.Text)
	return letter, nil
}
