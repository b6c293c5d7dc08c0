// Package recheck looks at a published epoch a second time, with SQL alone (check.sql): it shares no code with the
// program that closed the epoch, only the published files.
package recheck

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

//go:embed check.sql
var check string

//go:embed regions.sql
var checkRegions string

// Contradiction is a place where the published files are not what they say of each other.
type Contradiction struct{ Place, What string }

// rules are the numbers of ruleset.json that the check needs; resolution is -1 without regions.
type rules struct {
	Coverage   int64 `lake:"coverage"` // of the emission
	MaxRate    int64 `lake:"max_rate"`
	Need       int64 `lake:"need_seconds"`
	Slot       int64 `lake:"slot_seconds"`
	Burn       int64 `lake:"burn"`
	Resolution int32 `lake:"resolution"`
	Outside    int64 `lake:"outside"`
	Full       int64 `lake:"full_share"`
	Floor      int64 `lake:"floor"`
}

type region struct {
	Cell    survey.Cell `lake:"h3"`
	Road    int64       `lake:"road"`
	Covered int64       `lake:"covered"`
}

type regionPool struct {
	Cell   survey.Cell `lake:"h3"`
	Pool   int64       `lake:"pool"`
	Weight int64       `lake:"weight"`
	Spent  int64       `lake:"spent"`
}

// companions writes beside the published files what the check needs as tables: the ruleset, and files that an epoch
// without regions lacks.
func companions(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "ruleset.json"))
	if err != nil {
		return err
	}
	var rs struct {
		Emission int64 `json:"emission,string"`
		Pools    struct{ Coverage int64 }
		Coverage struct {
			MaxRate int64 `json:"max_rate,string"`
			Need    int64 `json:"need_seconds"`
			Slot    int64 `json:"slot_seconds"`
		}
		Demand  struct{ Burn int64 }
		Regions *struct {
			Resolution           int32
			Outside, Full, Floor int64
		}
	}
	if err := json.Unmarshal(b, &rs); err != nil {
		return err
	}
	// The emission times a share is beyond 64 bits.
	pool := new(big.Int).Mul(big.NewInt(rs.Emission), big.NewInt(rs.Pools.Coverage))
	r := rules{Coverage: pool.Quo(pool, big.NewInt(1_000_000)).Int64(), MaxRate: rs.Coverage.MaxRate, Need: rs.Coverage.Need, Slot: rs.Coverage.Slot, Burn: rs.Demand.Burn, Resolution: -1, Full: 1}
	if g := rs.Regions; g != nil {
		r.Resolution, r.Outside, r.Full, r.Floor = g.Resolution, g.Outside, g.Full, g.Floor
	}
	if err := table(dir, "rules", []rules{r}); err != nil {
		return err
	}
	if err := table[region](dir, "regions", nil); err != nil {
		return err
	}
	return table[regionPool](dir, "region_pools", nil)
}

// table writes a file that is not there.
func table[T any](dir, name string, rows []T) error {
	path := filepath.Join(dir, name+".parquet")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	b, err := lake.Encode(lake.Schema{Name: "recheck." + name, Version: 1}, rows)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// Epoch checks the folder of a closed epoch. It puts a snapshot.json and a few tables beside the files,
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
	checks := []string{check}
	if _, err := os.Stat(filepath.Join(dir, "region_pools.parquet")); err == nil {
		checks = append(checks, checkRegions)
	}
	if err := companions(dir); err != nil {
		return nil, err
	}
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
	for _, sql := range checks {
		if err := e.Query(ctx, sql, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

type collect []Contradiction

func (c *collect) Columns([]string, []string) error { return nil }

func (c *collect) Row(v []any) error {
	*c = append(*c, Contradiction{fmt.Sprint(v[0]), fmt.Sprint(v[1])})
	return nil
}
