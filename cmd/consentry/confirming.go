package main

import (
	"crypto/rand"
	"net/url"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/privacy"
)

// confirmingFlags say how consents are confirmed by message (double opt-in).
type confirmingFlags struct {
	PublicURL       string        `help:"Where people reach this service, for the links in messages; without it none are sent." placeholder:"URL"`
	ConfirmWithin   time.Duration `help:"How long the link to confirm a consent works." default:"48h"`
	SMTPHost        string        `name:"smtp-host" help:"Server that takes email; without it none is sent." placeholder:"HOST"`
	SMTPPort        int           `name:"smtp-port" help:"Its port." default:"587"`
	SMTPSecurity    string        `name:"smtp-security" help:"starttls, tls from the first byte, opportunistic, or none for a server on the same machine." enum:"starttls,tls,opportunistic,none" default:"starttls"`
	SMTPUsername    string        `name:"smtp-username" help:"Name to log in with, if any." placeholder:"NAME"`
	SMTPPassword    string        `name:"smtp-password" help:"Password for it." placeholder:"PASSWORD"`
	SMTPFrom        string        `name:"smtp-from" help:"Sender of the messages." default:"privacy@example.com"`
	SMTPTimeout     time.Duration `name:"smtp-timeout" help:"Bound on each delivery." default:"15s"`
	SMSGatewayURL   string        `name:"sms-gateway-url" help:"Webhook that sends text messages, posted {\"to\", \"text\"}; without it none are sent." placeholder:"URL"`
	SMSGatewayToken string        `name:"sms-gateway-token" help:"Bearer token for it." placeholder:"TOKEN"`
}

func (f confirmingFlags) confirming() (custody.Confirming, error) {
	c := custody.Confirming{PublicURL: strings.TrimRight(f.PublicURL, "/"), Within: f.ConfirmWithin}
	if c.PublicURL == "" && (f.SMTPHost != "" || f.SMSGatewayURL != "") {
		return c, privacy.Invalid("public_url_missing", "messages hold links: set --public-url too")
	}
	if parsed, err := url.Parse(c.PublicURL); err != nil || c.PublicURL != "" && (parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "") {
		return c, privacy.Invalid("invalid_public_url", "--public-url is not an http or https address")
	}
	if f.SMTPHost != "" {
		smtp, err := mail.NewSMTP(mail.SMTPConfig{Host: f.SMTPHost, Port: f.SMTPPort, Username: f.SMTPUsername, Password: f.SMTPPassword, From: f.SMTPFrom,
			Security: mail.Security(f.SMTPSecurity), Timeout: f.SMTPTimeout, Now: time.Now, Random: rand.Reader})
		if err != nil {
			return c, err
		}
		c.Email = smtp
	}
	if f.SMSGatewayURL != "" {
		gateway, err := mail.NewGateway(f.SMSGatewayURL, f.SMSGatewayToken)
		if err != nil {
			return c, err
		}
		c.SMS = gateway
	}
	return c, nil
}
