package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

type explainInput struct {
	Body struct {
		Client     string                `json:"client" maxLength:"64" example:"crm-mailer" doc:"The application whose request is explained."`
		Roles      []privacy.Role        `json:"roles,omitempty" maxItems:"8" doc:"Its roles; consumer when left out."`
		Purpose    string                `json:"purpose" maxLength:"64" example:"marketing.email"`
		Attributes []string              `json:"attributes" minItems:"1" maxItems:"100"`
		Subject    *SubjectRef           `json:"subject,omitempty" doc:"Explain for a subject, as they stand now;"`
		State      *privacy.SubjectState `json:"state,omitempty" doc:"or for a policy state of your own."`
	}
}

type explainOutput struct {
	Body *custody.Explanation
}

func (a *API) decisionRoutes() {
	register(a, huma.Operation{OperationID: "decisions-explain", Method: http.MethodPost, Path: "/v1/decisions/explain", Tags: []string{"disclosure"},
		Summary: "Say what would be decided, and why", Description: "No value is opened and nothing is released.", Errors: []int{http.StatusNotFound}},
		nobody, a.explain)
}

func (a *API) explain(ctx context.Context, caller custody.Caller, input *explainInput) (*explainOutput, error) {
	body := &input.Body
	question := custody.Question{Client: privacy.ClientID(body.Client), Roles: body.Roles, Purpose: privacy.PurposeName(body.Purpose), State: body.State}
	for _, name := range body.Attributes {
		question.Attributes = append(question.Attributes, privacy.AttributeName(name))
	}
	if (body.Subject == nil) == (body.State == nil) {
		return nil, privacy.Invalid("invalid_subject", "give a subject or a state, one of the two")
	}
	if err := checkQuestion(body.Roles, body.State); err != nil {
		return nil, err
	}
	if body.Subject != nil {
		ref, err := a.subjectRef(body.Subject)
		if err != nil {
			return nil, err
		}
		question.Subject = &ref
	}
	explanation, err := a.service.Explain(ctx, caller, question)
	if err != nil {
		return nil, err
	}
	explanation.Trace = listed(explanation.Trace)
	return &explainOutput{Body: explanation}, nil
}

var errInvalidState = privacy.Invalid("invalid_state", "the state has a regime, country, age_band, status, scope or giver that does not exist; see the schema decision-input")

var countryForm = regexp.MustCompile(`^([A-Z]{2})?$`)

// checkQuestion keeps made-up states to the words of the policy: an explanation of a typing error
// would look like one of the law.
func checkQuestion(roles []privacy.Role, state *privacy.SubjectState) error {
	for _, role := range roles {
		if !slices.Contains(privacy.Roles(), role) {
			return privacy.Invalid("unknown_role", "there is no such role")
		}
	}
	if state == nil {
		return nil
	}
	known := slices.Contains(privacy.Regimes(), state.Regime) && countryForm.MatchString(state.Country) &&
		slices.Contains(ageBands, state.AgeBand) && slices.Contains(consentStatuses, state.Consent.Status) &&
		(state.Consent.By == privacy.BySelf || state.Consent.By == privacy.ByGuardian)
	for _, scope := range state.Consent.SeparateFor {
		known = known && slices.Contains(consentScopes, scope)
	}
	if !known {
		return errInvalidState
	}
	return nil
}

var (
	ageBands        = []privacy.AgeBand{privacy.AgeChild, privacy.Age13, privacy.Age14, privacy.Age15, privacy.Age16To17, privacy.AgeAdult, privacy.AgeUnknown}
	consentStatuses = []privacy.ConsentStatus{privacy.ConsentNone, privacy.ConsentPending, privacy.ConsentGranted, privacy.ConsentDenied, privacy.ConsentWithdrawn, privacy.ConsentExpired}
	consentScopes   = []privacy.ConsentScope{privacy.ScopeThirdParty, privacy.ScopePublic, privacy.ScopePublicImage, privacy.ScopeSensitive, privacy.ScopeTransfer}
)
