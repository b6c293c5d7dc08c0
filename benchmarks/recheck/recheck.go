// Package recheck looks at a published epoch a second time, with SQL alone (check.sql): it shares no code with the
// program that closed the epoch, only the published files.
package recheck

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/roadcomb/roadcomb/datasets/query"
)

//go:embed check.sql
var check string

// Contradiction is a place where the published files are not what they say of each other.
type Contradiction struct{ Place, What string }

// Epoch checks the folder of a closed epoch. It puts a snapshot.json beside the files, which names them to the engine,
// so dir must be a copy that may be written to.
func Epoch(ctx context.Context, dir string) ([]Contradiction, error) {
	type file struct {
		Path  string `json:"path"`
		Bytes int64  `json:"bytes"`
	}
	type dataset struct {
		Files []file `json:"files"`
	}
	snap := struct {
		Format   string             `json:"format"`
		Datasets map[string]dataset `json:"datasets"`
	}{"roadcomb-snapshot/1", map[string]dataset{}}
	names, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		st, err := os.Stat(n)
		if err != nil {
			return nil, err
		}
		snap.Datasets[strings.TrimSuffix(filepath.Base(n), ".parquet")] = dataset{[]file{{filepath.Base(n), st.Size()}}}
	}
	b, err := json.Marshal(snap)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "snapshot.json"), b, 0o600); err != nil {
		return nil, err
	}
	e, err := query.Open(ctx, dir, query.Options{})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	var out collect
	err = e.Query(ctx, check, &out)
	return out, err
}

type collect []Contradiction

func (c *collect) Columns([]string, []string) error { return nil }

func (c *collect) Row(v []any) error {
	*c = append(*c, Contradiction{fmt.Sprint(v[0]), fmt.Sprint(v[1])})
	return nil
}
