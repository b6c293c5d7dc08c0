package rewards

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Close decides the epoch. Inputs that contradict themselves are Invalid. It takes about 1 µs and 150 bytes for each
// contribution; in is not changed.
func Close(in Inputs, rs Ruleset) (Result, error) {
	in.Contributions = slices.Clone(in.Contributions)
	return CloseInPlace(in, rs)
}

// CloseInPlace is Close for a caller who needs the contributions no more: they are brought into another order.
func CloseInPlace(in Inputs, rs Ruleset) (Result, error) {
	if err := rs.Validate(); err != nil {
		return Result{}, err
	}
	if rs.Trust.Sponsors == nil || len(in.Sponsors) == 0 {
		return decide(in, rs, nil)
	}
	// What a drive earns does not depend on whether it is held. So everything that a sponsorship might decide about is held
	// once, to learn from the escrow what each such drive earns.
	sides := in.sponsored(rs.Trust)
	apart, err := decide(in, rs, sides.all)
	if err != nil {
		return Result{}, err
	}
	held, bonds := sides.bond(in, apart.Escrow)
	res, err := decide(in, rs, held)
	res.Bonds = bonds
	return res, err
}

// decide closes the epoch; holds says of some drives whether they are held, whatever is known of them.
func decide(in Inputs, rs Ruleset, holds map[int32]bool) (Result, error) {
	c := closer{in: in, rs: rs.Coverage, all: rs, holds: holds, res: Result{Epoch: in.Epoch}}
	if err := c.index(); err != nil {
		return Result{}, err
	}
	if err := c.check(); err != nil {
		return Result{}, err
	}
	c.score()
	c.payCoverage()
	c.payDemand()
	c.payOrders()
	c.payReviews()
	c.escrow()
	c.account()
	return c.res, nil
}

type closer struct {
	in    Inputs
	rs    Coverage
	all   Ruleset
	res   Result
	owner []int32 // drive → index into res.Allocations
	trust []survey.PPM
	held  []bool
	holds map[int32]bool // overrides held
	obs   []Contribution
	prior []Prior
	cells []cellShare

	doubts []doubt
	inHold map[int32]survey.Amount // drive → held

	pool struct{ coverage, demand, bursts, qa Pool }
}

// cellShare is a cell's lines and weight between scoring and paying.
type cellShare struct {
	first, last int // lines
	weight      int64
	rem         uint64 // of the division, decides who gets a left-over unit
	amount      survey.Amount
}

// doubt is a held drive's part of a line's score.
type doubt struct {
	cell        survey.Cell
	slot        int64
	contributor int32
	drive       int32
	score       int64
}

