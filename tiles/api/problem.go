package api

import (
	"net/http"

	"github.com/roadcomb/roadcomb/pkg/httpx"
)

// fail answers with a problem, without what was meant for a good answer.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is listening
	}
	h := w.Header()
	for _, k := range []string{"Etag", "Vary", "Surrogate-Key", "Cache-Tag", "Content-Encoding"} {
		h.Del(k)
	}
	cors(h)
	httpx.WriteProblem(w, r, err)
}
