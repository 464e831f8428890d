package main

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/consentry/consentry/internal/api"
)

type openAPICommand struct{}

// Run implements `consentry openapi`. The document follows from the code alone, so nothing needs to be
// running; schemas/openapi.json is a copy of it.
func (openAPICommand) Run(io stdio) error {
	document, err := api.New(api.Config{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Version: "v1"}).OpenAPI()
	if err != nil {
		return err
	}
	_, err = io.out.Write(document)
	return err
}
