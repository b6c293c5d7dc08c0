// Package cellsapi answers over HTTP, as JSON or Arrow, what is seen where and how fresh it is, now or at a past time, and where a drive
// would be worth most. It is free: no key, only a rate limit by address. It names no contributor, drive or owner.
package cellsapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/hex/orders"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Config bounds what one request may cost. The zero value is the default.
type Config struct {
	Rate     float64 // requests a second for one address; 0 means 5
	Burst    int     // at once; 0 means 50
	MaxCells int     // in one answer; 0 means 20,000
	MaxArea  float64 // km² of one request at the base resolution; coarser ones may have 7 times as much a step; 0 means 5
}

func (c Config) withDefaults() Config {
	if c.Rate == 0 {
		c.Rate = 5
	}
	if c.Burst == 0 {
		c.Burst = 50
	}
	if c.MaxCells == 0 {
		c.MaxCells = 20_000
	}
	if c.MaxArea == 0 {
		c.MaxArea = 5
	}
	return c
}

// Deps is what the operations need.
type Deps struct {
	DB        *state.DB
	Log       *slog.Logger     // nil discards
	Clock     func() time.Time // nil means time.Now
	Params    freshness.Params // zero means freshness.Current
	Operators httpx.Operators  // make orders; nil means that nobody can
	Roads     *roadstate.Roads // nil when no OSM extract is given: then no road is known
	Config    Config
}

type server struct {
	Deps
	limit *httpx.Limiter
	roads *network // nil without an extract
}

// Register adds the operations under /v1/cells, /v1/opportunity and /v1/orders to the API.
func Register(_ httpx.Mux, api huma.API, d Deps) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Params.Version == "" {
		d.Params = freshness.Current()
	}
	d.Config = d.Config.withDefaults()
	s := &server{Deps: d, limit: &httpx.Limiter{Rate: d.Config.Rate, Burst: d.Config.Burst, Name: "cells", Clock: d.Clock}}
	if d.Roads != nil {
		s.roads = &network{Roads: d.Roads}
	}
	free := huma.Middlewares{httpx.Guard(func(hc huma.Context) (context.Context, error) {
		host, _, err := net.SplitHostPort(hc.RemoteAddr())
		if err != nil {
			host = hc.RemoteAddr()
		}
		return hc.Context(), s.limit.Check(httpx.ResponseHeader(hc), host)
	})}
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Cells"}, Middlewares: free, MaxBodyBytes: 1 << 20}
	}
	httpx.Handle(api, op("get-cell", "GET", "/v1/cells/{cell}", "What is known of one cell"), s.cell)
	httpx.Handle(api, either[FeatureCollection](api, op("list-cells", "GET", "/v1/cells", "Cells in a box, as GeoJSON or an Arrow stream"), geoJSON), s.box)
	httpx.Handle(api, either[FeatureCollection](api, op("query-cells", "POST", "/v1/cells/query", "Cells in a polygon, as GeoJSON or an Arrow stream"), geoJSON), s.query)
	httpx.Handle(api, either[Coverage](api, op("get-coverage", "POST", "/v1/cells/coverage", "How much of a polygon is seen, and how fresh it is"), plainJSON), s.coverage)
	httpx.Handle(api, either[Opportunity](api, op("list-opportunity", "GET", "/v1/opportunity", "Where a drive would be worth most now"), plainJSON), s.opportunity)
	httpx.Handle(api, op("get-road-progress", "GET", "/v1/roads/progress", "How much of the roads has been driven, by region"), s.progress)
	httpx.Handle(api, op("get-freshness-params", "GET", "/v1/freshness", "The parameters of freshness and saturation in force"), s.params)
	paid := op("create-order", "POST", "/v1/orders", "Ask for cells to be seen, at a price")
	paid.DefaultStatus = http.StatusCreated
	httpx.HandleOperator(api, s.Operators, httpx.RoleOperator, paid, s.createOrder)
	bid := paid
	bid.OperationID, bid.Path, bid.Summary, bid.DefaultStatus = "raise-bid", "/v1/orders/{id}/bid", "Raise the bid of an order", http.StatusOK
	httpx.HandleOperator(api, s.Operators, httpx.RoleOperator, bid, s.raise)
	httpx.Handle(api, op("list-orders", "GET", "/v1/orders", "Active orders, the highest bid first"), s.listOrders)
	httpx.Handle(api, op("get-order", "GET", "/v1/orders/{id}", "An order with its cells and what became of them"), s.order)
}

