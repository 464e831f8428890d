package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// Notice is one version of a notice.
type Notice struct {
	ID          string                `json:"id" example:"privacy"`
	Version     int32                 `json:"version" example:"3"`
	Status      string                `json:"status" enum:"draft,published" doc:"A published version never changes."`
	Edit        int32                 `json:"edit,omitempty" doc:"Of a draft: which change of it this is. Send it with the next one, so that nobody writes over what they have not seen."`
	Hash        string                `json:"hash,omitempty" doc:"Of a published version: SHA-256 of the content as canonical JSON (RFC 8785), by which consents refer to it."`
	ValidFrom   *time.Time            `json:"valid_from,omitempty"`
	PublishedBy privacy.ClientID      `json:"published_by,omitempty"`
	PublishedAt *time.Time            `json:"published_at,omitempty"`
	Content     custody.NoticeContent `json:"content"`
}

// NoticePath is embedded in inputs about one version; exported for the same reason as Idempotent.
type NoticePath struct {
	ID      string `path:"id" maxLength:"63"`
	Version int32  `path:"version" minimum:"1"`
}

func (p *NoticePath) ref() custody.NoticeRef { return custody.NoticeRef{ID: p.ID, Version: p.Version} }

type noticeOutput struct{ Body Notice }

type noticesOutput struct {
	Body struct {
		Notices []Notice `json:"notices"`
	}
}

type noticeWriteInput struct {
	NoticePath
	Body struct {
		Edit    int32                 `json:"edit,omitempty" minimum:"0" doc:"That of the draft as you read it; none for the first."`
		Content custody.NoticeContent `json:"content"`
	}
}

type noticePublishInput struct {
	NoticePath
	Body struct {
		Edit      int32      `json:"edit" minimum:"1" doc:"That of the draft as you read it."`
		ValidFrom *time.Time `json:"valid_from,omitempty" doc:"Now when left out; a time that is past for a notice that was in use before."`
	}
}

func (a *API) noticeRoutes() {
	register(a, huma.Operation{OperationID: "notices-list", Method: http.MethodGet, Path: "/v1/notices", Tags: []string{"notices"},
		Summary: "Every notice", Description: "The newest published version of each, and, for those who may see drafts of policies, all drafts."}, nobody, a.listNotices)
	register(a, huma.Operation{OperationID: "notices-versions", Method: http.MethodGet, Path: "/v1/notices/{id}/versions", Tags: []string{"notices"},
		Summary: "The versions of a notice, newest first", Errors: []int{http.StatusNotFound}}, nobody, a.noticeVersions)
	register(a, huma.Operation{OperationID: "notices-get", Method: http.MethodGet, Path: "/v1/notices/{id}/versions/{version}", Tags: []string{"notices"},
		Summary: "One version of a notice", Errors: []int{http.StatusNotFound}}, nobody, a.getNotice)
	register(a, huma.Operation{OperationID: "notices-write", Method: http.MethodPut, Path: "/v1/notices/{id}/versions/{version}", Tags: []string{"notices"},
		Summary: "Write the draft of a version", Description: "The version is the one after the newest that was published. What was published does not change.", Errors: []int{http.StatusConflict}}, nobody, a.writeNotice)
	register(a, huma.Operation{OperationID: "notices-publish", Method: http.MethodPost, Path: "/v1/notices/{id}/versions/{version}/publish", Tags: []string{"notices"},
		Summary: "Publish a draft", Description: "From then on the version never changes, and consents can refer to it.", Errors: []int{http.StatusNotFound, http.StatusConflict}}, nobody, a.publishNotice)
}

func (a *API) listNotices(ctx context.Context, caller custody.Caller, _ *struct{}) (*noticesOutput, error) {
	return a.noticeList(ctx, caller)(a.service.Notices(ctx))
}

// seesDrafts reports whether a caller may see what is not published yet: those who may see the drafts of policies.
func (a *API) seesDrafts(ctx context.Context, caller custody.Caller) bool {
	return a.service.Authorise(ctx, caller.Caller, "policy-drafts-get", privacy.SubjectID{}) == nil
}

func (a *API) noticeVersions(ctx context.Context, caller custody.Caller, input *struct {
	ID string `path:"id" maxLength:"63"`
}) (*noticesOutput, error) {
	return a.noticeList(ctx, caller)(a.service.NoticeVersions(ctx, input.ID))
}

func (a *API) getNotice(ctx context.Context, caller custody.Caller, input *NoticePath) (*noticeOutput, error) {
	notice, err := a.service.NoticeVersion(ctx, input.ref())
	if err == nil && !notice.Published() && !a.seesDrafts(ctx, caller) {
		err = privacy.NotFound("notice_not_found", "there is no such version of that notice")
	}
	return noticeAnswer(notice, err)
}

func (a *API) writeNotice(ctx context.Context, caller custody.Caller, input *noticeWriteInput) (*noticeOutput, error) {
	return noticeAnswer(a.service.WriteNotice(ctx, caller, input.ref(), input.Body.Content, input.Body.Edit))
}

func (a *API) publishNotice(ctx context.Context, caller custody.Caller, input *noticePublishInput) (*noticeOutput, error) {
	return noticeAnswer(a.service.PublishNotice(ctx, caller, input.ref(), input.Body.Edit, timeOf(input.Body.ValidFrom)))
}

// noticeList lists notices for a caller, drafts only for those who may see them.
func (a *API) noticeList(ctx context.Context, caller custody.Caller) func([]custody.Notice, error) (*noticesOutput, error) {
	return func(notices []custody.Notice, err error) (*noticesOutput, error) {
		if err != nil {
			return nil, err
		}
		drafts := a.seesDrafts(ctx, caller)
		output := &noticesOutput{}
		output.Body.Notices = make([]Notice, 0, len(notices))
		for i := range notices {
			if drafts || notices[i].Published() {
				output.Body.Notices = append(output.Body.Notices, noticeBody(&notices[i]))
			}
		}
		return output, nil
	}
}

func noticeAnswer(notice custody.Notice, err error) (*noticeOutput, error) {
	if err != nil {
		return nil, err
	}
	return &noticeOutput{Body: noticeBody(&notice)}, nil
}

func noticeBody(n *custody.Notice) Notice {
	body := Notice{ID: n.ID, Version: n.Version, Status: "draft", Edit: n.Edit, Content: n.Body}
	if n.Published() {
		body.Status, body.Hash, body.ValidFrom, body.PublishedBy, body.PublishedAt = "published", hex.EncodeToString(n.Hash), timePtr(n.ValidFrom), n.PublishedBy, timePtr(n.PublishedAt)
	}
	return body
}
