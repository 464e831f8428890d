package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	hcvault "github.com/hashicorp/vault/api"
)

// session is a client of Vault with a token that is kept alive: renewed before it ends,
// replaced by a new log-in when it cannot be renewed or Vault stops taking it.
type session struct {
	client *hcvault.Client
	method hcvault.AuthMethod // nil for a plain token
	now    func() time.Time
	log    *slog.Logger

	turn    chan struct{} // holds one token: whoever has it may log in
	lastTry time.Time     // when a log-in was last tried after a refusal

	renewing sync.WaitGroup
	end      context.CancelFunc
}

// loginPause is the least time between two log-ins, so that requests which the policy
// forbids do not turn into a storm of them.
const loginPause = time.Second

// The renewal of a token is tried after two thirds of its time, and then at
// intervals in these bounds.
const (
	minRenewal = time.Second
	retryRenew = 10 * time.Second
)

func openSession(ctx context.Context, client *hcvault.Client, method hcvault.AuthMethod, o Options) (*session, error) {
	s := &session{client: client, method: method, now: o.Now, log: o.Log, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	lifetime, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	s.end = end
	s.renewing.Go(func() { s.renew(life, lifetime) })
	return s, nil
}

func (s *session) close() {
	s.end()
	s.renewing.Wait()
	s.client.ClearToken()
}

// begin gets the first token, or looks at the one that was given, and says how long it
// lasts; zero is for ever.
func (s *session) begin(ctx context.Context) (time.Duration, error) {
	if s.method != nil {
		return s.login(ctx)
	}
	token, err := s.client.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return 0, vaultError(err)
	}
	lifetime, err := token.TokenTTL()
	if err != nil {
		return 0, unavailable(err)
	}
	return lifetime, nil
}

func (s *session) login(ctx context.Context) (time.Duration, error) {
	secret, err := s.client.Auth().Login(ctx, s.method)
	if err != nil {
		return 0, fmt.Errorf("log in to Vault: %w", vaultError(err))
	}
	return time.Duration(secret.Auth.LeaseDuration) * time.Second, nil
}

// renew keeps the token alive until the session ends.
func (s *session) renew(life context.Context, lifetime time.Duration) {
	if lifetime == 0 {
		return
	}
	timer := time.NewTimer(renewAfter(lifetime))
	defer timer.Stop()
	for {
		select {
		case <-life.Done():
			return
		case <-timer.C:
		}
		next, err := s.prolong(life, lifetime)
		if err != nil && life.Err() == nil {
			s.log.WarnContext(life, "the token for Vault could not be renewed", "error", err)
			timer.Reset(min(retryRenew, renewAfter(lifetime)))
			continue
		}
		timer.Reset(renewAfter(next))
	}
}

func renewAfter(lifetime time.Duration) time.Duration { return max(minRenewal, lifetime*2/3) }

// prolong renews the token; when that fails or a token near its greatest age gains
// little, it logs in anew if it can.
func (s *session) prolong(ctx context.Context, lifetime time.Duration) (time.Duration, error) {
	secret, err := s.client.Auth().Token().RenewSelfWithContext(ctx, int(lifetime/time.Second))
	if err == nil && secret.Auth != nil {
		next := time.Duration(secret.Auth.LeaseDuration) * time.Second
		if next >= lifetime/2 || s.method == nil {
			return next, nil
		}
	}
	if s.method != nil {
		return s.login(ctx)
	}
	if err == nil {
		err = errors.New("the answer holds no token")
	}
	return 0, vaultError(err)
}

// ask sends a request. If Vault refuses the token, it logs in anew, once, and asks again.
func ask[T any](ctx context.Context, s *session, request func(*hcvault.Client) (T, error)) (T, error) {
	token := s.client.Token()
	answer, err := request(s.client)
	if isStatus(err, http.StatusForbidden) && s.method != nil && s.relogin(ctx, token) {
		answer, err = request(s.client)
	}
	return answer, err
}

// relogin replaces a token that was refused, unless another caller just did.
func (s *session) relogin(ctx context.Context, refused string) bool {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return false
	}
	defer func() { s.turn <- struct{}{} }()
	if s.client.Token() != refused {
		return true
	}
	if s.now().Sub(s.lastTry) < loginPause {
		return false
	}
	s.lastTry = s.now()
	if _, err := s.login(ctx); err != nil {
		s.log.WarnContext(ctx, "Vault refused the token and a new log-in failed", "error", err)
		return false
	}
	return true
}

func isStatus(err error, status int) bool {
	var answer *hcvault.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == status
}

// isRefusal tells Vault's reasons for "bad request" apart, for which it has only words.
func isRefusal(err error, words string) bool {
	var answer *hcvault.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusBadRequest &&
		strings.Contains(strings.Join(answer.Errors, "\n"), words)
}

// vaultError makes the client's failures ErrUnavailable, with Vault's own words but without what was sent. Of a
// request that got no answer they are the client's words, which name Vault's address and the path.
func vaultError(err error) error {
	if err == nil {
		return nil
	}
	var answer *hcvault.ResponseError
	if errors.As(err, &answer) {
		return unavailable(fmt.Errorf("it answered %d: %s", answer.StatusCode, strings.Join(answer.Errors, "; ")))
	}
	return unavailable(err)
}