// index gives each contributor a number in the order of the ids and brings the contributions into the order in which
// they are decided.
func (c *closer) index() error {
	ids := make([]survey.ContributorID, 0, len(c.in.Drives))
	drives := make(map[survey.DriveID]bool, len(c.in.Drives))
	for i, d := range c.in.Drives {
		switch {
		case d.ID == "" || d.Contributor == "":
			return survey.Errorf(survey.Invalid, "drive %q of contributor %q: an id is empty", d.ID, d.Contributor)
		case drives[d.ID]:
			return survey.Errorf(survey.Invalid, "drive %s occurs twice", d.ID)
		case d.Decision != DecisionNone && d.Decision != DecisionCleared && d.Decision != DecisionConfirmed:
			return survey.Errorf(survey.Invalid, "drive %s: decision %.20q is unknown", d.ID, string(d.Decision))
		}
		for _, f := range slices.Concat(d.Findings, d.Vouchers) {
			if f.Kind == "" || f.Score < 0 || f.Score > survey.One {
				return survey.Errorf(survey.Invalid, "drive %s: finding %.40q with score %d is impossible", d.ID, f.Kind, f.Score)
			}
		}
		t, held := c.all.Trust.Of(d)
		if h, ok := c.holds[int32(i)]; ok {
			held = h
		}
		c.trust, c.held = append(c.trust, t), append(c.held, held)
		drives[d.ID] = true
		ids = append(ids, d.Contributor)
	}
	for _, r := range c.in.Reviews {
		ids = append(ids, r.Contributor)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	used := make([]bool, len(ids))
	for _, r := range c.in.Reviews {
		n, _ := slices.BinarySearch(ids, r.Contributor)
		used[n] = true
	}
	c.owner = make([]int32, len(c.in.Drives))
	for i, d := range c.in.Drives {
		n, _ := slices.BinarySearch(ids, d.Contributor)
		c.owner[i] = int32(n)
	}
	c.obs = c.in.Contributions
	for i := range c.obs {
		o := &c.obs[i]
		switch {
		case o.Drive < 0 || int(o.Drive) >= len(c.in.Drives):
			return survey.Errorf(survey.Invalid, "frame %s names drive %d of %d", o.Frame.ID(), o.Drive, len(c.in.Drives))
		case o.Cell == 0:
			return survey.Errorf(survey.Invalid, "frame %s has no cell", o.Frame.ID())
		case o.Quality < 0 || survey.PPM(o.Quality) > survey.One:
			return survey.Errorf(survey.Invalid, "frame %s: quality %d is not a share", o.Frame.ID(), o.Quality)
		}
		used[c.owner[o.Drive]] = true
	}
	if k, dup := repeated(c.obs); dup {
		return survey.Errorf(survey.Invalid, "frame %s occurs twice", k.ID())
	}
	// Contributors without a contribution have no allocation.
	renumber := make([]int32, len(ids))
	for i, id := range ids {
		renumber[i] = int32(len(c.res.Allocations))
		if used[i] {
			c.res.Allocations = append(c.res.Allocations, Allocation{Contributor: id})
		}
	}
	for i, n := range c.owner {
		c.owner[i] = renumber[n]
	}
	slices.SortFunc(c.obs, func(a, b Contribution) int {
		if n := cmp.Compare(a.Cell, b.Cell); n != 0 {
			return n
		}
		if n := cmp.Compare(c.slot(a), c.slot(b)); n != 0 {
			return n
		}
		if n := cmp.Compare(a.ReceivedAt, b.ReceivedAt); n != 0 {
			return n
		}
		return bytes.Compare(a.Frame[:], b.Frame[:])
	})
	c.prior = slices.Clone(c.in.Prior)
	slices.SortFunc(c.prior, func(a, b Prior) int { return cmp.Compare(a.Cell, b.Cell) })
	for i := 1; i < len(c.prior); i++ {
		if c.prior[i].Cell == c.prior[i-1].Cell {
			return survey.Errorf(survey.Invalid, "cell %s has two priors", c.prior[i].Cell)
		}
	}
	return nil
}

// check refuses what occurs twice or is no amount, and sorts what is looked up by cell.
func (c *closer) check() error {
	c.in.Spend = slices.Clone(c.in.Spend)
	slices.SortFunc(c.in.Spend, func(a, b Spend) int { return cmp.Compare(a.Cell, b.Cell) })
	for i, s := range c.in.Spend {
		if s.Amount < 0 || s.Cell == 0 || i > 0 && s.Cell == c.in.Spend[i-1].Cell {
			return survey.Errorf(survey.Invalid, "spend of %d on cell %s is negative or occurs twice", int64(s.Amount), s.Cell)
		}
	}
	c.in.Orders = slices.Clone(c.in.Orders)
	slices.SortFunc(c.in.Orders, func(a, b Order) int {
		if n := cmp.Compare(a.Cell, b.Cell); n != 0 {
			return n
		}
		return cmp.Compare(a.ID, b.ID)
	})
	for i, o := range c.in.Orders {
		if o.ID == "" || o.Price < 0 || o.Closes < o.Opens || o.Cell == 0 || i > 0 && o.Cell == c.in.Orders[i-1].Cell && o.ID == c.in.Orders[i-1].ID {
			return survey.Errorf(survey.Invalid, "order %q on cell %s is impossible or occurs twice", o.ID, o.Cell)
		}
	}
	c.in.Regions = slices.Clone(c.in.Regions)
	slices.SortFunc(c.in.Regions, func(a, b Region) int { return cmp.Compare(a.Cell, b.Cell) })
	road := int64(0)
	for i, r := range c.in.Regions {
		road += r.Road
		switch {
		case r.Covered < 0 || r.Covered > r.Road || road < 0 || i > 0 && r.Cell == c.in.Regions[i-1].Cell:
			return survey.Errorf(survey.Invalid, "region %s: %d of %d mm of road is impossible, or it occurs twice", r.Cell, r.Covered, r.Road)
		case r.Cell == 0 || c.all.Regions != nil && r.Cell.Resolution() != c.all.Regions.Resolution:
			return survey.Errorf(survey.Invalid, "region %s is no cell of the ruleset's resolution", r.Cell)
		}
	}
	seen := map[survey.ContributorID]bool{}
	points := int64(0)
	for _, r := range c.in.Reviews {
		points += r.Points
		if r.Contributor == "" || r.Points < 0 || points < 0 || seen[r.Contributor] {
			return survey.Errorf(survey.Invalid, "%d points of contributor %q are negative or occur twice", r.Points, r.Contributor)
		}
		seen[r.Contributor] = true
	}
	newcomers := map[survey.ContributorID]bool{}
	for _, s := range c.in.Sponsors {
		if s.Newcomer == "" || s.Sponsor == "" || s.Newcomer == s.Sponsor || newcomers[s.Newcomer] {
			return survey.Errorf(survey.Invalid, "sponsor %q of newcomer %q is impossible, or the newcomer has two", s.Sponsor, s.Newcomer)
		}
		newcomers[s.Newcomer] = true
	}
	var paid survey.Amount
	for _, s := range c.in.Spend {
		if paid += s.Amount; paid < 0 {
			return survey.Errorf(survey.Invalid, "what customers spent is beyond 63 bits")
		}
	}
	for _, o := range c.in.Orders {
		if paid += o.Price; paid < 0 {
			return survey.Errorf(survey.Invalid, "what customers spent is beyond 63 bits")
		}
	}
	if paid+c.all.Emission < 0 {
		return survey.Errorf(survey.Invalid, "emission and what customers spent are beyond 63 bits")
	}
	return nil
}

// repeated finds a frame that occurs more than once, wherever.
func repeated(obs []Contribution) (FrameKey, bool) {
	type halves struct{ hi, lo uint64 } // compares as the bytes do, several times faster
	keys := make([]halves, len(obs))
	for i := range obs {
		f := &obs[i].Frame
		keys[i] = halves{binary.BigEndian.Uint64(f[:8]), binary.BigEndian.Uint64(f[8:])}
	}
	slices.SortFunc(keys, func(a, b halves) int {
		if n := cmp.Compare(a.hi, b.hi); n != 0 {
			return n
		}
		return cmp.Compare(a.lo, b.lo)
	})
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			var k FrameKey
			binary.BigEndian.PutUint64(k[:8], keys[i].hi)
			binary.BigEndian.PutUint64(k[8:], keys[i].lo)
			return k, true
		}
	}
	return FrameKey{}, false
}

