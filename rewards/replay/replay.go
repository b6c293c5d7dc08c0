// Package replay shows what another ruleset would have paid for epochs that are closed: as a table and as a picture.
// It changes nothing; what was found and decided about drives stays as it was.
package replay

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"text/tabwriter"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// Epoch compares what was earned (held amounts included) with what would have been.
type Epoch struct {
	Epoch        survey.Epoch        `json:"epoch"`
	Was, Would   survey.Amount       `json:"-"`
	More, Less   int                 `json:"-"` // contributors
	Quantiles    [5][2]survey.Amount `json:"-"` // 0, 25, 50, 75, 100 % of contributors: was, would
	Contributors []Contributor       `json:"contributors"`
	Pools        [2][]rewards.Pool   `json:"pools"` // was, would
}

// Contributor is one contributor's two amounts.
type Contributor struct {
	ID    survey.ContributorID `json:"contributor"`
	Was   survey.Amount        `json:"was,string"`
	Would survey.Amount        `json:"would,string"`
}

// Report is a replay of several epochs.
type Report struct {
	From, To string  // versions of the rulesets
	Epochs   []Epoch // in the order given
}

// Run reads each folder's inputs and decides them by its own ruleset and by the other one. Folders must be verified
// epochs; one whose files are damaged is Invalid.
func Run(folders []fs.FS, other []byte) (Report, error) {
	rs, err := ruleset.Parse(other)
	if err != nil {
		return Report{}, err
	}
	r := Report{To: rs.Version}
	for _, dir := range folders {
		in, m, err := record.OpenInputs(dir)
		if err != nil {
			return r, err
		}
		own, err := ruleset.Parse(in.Ruleset)
		if err != nil {
			return r, err
		}
		if r.From = cmp.Or(r.From, own.Version); r.From != own.Version {
			r.From = "several"
		}
		was, err := in.Decide(own)
		if err != nil {
			return r, fmt.Errorf("epoch %s: %w", m.Epoch, err)
		}
		would, err := in.Decide(rs)
		if err != nil {
			return r, fmt.Errorf("epoch %s by %s: %w", m.Epoch, rs.Version, err)
		}
		r.Epochs = append(r.Epochs, compare(m.Epoch, was, would))
	}
	return r, nil
}

func compare(e survey.Epoch, was, would rewards.Result) Epoch {
	out := Epoch{Epoch: e, Pools: [2][]rewards.Pool{was.Pools, would.Pools}}
	// Both have the same contributors in the same order: who contributed does not depend on the ruleset.
	var a, b []survey.Amount
	for i, x := range was.Allocations {
		c := Contributor{x.Contributor, x.Amount + x.Held, would.Allocations[i].Amount + would.Allocations[i].Held}
		out.Contributors = append(out.Contributors, c)
		out.Was += c.Was
		out.Would += c.Would
		if c.Would > c.Was {
			out.More++
		}
		if c.Would < c.Was {
			out.Less++
		}
		a, b = append(a, c.Was), append(b, c.Would)
	}
	slices.Sort(a)
	slices.Sort(b)
	for q := range out.Quantiles {
		if n := len(a); n > 0 {
			out.Quantiles[q] = [2]survey.Amount{a[(n-1)*q/4], b[(n-1)*q/4]}
		}
	}
	return out
}

// Table writes the report for people.
func (r Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "epoch\t%s\t%s\tchange\tmore\tless\tmedian %s\tmedian %s\t\n", r.From, r.To, r.From, r.To)
	var was, would survey.Amount
	for _, e := range r.Epochs {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t\n", e.Epoch, e.Was, e.Would, change(e.Was, e.Would), e.More, e.Less, e.Quantiles[2][0], e.Quantiles[2][1])
		was += e.Was
		would += e.Would
	}
	fmt.Fprintf(t, "all\t%s\t%s\t%s\t\t\t\t\t\n", was, would, change(was, would))
	return t.Flush()
}

