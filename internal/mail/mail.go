// Package mail carries messages to the people they are about: by email through an SMTP server, by text message
// through a gateway that takes webhooks.
//
// The address a message goes to is a personal value. It comes as [privacy.Cleartext] and is lent to the
// protocol alone; no error here repeats it, or what the other side says of it, because servers quote
// addresses in their refusals.
package mail

import (
	"bytes"
	"embed"
	"strings"
	"text/template"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Message is a text for somebody.
type Message struct {
	Subject string // of an email
	Text    string
}

// Confirmation is what somebody is told who is to confirm a consent.
type Confirmation struct {
	Controller string
	Purpose    string // its title, in the language of the message
	Link       string
	ExpiresAt  time.Time
}

// RequestCode is what somebody is told in whose name something was asked about their data.
type RequestCode struct {
	Controller string
	Code       string
	ExpiresAt  time.Time
}

// ExportLink is what somebody is told whose file can be fetched.
type ExportLink struct {
	Controller string
	Link       string
	ExpiresAt  time.Time
}

// Channel says how a message goes.
type Channel string

// The channels.
const (
	Email Channel = "email"
	SMS   Channel = "sms"
)

//go:embed templates/*.txt
var templates embed.FS

// Languages are those that messages are written in, the one for everybody else first.
func Languages() []string { return []string{"en", "zh", "de"} }

// Language gives the one of [Languages] that serves a BCP 47 tag best.
func Language(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	for _, language := range Languages() {
		if language == primary {
			return language
		}
	}
	return Languages()[0]
}

// Confirm writes the message that asks for a confirmation, in the language of the tag.
func Confirm(channel Channel, tag string, c Confirmation) (Message, error) {
	return write("confirm", channel, tag, struct {
		Confirmation
		Until string
	}{c, until(c.ExpiresAt)})
}

// Code writes the message that brings a code, in the language of the tag.
func Code(channel Channel, tag string, c RequestCode) (Message, error) {
	return write("code", channel, tag, struct {
		RequestCode
		Until string
	}{c, until(c.ExpiresAt)})
}

// Export writes the message that brings a link to a file, in the language of the tag.
func Export(channel Channel, tag string, e ExportLink) (Message, error) {
	return write("export", channel, tag, struct {
		ExportLink
		Until string
	}{e, until(e.ExpiresAt)})
}

func until(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 MST") }

func write(name string, channel Channel, tag string, content any) (Message, error) {
	parsed, err := template.ParseFS(templates, "templates/"+name+"."+string(channel)+"."+Language(tag)+".txt")
	if err != nil {
		return Message{}, privacy.Internal(nil, "read the text of a message")
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, content); err != nil {
		return Message{}, privacy.Internal(nil, "write a message")
	}
	if channel == SMS {
		return Message{Text: strings.TrimSpace(text.String())}, nil
	}
	subject, body, _ := strings.Cut(text.String(), "\n\n")
	return Message{Subject: subject, Text: body}, nil
}

// Refused is given when the other side will not take the message, now or later.
func refused() error {
	return privacy.Invalid("message_refused", "the message was refused for good")
}

func unavailable() error {
	return privacy.Unavailable(nil, "message_not_sent", "the message could not be handed over; it is tried again")
}