// slot is the number of the capture slot, rounded towards the past.
func (c *closer) slot(o Contribution) int64 {
	d := c.rs.SlotSeconds * micros
	n := o.CapturedAt / d
	if o.CapturedAt%d < 0 {
		n--
	}
	return n
}

// slotScore is one capture slot of a cell while it is scored.
type slotScore struct {
	first, last int   // lines
	received    int64 // of the first counted frame
	slot        int64
	best        survey.PPM
	total       int64
}

// score makes the lines, with everything but amounts, and the cells' weights.
func (c *closer) score() {
	var slots []slotScore
	c.res.Lines = make([]Line, 0, len(c.obs)/3+1) // a pass leaves two or three frames in a cell
	p := 0
	for lo := 0; lo < len(c.obs); {
		cell := c.obs[lo].Cell
		hi := lo
		firstLine := len(c.res.Lines)
		slots = slots[:0]
		for hi < len(c.obs) && c.obs[hi].Cell == cell {
			end := hi + 1
			for end < len(c.obs) && c.obs[end].Cell == cell && c.slot(c.obs[end]) == c.slot(c.obs[hi]) {
				end++
			}
			slots = append(slots, c.scoreSlot(c.obs[hi:end]))
			hi = end
		}
		for p < len(c.prior) && c.prior[p].Cell < cell {
			p++
		}
		var prior *Prior
		if p < len(c.prior) && c.prior[p].Cell == cell {
			prior = &c.prior[p]
		}
		c.weigh(slots, prior, firstLine)
		lo = hi
	}
}

