package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/demo"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
)

// serve opens the node, loads the demo data on the first start, and answers requests until ctx ends.
func (d *dev) serve(ctx context.Context, config node.Config) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", d.command.Listen)
	if err != nil {
		return errors.Join(privacy.Invalid("listen_failed", "the address to listen on is taken; choose another with --listen"), config.Keyring.Close())
	}
	sandbox, err := trials()
	if err != nil {
		return errors.Join(err, config.Keyring.Close(), listener.Close())
	}
	config.Try = sandbox.Try
	n, err := node.Open(ctx, config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return errors.Join(d.introduce(ctx, n, listener), n.Close(ctx))
}

func (d *dev) introduce(ctx context.Context, n *node.Node, listener net.Listener) error {
	subject, err := d.demoData(ctx, n.Service)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	url := "http://" + listener.Addr().String()
	if err := d.writeEnv(url, subject); err != nil {
		return errors.Join(err, listener.Close())
	}
	_, _ = fmt.Fprintf(d.io.out, introduction, url, d.envName())
	return n.Serve(ctx, listener)
}

// demoSeed makes the demo people the same on every machine.
const demoSeed = 1

// demoData loads the demo people unless they are there, and gives the id of the first one who was not erased since.
func (d *dev) demoData(ctx context.Context, service *custody.Service) (privacy.SubjectID, error) {
	nobody, err := privacy.NewSubjectID(time.Now(), zeroes{})
	if d.command.NoDemo || err != nil {
		return nobody, err
	}
	people := demo.People(d.command.People, demoSeed, time.Now())
	if _, err := find(ctx, service, people[len(people)-1]); privacy.KindOf(err) == privacy.KindNotFound {
		_, _ = fmt.Fprintf(d.io.err, "loading %d demo people …\n", len(people))
		if _, err := demo.Load(ctx, service, people, func(int) {}); err != nil {
			return privacy.SubjectID{}, err
		}
	} else if err != nil {
		return privacy.SubjectID{}, err
	}
	for _, person := range people {
		if id, err := find(ctx, service, person); err == nil || privacy.KindOf(err) != privacy.KindNotFound {
			return id, err
		}
	}
	return nobody, nil
}

func find(ctx context.Context, service *custody.Service, person demo.Person) (privacy.SubjectID, error) {
	identifier, err := service.NormaliseIdentifier(person.Draft.Identifiers[0], "")
	if err != nil {
		return privacy.SubjectID{}, err
	}
	return service.Subject(ctx, custody.Caller{Caller: privacy.Caller{Client: demo.Client}}, custody.SubjectRef{Identifier: identifier})
}

// zeroes is the randomness of an id that stands for nobody.
type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

const introduction = `
Consentry is running at %[1]s (API reference: %[1]s/docs). Ctrl-C stops it.
Its address and a token for every role are in %[2]s. Load them, then try:

  set -a; . %[2]s; set +a
  ask() { curl -s -H "Authorization: Bearer $1" -H 'Content-Type: application/json' "$CONSENTRY_URL$2" ${3:+-d "$3"}; echo; }

  # a permitted disclosure: Anna has agreed to email
  ask $CONSENTRY_TOKEN_CONSUMER /v1/disclosures '{"purpose":"marketing.email","attributes":["email","given_name","city","income"],"subjects":[{"identifier":{"type":"email","value":"anna.schmidt@example.com"}}]}'
  # a denied one: Li Wei has not
  ask $CONSENTRY_TOKEN_CONSUMER /v1/disclosures '{"purpose":"marketing.email","attributes":["email","given_name"],"subjects":[{"identifier":{"type":"email","value":"li.wei@example.com"}}]}'
  # Anna withdraws; then run the first one again
  ask $CONSENTRY_TOKEN_AGENT /v1/consents '{"subject":{"identifier":{"type":"email","value":"anna.schmidt@example.com"}},"purpose":"marketing.email","action":"withdraw"}'
  # the proof that it is all on record
  ask $CONSENTRY_TOKEN_AUDITOR "/v1/audit/proof/inclusion?entry=$(ask $CONSENTRY_TOKEN_AUDITOR '/v1/audit/entries?client=crm-mailer&limit=1' | sed 's/.*"id":"\([^"]*\)".*/\1/')"
`
