package localserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// vaultKeys are what opens a private Vault, in its vault.json.
type vaultKeys struct {
	UnsealKey string `json:"unseal_key"`
	RootToken string `json:"root_token"`
}

// activate initialises a new Vault and unseals it. One key share is enough where the key
// lies beside the data anyway.
func (v *Vault) activate(ctx context.Context) error {
	var state struct {
		Initialized bool `json:"initialized"`
	}
	if err := v.client.get(ctx, "sys/init", &state); err != nil {
		return err
	}
	if !state.Initialized {
		if err := v.initialise(ctx); err != nil {
			return fmt.Errorf("initialise: %w", err)
		}
	} else if err := v.readKeys(); err != nil {
		return err
	}
	return v.Unseal(ctx)
}

func (v *Vault) initialise(ctx context.Context) error {
	var made struct {
		Keys      []string `json:"keys_base64"`
		RootToken string   `json:"root_token"`
	}
	shares := map[string]int{"secret_shares": 1, "secret_threshold": 1}
	if err := v.client.call(ctx, "", "sys/init", shares, &made); err != nil {
		return err
	}
	if len(made.Keys) != 1 {
		return errors.New("the server made no unseal key")
	}
	v.keys = vaultKeys{UnsealKey: made.Keys[0], RootToken: made.RootToken}
	if v.config.Dir == "" {
		return nil
	}
	content, err := json.Marshal(v.keys)
	if err != nil {
		return err
	}
	return os.WriteFile(v.keysFile(), content, 0o600)
}

func (v *Vault) readKeys() error {
	content, err := os.ReadFile(v.keysFile())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the data in %s cannot be unsealed without its vault.json; delete the folder to begin anew", v.home)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(content, &v.keys)
}

func (v *Vault) keysFile() string { return filepath.Join(v.home, "vault.json") }

// vaultClient speaks the few calls of Vault's HTTP API that its owner needs.
type vaultClient struct {
	address string
	http    *http.Client
}

func newVaultClient(address string) vaultClient {
	return vaultClient{address, &http.Client{Timeout: vaultPatience, Transport: &http.Transport{DisableKeepAlives: true}}}
}

func (c vaultClient) call(ctx context.Context, token, path string, body, answer any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPut, token, path, content, answer)
}

func (c vaultClient) get(ctx context.Context, path string, answer any) error {
	return c.do(ctx, http.MethodGet, "", path, nil, answer)
}

func (c vaultClient) do(ctx context.Context, method, token, path string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.address+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("X-Vault-Token", token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end or given up
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: HTTP status %d", path, response.StatusCode)
	}
	if answer == nil || response.StatusCode == http.StatusNoContent {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// answers reports whether the server takes requests, sealed or not.
func (c vaultClient) answers(ctx context.Context) bool {
	return c.get(ctx, "sys/seal-status", nil) == nil
}

// active reports whether the server is unsealed and leads: with its defaults, the health
// call answers 200 for that alone.
func (c vaultClient) active(ctx context.Context) bool {
	return c.get(ctx, "sys/health", nil) == nil
}

// hangs reports whether a request stays without an answer for far longer than one takes.
func (c vaultClient) hangs(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	return errors.Is(c.get(ctx, "sys/health", nil), context.DeadlineExceeded)
}
