package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
)

// Nobody who follows a link has a token for the API, so there are fewer of them allowed at a time, by address.
const (
	confirmsPerSecond = 2
	confirmsBurst     = 20
	maxConfirm        = 4 << 10
)

type confirmInput struct {
	Body struct {
		Token string `json:"token" maxLength:"128" doc:"What stands after the # of the link."`
	}
}

type confirmOutput struct {
	Body custody.Recorded
}

func (a *API) confirmRoutes() {
	registerPublic(a, huma.Operation{OperationID: "consents-confirm", Method: http.MethodPost, Path: "/v1/consents/confirm", Tags: []string{"consent"},
		Summary:      "Confirm a consent by the link that was sent",
		Description:  "It takes no bearer token: the token of the link is what counts. It works once, until it expires, and as long as nothing else was decided about the purpose.",
		MaxBodyBytes: maxConfirm}, newLimiter(confirmsPerSecond, confirmsBurst), a.confirm)
}

func (a *API) confirm(ctx context.Context, input *confirmInput) (*confirmOutput, error) {
	recorded, err := a.service.Confirm(ctx, requestFrom(ctx).id, input.Body.Token)
	return &confirmOutput{Body: recorded}, err
}

// confirmTexts are what the page of a confirmation says, by language, the one for everybody else first.
var confirmTexts = []linkText{
	{"en", "Confirm your consent", "Press the button to confirm that it was you who agreed.", "Confirm", "Thank you. Your consent is confirmed.",
		"This link does not work. It may have been used before, or have expired: please ask for a new one.", "Something went wrong. Please try again in a moment.", "Please allow scripts on this page, which sends your confirmation."},
	{"zh", "确认您的同意", "请点击按钮，确认是您本人同意。", "确认", "谢谢，您的同意已确认。", "该链接无效，可能已被使用或已过期，请重新申请。", "出现问题，请稍后再试。", "请允许本页面运行脚本，以便提交您的确认。"},
	{"de", "Einwilligung bestätigen", "Drücken Sie auf den Knopf, um zu bestätigen, dass Sie es waren, der zugestimmt hat.", "Bestätigen", "Danke. Ihre Einwilligung ist bestätigt.",
		"Dieser Link funktioniert nicht. Vielleicht wurde er schon benutzt oder ist abgelaufen: Bitte fordern Sie einen neuen an.", "Etwas ist schiefgegangen. Bitte versuchen Sie es gleich noch einmal.", "Bitte erlauben Sie Skripte auf dieser Seite, die Ihre Bestätigung absendet."},
}
