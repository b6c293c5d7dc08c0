package basemap_test

import (
	"context"
	"fmt"
	"os"

	"github.com/roadcomb/roadcomb/tiles/basemap"
)

func ExampleBuild() {
	f, err := os.Open("city.osm.pbf")
	if err != nil {
		fmt.Println("download an extract of your city first")
		return
	}
	defer f.Close()
	st, err := basemap.Build(context.Background(), f, "basemap.pmtiles")
	fmt.Println(st, err)
	// Output: download an extract of your city first
}
