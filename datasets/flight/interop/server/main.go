// Command server serves made-up observations over Flight SQL and HTTP, for independent clients. It prints its addresses.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/roadcomb/roadcomb/datasets/api"
	"github.com/roadcomb/roadcomb/datasets/flight"
	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type access struct{}

func (access) Admit(_ context.Context, secret string, _ bool) (flight.Grant, error) {
	if secret != "key" {
		return flight.Grant{}, survey.Errorf(survey.Unauthorized, "the key is not known")
	}
	return flight.Grant{ID: "k", Limits: query.Limits{Time: time.Minute}}, nil
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(dir, rows string) error {
	n, err := strconv.Atoi(rows)
	if err != nil {
		return err
	}
	path := "observations/v1/date=2024-05-08/part.parquet"
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
		return err
	}
	obs := make([]schema.Observation, n)
	for i := range obs {
		p := geo.Point{Lat: 43.7 + float64(i%5000)*1e-5, Lon: 7.4}
		c, err := hex.CellOf(p, 12)
		if err != nil {
			return err
		}
		obs[i] = schema.Observation{Cell: c, CapturedAt: time.UnixMicro(1.7e15 + int64(i)), ReceivedAt: time.UnixMicro(1.7e15), Frame: fmt.Sprintf("%032x", i), Drive: "d", Contributor: "c", Heading: int64(i % 360), Quality: int64(i), Geometry: lake.Point(p)}
	}
	b, err := lake.Encode(schema.Observations, obs)
	if err != nil {
		return err
	}
	snap := snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{"observations": {Version: 1, Rows: int64(n), Files: []snapshot.File{{Path: path, Version: 1, Bytes: int64(len(b))}}}}}
	m, err := json.Marshal(snap)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, path), b, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "snapshot.json"), m, 0o644); err != nil {
		return err
	}
	pool := &query.Pool{Dir: dir}
	engine := flight.Engine{Pool: pool}
	fl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	hl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := &httpx.Routes{}
	if err := api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{Access: access{}, Backend: engine, Snapshot: func() (snapshot.Snapshot, error) { return snap, nil }}); err != nil {
		return err
	}
	go http.Serve(hl, httpx.Wrap(mux, httpx.Options{}))
	fmt.Printf("grpc://%s http://%s %s\n", fl.Addr(), hl.Addr(), filepath.Join(dir, path))
	return flight.NewServer(flight.Config{Access: access{}, Backend: engine, Version: "test"}).Serve(fl)
}
