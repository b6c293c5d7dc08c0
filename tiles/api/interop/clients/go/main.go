//go:build ignore

// Asks what frames around a point cost, buys them page by page, and fetches the newest image.
//
//	go run . URL KEY LONGITUDE LATITUDE
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"

	"example.org/client/roadcomb"
)

func main() {
	url, key := os.Args[1], os.Args[2]
	lon, _ := strconv.ParseFloat(os.Args[3], 64)
	lat, _ := strconv.ParseFloat(os.Args[4], 64)
	ctx := context.Background()
	client, err := roadcomb.NewClientWithResponses(url, roadcomb.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-API-Key", key)
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	yes, meters, week, limit := true, 200.0, "2026-01-05", int64(20)
	query := roadcomb.TilesImageryQuery{Geometry: roadcomb.TilesGeometry{Type: "Point", Coordinates: []float64{lon, lat}}, Meters: &meters, MinWeek: &week, DryRun: &yes}
	quote, err := client.SearchImageryWithResponse(ctx, nil, query)
	if err != nil || quote.JSON200 == nil {
		log.Fatal(err, string(quote.Body))
	}
	fmt.Fprintf(os.Stderr, "%d frames for %d of %d credits\n", quote.JSON200.Found, quote.JSON200.CreditsUsed, quote.JSON200.CreditsRemaining)

	var frames []roadcomb.TilesFrame
	query.DryRun, query.Limit = nil, &limit
	for {
		// The same request under the same key is charged once, however often it is sent.
		idem := "example-go first"
		if query.Cursor != nil {
			idem = "example-go " + *query.Cursor
		}
		page, err := client.SearchImageryWithResponse(ctx, &roadcomb.SearchImageryParams{IdempotencyKey: &idem}, query)
		if err != nil || page.JSON200 == nil {
			log.Fatal(err, string(page.Body))
		}
		frames = append(frames, page.JSON200.Frames...)
		if query.Cursor = page.JSON200.Next; query.Cursor == nil {
			break
		}
	}
	image, err := http.Get(frames[0].Image.Url)
	if err != nil {
		log.Fatal(err)
	}
	defer image.Body.Close()
	signs, err := client.ListMapFeaturesWithResponse(ctx, &roadcomb.ListMapFeaturesParams{Point: &[]float64{lon, lat}, Meters: &meters})
	if err != nil || signs.JSON200 == nil {
		log.Fatal(err, string(signs.Body))
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"found": quote.JSON200.Found, "frames": len(frames), "image": image.Header.Get("Content-Type"), "signs": len(signs.JSON200.Features)})
}
