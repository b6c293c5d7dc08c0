package app

import (
	"context"
	"os"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type openapiCmd struct{}

func (openapiCmd) Help() string {
	return "The document that a running network serves at /v1/openapi.json, for making clients without one."
}

func (openapiCmd) Run(ctx context.Context, e *environ) error {
	home, err := os.MkdirTemp("", "roadcomb-openapi-")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "folder for a while: %w", err)
	}
	defer os.RemoveAll(home)
	p, err := openPlatform(ctx, settings{Home: home, S3Listen: "127.0.0.1:0", Models: home}, e.log)
	if err != nil {
		return err
	}
	defer p.close()
	if p.queries, err = p.openQueries(querySettings{Flight: "127.0.0.1:0"}); err != nil {
		return err
	}
	defer p.queries.super.Close()
	mux := &httpx.Routes{}
	api := httpx.NewAPI(mux, "roadcomb", Version)
	if err := p.registerOn(api, mux, "http://127.0.0.1:8080", webSettings{}); err != nil {
		return err
	}
	return writeJSON(e.stdout, api.OpenAPI())
}