// When is the time an answer is for.
type When struct {
	AsOf  time.Time `query:"as_of" doc:"Answer as of this time (RFC 3339): only what had been received by then, aged to then. Frames taken down since are not shown. Default now."`
	Class string    `query:"class" maxLength:"40" doc:"Road class whose half-life and sides apply; default that of the longest road in each cell where roads are known, else 'default'."`
}

// Info is what is known of a cell.
type Info struct {
	Cell         survey.Cell `json:"cell"`
	Live         int64       `json:"live" doc:"Base cells seen in it; 1 for a base cell."`
	Observations int64       `json:"observations"`
	Freshness    survey.PPM  `json:"freshness_ppm" doc:"0 to 1,000,000; for a coarser cell the mean over the base cells seen."`
	Freshest     survey.PPM  `json:"freshest_ppm" doc:"Freshness of everything seen in the cell taken together."`
	Quality      survey.PPM  `json:"quality_ppm" doc:"Mean quality of the observations."`
	BestQuality  survey.PPM  `json:"best_quality_ppm"`
	FirstSeen    time.Time   `json:"first_seen"`
	LastSeen     time.Time   `json:"last_seen"`
	Headings     []Heading   `json:"headings" doc:"Sectors of 45° from which it was seen."`
}

// Heading is one sector a cell was seen from.
type Heading struct {
	Bearing  int       `json:"bearing_deg" doc:"Middle of the sector, clockwise from true north."`
	LastSeen time.Time `json:"last_seen"`
}

func (s *server) info(r cells.FreshRow, w When, at time.Time) Info {
	i := Info{
		Cell: r.Cell, Live: r.Live, Observations: r.Observations, Freshness: r.Mean, Freshest: s.Params.Of(&r.Seen, s.roads.classOf(w.Class, r.Cell), at),
		Quality: r.MeanQuality(), BestQuality: r.BestQuality, FirstSeen: r.FirstSeen, LastSeen: r.LastSeen, Headings: []Heading{},
	}
	for b, t := range r.Row.Headings() {
		if !t.IsZero() {
			i.Headings = append(i.Headings, Heading{b * 45, t})
		}
	}
	return i
}

// rows calls fn with the rows at res under the given cells, as of the time, with mean freshness.
func (s *server) rows(ctx context.Context, res int, within []survey.Cell, w When, fn func(cells.FreshRow) error) (time.Time, error) {
	now := s.Clock()
	at := now
	base := func(_ context.Context, visit func(cells.Row) error) error {
		b, err := cells.Base(ctx, s.DB)
		if err != nil || b < res {
			return err
		}
		return cells.EachIn(ctx, s.DB, b, within, visit)
	}
	if !w.AsOf.IsZero() && w.AsOf.Before(now) {
		at = w.AsOf
		base = func(ctx context.Context, visit func(cells.Row) error) error {
			return cells.EachAsOf(ctx, s.DB, within, at, visit)
		}
	}
	if s.roads != nil {
		if err := s.roads.prepare(); err != nil {
			return at, err
		}
	}
	m := cells.NewMerger(res, func(r *cells.Row) survey.PPM { return s.Params.Of(&r.Seen, s.roads.classOf(w.Class, r.Cell), at) }, fn)
	if err := base(ctx, m.Add); err != nil {
		return at, err
	}
	return at, m.Close()
}

type cellInput struct {
	Cell string `path:"cell" maxLength:"16" doc:"H3 index, lower-case hex, at the base resolution or coarser."`
	When
}

type cellOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Info
		AsOf     time.Time    `json:"as_of"`
		Params   string       `json:"params" doc:"Version of the freshness parameters."`
		Boundary [][2]float64 `json:"boundary" doc:"Corners (lon, lat), counter-clockwise, open."`
		Roads    []RoadPart   `json:"roads,omitempty" doc:"Roads in a base cell, where the network knows roads. © OpenStreetMap contributors, ODbL."`
	}
}

const briefly = "public, max-age=30"

