// Package webhook calls others over HTTP in the manner of Standard Webhooks (standardwebhooks.com, version 1):
// three headers name the message, say when it was sent, and sign both with the body, so that the receiver can
// tell a forged call by its signature, a replayed one by its timestamp, and a repeated one by its id.
//
//	webhook-id         the same however often the message is sent
//	webhook-timestamp  seconds since 1970, of this attempt
//	webhook-signature  "v1," ‖ base64(HMAC-SHA-256(secret, id ‖ "." ‖ timestamp ‖ "." ‖ body))
//
// While a secret is being replaced a call carries two signatures with a space between them, and whoever knows
// either secret accepts it.
//
// Where a call goes is written by an administrator and reached from inside the network, which is
// how server-side request forgery begins (OWASP Top 10 2021, A10). So a receiver has an https address
// without a user in it; the address that its name resolves to is looked at when the connection is made, not
// before; redirects are not followed; no proxy is asked; and of an answer no more than the status is used.
package webhook