// scoreSlot makes the lines of one slot of a cell; obs is in the order of reception.
func (c *closer) scoreSlot(obs []Contribution) slotScore {
	s := slotScore{first: len(c.res.Lines), slot: c.slot(obs[0])}
	if c.rs.Capacity > 0 && c.rs.Seniority == "score" && len(obs) > c.rs.Capacity {
		obs = slices.Clone(obs)
		slices.SortStableFunc(obs, func(a, b Contribution) int { return cmp.Compare(c.scoreOf(b), c.scoreOf(a)) })
	}
	line := func(o Contribution) *Line {
		n := c.owner[o.Drive]
		for i := len(c.res.Lines) - 1; i >= s.first; i-- {
			if c.res.Lines[i].Contributor == n {
				return &c.res.Lines[i]
			}
		}
		c.res.Lines = append(c.res.Lines, Line{Cell: o.Cell, Slot: s.slot * c.rs.SlotSeconds, Contributor: n})
		return &c.res.Lines[len(c.res.Lines)-1]
	}
	counted := 0
	for _, o := range obs {
		l := line(o)
		code := c.excluded(o)
		if code == CodePaid && c.rs.Capacity > 0 && counted == c.rs.Capacity {
			code = CodeSaturated
		}
		if code != CodePaid {
			l.Excluded++
			if l.Frames == 0 {
				l.Code = code
			}
			continue
		}
		if counted == 0 || o.ReceivedAt < s.received {
			s.received = o.ReceivedAt
		}
		counted++
		score := c.scoreOf(o)
		l.Frames++
		l.Code = CodePaid
		l.Score += int64(score)
		if c.held[o.Drive] {
			l.HeldScore += int64(score)
			c.doubts = append(c.doubts, doubt{l.Cell, l.Slot, l.Contributor, o.Drive, int64(score)})
		}
		if q := survey.PPM(o.Quality); q > l.Quality || l.Frames == 1 {
			l.Quality, l.Trust = q, c.trust[o.Drive]
		}
		s.best = max(s.best, score)
		s.total += int64(score)
	}
	s.last = len(c.res.Lines)
	slices.SortFunc(c.res.Lines[s.first:s.last], func(a, b Line) int { return cmp.Compare(a.Contributor, b.Contributor) })
	return s
}

func (c *closer) scoreOf(o Contribution) survey.PPM {
	return survey.PPM(o.Quality).Mul(c.trust[o.Drive]).Mul(c.lag(o))
}

// excluded says why a frame does not count, whatever else is in its slot.
func (c *closer) excluded(o Contribution) Code {
	switch {
	case c.trust[o.Drive] == 0:
		return CodeNoTrust
	case survey.PPM(o.Quality) < c.rs.MinQuality || c.scoreOf(o) == 0:
		return CodeLowQuality
	}
	return CodePaid
}

