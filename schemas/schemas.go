// Package schemas holds the JSON Schemas (draft 2020-12) of what people write and
// programs exchange, and the starter catalogue of attributes, as files compiled in.
package schemas

import "embed"

// FS holds the files of this folder by their names. Every schema's $id is
// https://consentry.dev/schemas/ followed by that name.
//
//go:embed *.json
var FS embed.FS