// change is exact in tenths of a percent.
func change(was, would survey.Amount) string {
	if was == 0 {
		return "-"
	}
	return fmt.Sprintf("%+.1f %%", 100*(float64(would)/float64(was)-1))
}

// SVG draws the report: for each epoch what was and would have been earned, and how the contributors' amounts are
// spread (lowest, quartiles, highest). The picture stands alone and has a text for those who cannot see it.
func (r Report) SVG(w io.Writer) error {
	const (
		left, top, height, gap = 90, 48, 180, 70
		step                   = 64
		bar                    = 20
		wasColor, wouldColor   = "#5b6770", "#c2571a"
	)
	width := left + max(4, len(r.Epochs))*step + 24
	var most, widest survey.Amount = 1, 1
	for _, e := range r.Epochs {
		most = max(most, e.Was, e.Would)
		widest = max(widest, e.Quantiles[4][0], e.Quantiles[4][1])
	}
	y := func(base int, n, scale survey.Amount) float64 {
		return float64(base) + height*(1-float64(n)/float64(scale))
	}
	var b bytes.Buffer
	total := top + 2*height + gap + 48
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="system-ui, sans-serif" font-size="11" fill="#222">`+"\n", width, total)
	fmt.Fprintf(&b, "<title>Rewards by ruleset %s and by %s</title>\n<desc>", esc(r.From), esc(r.To))
	for _, e := range r.Epochs {
		fmt.Fprintf(&b, "%s: %s, would be %s. ", e.Epoch, e.Was, e.Would)
	}
	fmt.Fprintf(&b, "</desc>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n")
	fmt.Fprintf(&b, `<rect x="%d" y="14" width="10" height="10" fill="%s"/><text x="%d" y="23">%s</text>`+"\n", left, wasColor, left+15, esc(r.From))
	fmt.Fprintf(&b, `<rect x="%d" y="14" width="10" height="10" fill="%s"/><text x="%d" y="23">%s</text>`+"\n", left+120, wouldColor, left+135, esc(r.To))
	axis := func(base int, name string, scale survey.Amount) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="600">%s</text>`+"\n", left, base-8, name)
		for i := range 5 {
			n := scale * survey.Amount(i) / 4
			fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y(base, n, scale), width-16, left-6, y(base, n, scale)+4, tokens(n))
		}
	}
	axis(top, "earned, tokens", most)
	low := top + height + gap
	axis(low, "by contributor: lowest, quartiles, highest", widest)
	for i, e := range r.Epochs {
		x := left + i*step + 10
		for k, n := range []survey.Amount{e.Was, e.Would} {
			color := []string{wasColor, wouldColor}[k]
			fmt.Fprintf(&b, `<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s"/>`+"\n", x+k*(bar+2), y(top, n, most), bar, float64(top+height)-y(top, n, most), color)
			mid := x + k*(bar+2) + bar/2
			q := func(j int) float64 { return y(low, e.Quantiles[j][k], widest) }
			fmt.Fprintf(&b, `<path d="M%d %.1fV%.1f" stroke="%s"/><rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s" fill-opacity=".35" stroke="%s"/><path d="M%d %.1fh%d" stroke="%s" stroke-width="2"/>`+"\n",
				mid, q(4), q(0), color, mid-bar/2+2, q(3), bar-4, max(1, q(1)-q(3)), color, color, mid-bar/2+2, q(2), bar-4, color)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text><text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n",
			x+bar, top+height+16, e.Epoch, x+bar, top+height+30, change(e.Was, e.Would))
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", x+bar, low+height+16, e.Epoch)
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

// tokens is an amount short enough for an axis.
func tokens(a survey.Amount) string {
	v := float64(a) / float64(survey.BaseUnits)
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}

func esc(s string) string {
	var b bytes.Buffer
	for _, r := range s {
		switch r {
		case '<', '>', '&', '"':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