// lag is the share that late upload leaves.
func (c *closer) lag(o Contribution) survey.PPM {
	late := (o.ReceivedAt - o.CapturedAt) / micros
	switch {
	case late <= c.rs.LagFullSeconds:
		return survey.One
	case late >= c.rs.LagFloorSeconds:
		return c.rs.LagFloor
	}
	return survey.One - survey.PPM(mulDiv(uint64(survey.One-c.rs.LagFloor), uint64(late-c.rs.LagFullSeconds), uint64(c.rs.LagFloorSeconds-c.rs.LagFullSeconds)))
}

// weigh ranks the slots of a cell and gives the cell its weight.
func (c *closer) weigh(slots []slotScore, prior *Prior, firstLine int) {
	order := make([]int, 0, 8)
	received := int64(0)
	for i, s := range slots {
		if s.total == 0 {
			continue
		}
		if len(order) == 0 || s.received < received {
			received = s.received
		}
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		if n := cmp.Compare(slots[a].received, slots[b].received); n != 0 {
			return n
		}
		return cmp.Compare(slots[a].slot, slots[b].slot)
	})
	need := survey.One
	if prior != nil {
		gap := max(0, received-prior.ReceivedAt) / micros
		if gap < c.rs.NeedSeconds {
			need = survey.PPM(mulDiv(uint64(survey.One), uint64(gap), uint64(c.rs.NeedSeconds)))
		}
	}
	var weight survey.PPM
	for n, i := range order {
		s := slots[i]
		var rank survey.PPM
		if n < len(c.rs.Ranks) {
			rank = c.rs.Ranks[n]
		}
		w := need.Mul(rank).Mul(s.best)
		weight += w
		for j := s.first; j < s.last; j++ {
			l := &c.res.Lines[j]
			l.Rank, l.Weight, l.Best, l.Total, l.SlotWeight = int32(n+1), rank, s.best, s.total, w
		}
	}
	for j := firstLine; j < len(c.res.Lines); j++ {
		l := &c.res.Lines[j]
		l.Need, l.CellWeight = need, weight
		switch {
		case l.Code != CodePaid:
		case need == 0:
			l.Code = CodeFresh
		case l.Weight == 0:
			l.Code = CodeRank
		}
	}
	c.cells = append(c.cells, cellShare{first: firstLine, last: len(c.res.Lines), weight: int64(weight)})
	c.res.Weight += int64(weight)
}

// payCoverage splits the pool over the cells by largest remainder, a cell's amount over its slots and a slot's over its
// lines rounding down. Rounding down inside a cell is what makes splitting an account worth nothing: two parts never
// round to more than the whole.
func (c *closer) payCoverage() {
	p := &c.pool.coverage
	*p = Pool{Name: "coverage", In: amountOf(c.all.Emission, uint64(c.all.Pools.Coverage), uint64(survey.One))}
	if c.all.Regions != nil && len(c.in.Regions) > 0 {
		c.payRegions(p.In)
	} else if c.res.Weight > 0 {
		c.res.Spent = min(p.In, capped(c.rs.MaxRate, c.res.Weight))
		split(c.cells, c.res.Spent, uint64(c.res.Weight))
	}
	for _, cell := range c.cells {
		for i := cell.first; i < cell.last; i++ {
			l := &c.res.Lines[i]
			l.CellAmount = cell.amount
			if l.SlotWeight > 0 {
				l.Rate = amountOf(cell.amount, uint64(l.SlotWeight), uint64(l.CellWeight))
				l.Amount = amountOf(l.Rate, uint64(l.Score), uint64(l.Total))
			}
			if l.Amount == 0 && l.Code == CodePaid {
				l.Code = CodeTooLittle
			}
			a := &c.res.Allocations[l.Contributor]
			a.Coverage += l.Amount
			c.book(p, l, l.Amount)
			a.Frames += int64(l.Frames)
			// Lines are in cell order, so a contributor's lines of one cell are seen one after another.
			if l.Frames > 0 && !countedBefore(c.res.Lines[cell.first:i], l.Contributor) {
				a.Cells++
			}
		}
	}
}

