package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// Export is a file that a subject can fetch.
type Export struct {
	Request   privacy.RightsRequestID `json:"request"`
	MadeAt    time.Time               `json:"made_at"`
	ExpiresAt time.Time               `json:"expires_at" doc:"Then it is gone."`
	Size      int64                   `json:"size" doc:"In bytes."`
	FetchedAt *time.Time              `json:"fetched_at,omitempty" doc:"When it was fetched last."`
}

type exportOutput struct{ Body Export }

type exportsOutput struct {
	Body struct {
		Exports []Export `json:"exports"`
	}
}

type exportLinkInput struct {
	RequestPath
	Body struct {
		HandOver bool `json:"hand_over,omitempty" doc:"By an agent or officer, for somebody who is there in person: where the link cannot be sent, give it. Somebody else must have vouched for the person; it works for ten minutes, and only until the file was fetched for the first time."`
	} `required:"false"`
}

type exportLinkOutput struct {
	Body struct {
		Token     string    `json:"token,omitempty" doc:"What POST /v1/exports/fetch takes; on the page /export it stands behind the #."`
		Path      string    `json:"path,omitempty" doc:"The page that fetches the file when its button is pressed." example:"/export#…"`
		Sent      bool      `json:"sent" doc:"It was sent to the subject, and is not told."`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

type exportFetchInput struct {
	Body struct {
		Token string `json:"token" maxLength:"128" doc:"Of the link."`
	}
}

func (a *API) exportRoutes() {
	tags := []string{"own data"}
	registerOpen(a, huma.Operation{OperationID: "requests-export", Method: http.MethodGet, Path: "/v1/requests/{id}/export", Tags: tags,
		Summary: "The file that answers a request of access or portability", Description: "Tells that it is there, and until when. What is in it only the subject gets: with a link.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-export", func(i *RequestPath) string { return i.ID }, func(ctx context.Context, _ custody.Caller, id privacy.RightsRequestID, _ *RequestPath) (*exportOutput, error) {
			e, err := a.rights.Export(ctx, id)
			return &exportOutput{Body: exportOf(&e)}, err
		}))
	registerOpen(a, huma.Operation{OperationID: "requests-export-link", Method: http.MethodPost, Path: "/v1/requests/{id}/export/link", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "A link that fetches the file once", Description: "Given to the subject alone, for an hour; for anybody else it is sent to a verified address of the subject, and works for three days. Where there is none, an agent can be handed it (hand_over). Those from before work no more.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-export-link", func(i *exportLinkInput) string { return i.ID }, a.linkExport))
	registerPublic(a, huma.Operation{OperationID: "exports-fetch", Method: http.MethodPost, Path: "/v1/exports/fetch", Tags: tags,
		Summary:      "Fetch a file by the link that was given",
		Description:  "It takes no bearer token: the token of the link is what counts, and it works once. The file is a ZIP archive with data.json (schemas/export.schema.json), tables, and of an access a page to read.",
		MaxBodyBytes: maxConfirm,
		Responses: map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{
			"application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}},
		newLimiter(confirmsPerSecond, confirmsBurst), a.fetchExport)
}

func exportOf(e *rights.Export) Export {
	return Export{Request: e.Request, MadeAt: e.MadeAt.UTC(), ExpiresAt: e.ExpiresAt.UTC(), Size: e.Size, FetchedAt: timePtr(e.FetchedAt)}
}

func (a *API) ownExports(ctx context.Context, caller custody.Caller, _ *struct{}) (*exportsOutput, error) {
	list, err := a.rights.Exports(ctx, caller.Subject)
	output := &exportsOutput{}
	output.Body.Exports = make([]Export, len(list))
	for i := range list {
		output.Body.Exports[i] = exportOf(&list[i])
	}
	return output, err
}

func (a *API) linkExport(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, input *exportLinkInput) (*exportLinkOutput, error) {
	link, err := a.rights.LinkExport(ctx, caller, id, input.Body.HandOver)
	if err != nil {
		return nil, err
	}
	output := &exportLinkOutput{}
	output.Body.ExpiresAt, output.Body.Sent = link.ExpiresAt.UTC(), link.Token.IsEmpty()
	if output.Body.Sent {
		return output, nil
	}
	return output, link.Token.Borrow(func(token string) error {
		output.Body.Token, output.Body.Path = token, "/export#"+token
		return nil
	})
}

func (a *API) fetchExport(ctx context.Context, input *exportFetchInput) (*huma.StreamResponse, error) {
	file, err := a.rights.FetchExport(ctx, requestFrom(ctx).id, input.Body.Token)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Length", strconv.FormatInt(file.Size, 10))
		w.Header().Set("Content-Disposition", `attachment; filename="my-data.zip"`)
		if err := file.Write(hctx.Context(), &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), now: a.now}); err != nil {
			_ = a.problemFrom(hctx.Context(), err) // logs what is not the caller's doing
			panic(http.ErrAbortHandler)            // half a file must not pass for a whole one
		}
	}}, nil
}
