// Package schemas holds the JSON Schemas (draft 2020-12) of what people write and
// programs exchange, the starter catalogue of attributes, and the OpenAPI document of
// the service, as files compiled in.
package schemas

import "embed"

//go:generate sh -c "go run ../cmd/consentry openapi > openapi.json"

// FS holds the files of this folder by their names. Every schema's $id is
// https://consentry.dev/schemas/ followed by that name.
//
//go:embed *.json
var FS embed.FS