func (s *server) cell(ctx context.Context, in *cellInput) (*cellOutput, error) {
	c, err := hex.Parse(in.Cell)
	if err != nil {
		return nil, err
	}
	if c.Resolution() < 5 {
		return nil, survey.Errorf(survey.Invalid, "cell %s is coarser than resolution 5", c)
	}
	out := &cellOutput{CacheControl: briefly}
	at, err := s.rows(ctx, c.Resolution(), []survey.Cell{c}, in.When, func(r cells.FreshRow) error {
		at := s.Clock()
		if !in.AsOf.IsZero() && in.AsOf.Before(at) {
			at = in.AsOf
		}
		out.Body.Info = s.info(r, in.When, at)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out.Body.Cell == 0 {
		return nil, survey.Errorf(survey.NotFound, "nothing was seen in cell %s", c)
	}
	out.Body.AsOf, out.Body.Params = at, s.Params.Version
	if s.roads != nil && c.Resolution() == hex.DefaultRes {
		if out.Body.Roads, err = s.roads.in(ctx, s, c); err != nil {
			return nil, err
		}
	}
	for _, p := range hex.Unwrap(hex.Boundary(c)) {
		out.Body.Boundary = append(out.Body.Boundary, [2]float64{p.Lon, p.Lat})
	}
	return out, nil
}

// FeatureCollection is GeoJSON (RFC 7946); members beyond it are allowed there.
type FeatureCollection struct {
	Type     string    `json:"type" enum:"FeatureCollection"`
	AsOf     time.Time `json:"as_of"`
	Params   string    `json:"params" doc:"Version of the freshness parameters."`
	Res      int       `json:"resolution"`
	Features []Feature `json:"features"`
}

// Feature is one cell.
type Feature struct {
	Type       string      `json:"type" enum:"Feature"`
	ID         survey.Cell `json:"id"`
	Geometry   Geometry    `json:"geometry"`
	Properties Info        `json:"properties"`
}

// Geometry is a GeoJSON polygon.
type Geometry struct {
	Type        string         `json:"type" enum:"Polygon"`
	Coordinates [][][2]float64 `json:"coordinates" doc:"Rings of (lon, lat), the outer one first."`
}

// outline is the closed ring of a cell; over the antimeridian its longitudes pass ±180, so that it draws as one piece.
func outline(c survey.Cell) Geometry {
	var ring [][2]float64
	for _, p := range hex.Unwrap(hex.Boundary(c)) {
		ring = append(ring, [2]float64{p.Lon, p.Lat})
	}
	return Geometry{Type: "Polygon", Coordinates: [][][2]float64{append(ring, ring[0])}}
}

func (g Geometry) polygon() (hex.Polygon, error) {
	if g.Type != "Polygon" || len(g.Coordinates) == 0 {
		return hex.Polygon{}, survey.Errorf(survey.Invalid, "geometry %.40q with %d rings is no polygon", g.Type, len(g.Coordinates))
	}
	var p hex.Polygon
	corners := 0
	for i, ring := range g.Coordinates {
		if corners += len(ring); corners > 2000 {
			return hex.Polygon{}, survey.Errorf(survey.Invalid, "the polygon has more than 2,000 corners")
		}
		pts := make([]geo.Point, len(ring))
		for j, c := range ring {
			pts[j] = geo.Point{Lat: c[1], Lon: c[0]}
		}
		if i == 0 {
			p.Outer = pts
		} else {
			p.Holes = append(p.Holes, pts)
		}
	}
	return p, nil
}

const (
	geoJSON   = "application/geo+json"
	plainJSON = "application/json"
)

// negotiated is an answer in one of two forms: what goes out as JSON, or the bytes of an Arrow stream.
type negotiated struct {
	CacheControl string `header:"Cache-Control"`
	ContentType  string `header:"Content-Type"`
	Vary         string `header:"Vary"`
	Body         any
}

func (s *server) collect(ctx context.Context, res int, within []survey.Cell, w When, accept Accept) (*negotiated, error) {
	out := &negotiated{CacheControl: briefly, ContentType: geoJSON, Vary: "Accept"}
	fc := &FeatureCollection{Type: "FeatureCollection", Params: s.Params.Version, Res: res, Features: []Feature{}}
	at := s.Clock()
	if !w.AsOf.IsZero() && w.AsOf.Before(at) {
		at = w.AsOf
	}
	fc.AsOf = at
	arrow := accept.arrow()
	var rows []CellRow
	fn := func(r cells.FreshRow) error {
		if len(rows)+len(fc.Features) == s.Config.MaxCells {
			return survey.Errorf(survey.Invalid, "more than %d cells have been seen there", s.Config.MaxCells).WithHint("ask for a smaller area or a coarser resolution")
		}
		if i := s.info(r, w, at); arrow {
			rows = append(rows, arrowRow(i, r))
		} else {
			fc.Features = append(fc.Features, Feature{Type: "Feature", ID: r.Cell, Geometry: outline(r.Cell), Properties: i})
		}
		return nil
	}
	var err error
	if len(within) > 0 {
		if _, err = s.rows(ctx, res, within, w, fn); err != nil {
			return nil, err
		}
	}
	if out.Body = fc; arrow {
		out.Body, out.ContentType, err = encode(rows, at, s.Params.Version, res)
	}
	return out, err
}

// areaLimit is how many cells at res a request may cover.
func (s *server) areaLimit(res int) int {
	n := s.Config.MaxArea * 1e6 / 307.1
	return int(n) + 64
}

// Res is the resolution of the cells in an answer.
type Res struct {
	Res int `query:"res" minimum:"5" maximum:"12" default:"12" doc:"H3 resolution of the answer. A coarser one allows a larger area."`
}

type boxInput struct {
	BBox []float64 `query:"bbox" required:"true" minItems:"4" maxItems:"4" doc:"west,south,east,north in degrees; west > east crosses the antimeridian."`
	Res
	When
	Accept
}

func bounds(b []float64) geo.Bounds {
	return geo.Bounds{West: b[0], South: b[1], East: b[2], North: b[3]}
}

func (s *server) box(ctx context.Context, in *boxInput) (*negotiated, error) {
	within, err := hex.Cover(bounds(in.BBox), in.Res.Res, s.areaLimit(in.Res.Res))
	if err != nil {
		return nil, err
	}
	return s.collect(ctx, in.Res.Res, within, in.When, in.Accept)
}

type polygonInput struct {
	Res
	When
	Accept
	Body Geometry
}

func (s *server) query(ctx context.Context, in *polygonInput) (*negotiated, error) {
	p, err := in.Body.polygon()
	if err != nil {
		return nil, err
	}
	within, err := hex.Cells(p, in.Res.Res, s.areaLimit(in.Res.Res))
	if err != nil {
		return nil, err
	}
	return s.collect(ctx, in.Res.Res, within, in.When, in.Accept)
}

// Coverage is how much of an area is seen.
type Coverage struct {
	AsOf         time.Time  `json:"as_of"`
	Params       string     `json:"params"`
	Res          int        `json:"resolution"`
	Cells        int        `json:"cells" doc:"Cells that touch the polygon."`
	Seen         int        `json:"seen" doc:"Of these, with an observation."`
	Coverage     survey.PPM `json:"coverage_ppm" doc:"Share of cells seen. Cells without a road count too."`
	Observations int64      `json:"observations"`
	Freshness    survey.PPM `json:"freshness_ppm" doc:"Mean over the cells seen."`
	LastSeen     time.Time  `json:"last_seen,omitzero"`
}

// feature is GeoJSON of other properties than a cell's freshness.
type feature struct {
	Type       string      `json:"type"`
	ID         survey.Cell `json:"id,omitempty"`
	Geometry   Geometry    `json:"geometry"`
	Properties any         `json:"properties"`
}

func (s *server) coverage(ctx context.Context, in *polygonInput) (*negotiated, error) {
	p, err := in.Body.polygon()
	if err != nil {
		return nil, err
	}
	within, err := hex.Cells(p, in.Res.Res, s.areaLimit(in.Res.Res))
	if err != nil {
		return nil, err
	}
	b := &Coverage{}
	var fresh int64
	if b.AsOf, err = s.rows(ctx, in.Res.Res, within, in.When, func(r cells.FreshRow) error {
		b.Seen++
		b.Observations += r.Observations
		fresh += int64(r.Mean)
		if r.LastSeen.After(b.LastSeen) {
			b.LastSeen = r.LastSeen
		}
		return nil
	}); err != nil {
		return nil, err
	}
	b.Params, b.Res, b.Cells = s.Params.Version, in.Res.Res, len(within)
	if b.Cells > 0 {
		b.Coverage = survey.PPM(int64(b.Seen) * int64(survey.One) / int64(b.Cells))
	}
	if b.Seen > 0 {
		b.Freshness = survey.PPM(fresh / int64(b.Seen))
	}
	last := len(p.Outer)
	if p.Outer[0] == p.Outer[last-1] {
		last-- // closed, as GeoJSON asks
	}
	return answer(in.Accept, b, func() any { return feature{Type: "Feature", Geometry: in.Body, Properties: b} }, func() []CoverageRow {
		row := CoverageRow{int64(b.Cells), int64(b.Seen), int64(b.Coverage), b.Observations, int64(b.Freshness), nil, lake.Polygon(p.Outer[:last])}
		if b.Seen > 0 {
			row.LastSeen = &b.LastSeen
		}
		return []CoverageRow{row}
	}, b.AsOf, b.Params, b.Res)
}

// Worth is what another look at a cell would be worth now.
type Worth struct {
	Cell   survey.Cell `json:"cell"`
	Worth  survey.PPM  `json:"worth_ppm" doc:"Recovery since the last look, 0 to 1,000,000; for a cell coarser than the base the mean."`
	Seen   int64       `json:"seen" doc:"Base cells ever seen in it."`
	Bounty Units       `json:"bounty" doc:"Base units that open orders pay for cells in it nobody has looked at."`
	Center [2]float64  `json:"center" doc:"lon, lat"`
}

type opportunityInput struct {
	BBox []float64 `query:"bbox" required:"true" minItems:"4" maxItems:"4" doc:"west,south,east,north in degrees."`
	Res
	Accept
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// Opportunity is where a drive would be worth most.
type Opportunity struct {
	AsOf   time.Time `json:"as_of"`
	Params string    `json:"params"`
	Res    int       `json:"resolution"`
	Cells  []Worth   `json:"cells" doc:"The highest bounty first, then the highest worth, then by cell. Cells never seen appear with a bounty, or with a road where roads are known."`
}

func (s *server) opportunity(ctx context.Context, in *opportunityInput) (*negotiated, error) {
	res := in.Res.Res
	within, err := hex.Cover(bounds(in.BBox), res, s.areaLimit(res))
	if err != nil {
		return nil, err
	}
	now := s.Clock()
	found := make(map[survey.Cell]*Worth)
	m := cells.NewMerger(res, func(r *cells.Row) survey.PPM { return s.Params.Recovery(r.LastReceived, now) }, func(r cells.FreshRow) error {
		found[r.Cell] = &Worth{Cell: r.Cell, Worth: r.Mean, Seen: r.Live}
		return nil
	})
	base, err := cells.Base(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	if base >= res {
		if err := cells.EachIn(ctx, s.DB, base, within, m.Add); err != nil {
			return nil, err
		}
		if err := m.Close(); err != nil {
			return nil, err
		}
	}
	parents := make([]survey.Cell, len(within))
	for i, c := range within { // a few more cells than asked for, in far fewer ranges
		parents[i] = c.Parent(res - 2)
	}
	for _, r := range hex.Ranges(slices.Compact(parents), hex.DefaultRes) {
		bs, err := orders.Bounties(ctx, s.DB, r[0], r[1], now)
		if err != nil {
			return nil, err
		}
		for _, b := range bs {
			c := b.Cell.Parent(res)
			if _, in := slices.BinarySearch(within, c); !in {
				continue
			}
			w := found[c]
			if w == nil {
				w = &Worth{Cell: c, Worth: survey.One}
				found[c] = w
			}
			w.Bounty += Units(b.Price)
		}
	}
	if s.roads != nil { // roads nobody has seen are worth the most there is
		if err := s.roads.prepare(); err != nil {
			return nil, err
		}
		for _, c := range within {
			if found[c] != nil {
				continue
			}
			lo, hi := c.ChildRange(hex.DefaultRes)
			if i, _ := slices.BinarySearch(s.roads.with, lo); i < len(s.roads.with) && s.roads.with[i] <= hi {
				found[c] = &Worth{Cell: c, Worth: survey.One}
			}
		}
	}
	b := &Opportunity{AsOf: now, Params: s.Params.Version, Res: res, Cells: []Worth{}}
	for _, w := range found {
		m := hex.Center(w.Cell)
		w.Center = [2]float64{m.Lon, m.Lat}
		b.Cells = append(b.Cells, *w)
	}
	slices.SortFunc(b.Cells, func(a, b Worth) int {
		switch {
		case a.Bounty != b.Bounty:
			return sign(b.Bounty > a.Bounty)
		case a.Worth != b.Worth:
			return sign(b.Worth > a.Worth)
		}
		return sign(a.Cell > b.Cell)
	})
	b.Cells = b.Cells[:min(len(b.Cells), in.Limit)]
	return answer(in.Accept, b, func() any {
		fs := make([]feature, len(b.Cells))
		for i, w := range b.Cells {
			fs[i] = feature{Type: "Feature", ID: w.Cell, Geometry: outline(w.Cell), Properties: w}
		}
		return struct {
			Type     string    `json:"type"`
			AsOf     time.Time `json:"as_of"`
			Params   string    `json:"params"`
			Res      int       `json:"resolution"`
			Features []feature `json:"features"`
		}{"FeatureCollection", b.AsOf, b.Params, b.Res, fs}
	}, func() []WorthRow {
		rows := make([]WorthRow, len(b.Cells))
		for i, w := range b.Cells {
			rows[i] = WorthRow{w.Cell, int64(w.Worth), w.Seen, int64(w.Bounty), w.Center[0], w.Center[1]}
		}
		return rows
	}, now, s.Params.Version, res)
}

func sign(after bool) int {
	if after {
		return 1
	}
	return -1
}

type paramsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         freshness.Params
}

func (s *server) params(context.Context, *struct{}) (*paramsOutput, error) {
	return &paramsOutput{CacheControl: "public, max-age=3600", Body: s.Params}, nil
}
