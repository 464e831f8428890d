package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"

	"github.com/consentry/consentry/internal/privacy"
)

const (
	// maxTokenBytes is more than any provider's token needs, and little enough to hash.
	maxTokenBytes = 8 << 10
	// maxRemembered bounds the memory for verified tokens to a few megabytes.
	maxRemembered = 10_000
	// rememberFor is how long a verified token is taken without looking at its signature
	// again, and so how long it can outlive the removal of its key from the key set.
	rememberFor = time.Minute
)

// Config says whose tokens are taken.
type Config struct {
	Issuer   string // the only accepted iss
	Audience string // must be among aud
	JWKSURL  string // where the issuer's keys are: https, or http on this machine
	JWKSFile string // or a file that holds them; exactly one of the two
	// Leeway is how far the issuer's clock may be off; zero for not at all.
	Leeway time.Duration
}

// Verifier verifies bearer tokens. It may be used by many goroutines at once, and
// has none of its own.
type Verifier struct {
	now        func() time.Time
	keys       *keySet
	parser     *jwt.Parser
	remembered *otter.Cache[[sha256.Size]byte, verified]
}

// verified is a token found good, and until when that holds.
type verified struct {
	caller privacy.Caller
	until  time.Time
}

// New makes a verifier. It reads the keys once: a file must be there, while an issuer
// that is away at the start is asked again when a token comes.
func New(ctx context.Context, config Config, now func() time.Time) (*Verifier, error) {
	if config.Issuer == "" || config.Audience == "" {
		return nil, privacy.Invalid("authn_config", "name the issuer and the audience of tokens")
	}
	keys, err := newKeySet(config, now)
	if err != nil {
		return nil, err
	}
	remembered, err := otter.New(&otter.Options[[sha256.Size]byte, verified]{MaximumSize: maxRemembered})
	if err != nil {
		return nil, privacy.Internal(err, "make the cache of verified tokens")
	}
	if keys.refresh(ctx) == nil && config.JWKSFile != "" {
		return nil, privacy.Invalid("authn_config", "the file with the issuer's keys cannot be read as a JSON Web Key Set")
	}
	return &Verifier{
		now:        now,
		keys:       keys,
		remembered: remembered,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{"RS256", "ES256", "EdDSA"}),
			jwt.WithIssuer(config.Issuer),
			jwt.WithAudience(config.Audience),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(), // not in the future
			jwt.WithStrictDecoding(),
			jwt.WithLeeway(config.Leeway),
			jwt.WithTimeFunc(now),
		),
	}, nil
}

// Ready tells whether tokens can be verified now; the error is of kind unavailable.
func (v *Verifier) Ready(ctx context.Context) error {
	_, err := v.keys.usable(ctx)
	return err
}

// Close forgets every verified token.
func (v *Verifier) Close() { v.remembered.InvalidateAll() }

// Verify tells who holds the token. Errors are of kind unauthenticated, forbidden for a
// good token without a known role, and unavailable when the issuer's keys cannot be had.
// They say nothing of what the token holds.
func (v *Verifier) Verify(ctx context.Context, bearer string) (privacy.Caller, error) {
	if bearer == "" {
		return privacy.Caller{}, errMissing
	}
	if len(bearer) > maxTokenBytes {
		return privacy.Caller{}, errInvalid
	}
	digest := sha256.Sum256([]byte(bearer))
	now := v.now()
	if known, found := v.remembered.GetIfPresent(digest); found && now.Before(known.until) {
		return clone(known.caller), nil
	}
	caller, expires, err := v.verify(ctx, bearer)
	if err != nil {
		return privacy.Caller{}, err
	}
	until := now.Add(rememberFor)
	if expires.Before(until) {
		until = expires
	}
	v.remembered.Set(digest, verified{caller, until})
	return clone(caller), nil
}

// clone gives each call a list of roles of its own: what is remembered must not change.
func clone(caller privacy.Caller) privacy.Caller {
	caller.Roles = slices.Clone(caller.Roles)
	return caller
}

func (v *Verifier) verify(ctx context.Context, bearer string) (privacy.Caller, time.Time, error) {
	var held claims
	_, err := v.parser.ParseWithClaims(bearer, &held, func(token *jwt.Token) (any, error) {
		// We understand no extension, and must not take a token that insists on one (RFC 7515 §4.1.11).
		if _, insists := token.Header["crit"]; insists {
			return nil, errInvalid
		}
		return v.keys.key(ctx, token)
	})
	if err != nil {
		return privacy.Caller{}, time.Time{}, refusal(err)
	}
	caller, err := held.caller()
	return caller, held.ExpiresAt.Time, err
}

// The refusals. They stand alone: what a parser says about a token may quote it.
var (
	errMissing       = privacy.NewError(privacy.KindUnauthenticated, "token_missing", "send a token in the header Authorization: Bearer …")
	errInvalid       = privacy.NewError(privacy.KindUnauthenticated, "token_invalid", "the token is not one this service can verify; get a new one")
	errUnknownKey    = privacy.NewError(privacy.KindUnauthenticated, "token_unknown_key", "the token is signed with a key the issuer does not publish; get a new one")
	errExpired       = privacy.NewError(privacy.KindUnauthenticated, "token_expired", "the token has expired; get a new one")
	errNotYetValid   = privacy.NewError(privacy.KindUnauthenticated, "token_not_yet_valid", "the token is not valid yet; check the clocks")
	errWrongAudience = privacy.NewError(privacy.KindUnauthenticated, "token_wrong_audience", "the token is for another service; ask for one with this service's audience")
	errWrongIssuer   = privacy.NewError(privacy.KindUnauthenticated, "token_wrong_issuer", "the token is from another issuer; get one from the issuer of this service")
	errClaimMissing  = privacy.NewError(privacy.KindUnauthenticated, "token_claim_missing", "the token needs the claims iss, aud, exp, roles and client_id")
	errClient        = privacy.NewError(privacy.KindUnauthenticated, "token_invalid_client", "client_id must be 1 to 64 of a-z, 0-9, dot, hyphen and underscore")
	errSubject       = privacy.NewError(privacy.KindUnauthenticated, "token_invalid_subject", "a token with the role subject needs the subject's id in sub")
	errNoRole        = privacy.NewError(privacy.KindForbidden, "token_no_role", "the token has no role that this service knows")
)

// refusal maps what the parser found to ours. The order is from what was looked at first:
// claims mean nothing before the signature holds.
func refusal(err error) error {
	var ours *privacy.Error
	if errors.As(err, &ours) {
		return ours
	}
	for _, found := range []struct {
		cause   error
		refusal *privacy.Error
	}{
		{jwt.ErrTokenMalformed, errInvalid},
		{jwt.ErrTokenUnverifiable, errInvalid},
		{jwt.ErrTokenSignatureInvalid, errInvalid},
		{jwt.ErrTokenExpired, errExpired},
		{jwt.ErrTokenNotValidYet, errNotYetValid},
		{jwt.ErrTokenUsedBeforeIssued, errNotYetValid},
		{jwt.ErrTokenInvalidIssuer, errWrongIssuer},
		{jwt.ErrTokenInvalidAudience, errWrongAudience},
		{jwt.ErrTokenRequiredClaimMissing, errClaimMissing},
	} {
		if errors.Is(err, found.cause) {
			return found.refusal
		}
	}
	return errInvalid
}
