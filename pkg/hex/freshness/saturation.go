package freshness

import (
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Recovery is what another look at a cell is worth by the time since the one before it, both by receive time: rising
// linearly from 0 to One over the recovery period. A zero last, never seen, is One.
func (p Params) Recovery(last, now time.Time) survey.PPM {
	if last.IsZero() {
		return survey.One
	}
	age := now.Unix() - last.Unix()
	if age <= 0 {
		return 0
	}
	if age >= p.Saturation.Recovery {
		return survey.One
	}
	return survey.PPM(age * int64(survey.One) / p.Saturation.Recovery)
}

// Rank is the share of the n-th look (from 1) within a cell and epoch.
func (p Params) Rank(n int) survey.PPM {
	if n < 1 || n > len(p.Saturation.Rank) {
		return 0
	}
	return p.Saturation.Rank[n-1]
}

// Worth is the saturation multiplier of one look: recovery × rank × density, each product rounded down, in this order.
// Density counts only where the parameters use it; pass the value of Scale.
func (p Params) Worth(recovery survey.PPM, rank int, density survey.PPM) survey.PPM {
	w := recovery.Mul(p.Rank(rank))
	if p.Saturation.UseDensity {
		w = w.Mul(density)
	}
	return w
}

// Density is the limit of one resolution in Helium's HIP-17: a cell counts at most Target units unless at least N of the
// seven cells around and including it hold Target each; then Target more for each cell over N, at most Max.
type Density struct {
	Res    int   `json:"res"`
	N      int   `json:"n"`
	Target int64 `json:"target"`
	Max    int64 `json:"max"`
}

// Limit is how many units a cell may count when occupied of the seven hold at least Target.
func (d Density) Limit(occupied int) int64 {
	return min(d.Max, d.Target*int64(max(1, occupied-d.N+1)))
}

// Ratio is a cell's clipped and unclipped count at one resolution.
type Ratio struct {
	Cell               survey.Cell
	Clipped, Unclipped int64
}

// Clip applies HIP-17 to the units of the cells at the finest level: per level, from fine to coarse, a cell's unclipped
// count is the sum of its children's clipped ones, and its clipped count is that up to the level's limit. It gives one
// map per level. Cells finer than the first level's resolution are summed into it. neighbors gives the cells that share
// an edge (hex.Neighbors).
func Clip(levels []Density, units map[survey.Cell]int64, neighbors func(survey.Cell) []survey.Cell) []map[survey.Cell]Ratio {
	out := make([]map[survey.Cell]Ratio, len(levels))
	below := units
	for i, d := range levels {
		sum := make(map[survey.Cell]int64)
		for c, n := range below {
			if n > 0 {
				sum[c.Parent(d.Res)] += n
			}
		}
		out[i] = make(map[survey.Cell]Ratio, len(sum))
		clipped := make(map[survey.Cell]int64, len(sum))
		for c, n := range sum {
			occupied := 0
			if n >= d.Target {
				occupied++
			}
			for _, x := range neighbors(c) {
				if sum[x] >= d.Target {
					occupied++
				}
			}
			clipped[c] = min(n, d.Limit(occupied))
			out[i][c] = Ratio{c, clipped[c], n}
		}
		below = clipped
	}
	return out
}

// Path is the ratios of a cell and its ancestors, finest first, from what Clip gave.
func Path(levels []Density, clip []map[survey.Cell]Ratio, c survey.Cell) []Ratio {
	var out []Ratio
	for i, d := range levels {
		if r, ok := clip[i][c.Parent(d.Res)]; ok {
			out = append(out, r)
		}
	}
	return out
}

// Scale is the product of clipped/unclipped over the levels, in parts per million, rounded down after each factor.
func Scale(path []Ratio) survey.PPM {
	s := survey.One
	for _, r := range path {
		if r.Unclipped > 0 {
			s = s * survey.PPM(r.Clipped) / survey.PPM(r.Unclipped)
		}
	}
	return s
}