// payRegions splits the pool over the regions and each region's part over its cells. A region gets its share of all road
// times its progress; what that leaves is not minted, so that the network pays more as it covers more of what it knows.
func (c *closer) payRegions(pool survey.Amount) {
	g := *c.all.Regions
	regions := c.in.Regions // sorted by check
	outside := amountOf(pool, uint64(g.Outside), uint64(survey.One))
	var road uint64
	for _, r := range regions {
		road += uint64(r.Road)
	}
	out := RegionShare{Pool: outside}
	shares := make([]RegionShare, len(regions))
	for i, r := range regions {
		shares[i] = RegionShare{Cell: r.Cell, Road: r.Road, Progress: g.Floor}
		if r.Road > 0 {
			// Covered ≤ Road, so the quotient is at most One × One / Full.
			covered := mulDiv(uint64(r.Covered), uint64(survey.One), uint64(r.Road))
			shares[i].Progress = max(g.Floor, survey.PPM(min(covered*uint64(survey.One)/uint64(g.Full), uint64(survey.One))))
			shares[i].Pool = amountOf(amountOf(pool-outside, uint64(r.Road), road), uint64(shares[i].Progress), uint64(survey.One))
		}
	}
	// Cells are in the order of their indexes, which keeps the descendants of a region together.
	var away []cellShare
	var awayAt []int
	n := 0
	for lo := 0; lo < len(c.cells); {
		at := c.res.Lines[c.cells[lo].first].Cell.Parent(g.Resolution)
		hi := lo
		var weight int64
		for ; hi < len(c.cells) && c.res.Lines[c.cells[hi].first].Cell.Parent(g.Resolution) == at; hi++ {
			weight += c.cells[hi].weight
		}
		for n < len(shares) && shares[n].Cell < at {
			n++
		}
		if n < len(shares) && shares[n].Cell == at {
			c.payRegion(&shares[n], c.cells[lo:hi], weight)
			for i := c.cells[lo].first; i < c.cells[hi-1].last; i++ {
				c.res.Lines[i].Region = at
			}
		} else {
			for i := lo; i < hi; i++ {
				away, awayAt = append(away, c.cells[i]), append(awayAt, i)
			}
			out.Weight += weight
		}
		lo = hi
	}
	c.payRegion(&out, away, out.Weight)
	for i, at := range awayAt {
		c.cells[at] = away[i]
	}
	c.res.Regions = append([]RegionShare{out}, shares...)
}

func (c *closer) payRegion(r *RegionShare, cells []cellShare, weight int64) {
	r.Weight = weight
	if weight > 0 {
		r.Spent = min(r.Pool, capped(c.rs.MaxRate, weight))
		split(cells, r.Spent, uint64(weight))
		c.res.Spent += r.Spent
	}
}

// book gives a line's amount to its contributor, the part of held drives into escrow.
func (c *closer) book(p *Pool, l *Line, n survey.Amount) {
	var held survey.Amount
	if l.HeldScore > 0 {
		held = amountOf(n, uint64(l.HeldScore), uint64(l.Score))
	}
	l.Held += held
	c.give(p, l.Contributor, n, held)
}

func (c *closer) give(p *Pool, contributor int32, n, held survey.Amount) {
	a := &c.res.Allocations[contributor]
	a.Amount += n - held
	a.Held += held
	p.Allocated += n - held
	p.Held += held
}

