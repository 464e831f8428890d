package main

import (
	"context"
	"os"
	"strings"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

const (
	sourceCurrent = "current"
	sourceBuiltin = "builtin"
)

// policySource finds policies wherever they are kept.
type policySource struct {
	remote policyAPIFlags
	jwks   string
}

// read gives the policy of a name: a folder, a bundle, a revision's id, current or builtin.
func (s policySource) read(ctx context.Context, name string) (policy.Revision, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return policy.ReadFolder(os.DirFS(name))
	case err == nil:
		return s.bundle(ctx, name)
	case name == sourceBuiltin:
		return builtinPolicy()
	case name == sourceCurrent || isRevisionID(name):
		remote, err := newPolicyAPI(s.remote)
		if err != nil {
			return policy.Revision{}, err
		}
		defer remote.close()
		return remote.revision(ctx, name)
	default:
		return policy.Revision{}, privacy.Invalid("no_policy", "name a folder, a bundle, a revision's id, current or builtin")
	}
}

func isRevisionID(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}

// builtinPolicy is what a vault starts with.
func builtinPolicy() (policy.Revision, error) {
	words, err := catalogue.Load()
	if err != nil {
		return policy.Revision{}, err
	}
	return policy.Default(words.PolicyData())
}

func (s policySource) bundle(ctx context.Context, name string) (policy.Revision, error) {
	if s.jwks == "" {
		return policy.Revision{}, privacy.Invalid("no_keys", "name the key set of who signed the bundle with --jwks")
	}
	keys, err := keysFrom(ctx, s.jwks)
	if err != nil {
		return policy.Revision{}, err
	}
	file, err := os.Open(name)
	if err != nil {
		return policy.Revision{}, privacy.Invalid("unreadable_file", "the bundle cannot be read")
	}
	defer func() { _ = file.Close() }()
	return policy.ImportBundle(file, keys)
}
