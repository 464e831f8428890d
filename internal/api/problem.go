package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/privacy"
)

// Problem is an RFC 9457 problem. Type is urn:consentry:problem:<code>; callers may
// switch on Code.
type Problem struct {
	Type      string   `json:"type" example:"urn:consentry:problem:unknown_purpose" doc:"A URN that ends in the code."`
	Title     string   `json:"title" example:"Unprocessable Entity"`
	Status    int      `json:"status" example:"422"`
	Detail    string   `json:"detail" example:"the policy in force has no such purpose" doc:"One sentence that says what to do."`
	Code      string   `json:"code" example:"unknown_purpose" doc:"Stable; callers may switch on it."`
	RequestID string   `json:"request_id,omitempty" doc:"Quote it when you ask for help."`
	Errors    []Defect `json:"errors,omitempty" doc:"Where the request does not fit its schema."`
}

// Defect is one place where a request does not fit.
type Defect struct {
	Location string `json:"location,omitempty" example:"body.subjects" doc:"The place, when its name is one of the schema."`
	Message  string `json:"message"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// internalDetail is all that a caller is told of a failure inside.
const internalDetail = "something went wrong inside the vault; nothing was released"

func newProblem(ctx context.Context, status int, code, detail string) *Problem {
	return &Problem{Type: "urn:consentry:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code,
		RequestID: string(requestFrom(ctx).id)}
}

// statuses maps kinds of failure to HTTP, here and nowhere else.
var statuses = map[privacy.Kind]int{
	privacy.KindInvalid:         http.StatusUnprocessableEntity,
	privacy.KindUnauthenticated: http.StatusUnauthorized,
	privacy.KindForbidden:       http.StatusForbidden,
	privacy.KindNotFound:        http.StatusNotFound,
	privacy.KindConflict:        http.StatusConflict,
	privacy.KindTooLarge:        http.StatusRequestEntityTooLarge,
	privacy.KindRateLimited:     http.StatusTooManyRequests,
	privacy.KindUnavailable:     http.StatusServiceUnavailable,
}

// problemFrom turns a flow's error into a problem. What is not the caller's doing is logged
// with its cause, which holds no personal data, and told without it.
func (a *API) problemFrom(ctx context.Context, err error) *Problem {
	var body *bodyError
	if errors.As(err, &body) {
		return newProblem(ctx, body.status, body.code, body.detail)
	}
	id := slog.String("request_id", string(requestFrom(ctx).id))
	var known *privacy.Error
	if !errors.As(err, &known) || known.Kind == privacy.KindInternal {
		code := privacy.CodeOf(err)
		a.log.ErrorContext(ctx, "request failed", id, slog.String("code", code), slog.String("error", internalText(known, err)))
		return newProblem(ctx, http.StatusInternalServerError, code, internalDetail)
	}
	if known.Kind == privacy.KindUnavailable {
		a.log.WarnContext(ctx, "request refused", id, slog.String("code", known.Code), slog.String("error", known.Error()))
	}
	problem := newProblem(ctx, statuses[known.Kind], known.Code, known.Detail)
	var fault *privacy.FaultError
	if errors.As(err, &fault) {
		for _, place := range fault.Places {
			problem.Errors = append(problem.Errors, Defect{Location: place.Location, Message: place.Message})
		}
	}
	return problem
}

// internalText is what may be logged of a failure: of the project's own errors the whole, of
// others, whose texts may quote what they were given, nothing but their type.
func internalText(known *privacy.Error, err error) string {
	if known != nil {
		return known.Error()
	}
	return "unclassified: " + typeName(err)
}

// replaceHumaErrors makes Huma's own failures problems too. Huma's defaults repeat submitted
// values, unknown keys and malformed bodies; here only the message of its schema
// validator remains, at a location whose every part is a word of the API.
var replaceHumaErrors = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false // a list may be empty; it is never null
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(context.Background(), status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		return humaProblem(ctx.Context(), status, message, errs)
	}
})

func humaProblem(ctx context.Context, status int, message string, errs []error) *Problem {
	if body := bodyErrorIn(message, errs); body != nil {
		return newProblem(ctx, body.status, body.code, body.detail)
	}
	known, ok := humaFailures[status]
	if !ok {
		status, known = http.StatusInternalServerError, humaFailures[http.StatusInternalServerError]
	}
	problem := newProblem(ctx, status, known[0], known[1])
	for _, err := range errs {
		if len(problem.Errors) == maxDefects {
			break
		}
		if defect, ok := defectFrom(err); ok {
			problem.Errors = append(problem.Errors, defect)
		}
	}
	return problem
}

// bodyErrorIn finds what is wrong with a body among what Huma says: of an unmarshaller's error it
// passes on the text alone, and it calls a body that breaks off a failure of the server.
func bodyErrorIn(message string, errs []error) *bodyError {
	switch message {
	case "request body is required":
		return errMissingBody
	case "cannot read request body":
		return errCutShort
	}
	for _, err := range errs {
		var detailer huma.ErrorDetailer
		if !errors.As(err, &detailer) || detailer.ErrorDetail() == nil {
			continue
		}
		if body, ok := bodyErrors[detailer.ErrorDetail().Message]; ok {
			return body
		}
	}
	return nil
}

var humaFailures = map[int][2]string{
	http.StatusBadRequest:            {"malformed_request", "the request is not well formed JSON"},
	http.StatusNotAcceptable:         {"not_acceptable", "ask for application/json"},
	http.StatusRequestTimeout:        {"request_timeout", "the body did not arrive in time"},
	http.StatusRequestEntityTooLarge: {"body_too_large", "the body is larger than this call accepts"},
	http.StatusUnsupportedMediaType:  {"unsupported_media_type", "send application/json"},
	http.StatusUnprocessableEntity:   {"invalid_request", "the request does not fit its schema; see errors"},
	http.StatusUnauthorized:          {"token_missing", "send a bearer token"},
	http.StatusInternalServerError:   {"internal", internalDetail},
}

// maxDefects keeps problems short.
const maxDefects = 20

func defectFrom(err error) (Defect, bool) {
	var detailer huma.ErrorDetailer
	if !errors.As(err, &detailer) {
		return Defect{}, false
	}
	detail := detailer.ErrorDetail()
	if detail == nil {
		return Defect{}, false
	}
	switch detail.Message {
	case "unexpected property":
		return Defect{Message: "a property that the schema does not have"}, true
	case "unknown query parameter":
		return Defect{Message: "a query parameter that the call does not have"}, true
	}
	return Defect{Location: safeLocation(detail.Location), Message: safeMessage(detail.Message)}, true
}
