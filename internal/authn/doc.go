// Package authn turns a bearer token into a [privacy.Caller].
//
// Tokens are JWTs (RFC 7519) that an identity provider signs with RS256, ES256 or EdDSA;
// no other algorithm is taken, `none` and the HMAC family least of all, and the
// algorithm must be the one the key is for (RFC 8725 §3.1). Issuer, audience and
// expiry must be there and right. The provider's public keys come as a JSON Web Key Set
// (RFC 7517) from a URL or a file; when none can be had, nobody gets in.
//
// A token says who calls in these claims:
//
//	client_id   the application; azp, then sub, where the provider sends no client_id
//	roles       a list of roles, or one text with spaces between them; unknown roles count for nothing
//	sub         the subject's id, for a caller with the role subject
//
// What a role may do is policy, decided elsewhere. [Issuer] makes such tokens for
// development and tests.
package authn