// payDemand gives what customers spent on a cell, less what is burned, to those who covered it in the epoch: over the
// slots by rank and best score, need aside, and over a slot's lines as coverage does. A cell that nobody covered leaves
// its part in the remainder, or all of it to the next epoch.
func (c *closer) payDemand() {
	p := &c.pool.demand
	*p = Pool{Name: "demand"}
	i := 0
	for _, s := range c.in.Spend {
		for i < len(c.cells) && c.res.Lines[c.cells[i].first].Cell < s.Cell {
			i++
		}
		var lines []Line
		if i < len(c.cells) && c.res.Lines[c.cells[i].first].Cell == s.Cell {
			lines = c.res.Lines[c.cells[i].first:c.cells[i].last]
		}
		var total uint64
		for j, l := range lines {
			if j == 0 || l.Slot != lines[j-1].Slot {
				total += uint64(l.Weight.Mul(l.Best))
			}
		}
		if total == 0 && c.all.Demand.Carry {
			if s.Amount > 0 {
				c.res.Carried = append(c.res.Carried, s)
			}
			continue
		}
		burned := amountOf(s.Amount, uint64(c.all.Demand.Burn), uint64(survey.One))
		p.In += s.Amount
		p.Burned += burned
		if total == 0 {
			continue
		}
		for j := range lines {
			l := &lines[j]
			if l.Total == 0 {
				continue
			}
			l.DemandRate = amountOf(s.Amount-burned, uint64(l.Weight.Mul(l.Best)), total)
			l.Demand = amountOf(l.DemandRate, uint64(l.Score), uint64(l.Total))
			c.res.Allocations[l.Contributor].Demand += l.Demand
			c.book(p, l, l.Demand)
		}
	}
}

// payOrders gives each order's cell to the first frame received that counts and was captured while the order was open.
func (c *closer) payOrders() {
	p := &c.pool.bursts
	*p = Pool{Name: "bursts"}
	end := c.in.Epoch.End().UnixMicro()
	lo := 0
	for _, o := range c.in.Orders {
		for lo < len(c.obs) && c.obs[lo].Cell < o.Cell {
			lo++
		}
		h := Hit{Order: o.ID, Cell: o.Cell, State: HitOpen, Contributor: -1}
		var by *Contribution
		for i := lo; i < len(c.obs) && c.obs[i].Cell == o.Cell; i++ {
			f := &c.obs[i]
			if f.CapturedAt < o.Opens || f.CapturedAt >= o.Closes || c.excluded(*f) != CodePaid {
				continue
			}
			if by == nil || f.ReceivedAt < by.ReceivedAt || f.ReceivedAt == by.ReceivedAt && bytes.Compare(f.Frame[:], by.Frame[:]) < 0 {
				by = f
			}
		}
		switch {
		case by != nil:
			h.State, h.Contributor, h.Frame, h.Amount = HitFilled, c.owner[by.Drive], by.Frame, o.Price
			if c.held[by.Drive] {
				h.Held = o.Price
				c.hold(by.Drive, o.Price)
			}
			p.In += o.Price
			c.res.Allocations[h.Contributor].Bursts += o.Price
			c.give(p, h.Contributor, o.Price, h.Held)
		case o.Closes <= end:
			h.State = HitRefunded
			p.In += o.Price
			p.Refunded += o.Price
		}
		c.res.Hits = append(c.res.Hits, h)
	}
}

// payReviews splits the QA pool by points, rounding down.
func (c *closer) payReviews() {
	p := &c.pool.qa
	*p = Pool{Name: "qa", In: amountOf(c.all.Emission, uint64(c.all.Pools.QA), uint64(survey.One))}
	var points uint64
	for _, r := range c.in.Reviews {
		points += uint64(r.Points)
	}
	if points == 0 {
		return
	}
	for _, r := range c.in.Reviews {
		n, _ := slices.BinarySearchFunc(c.res.Allocations, r.Contributor, func(a Allocation, id survey.ContributorID) int { return cmp.Compare(a.Contributor, id) })
		q := amountOf(p.In, uint64(r.Points), points)
		c.res.Allocations[n].QA += q
		c.give(p, int32(n), q, 0)
	}
}

