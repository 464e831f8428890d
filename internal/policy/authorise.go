package policy

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// Operation names an operation of the API, as its OpenAPI description does, such as
// "consents-record".
type Operation string

// AuthzInput is the question whether a caller may call an operation on a resource.
type AuthzInput struct {
	Caller    AuthzCaller   `json:"caller"`
	Operation Operation     `json:"operation"`
	Resource  AuthzResource `json:"resource"`
}

// AuthzCaller is the caller as consentry.authz sees it. Subject is set only when a person
// calls for themselves.
type AuthzCaller struct {
	Client  privacy.ClientID `json:"client"`
	Roles   []privacy.Role   `json:"roles"`
	Subject string           `json:"subject,omitempty"`
}

// AuthzResource is what the operation is about. Subject is whose data it concerns, empty
// when it concerns nobody's or several people's.
type AuthzResource struct {
	Subject string `json:"subject,omitempty"`
}

// NewAuthzInput asks about a caller; pass the zero SubjectID for an operation that
// concerns no one subject.
func NewAuthzInput(caller privacy.Caller, operation Operation, about privacy.SubjectID) AuthzInput {
	input := AuthzInput{Caller: AuthzCaller{Client: caller.Client, Roles: caller.Roles}, Operation: operation}
	if !caller.Subject.IsZero() {
		input.Caller.Subject = caller.Subject.String()
	}
	if !about.IsZero() {
		input.Resource.Subject = about.String()
	}
	return input
}

// Authorise says whether the revision's consentry.authz allows the call. Everything but
// a plain true is false; the error says only that the question could not be put.
func (e *Engine) Authorise(ctx context.Context, id privacy.RevisionID, input AuthzInput) (bool, error) {
	ready, err := e.revision(id)
	if err != nil {
		return false, err
	}
	input.Caller.Roles = distinct(input.Caller.Roles)
	input.Caller.Subject = strings.ToLower(input.Caller.Subject)
	input.Resource.Subject = strings.ToLower(input.Resource.Subject)
	key := permissionKey(id, &input)
	if allowed, known := e.permissions.GetIfPresent(key); known {
		return allowed, nil
	}
	content, err := json.Marshal(input)
	if err != nil {
		return false, privacy.Internal(err, "encode an authorisation input")
	}
	answer, err := run(ctx, ready.allow, content)
	if err != nil {
		return false, err
	}
	allowed, _ := answer.(bool)
	e.permissions.Set(key, allowed)
	return allowed, nil
}
