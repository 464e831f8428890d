package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
)

type serveCommand struct {
	Database databaseFlags `embed:""`
	Keyring  keyringFlags  `embed:""`
	Authn    authnFlags    `embed:""`
	Service  serviceFlags  `embed:""`

	Controller controllerFlags `embed:""`
	Confirming confirmingFlags `embed:""`
}

// Run implements `consentry serve`.
func (c *serveCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	confirming, err := c.Confirming.confirming()
	if err != nil {
		return err
	}
	keys, err := c.Keyring.open(ctx, keyringOptions(log))
	if err != nil {
		return err
	}
	controller := c.Controller.controller()
	if controller.Name == privacy.ExampleController().Name {
		log.WarnContext(ctx, "receipts are made out in the name of an example; set --controller-name and what belongs to it")
	}
	config := node.Config{DatabaseURL: c.Database.DatabaseURL, MaxConns: c.Database.MaxConns, Authn: c.Authn.config(), Controller: controller, Confirming: confirming}
	return serve(ctx, config, c.Service, keys, log, func(url string) { _, _ = fmt.Fprintln(io.out, "listening on", url) })
}

// serve runs a node until ctx ends. Ready is told the URL once requests are answered.
func serve(ctx context.Context, config node.Config, flags serviceFlags, keys *keyring.Keyring, log *slog.Logger, ready func(url string)) error {
	config.Keyring, config.Log, config.Version = keys, log, version()
	config.Origin, config.PerSecond, config.Proxies, config.TraceURL = flags.Origin, flags.RateLimit, flags.TrustedProxies, flags.TraceURL
	config.Webhooks.Private, config.NoSegments = flags.WebhookPrivate, flags.NoSegments
	sandbox, err := trials()
	if err != nil {
		return errors.Join(err, keys.Close())
	}
	config.Try = sandbox.Try
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", flags.Listen)
	if err != nil {
		return errors.Join(privacy.Invalid("listen_failed", "the address to listen on cannot be used; is another service running there?"), keys.Close())
	}
	n, err := node.Open(ctx, config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	ready("http://" + listener.Addr().String())
	return errors.Join(n.Serve(ctx, listener), n.Close(ctx))
}
