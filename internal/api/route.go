package api

import (
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// route guards the mux. For a path with empty or dotted parts, the mux would answer with a redirect that repeats the
// path; here it is a path like any other that nothing is at.
func route(mux *http.ServeMux) http.Handler {
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if methods := methodsAt(mux, r); len(methods) > 0 {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			writeProblem(w, newProblem(r.Context(), http.StatusMethodNotAllowed, "method_not_allowed", "the header Allow says which methods this path has"))
			return
		}
		noSuchRoute(w, r)
	})
	var document sync.Mutex // Huma writes the OpenAPI document when it is first asked for, and does not mind by how many
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.EscapedPath()
		if clean := path.Clean("/" + asked); asked != clean && asked != clean+"/" {
			noSuchRoute(w, r)
			return
		}
		if strings.HasPrefix(asked, "/openapi") {
			document.Lock()
			defer document.Unlock()
		}
		mux.ServeHTTP(w, r)
	})
}

func noSuchRoute(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, newProblem(r.Context(), http.StatusNotFound, "no_such_route", "there is nothing at this path; see /docs"))
}

// methodsAt lists the methods that a request's path has.
func methodsAt(mux *http.ServeMux, r *http.Request) []string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); pattern != "" && pattern != "/" {
			methods = append(methods, method)
		}
	}
	return methods
}

// takes refuses bodies of other content types before they are read. A request that names none is
// given the benefit of the doubt.
func takes(types ...string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if header := ctx.Header("Content-Type"); header != "" && !isOneOf(header, types) {
			writeHumaProblem(ctx, newProblem(ctx.Context(), http.StatusUnsupportedMediaType, "unsupported_media_type", "send "+types[0]+" in UTF-8"))
			return
		}
		r, _ := humago.Unwrap(ctx)
		r.Header.Set("Content-Type", types[0]) // Huma knows but one spelling
		next(ctx)
	}
}

func isOneOf(header string, types []string) bool {
	kind, parameters, err := mime.ParseMediaType(header)
	if err != nil || !slices.Contains(types, kind) {
		return false
	}
	charset, given := parameters["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}
