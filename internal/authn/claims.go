package authn

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// claims are what we read of a token.
type claims struct {
	jwt.RegisteredClaims
	ClientID        string   `json:"client_id,omitempty"` // RFC 9068 §2.2
	AuthorizedParty string   `json:"azp,omitempty"`       // OpenID Connect Core §2
	Roles           roleList `json:"roles,omitempty"`
}

// roleList reads a list of roles or one text with spaces between them.
// UnmarshalJSON refuses times that are texts: RFC 7519 §2 has them as numbers, and the library would read either.
func (c *claims) UnmarshalJSON(data []byte) error {
	var times struct{ Exp, Nbf, Iat json.RawMessage }
	if err := json.Unmarshal(data, &times); err != nil {
		return err
	}
	for _, at := range []json.RawMessage{times.Exp, times.Nbf, times.Iat} {
		if bytes.HasPrefix(at, []byte(`"`)) {
			return errTimeIsText
		}
	}
	type plain claims // without this method
	return json.Unmarshal(data, (*plain)(c))
}

var errTimeIsText = errors.New("a time is a text")

type roleList []privacy.Role

// UnmarshalJSON implements json.Unmarshaler.
func (l *roleList) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*l = nil
		for _, role := range strings.Fields(text) {
			*l = append(*l, privacy.Role(role))
		}
		return nil
	}
	return json.Unmarshal(data, (*[]privacy.Role)(l))
}

// known drops the roles we do not know, and gives the rest sorted and once each.
func (l roleList) known() []privacy.Role {
	roles := slices.DeleteFunc(slices.Clone(l), func(role privacy.Role) bool {
		return !slices.Contains(privacy.Roles(), role)
	})
	slices.Sort(roles)
	return slices.Compact(roles)
}

// reserved is what the vault itself goes by in the audit log; nobody else's token may say it.
const reserved = "consentry"

// A client's id goes into policy input and the audit log as it is.
var clientID = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// holder tells the people apart who hold tokens of one client. A token without a sub is the client's own
// (RFC 9068 §2.2 has such a client as its own sub).
func (c *claims) holder() [sha256.Size]byte {
	return sha256.Sum256([]byte(c.Issuer + "\x00" + cmp.Or(c.Subject, c.ClientID, c.AuthorizedParty)))
}

// caller reads who holds a token whose signature, issuer, audience and times are right.
func (c *claims) caller() (privacy.Caller, error) {
	caller := privacy.Caller{Roles: c.Roles.known()}
	client := cmp.Or(c.ClientID, c.AuthorizedParty)
	switch {
	case len(caller.Roles) == 0:
		return privacy.Caller{}, errNoRole
	case caller.Has(privacy.RoleSubject):
		// Their sub is the person, which must not pass for an application.
		subject, err := privacy.ParseSubjectID(c.Subject)
		if err != nil || subject.IsZero() {
			return privacy.Caller{}, errSubject
		}
		caller.Subject = subject
	default:
		client = cmp.Or(client, c.Subject)
	}
	if client == "" {
		return privacy.Caller{}, errClaimMissing
	}
	if client == reserved || strings.HasPrefix(client, reserved+"-") {
		return privacy.Caller{}, errClient
	}
	if !clientID.MatchString(client) {
		return privacy.Caller{}, errClient
	}
	caller.Client = privacy.ClientID(client)
	caller.Holder = c.holder()
	return caller, nil
}
