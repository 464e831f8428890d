package main

import (
	"context"
	"os"

	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// policyTrialCommand is what the service runs in a process of its own, to try a policy that nobody has approved yet.
type policyTrialCommand struct{}

// Run implements `consentry policy trial`.
func (policyTrialCommand) Run(ctx context.Context, io stdio) error {
	return policy.Child(ctx, os.Stdin, io.out, os.Exit)
}

// trials tries policies in processes of this program.
func trials() (policy.Sandbox, error) {
	path, err := os.Executable()
	if err != nil {
		return policy.Sandbox{}, privacy.Internal(err, "find this program")
	}
	return policy.Sandbox{Path: path, Args: []string{os.Args[0], "policy", "trial"}}, nil
}
