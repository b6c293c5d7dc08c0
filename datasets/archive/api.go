package archive

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/ipfs/go-cid"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type nodeIn struct {
	CID string `path:"cid" doc:"a node's CIDv1, base32" maxLength:"80"`
}

type nodeOut struct {
	Type  string `header:"Content-Type"`
	Cache string `header:"Cache-Control"`
	ETag  string `header:"ETag"`
	Body  []byte
}

type headOut struct {
	Cache string `header:"Cache-Control"`
	Body  Head
}

// Register adds the archive's head and nodes, which hold nothing that the datasets do not. Files and images are fetched
// where they are published.
func Register(api huma.API, p Place) {
	httpx.Handle(api, huma.Operation{OperationID: "archive-head", Method: http.MethodGet, Path: "/v1/archive", Summary: "The current root of the archive, signed",
		Description: "Names everything published by content; see datasets/archive/FORMAT.md. It changes once a day.", Tags: []string{"datasets"}}, func(ctx context.Context, _ *struct{}) (*headOut, error) {
		h, _, err := Current(ctx, p, nil)
		if err != nil {
			return nil, err
		}
		return &headOut{Cache: "public, max-age=300", Body: h}, nil
	})
	httpx.Handle(api, huma.Operation{OperationID: "archive-node", Method: http.MethodGet, Path: "/v1/archive/nodes/{cid}", Summary: "A node of the archive, as DAG-CBOR", Tags: []string{"datasets"},
		Responses: map[string]*huma.Response{"200": {Description: "DAG-CBOR", Content: map[string]*huma.MediaType{"application/vnd.ipld.dag-cbor": {}}}}}, func(ctx context.Context, in *nodeIn) (*nodeOut, error) {
		l, err := ParseLink(in.CID)
		if err != nil {
			return nil, err
		}
		if l.Prefix().Codec != cid.DagCBOR {
			return nil, survey.Errorf(survey.NotFound, "%.80q is no node", in.CID).WithHint("files and images are fetched from the datasets and the imagery API")
		}
		b, err := p.Node(ctx, l)
		if err != nil {
			return nil, err
		}
		return &nodeOut{Type: "application/vnd.ipld.dag-cbor", Cache: "public, max-age=31536000, immutable", ETag: `"` + l.String() + `"`, Body: b}, nil
	})
}