func (c *closer) hold(drive int32, n survey.Amount) {
	if c.inHold == nil {
		c.inHold = map[int32]survey.Amount{}
	}
	c.inHold[drive] += n
}

// escrow splits what each line holds over its held drives by score, rounding down; what that leaves goes to the drive
// with the smallest id.
func (c *closer) escrow() {
	byLine := func(d doubt, l *Line) int {
		if n := cmp.Compare(d.cell, l.Cell); n != 0 {
			return n
		}
		if n := cmp.Compare(d.slot, l.Slot); n != 0 {
			return n
		}
		return cmp.Compare(d.contributor, l.Contributor)
	}
	slices.SortFunc(c.doubts, func(a, b doubt) int {
		if n := byLine(a, &Line{Cell: b.cell, Slot: b.slot, Contributor: b.contributor}); n != 0 {
			return n
		}
		return cmp.Compare(c.in.Drives[a.drive].ID, c.in.Drives[b.drive].ID)
	})
	i := 0
	for n := range c.res.Lines {
		l := &c.res.Lines[n]
		first, left := i, l.Held
		for ; i < len(c.doubts) && byLine(c.doubts[i], l) == 0; i++ {
			part := amountOf(l.Held, uint64(c.doubts[i].score), uint64(l.HeldScore))
			c.hold(c.doubts[i].drive, part)
			left -= part
		}
		if left > 0 {
			c.hold(c.doubts[first].drive, left)
		}
	}
	for d, n := range c.inHold {
		if n > 0 {
			c.res.Escrow = append(c.res.Escrow, Escrow{c.in.Drives[d].ID, n})
		}
	}
	slices.SortFunc(c.res.Escrow, func(a, b Escrow) int { return cmp.Compare(a.Drive, b.Drive) })
}

// account closes the pools.
func (c *closer) account() {
	rest := Pool{Name: "unassigned", In: c.all.Emission - c.pool.coverage.In - c.pool.qa.In}
	c.res.Pools = []Pool{c.pool.coverage, c.pool.demand, c.pool.bursts, c.pool.qa, rest}
	for i := range c.res.Pools {
		p := &c.res.Pools[i]
		p.Remainder = p.In - p.Allocated - p.Held - p.Burned - p.Refunded
	}
}

func countedBefore(ls []Line, contributor int32) bool {
	for i := range ls {
		if ls[i].Contributor == contributor && ls[i].Frames > 0 {
			return true
		}
	}
	return false
}

// split gives each cell floor(pool × weight / total), then one unit more to the cells with the largest remainders until
// the pool is spent; equal remainders are served in the order of the cells.
func split(cells []cellShare, pool survey.Amount, total uint64) {
	left := pool
	order := make([]int32, len(cells))
	for i := range cells {
		hi, lo := bits.Mul64(uint64(pool), uint64(cells[i].weight))
		q, r := bits.Div64(hi, lo, total) // weight ≤ total, so the quotient is at most the pool
		cells[i].amount, cells[i].rem = survey.Amount(q), r
		left -= survey.Amount(q)
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if n := cmp.Compare(cells[b].rem, cells[a].rem); n != 0 {
			return n
		}
		return cmp.Compare(a, b)
	})
	for i := 0; left > 0; i++ { // fewer units are left than cells have a remainder
		cells[order[i]].amount++
		left--
	}
}

// capped is rate × weight in whole cells, at most the largest Amount.
func capped(rate survey.Amount, weight int64) survey.Amount {
	hi, lo := bits.Mul64(uint64(rate), uint64(weight))
	if hi >= uint64(survey.One) {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, uint64(survey.One))
	return survey.Amount(min(q, 1<<63-1))
}

// mulDiv is a × b / d rounded down through 128 bits; b ≤ d.
func mulDiv(a, b, d uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, d)
	return q
}

func amountOf(a survey.Amount, part, whole uint64) survey.Amount {
	return survey.Amount(mulDiv(uint64(a), part, whole))
}
