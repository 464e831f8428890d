package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Gateway sends text messages through a webhook: it posts {"to": …, "text": …} as JSON and takes any 2xx as a yes.
type Gateway struct {
	url, token string
	client     *http.Client
}

const gatewayWithin = 15 * time.Second

// NewGateway checks the address. The token, if any, goes along as a bearer token.
func NewGateway(address, token string) (*Gateway, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return nil, privacy.Invalid("invalid_gateway", "the address of the gateway for text messages is not an http or https URL")
	}
	// A redirect would carry phone numbers to an address nobody has set.
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Gateway{url: address, token: token, client: &http.Client{Timeout: gatewayWithin, CheckRedirect: refuse}}, nil
}

// Send hands a message over to the gateway. KindUnavailable is worth another try.
func (g *Gateway) Send(ctx context.Context, to privacy.Cleartext, message Message) error {
	var body []byte
	err := to.Borrow(func(number string) (err error) {
		body, err = json.Marshal(map[string]string{"to": number, "text": message.Text})
		return err
	})
	if err != nil {
		return refused()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return unavailable()
	}
	request.Header.Set("Content-Type", "application/json")
	if g.token != "" {
		request.Header.Set("Authorization", "Bearer "+g.token)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return unavailable()
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16)) // so that the connection can be used again
	switch {
	case response.StatusCode < 300:
		return nil
	case response.StatusCode == http.StatusBadRequest || response.StatusCode == http.StatusUnprocessableEntity:
		return refused()
	default:
		return unavailable()
	}
}
